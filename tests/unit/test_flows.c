// SPDX-License-Identifier: BSD-2-Clause
/* The daemon's walk over the flow table: what it counts, what it clears, what it leaves alone. */
#include <criterion/criterion.h>
#include <string.h>

#include "flows.h"

#define NOW_STAMP   1000u
#define TWO_MINUTES 14 /* stamps */
#define BACKEND	    7

static struct larch_bucket walked_bucket;
static struct flows_count walked;

static uint16_t idle_limit; /* of datagram flows */
static uint64_t now_ns;	    /* since the SYN, or the request */

static struct larch_flow *walk_one(enum larch_flow_state state, enum larch_flow_phase phase,
				   uint32_t age, int count_syns)
{
	struct larch_flow *flow = &walked_bucket.flow[1];

	memset(&walked_bucket, 0, sizeof(walked_bucket));
	flow->identity = (union larch_identity){
		.tag = 99,
		.backend = BACKEND,
		.stamp = (NOW_STAMP - age) & LARCH_STAMP_MASK,
		.state = state,
	};
	flow->timing.phase = phase;
	flow->timing.acked = idle_limit;
	flows_walk(&walked_bucket, 1, NOW_STAMP, now_ns, count_syns, &walked);
	return flow;
}

static int is_kept(enum larch_flow_state state, enum larch_flow_phase phase, uint32_t age)
{
	return walk_one(state, phase, age, 1)->identity.word != 0;
}

Test(flows, a_bare_syn_is_cleared_when_nobody_acknowledged_it)
{
	cr_assert(is_kept(LARCH_FLOW_SYN, LARCH_PHASE_CONNECT, LARCH_SYN_STAMPS));
	cr_assert(!is_kept(LARCH_FLOW_SYN, LARCH_PHASE_CONNECT, LARCH_SYN_STAMPS + 1));
	cr_assert_eq(walked.cleared, 1);
	cr_assert_eq(walked.flows[BACKEND], 0);
}

Test(flows, an_open_flow_is_never_cleared)
{
	for (uint32_t age = 0; age <= LARCH_STAMP_MASK; age++)
		cr_assert(is_kept(LARCH_FLOW_OPEN, LARCH_PHASE_IDLE, age));
	cr_assert_eq(walked.open, 1);
}

Test(flows, a_datagram_flow_is_cleared_when_it_was_silent_for_its_idle_time)
{
	for (idle_limit = 1; idle_limit < 400; idle_limit = (uint16_t)(3 * idle_limit)) {
		cr_assert(is_kept(LARCH_FLOW_OPEN, LARCH_PHASE_DATAGRAM, idle_limit - 1u));
		cr_assert_eq(walked.flows[BACKEND], 1);
		cr_assert_eq(walked.open, 1);
		cr_assert(!is_kept(LARCH_FLOW_OPEN, LARCH_PHASE_DATAGRAM, idle_limit));
		cr_assert_eq(walked.flows[BACKEND], 0);
		cr_assert_eq(walked.open, 0);
		cr_assert_eq(walked.cleared, 1);
		cr_assert(!is_kept(LARCH_FLOW_OPEN, LARCH_PHASE_DATAGRAM, LARCH_STAMP_MASK));
	}
}

/* Nobody knows when a datagram is answered. */
Test(flows, a_datagram_flow_never_waits)
{
	idle_limit = 100;
	walk_one(LARCH_FLOW_OPEN, LARCH_PHASE_DATAGRAM, 0, 1);
	cr_assert_eq(walked.waiting[BACKEND], 0);
	cr_assert_eq(walked.flows[BACKEND], 1);
}

/* In `acked`, streams keep an ACK number. */
Test(flows, a_stream_has_no_idle_time)
{
	idle_limit = 1;
	cr_assert(is_kept(LARCH_FLOW_OPEN, LARCH_PHASE_IDLE, LARCH_STAMP_MASK));
	cr_assert(is_kept(LARCH_FLOW_OPEN, LARCH_PHASE_FRESH, LARCH_STAMP_MASK));
}

/* The client may have closed its half only: shutdown(SHUT_WR), then a long answer with pauses. */
Test(flows, a_closed_flow_is_kept_for_two_minutes_of_silence)
{
	cr_assert(is_kept(LARCH_FLOW_CLOSING, LARCH_PHASE_IDLE, TWO_MINUTES));
	cr_assert(!is_kept(LARCH_FLOW_CLOSING, LARCH_PHASE_IDLE, TWO_MINUTES + 1));
}

Test(flows, a_half_closed_flow_that_waits_for_its_answer_is_kept_longer)
{
	cr_assert(is_kept(LARCH_FLOW_CLOSING, LARCH_PHASE_FIRST, LARCH_HALF_CLOSED_STAMPS));
	cr_assert(!is_kept(LARCH_FLOW_CLOSING, LARCH_PHASE_FIRST, LARCH_HALF_CLOSED_STAMPS + 1));
}

