// SPDX-License-Identifier: BSD-2-Clause
// The live state of a backend: requests in flight, work, slowdown. The fast loop stands on it.
#include <linux/bpf.h>
#include <string.h>

#include "conversation.h"
#include "larch/score.h"

#define OLD_STAMPS 7 /* older than a request may become */

TestSuite(live, .init = conversation_begin, .fini = balancer_close);

static void count_syns(void)
{
	balancer.settings->flags = LARCH_COUNT_SYNS;
}

Test(live, a_request_is_in_flight_until_its_answer)
{
	connect_in(SHORT_US);
	cr_assert_eq(live()->in_flight, 0);
	say(ACK, 1, 1, 100);
	cr_assert_eq(live()->in_flight, 1);
	say(ACK, 101, 1, 100);
	cr_assert_eq(live()->in_flight, 1);
	say(ACK, 201, 500, 0);
	cr_assert_eq(live()->in_flight, 0);
	say(ACK, 201, 900, 0);
	cr_assert_eq(live()->in_flight, 0);
}

Test(live, requests_of_several_flows_add_up)
{
	uint32_t first = client.client;

	for (uint32_t i = 0; i < 5; i++) {
		client.client = first + i;
		connect_in(SHORT_US);
		say(ACK, 1, 1, 100);
		cr_assert_eq(larch_unpack(client_flow()->timing.queue, LARCH_QUEUE_MANTISSA), i);
	}
	cr_assert_eq(live()->in_flight, 5);
}

Test(live, a_request_sent_twice_is_in_flight_once)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(ACK, 1, 1, 100);
	cr_assert_eq(live()->in_flight, 1);
	say(ACK, 101, 2, 0);
	cr_assert_eq(live()->in_flight, 0);
}

Test(live, a_reset_ends_the_request)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(RST, 101, 0, 0);
	cr_assert_eq(live()->in_flight, 0);
	say(RST, 101, 0, 0);
	cr_assert_eq(live()->in_flight, 0);
}

Test(live, the_clients_end_does_not_end_the_request)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(FIN | ACK, 101, 1, 0);
	cr_assert_eq(live()->in_flight, 1);
	say(ACK, 102, 300, 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(samples().responses, 1);
}

Test(live, a_request_that_was_never_answered_is_given_up)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	client_flow()->identity.stamp = (now_stamp() - OLD_STAMPS) & LARCH_STAMP_MASK;
	say(ACK, 101, 500, 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(samples().responses, 0);
}

Test(live, a_new_connection_in_its_place_ends_the_request)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(FIN | ACK, 101, 1, 0);
	EXPECT(say(SYN, 0, 0, 0), FORWARD_NEW);
	cr_assert_eq(live()->in_flight, 0);
}

/* The client was silent for so many stamp units. */
static void let_age(uint32_t stamps)
{
	client_flow()->identity.stamp = (now_stamp() - stamps) & LARCH_STAMP_MASK;
}

/* shutdown(SHUT_WR) and a patient client: the answer is still to come. */
Test(live, a_half_closed_flow_that_waits_for_its_answer_keeps_its_place)
{
	balancer.settings->bucket_mask = 0;
	for (uint32_t i = 1; i < LARCH_BUCKET_FLOWS; i++)
		SEND(.source_port = (uint16_t)i);
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(FIN | ACK, 101, 1, 0);
	let_age(LARCH_HALF_CLOSED_STAMPS - 2);
	EXPECT(SEND(.source_port = 9, .flags = SYN), FORWARD_UNTRACKED);
	EXPECT(SEND(.source_port = 9), FORWARD_UNTRACKED);
	EXPECT(say(ACK, 102, 5001, 0), FORWARD_FLOW);
}

/* The answer arrives for minutes: the client only acknowledges. */
Test(live, a_half_closed_flow_that_acknowledges_keeps_its_place_in_a_flood)
{
	balancer.settings->bucket_mask = 0;
	for (uint32_t i = 1; i < LARCH_BUCKET_FLOWS; i++)
		SEND(.source_port = (uint16_t)i);
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(FIN | ACK, 101, 1, 0);
	let_age(2);
	EXPECT(say(ACK, 102, 5001, 0), FORWARD_FLOW);
	for (uint32_t i = 0; i < 100; i++)
		EXPECT(SEND(.source_port = (uint16_t)(1000 + i), .flags = SYN), FORWARD_UNTRACKED);
	EXPECT(say(ACK, 102, 9001, 0), FORWARD_FLOW);
}

