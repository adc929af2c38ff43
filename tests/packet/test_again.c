// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage again: a SYN that comes once more. Either the network lost a packet, or the backend does
 * not answer and another one must have the flow.
 */
#include <string.h>

#include "conversation.h"

#define COPY_US	  400000  /* sooner than any client sends its SYN again */
#define FIRST_US  1000000 /* the first retransmission */
#define SECOND_US 2000000 /* the earliest second one */

static void arrange_again(void)
{
	conversation_begin();
	balancer.settings->flags = LARCH_COUNT_SYNS;
	arrange_all_rings(WEB, 0, 0, 1);
	arrange_ring(WEB, 0, LARCH_RING_GLOBAL, 2, LARCH_NO_MEMBER);
	while (larch_hash_arm(hash_of(&client), 0) != LARCH_ARM_LEARNED ||
	       larch_hash_explores(hash_of(&client)))
		client.client++;
}

TestSuite(again, .init = arrange_again, .fini = balancer_close);

static struct larch_live *live_of(uint32_t member)
{
	return &balancer.live[FIRST_BACKEND + member];
}

/* The SYN once more, `us` after the first one. Where did it go? */
static struct result repeat_at(uint32_t us)
{
	union larch_timing timing = client_flow()->timing;

	timing.start = (clock_now() >> LARCH_START_SHIFT) & LARCH_START_MASK;
	client_flow()->timing = timing;
	wait_us(us);
	return say(SYN, 0, 0, 0);
}

/* The first who waits for the backend, since it last answered somebody, began so long ago. */
static void waiting_since(uint32_t member, uint64_t us)
{
	live_of(member)->connects.since =
		(uint32_t)((clock_now() - us * 1000) >> 20) & LARCH_WAIT_MASK;
}

#define EXPECT_MEMBER(sent, name, member)                                                          \
	do {                                                                                       \
		const struct result at_ = (sent);                                                  \
		EXPECT(at_, name);                                                                 \
		cr_assert_eq(backend_reached(&at_), FIRST_BACKEND + (member), "member %u",         \
			     backend_reached(&at_) - FIRST_BACKEND);                               \
	} while (0)

Test(again, to_a_backend_that_answers_others_it_goes_once_more)
{
	EXPECT_MEMBER(say(SYN, 0, 0, 0), FORWARD_NEW, 0);
	waiting_since(0, FIRST_US / 2);
	EXPECT_MEMBER(repeat_at(FIRST_US), FORWARD_FLOW, 0);
	cr_assert_eq(live_of(0)->in_flight, 1);
	cr_assert_eq(client_flow()->timing.phase, LARCH_PHASE_CONNECT_AGAIN);
}

Test(again, from_a_backend_that_answers_nobody_it_moves_on)
{
	EXPECT_MEMBER(say(SYN, 0, 0, 0), FORWARD_NEW, 0);
	waiting_since(0, 2 * FIRST_US);
	EXPECT_MEMBER(repeat_at(FIRST_US), FORWARD_AGAIN, 1);
	cr_assert_eq(client_flow()->identity.backend, FIRST_BACKEND + 1);
	cr_assert_eq(client_flow()->identity.state, LARCH_FLOW_SYN);
	cr_assert_eq(client_flow()->timing.phase, LARCH_PHASE_CONNECT_AGAIN);
	EXPECT_MEMBER(say(ACK, 1, 1, 0), FORWARD_FLOW, 1);
	EXPECT_MEMBER(say(ACK, 1, 1, 100), FORWARD_FLOW, 1);
}

/* The flow's own SYN began the wait for an answer: it is no sign of life. */
Test(again, an_idle_backend_that_does_not_answer_the_syn_is_silent)
{
	struct larch_flow *flow;

	EXPECT_MEMBER(say(SYN, 0, 0, 0), FORWARD_NEW, 0);
	flow = client_flow();
	cr_assert_eq(live_of(0)->connects.count, 1);
	flow->timing.start -= FIRST_US;
	waiting_since(0, 2 * FIRST_US);
	EXPECT_MEMBER(say(SYN, 0, 0, 0), FORWARD_AGAIN, 1);
}