Test(flows, a_request_counts_as_waiting_until_it_is_given_up)
{
	walk_one(LARCH_FLOW_OPEN, LARCH_PHASE_REQUEST, LARCH_REQUEST_STAMPS - 1, 1);
	cr_assert_eq(walked.waiting[BACKEND], 1);
	/* Its client has vanished: the backend must not look busy for ever. */
	walk_one(LARCH_FLOW_OPEN, LARCH_PHASE_REQUEST, LARCH_REQUEST_STAMPS, 1);
	cr_assert_eq(walked.waiting[BACKEND], 0);
	cr_assert_eq(walked.flows[BACKEND], 1);
}

Test(flows, a_connect_counts_as_waiting_only_where_syns_count)
{
	walk_one(LARCH_FLOW_SYN, LARCH_PHASE_CONNECT, 0, 1);
	cr_assert_eq(walked.waiting[BACKEND], 1);
	walk_one(LARCH_FLOW_SYN, LARCH_PHASE_CONNECT, 0, 0);
	cr_assert_eq(walked.waiting[BACKEND], 0);
}

Test(flows, an_old_stamp_never_looks_young_again)
{
	struct larch_flow *flow = walk_one(LARCH_FLOW_OPEN, LARCH_PHASE_IDLE, LARCH_STAMP_MASK, 1);

	cr_assert_lt((NOW_STAMP - flow->identity.stamp) & LARCH_STAMP_MASK, LARCH_STAMP_MASK);
	cr_assert_gt((NOW_STAMP - flow->identity.stamp) & LARCH_STAMP_MASK, TWO_MINUTES);
}

Test(flows, an_open_flow_is_silent_when_its_stamp_can_tell_no_more)
{
	walk_one(LARCH_FLOW_OPEN, LARCH_PHASE_IDLE, FLOWS_SILENT_STAMPS - 1, 1);
	cr_assert_eq(walked.flows[BACKEND], 1);
	cr_assert_eq(walked.silent[BACKEND], 0);
	for (uint32_t age = FLOWS_SILENT_STAMPS; age <= LARCH_STAMP_MASK; age++) {
		walk_one(LARCH_FLOW_OPEN, LARCH_PHASE_IDLE, age, 1);
		cr_assert_eq(walked.flows[BACKEND], 1);
		cr_assert_eq(walked.silent[BACKEND], 1);
		flows_walk(&walked_bucket, 1, NOW_STAMP, now_ns, 1, &walked);
		cr_assert_eq(walked.silent[BACKEND], 1, "a walk must not wake it");
	}
}

Test(flows, only_the_silent_ones_of_one_backend_are_given_up)
{
	struct larch_flow *silent =
		walk_one(LARCH_FLOW_OPEN, LARCH_PHASE_IDLE, FLOWS_SILENT_STAMPS, 1);
	struct larch_flow *other = silent + 1, *awake = silent + 2;

	*other = *awake = *silent;
	other->identity.backend = BACKEND + 1;
	awake->identity.stamp++;
	cr_assert_eq(flows_clear(&walked_bucket, 1, NOW_STAMP, BACKEND), 1);
	cr_assert_eq(silent->identity.word, 0);
	cr_assert_neq(other->identity.word, 0);
	cr_assert_neq(awake->identity.word, 0);
	cr_assert_eq(flows_clear(&walked_bucket, 1, NOW_STAMP, BACKEND + 1), 0);
	cr_assert_eq(other->identity.word, 0);
}

/* Else a backend that refuses all connections looks busy long after it has come back. */
Test(flows, a_syn_is_given_up_when_its_client_has_had_two_more_tries)
{
	now_ns = (uint64_t)(LARCH_SYN_GIVEN_UP - 1) << LARCH_START_SHIFT;
	walk_one(LARCH_FLOW_SYN, LARCH_PHASE_CONNECT, 0, 1);
	cr_assert_eq(walked.waiting[BACKEND], 1);
	cr_assert_eq(walked.given_up[BACKEND], 0);
	now_ns += 1 << LARCH_START_SHIFT;
	cr_assert_eq(walk_one(LARCH_FLOW_SYN, LARCH_PHASE_CONNECT_AGAIN, 0, 1)->timing.phase,
		     LARCH_PHASE_FRESH);
	cr_assert_eq(walked.waiting[BACKEND], 0);
	cr_assert_eq(walked.given_up[BACKEND], 1);
}

Test(flows, only_a_syn_that_was_counted_is_given_up)
{
	now_ns = (uint64_t)LARCH_SYN_GIVEN_UP << LARCH_START_SHIFT;
	walk_one(LARCH_FLOW_SYN, LARCH_PHASE_CONNECT, 0, 0);
	cr_assert_eq(walked.given_up[BACKEND], 0);
	walk_one(LARCH_FLOW_SYN, LARCH_PHASE_FRESH, 0, 1);
	cr_assert_eq(walked.given_up[BACKEND], 0);
	walk_one(LARCH_FLOW_OPEN, LARCH_PHASE_REQUEST, 0, 1);
	cr_assert_eq(walked.given_up[BACKEND], 0);
	cr_assert_eq(walked.waiting[BACKEND], 1);
}
