// SPDX-License-Identifier: BSD-2-Clause
/*
 * Runs packets by BPF_PROG_TEST_RUN through the balancer and the agent, unpinned and unattached.
 * Each test is a process of its own and has the balancer for itself, with empty maps (lent.h).
 *
 * Every packet sent here is checked to have been counted once, with its bytes, and to have got the
 * verdict that the list of outcomes promises; if sent, to be whole (its headers promise no more
 * than is there, and the inner packet is the one that came); if answered, to be an answer to what
 * came; else to be untouched. The ingress interface is always the loopback's.
 */
#pragma once

#include <criterion/criterion.h>

#include "builder.h"
#include "clock.h"
#include "larch/backend.h"
#include "larch/capture.h"
#include "larch/cell.h"
#include "larch/flow.h"
#include "larch/fragment.h"
#include "larch/guard.h"
#include "larch/outcome.h"
#include "larch/plan.h"
#include "larch/service.h"
#include "outcomes.h"

#define INGRESS	       1  /* the loopback interface of any network namespace */
#define SHORTEST_FRAME 14 /* BPF_PROG_TEST_RUN takes no shorter ones */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The maps of the balancer that can be mapped, as plain arrays. */
struct balancer {
	struct larch_settings *settings;
	struct larch_vip_slot *vips;	/* [2 * LARCH_VIP_SLOTS] */
	struct larch_service *services; /* [LARCH_MAX_SERVICES] */
	struct larch_bucket *bucket;
	struct larch_active *active;
	struct larch_plan *plan;   /* see larch_bank_index() */
	struct larch_ring *ring;   /* see larch_ring_index() */
	struct larch_costs *costs; /* see larch_costs_index() */
	struct larch_live *live;
	struct larch_connects *connects;
	struct larch_bands *bands;	 /* [LARCH_MAX_BACKENDS] */
	struct larch_pressure *pressure; /* [LARCH_MAX_SERVICES] */
	struct larch_capture *capture;
};

extern struct balancer balancer;

struct result {
	int verdict;	    /* enum xdp_action */
	uint32_t outcome;   /* enum larch_outcome, or larch_agent_outcome */
	struct frame frame; /* as it left; offsets as of the frame that was sent */
};

/* Both end the test if something is missing. */
void balancer_open(void);
void balancer_open_frags(void); /* with the program for frames in several buffers */
void balancer_close(void);

struct result balancer_send(const struct frame *frame);
struct result balancer_send_spec(const struct spec *spec);

/* Sends a frame with `taken` bytes of the driver's headroom in use; false: the kernel cannot. */
bool balancer_send_with_less_room(const struct frame *frame, uint32_t taken, struct result *out);

/* Only runs the frame: result->outcome is not known. false: the kernel refuses to. */
bool balancer_run(const struct frame *frame, struct result *out);
bool agent_run(const struct frame *frame, struct result *out);

#define SEND(...) balancer_send_spec(&(struct spec){__VA_ARGS__})

void balancer_put_slot(const struct larch_vip_slot *slot);
void balancer_put_vip(const struct larch_vip *vip, uint16_t service);
void balancer_set_backend(uint32_t id, const struct larch_backend *backend);
struct larch_backend balancer_backend(uint32_t id);

void balancer_put_quic(const struct larch_quic *key, uint32_t backend);
void balancer_put_access(const struct larch_access *access, uint32_t verdict);

/* What is left to a source of new flows; false: it has not been seen. */
bool balancer_allowance(const struct larch_source *source, struct larch_allowance *out);
void balancer_put_allowance(const struct larch_source *source, struct larch_allowance allowance);

/* Counters, summed over CPUs. */
struct larch_counter balancer_outcome(enum larch_outcome outcome);
struct larch_traffic balancer_service_traffic(uint32_t service);
struct larch_traffic balancer_leaf_traffic(uint32_t service, uint32_t leaf);
struct larch_traffic balancer_backend_traffic(uint32_t backend);
struct larch_evidence balancer_evidence(uint32_t service);
uint64_t balancer_received(void);

/* The samples of a cell; false: there is no such cell. */
bool balancer_cell(const struct larch_cell *cell, struct larch_samples *out);
size_t balancer_cells(void);
void balancer_put_cell(const struct larch_cell *cell); /* empty */
void balancer_fill_cells(void);

/* What is remembered of a fragmented packet; false: nothing. And of any at all? */
bool balancer_fragment(const struct larch_fragment *key, struct larch_fragment_way *out);
bool balancer_has_fragments(void);
void balancer_put_fragment(const struct larch_fragment *key, const struct larch_fragment_way *way);

/* Takes the next record of what was captured; false: there is none. */
bool balancer_captured(struct larch_captured *out);

/* Limits are each CPU's own: a test of them stays on one. */
void stay_on_one_cpu(void);

/* Pretends that so many seconds have passed since the limit was last asked. */
void balancer_age_limit(enum larch_limit limit, uint32_t seconds);

#define EXPECT(sent, name)                                                                         \
	do {                                                                                       \
		const struct result got_ = (sent);                                                 \
		cr_assert_eq(got_.outcome, LARCH_##name, "%s instead of " #name,                   \
			     outcomes_name(got_.outcome));                                         \
	} while (0)

void agent_open(void);
void agent_open_frags(void);
void agent_close(void);
struct result agent_send(const struct frame *frame);
uint64_t agent_received(void);

#define EXPECT_AGENT(sent, name)                                                                   \
	do {                                                                                       \
		const struct result got_ = (sent);                                                 \
		cr_assert_eq(got_.outcome, LARCH_AGENT_##name, "outcome %u instead of " #name,     \
			     got_.outcome);                                                        \
	} while (0)

/* Settles the unit of stamps, as larchd does. */
void balancer_set_ticks(void);

/* Now, as the program stamps flows. */
uint32_t now_stamp(void);