Test(again, the_old_backend_owes_nothing_more_and_the_new_one_does)
{
	say(SYN, 0, 0, 0);
	cr_assert_eq(live_of(0)->in_flight, 1);
	repeat_at(SECOND_US);
	cr_assert_eq(live_of(0)->in_flight, 0);
	cr_assert_eq(live_of(1)->in_flight, 1);
	say(ACK, 1, 1, 0);
	cr_assert_eq(live_of(1)->in_flight, 0);
}

Test(again, where_syns_do_not_count_none_is_owed)
{
	balancer.settings->flags = 0;
	say(SYN, 0, 0, 0);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 1);
	cr_assert_eq(live_of(0)->in_flight, 0);
	cr_assert_eq(live_of(1)->in_flight, 0);
}

/* Nobody knows whether it would answer. */
Test(again, a_backend_that_owes_nobody_an_answer_is_not_silent)
{
	balancer.settings->flags = 0;
	say(SYN, 0, 0, 0);
	EXPECT_MEMBER(repeat_at(FIRST_US), FORWARD_FLOW, 0);
	live_of(0)->in_flight = 1;
	live_of(0)->requests = (union larch_wait){
		.since = ((uint32_t)(clock_now() >> 20) - 10000) & LARCH_WAIT_MASK,
		.count = 1,
	};
	EXPECT_MEMBER(repeat_at(FIRST_US), FORWARD_AGAIN, 1);
}

/* Networks duplicate packets. */
Test(again, a_copy_of_the_syn_is_no_retransmission)
{
	say(SYN, 0, 0, 0);
	waiting_since(0, SECOND_US);
	EXPECT_MEMBER(repeat_at(0), FORWARD_FLOW, 0);
	EXPECT_MEMBER(repeat_at(COPY_US), FORWARD_FLOW, 0);
}

Test(again, from_the_second_time_on_it_moves_in_any_case)
{
	say(SYN, 0, 0, 0);
	waiting_since(0, 0);
	EXPECT_MEMBER(repeat_at(FIRST_US), FORWARD_FLOW, 0);
	waiting_since(0, 0);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 1);
}

Test(again, it_comes_to_all_candidates_in_turn)
{
	say(SYN, 0, 0, 0);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 1);
	EXPECT_MEMBER(repeat_at(2 * SECOND_US), FORWARD_AGAIN, 2);
	EXPECT_MEMBER(repeat_at(4 * SECOND_US), FORWARD_AGAIN, 0);
	EXPECT_MEMBER(repeat_at(8 * SECOND_US), FORWARD_AGAIN, 1);
}

static void set_ready(uint32_t member, uint8_t ready)
{
	struct larch_backend backend = balancer_backend(FIRST_BACKEND + member);

	backend.ready = ready;
	balancer_set_backend(FIRST_BACKEND + member, &backend);
}

Test(again, a_candidate_that_cannot_be_reached_is_left_out)
{
	set_ready(1, 0);
	say(SYN, 0, 0, 0);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 2);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 0);
}

Test(again, with_one_candidate_it_stays)
{
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	say(SYN, 0, 0, 0);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_FLOW, 0);
	arrange_all_rings(WEB, 0, 0, 0);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_FLOW, 0);
	cr_assert_eq(live_of(0)->in_flight, 1);
}

/* The generation has changed since. */
Test(again, from_a_backend_that_is_no_candidate_it_moves_to_the_first)
{
	say(SYN, 0, 0, 0);
	arrange_all_rings(WEB, 0, 3, 1);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 3);
	balancer.plan[larch_bank_index(WEB, 0)].member_of[FIRST_BACKEND + 3] = LARCH_NO_MEMBER;
	arrange_all_rings(WEB, 0, 1, 2);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 1);
}

Test(again, the_control_arm_has_the_candidates_of_its_ring)
{
	client.client = client_in_arm(0, LARCH_ARM_CONTROL);
	arrange_ring(WEB, 0, LARCH_RING_CONTROL, 3, 0);
	EXPECT_MEMBER(say(SYN, 0, 0, 0), FORWARD_NEW, 3);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 0);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 3);
}

