// SPDX-License-Identifier: BSD-2-Clause
/* One packet on its way through a program, and what is checked of it. Between check*.c alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../packet/verify.h"
#include "stub.h"
#include "world.h"

#define PASSAGE_COUNTERS 64 /* outcomes of either program */
#define PASSAGE_FLOWS	 (WORLD_BUCKETS * LARCH_BUCKET_FLOWS)

/* The packet, what became of it, and how things were before it (for the agent, only counters). */
struct passage {
	const char *program;
	const uint8_t *in;
	size_t in_size;
	struct xdp_md context; /* as the program left it */
	int verdict;
	uint32_t outcome;
	uint32_t reached;    /* the backend that it went to; LARCH_NO_BACKEND: none */
	enum verify_way way; /* in which it went on, if it did */
	struct larch_counter counter[PASSAGE_COUNTERS];
	struct larch_flow flow[PASSAGE_FLOWS];
};

_Static_assert(LARCH_OUTCOME_COUNT <= PASSAGE_COUNTERS, "fits");
_Static_assert(LARCH_AGENT_OUTCOME_COUNT <= PASSAGE_COUNTERS, "fits");

/* Says what is wrong, and of which packet, and ends the process. */
void passage_fail(const struct passage *passage, const char *what) __attribute__((noreturn));

static inline void require(const struct passage *passage, bool truth, const char *what)
{
	if (!truth)
		passage_fail(passage, what);
}

static inline const uint8_t *passage_out(const struct passage *passage)
{
	return stub_data(&passage->context);
}

static inline size_t passage_out_size(const struct passage *passage)
{
	return passage->context.data_end - passage->context.data;
}

/* The frame that leaves, or is passed on: check_frame.c. Finds `reached` and `way`. */
void check_balancer_frame(struct passage *passage);
void check_agent_frame(const struct passage *passage);

/* The flow table and what backends owe: check_flow.c. */
void check_flows(const struct passage *passage);
