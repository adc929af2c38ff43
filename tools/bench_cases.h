// SPDX-License-Identifier: BSD-2-Clause
/* What `make bench` measures: kinds of packets, each with some numbers of flows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench_world.h"

#define CASE_SIZES  4
#define CASE_SETUPS 2

struct bench_case {
	const char *name;
	const char *program;		/* of the wrapper */
	const char *setup[CASE_SETUPS]; /* programs that visit every flow once before */
	const char *tunnel; /* the floor that writes a tunnel header; NULL: not forwarded */
	const char *floor;  /* NULL, or what stands where the balancer would */
	uint32_t outcome;
	uint32_t rounds; /* of the wrapper, after which a flow is where it was; 0: it does not
			    matter */
	bool clear;	 /* flows must be new */
	bool full;	 /* the flow table is full of other flows, all open */
	bool silent;	 /* the SYNs in the flow table are some seconds old: nobody answered */
	bool control;	 /* nothing learned: flows go by the control ring, as its arm does */
	bool profiled;	 /* with 1 and 64 k flows */
	enum larch_mode mode;
	uint16_t flags; /* enum larch_service_flag */
	bool untimed;	/* the service has no signal */
	enum world_way way;
	struct {
		uint32_t bits;	  /* 2^bits flows */
		double budget_ns; /* 0: none */
	} size[CASE_SIZES];
};

extern const struct bench_case bench_cases[];
extern const size_t bench_case_count;