Test(again, where_nothing_is_learned_all_have_those_of_the_control_ring)
{
	balancer.plan[larch_bank_index(WEB, 0)].flags = 0;
	arrange_ring(WEB, 0, LARCH_RING_CONTROL, 3, 0);
	EXPECT_MEMBER(say(SYN, 0, 0, 0), FORWARD_NEW, 3);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 0);
}

Test(again, it_moves_whatever_the_flow_is_timed_by)
{
	static const enum larch_signal signals[] = {
		LARCH_SIGNAL_NONE,
		LARCH_SIGNAL_CONNECT,
		LARCH_SIGNAL_RESPONSE,
	};

	balancer.settings->flags = 0;
	for (size_t i = 0; i < COUNT(signals); i++) {
		client.source_port = (uint16_t)(i + 1);
		arrange_signal(signals[i]);
		arrange_all_rings(WEB, 0, 0, 1);
		EXPECT_MEMBER(say(SYN, 0, 0, 0), FORWARD_NEW, 0);
		EXPECT_MEMBER(repeat_at(FIRST_US), FORWARD_FLOW, 0);
		EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 1);
		EXPECT_MEMBER(say(ACK, 1, 1, 0), FORWARD_FLOW, 1);
	}
}

Test(again, ipv6_moves_as_well)
{
	client.ipv6 = true;
	arrange_all_rings(WEB, 0, 0, 1);
	EXPECT_MEMBER(say(SYN, 0, 0, 0), FORWARD_NEW, 0);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_AGAIN, 1);
}

/* Of which SYN is the answer? (Karn) */
Test(again, the_connect_is_not_measured)
{
	say(SYN, 0, 0, 0);
	repeat_at(SECOND_US);
	say(ACK, 1, 1, 0);
	cr_assert_eq(balancer_cells(), 0);
	cr_assert_eq(client_flow()->identity.connect, 0);
}

Test(again, it_is_no_further_flow)
{
	say(SYN, 0, 0, 0);
	repeat_at(SECOND_US);
	cr_assert_eq(balancer_service_traffic(WEB).flows, 1);
	cr_assert_eq(balancer_service_traffic(WEB).packets, 2);
	cr_assert_eq(balancer_backend_traffic(FIRST_BACKEND).packets, 1);
	cr_assert_eq(balancer_backend_traffic(FIRST_BACKEND + 1).packets, 1);
}

Test(again, an_established_flow_never_moves)
{
	connect_in(SHORT_US);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_FLOW, 0);
	say(ACK, 1, 1, 100);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_FLOW, 0);
	cr_assert_eq(client_flow()->identity.state, LARCH_FLOW_OPEN);
	cr_assert_eq(live_of(0)->in_flight, 1);
}

/* The SYN of the next connection is not the last one's once more. */
Test(again, after_the_flow_has_ended_a_syn_is_new)
{
	say(SYN, 0, 0, 0);
	say(RST, 1, 0, 0);
	EXPECT_MEMBER(repeat_at(SECOND_US), FORWARD_NEW, 0);
	EXPECT_MEMBER(repeat_at(FIRST_US / 100), FORWARD_FLOW, 0);
}

Test(again, a_syn_with_an_end_in_it_does_not_move_the_flow)
{
	say(SYN, 0, 0, 0);
	wait_us(SECOND_US);
	EXPECT_MEMBER(say(SYN | RST, 0, 0, 0), FORWARD_FLOW, 0);
}

/* The walk has given the flow up; where it goes on to, it is owed once more. */
Test(again, a_flow_that_was_given_up_is_owed_where_it_moves_to)
{
	EXPECT_MEMBER(say(SYN, 0, 0, 0), FORWARD_NEW, 0);
	client_flow()->timing.phase = LARCH_PHASE_FRESH;
	live_of(0)->in_flight = 0;
	EXPECT_MEMBER(repeat_at(3 * SECOND_US), FORWARD_AGAIN, 1);
	cr_assert_eq(live_of(0)->in_flight, 0);
	cr_assert_eq(live_of(1)->in_flight, 1);
	EXPECT_MEMBER(say(ACK, 1, 1, 0), FORWARD_FLOW, 1);
	cr_assert_eq(live_of(1)->in_flight, 0);
}