Test(live, a_flow_that_loses_its_place_ends_its_request)
{
	balancer.settings->bucket_mask = 0;
	for (uint32_t i = 1; i < LARCH_BUCKET_FLOWS; i++)
		SEND(.source_port = (uint16_t)i);
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(FIN | ACK, 101, 1, 0);
	let_age(LARCH_HALF_CLOSED_STAMPS);
	cr_assert_eq(live()->in_flight, 1);
	EXPECT(SEND(.source_port = 9, .flags = SYN), FORWARD_NEW);
	cr_assert_null(flow_of(&client));
	cr_assert_eq(live()->in_flight, 0);
}

/* Else its first packets would be taken for the answer to somebody else's request. */
Test(live, a_flow_does_not_inherit_the_request_of_the_one_whose_place_it_takes)
{
	balancer.settings->bucket_mask = 0;
	for (uint32_t i = 1; i < LARCH_BUCKET_FLOWS; i++)
		SEND(.source_port = (uint16_t)i);
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(FIN | ACK, 101, 1, 0);
	let_age(LARCH_HALF_CLOSED_STAMPS);
	EXPECT(SEND(.source_port = 9), FORWARD_UNKNOWN);
	cr_assert_eq(FLOW(.source_port = 9)->timing.word, 0);
	SEND(.source_port = 9, .acknowledged = 7777);
	cr_assert_eq(live()->in_flight, 0);
}

Test(live, connects_are_in_flight_if_syns_count)
{
	count_syns();
	say(SYN, 0, 0, 0);
	cr_assert_eq(live()->in_flight, 1);
	cr_assert_eq(live()->connecting, 1);
	say(SYN, 0, 0, 0);
	cr_assert_eq(live()->in_flight, 1);
	cr_assert_eq(live()->connecting, 1);
	say(ACK, 1, 1, 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(live()->connecting, 0);
}

Test(live, a_request_behind_a_connect_is_none)
{
	count_syns();
	say(SYN, 0, 0, 0);
	say(ACK, 1, 1, 0);
	say(ACK | PSH, 1, 1, 100);
	cr_assert_eq(live()->in_flight, 1);
	cr_assert_eq(live()->connecting, 0);
	client.source_port++;
	say(SYN, 0, 0, 0);
	cr_assert_eq(live()->in_flight, 2);
	cr_assert_eq(live()->connecting, 1);
}

Test(live, a_reset_ends_a_connect)
{
	count_syns();
	say(SYN, 0, 0, 0);
	say(RST, 1, 0, 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(live()->connecting, 0);
	say(RST, 1, 0, 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(live()->connecting, 0);
}

static void flood(uint32_t syns)
{
	balancer.settings->bucket_mask = 0;
	for (uint32_t i = 0; i < syns; i++)
		SEND(.client = i, .flags = SYN);
}

Test(live, unanswered_syns_that_lose_their_place_are_no_more_in_flight)
{
	count_syns();
	flood(50);
	cr_assert_eq(live()->in_flight, LARCH_BUCKET_FLOWS);
	cr_assert_eq(live()->connecting, LARCH_BUCKET_FLOWS);
}

/* What was not counted in must not be counted out, or a flood makes the backend look idle. */
Test(live, syns_do_not_count_while_they_are_not_to_be_counted)
{
	flood(50);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(live()->connecting, 0);
	say(SYN, 0, 0, 0);
	say(ACK, 1, 1, 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(live()->connecting, 0);
}

/* No TCP sends that, but anybody can: its end must not be taken for a request's. */
Test(live, a_syn_that_claims_to_end_its_flow_counts_as_a_syn)
{
	const uint8_t ends[] = {FIN, RST, FIN | RST | PSH};

	for (size_t i = 0; i < COUNT(ends); i++) {
		client.source_port = (uint16_t)(1 + i);
		say(SYN, 0, 0, 0);
		say((uint8_t)(SYN | ACK | ends[i]), 0, 9, 0);
		say(ACK, 1, 1, 0);
		say(ACK, 1, 5000, 0);
		cr_assert_eq(live()->in_flight, 0);
		cr_assert_eq(live()->connecting, 0);
	}
}

Test(live, a_syn_that_could_not_be_remembered_is_not_in_flight)
{
	count_syns();
	balancer.settings->bucket_mask = 0;
	for (uint32_t i = 1; i <= LARCH_BUCKET_FLOWS; i++)
		SEND(.source_port = (uint16_t)i);
	EXPECT(say(SYN, 0, 0, 0), FORWARD_UNTRACKED);
	cr_assert_eq(live()->in_flight, 0);
}

Test(live, udp_is_not_in_flight)
{
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_RESPONSE);
	SEND(.protocol = NEXT_UDP, .payload = 100);
	SEND(.protocol = NEXT_UDP, .payload = 100);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(balancer_cells(), 0);
}

Test(live, work_is_the_server_time_below_concurrency)
{
	struct larch_samples found = exchange_under_load(3, 4);

	cr_assert_eq(found.work_us, found.server_us);
}

Test(live, work_is_the_server_time_by_load_above_concurrency)
{
	struct larch_samples found = exchange_under_load(6, 4);

	cr_assert_eq(found.work_us, found.server_us * 4 / 7);
}

Test(live, a_long_queue_is_remembered_roughly)
{
	struct larch_samples found = exchange_under_load(100, 2);
	uint64_t queue = larch_unpack(larch_pack(100, LARCH_QUEUE_MANTISSA), LARCH_QUEUE_MANTISSA);

	cr_assert(queue > 75 && queue <= 100);
	cr_assert_eq(found.work_us, found.server_us * 2 / (queue + 1));
}

/* Its slowdown is the fast loop's own: the tree would charge it twice. */
Test(live, work_is_what_a_slowed_backend_would_have_needed)
{
	struct larch_samples found;

	live()->slowdown = 3 * LARCH_SLOWDOWN_ONE;
	live()->updated = FAR_FUTURE;
	live()->slow_since = (uint32_t)(clock_now() >> 20);
	found = exchange_under_load(0, 4);
	cr_assert_eq(found.work_us, found.server_us / 3);
}

Test(live, work_is_what_it_takes_of_a_backend_that_was_slowed_for_long)
{
	struct larch_samples found;

	live()->slowdown = 3 * LARCH_SLOWDOWN_ONE;
	live()->updated = FAR_FUTURE;
	live()->slow_since = (uint32_t)(clock_now() >> 20) - LARCH_SLOWDOWN_LASTS;
	found = exchange_under_load(0, 4);
	cr_assert_eq(found.work_us, found.server_us);
}

Test(live, a_negative_count_is_an_empty_queue)
{
	struct larch_samples found = exchange_under_load(-5, 1);

	cr_assert_eq(found.work_us, found.server_us);
	cr_assert_eq(live()->in_flight, -5);
}

static struct larch_cost *cost(void)
{
	return &balancer.costs[larch_costs_index(WEB, 0, 0)].member[0];
}

/* What the shared header makes of it, at the time that the program says it did. */
static void check_slowdown(uint32_t queue)
{
	uint32_t before = live()->slowdown, decayed, want;
	uint64_t updated = live()->updated, server = samples().server_us, us, predicted;

	live()->in_flight = (int32_t)queue;
	exchange(LONG_US, 100, 2 * SEGMENT);
	us = samples().server_us - server;
	decayed = larch_slowdown_decayed(before, updated, live()->updated);
	predicted = larch_predicted(cost(), live(), queue);
	want = larch_slowdown_sample(decayed, us, predicted);
	cr_assert_eq(live()->slowdown, want, "%u instead of %u", live()->slowdown, want);
}

Test(live, slowdown_follows_the_answers_as_the_shared_header_says)
{
	connect_in(SHORT_US);
	check_slowdown(0);
	check_slowdown(0);
	cost()->service = LONG_US;
	check_slowdown(7);
	cost()->service = 4 * LONG_US;
	check_slowdown(3);
	live()->slowdown = LARCH_SLOWDOWN_MOST;
	check_slowdown(6);
}

Test(live, slow_answers_raise_the_slowdown_and_fast_ones_lower_it)
{
	connect_in(SHORT_US);
	cost()->service = COST_US;
	exchange(LONG_US, 100, 100);
	cr_assert_gt(live()->slowdown, LARCH_SLOWDOWN_ONE);
	live()->slowdown = 2 * LARCH_SLOWDOWN_ONE;
	cost()->service = 100 * LONG_US;
	exchange(LONG_US, 100, 2 * SEGMENT);
	cr_assert_lt(live()->slowdown, 2 * LARCH_SLOWDOWN_ONE);
}

Test(live, slowdown_is_not_learned_without_a_cost_to_compare_with)
{
	connect_in(SHORT_US);
	cost()->service = 0;
	exchange(LONG_US, 100, 100);
	cr_assert_eq(samples().responses, 1);
	cr_assert_eq(live()->slowdown, 0);
}

Test(live, slowdown_is_not_learned_of_a_backend_that_has_left_the_service)
{
	connect_in(SHORT_US);
	balancer.plan[larch_bank_index(WEB, 0)].member_of[FIRST_BACKEND] = LARCH_NO_MEMBER;
	exchange(LONG_US, 100, 100);
	cr_assert_eq(samples().responses, 1);
	cr_assert_eq(live()->slowdown, 0);
}

/* Who gives up, or never meant it, says nothing of the backend. */
Test(live, the_clients_reset_is_no_sign_of_life)
{
	count_syns();
	say(SYN, 0, 0, 0);
	live()->failures = 7;
	say(RST, 1, 0, 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(live()->connects.count, 0);
	cr_assert_eq(live()->failures, 7);
	cr_assert_eq(samples().connects, 0);
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	live()->failures = 7;
	say(RST, 101, 0, 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(live()->requests.count, 1);
	cr_assert_eq(live()->failures, 7);
}

Test(live, an_answer_ends_the_failures)
{
	connect_in(SHORT_US);
	live()->failures = 7;
	exchange(LONG_US, 100, 100);
	cr_assert_eq(live()->failures, 0);
}

/* The walk over the table gave it up and counted it out: what comes later must not do so again. */
Test(live, a_syn_that_was_given_up_is_not_counted_out_again)
{
	count_syns();
	say(SYN, 0, 0, 0);
	client_flow()->timing.phase = LARCH_PHASE_FRESH;
	live()->in_flight = 0;
	say(ACK, 1, 1, 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(samples().connects, 0);
}

/* A client that waits for so long sends its SYN again, and is not measured: the rest are lies. */
Test(live, no_connect_takes_longer_than_its_client_would_wait)
{
	say(SYN, 0, 0, 0);
	wait_us(3000000);
	say(ACK, 1, 1, 0);
	cr_assert_eq(samples().connects, 0);
	cr_assert_eq(client_flow()->identity.connect, 0);
}

/* One client that acknowledges before the answer can have come, again and again. */
Test(live, early_acknowledgements_make_no_backend_faster_than_it_is)
{
	connect_in(SHORT_US);
	cost()->service = LONG_US;
	for (int i = 0; i < 100; i++)
		exchange(0, 100, 2 * SEGMENT);
	cr_assert_geq(live()->slowdown, LARCH_SLOWDOWN_LEAST);
	cr_assert_eq(larch_slowdown(live(), clock_now()), LARCH_SLOWDOWN_ONE);
}

/* And one that takes its time: slow by the most that a sample may count, and not suspect. */
Test(live, late_acknowledgements_make_no_backend_suspect)
{
	connect_in(SHORT_US);
	for (int i = 0; i < 200; i++)
		exchange(10 * LONG_US, 100, 2 * SEGMENT);
	cr_assert_leq(live()->slowdown, LARCH_SLOWDOWN_SAMPLE_MOST);
	cr_assert_gt(live()->slowdown, LARCH_SLOWDOWN_SAMPLE_MOST / 2);
	cr_assert(!larch_suspect(live(), larch_silence(live(), clock_now()), clock_now()));
}

/* It opens requests and never acknowledges: the backend keeps its connections and its share. */
Test(live, requests_that_nobody_waits_for_are_bounded_in_the_score)
{
	struct larch_live busy = *live();
	struct larch_cost usual = {COST_US, COST_US};

	busy.in_flight = 0x7fffffff;
	cr_assert_leq(larch_score(&usual, &busy, clock_now()),
		      COST_US + COST_US * (1 + 0xffffull / CONCURRENCY + 1));
	busy.in_flight = -0x7fffffff;
	cr_assert_eq(larch_score(&usual, &busy, clock_now()), 2 * COST_US);
}
