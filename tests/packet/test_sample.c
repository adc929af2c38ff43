// SPDX-License-Identifier: BSD-2-Clause
// Stage sample: what is measured of a connection, and what is not, because it would be wrong.
#include <linux/bpf.h>
#include <string.h>

#include "conversation.h"
#include "larch/score.h"

TestSuite(sample, .init = conversation_begin, .fini = balancer_close);

static uint32_t phase(void)
{
	return client_flow()->timing.phase;
}

Test(sample, connect_is_from_the_syn_to_the_first_ack)
{
	connect_in(SHORT_US);
	cr_assert_eq(samples().connects, 1);
	cr_assert(took(samples().connect_us, SHORT_US), "%llu us", samples().connect_us);
	cr_assert_eq(client_flow()->identity.connect,
		     larch_pack_near((uint32_t)samples().connect_us, LARCH_CONNECT_MANTISSA));
	cr_assert_eq(samples().responses, 0);
}

Test(sample, connect_times_have_a_histogram_for_each_arm)
{
	const struct larch_connects *arm =
		&balancer.connects[larch_connects_index(client_cell().service, LARCH_ARM_LEARNED)];
	uint32_t bucket;

	connect_in(SHORT_US);
	bucket = larch_latency_bucket((uint32_t)samples().connect_us);
	cr_assert_eq(arm[0].latency[bucket], 1);
	for (uint32_t i = 0; i < LARCH_LATENCY_BUCKETS; i++)
		cr_assert_eq(arm[1].latency[i], 0);
	client = (struct spec){.client = client_in_arm(0, LARCH_ARM_CONTROL)};
	connect_in(SHORT_US);
	bucket = 0;
	for (uint32_t i = 0; i < LARCH_LATENCY_BUCKETS; i++)
		bucket += arm[1].latency[i];
	cr_assert_eq(bucket, 1);
}

Test(sample, connect_is_at_least_a_microsecond)
{
	connect_in(0);
	cr_assert_eq(samples().connects, 1);
	cr_assert_geq(samples().connect_us, 1);
}

Test(sample, connect_is_measured_once_in_a_connection)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 0);
	say(ACK, 1, 1, 10);
	cr_assert_eq(samples().connects, 1);
}

Test(sample, connect_is_measured_on_ipv6)
{
	struct larch_samples found;
	struct larch_cell cell;

	client = (struct spec){.ipv6 = true, .from = "2001:db8:7:8::9"};
	connect_in(SHORT_US);
	cell = client_cell();
	cell.source = LARCH_SOURCE_IPV6 | 0x20010db80007;
	cr_assert(balancer_cell(&cell, &found));
	cr_assert_eq(found.connects, 1);
}

Test(sample, connect_after_a_syn_sent_twice_is_discarded)
{
	say(SYN, 0, 0, 0);
	say(SYN, 0, 0, 0);
	say(ACK, 1, 1, 0);
	cr_assert_eq(samples().connects, 0);
	cr_assert_eq(client_flow()->identity.state, LARCH_FLOW_OPEN);
	cr_assert_eq(client_flow()->identity.connect, 0);
	exchange(LONG_US, 100, 100);
	cr_assert_eq(samples().responses, 0);
}

Test(sample, response_is_from_the_request_to_the_first_moved_ack)
{
	struct larch_samples found;

	connect_in(SHORT_US);
	exchange(LONG_US, 100, 100);
	found = samples();
	cr_assert_eq(found.responses, 1);
	cr_assert(took(found.response_us, LONG_US), "%llu us", found.response_us);
}

Test(sample, server_time_is_the_response_less_the_flows_own_connect)
{
	uint64_t connect;

	connect_in(SHORT_US);
	connect = larch_unpack(client_flow()->identity.connect, LARCH_CONNECT_MANTISSA);
	exchange(LONG_US, 100, 100);
	cr_assert_eq(samples().server_us, samples().response_us - connect);
}

Test(sample, server_time_is_at_least_a_microsecond)
{
	connect_in(1000000);
	exchange(10, 100, 100);
	cr_assert_eq(samples().responses, 1);
	cr_assert_eq(samples().server_us, 1);
}

Test(sample, responses_are_counted_in_their_latency_bucket)
{
	struct larch_samples found;
	uint32_t total = 0;

	connect_in(SHORT_US);
	exchange(LONG_US, 100, 100);
	found = samples();
	for (size_t i = 0; i < LARCH_LATENCY_BUCKETS; i++)
		total += found.latency[i];
	cr_assert_eq(total, 1);
	cr_assert_eq(found.latency[larch_latency_bucket((uint32_t)found.response_us)], 1);
}

Test(sample, a_pure_ack_that_does_not_move_is_no_answer)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(ACK, 101, 1, 0);
	cr_assert_eq(samples().responses, 0);
	cr_assert_eq(phase(), LARCH_PHASE_FIRST);
}

Test(sample, later_big_answers_are_kept)
{
	connect_in(SHORT_US);
	exchange(LONG_US, 100, 10);
	exchange(2 * LONG_US, 100, SEGMENT + 1);
	cr_assert_eq(samples().responses, 2);
	cr_assert(took(samples().response_us, 3 * LONG_US), "%llu us", samples().response_us);
}

/* Their ACK may have been delayed by the client. */
Test(sample, later_small_answers_are_discarded)
{
	connect_in(SHORT_US);
	exchange(LONG_US, 100, 10);
	exchange(LONG_US, 100, SEGMENT);
	exchange(LONG_US, 100, 1);
	cr_assert_eq(samples().responses, 1);
	cr_assert_eq(phase(), LARCH_PHASE_IDLE);
}

Test(sample, a_request_of_several_segments_is_timed_from_its_last)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 1000);
	wait_us(SHORT_US);
	say(ACK, 1001, 1, 1000);
	wait_us(LONG_US);
	say(ACK, 2001, 500, 0);
	cr_assert_eq(samples().responses, 1);
	cr_assert(took(samples().response_us, LONG_US), "%llu us", samples().response_us);
}

/* It is not told apart from a request that does not wait for the answer to the one before. */
Test(sample, a_request_that_pauses_is_discarded)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 1000);
	wait_us(LONG_US);
	say(ACK, 1001, 1, 100);
	cr_assert_eq(phase(), LARCH_PHASE_BLURRED);
	wait_us(LONG_US);
	say(ACK, 1101, 500, 0);
	cr_assert_eq(samples().responses, 0);
}

/* Who has been spoken to may delay the ACK of the answer to its first request already. */
Test(sample, a_small_answer_is_discarded_if_the_server_spoke_first)
{
	connect_in(SHORT_US);
	say(ACK, 1, 21, 0);
	next_answer_is(21);
	exchange(LONG_US, 100, 100);
	cr_assert_eq(samples().responses, 0);
	exchange(LONG_US, 100, 2 * SEGMENT);
	cr_assert_eq(samples().responses, 1);
}

Test(sample, a_request_sent_twice_is_discarded)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(ACK, 1, 1, 100);
	cr_assert_eq(phase(), LARCH_PHASE_BLURRED);
	say(ACK, 101, 500, 0);
	cr_assert_eq(samples().responses, 0);
	cr_assert_eq(phase(), LARCH_PHASE_IDLE);
}

Test(sample, a_request_out_of_order_is_discarded)
{
	connect_in(SHORT_US);
	say(ACK, 1001, 1, 100);
	say(ACK, 1, 1, 1000);
	say(ACK, 1101, 500, 0);
	cr_assert_eq(samples().responses, 0);
}

Test(sample, after_a_discarded_request_the_next_is_measured)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(ACK, 1, 1, 100);
	say(ACK, 101, 500, 0);
	say(ACK, 101, 500, 100);
	wait_us(LONG_US);
	say(ACK, 201, 500 + 2 * SEGMENT, 0);
	cr_assert_eq(samples().responses, 1);
	cr_assert(took(samples().response_us, LONG_US));
}

/* When the ACK comes with the next request, the client had time to think in between. */
Test(sample, an_answer_acknowledged_by_the_next_request_is_discarded)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	say(ACK, 101, 5000, 100);
	cr_assert_eq(samples().responses, 0);
	cr_assert_eq(phase(), LARCH_PHASE_REQUEST);
	cr_assert_eq(live()->in_flight, 1);
	wait_us(LONG_US);
	say(ACK, 201, 10000, 0);
	cr_assert_eq(samples().responses, 1);
	cr_assert(took(samples().response_us, LONG_US));
}

Test(sample, sequence_numbers_may_wrap)
{
	say(SYN, 0xffffffef, 0, 0);
	wait_us(SHORT_US);
	say(ACK, 0xfffffff0, 0xffffffff, 0);
	say(ACK, 0xfffffff0, 0xffffffff, 100);
	say(ACK, 0x54, 0xffffffff, 100);
	wait_us(LONG_US);
	say(ACK, 0xb8, 99, 0);
	cr_assert_eq(samples().responses, 1);
	cr_assert(took(samples().response_us, LONG_US));
}

Test(sample, data_with_the_first_ack_is_a_request)
{
	say(SYN, 0, 0, 0);
	wait_us(SHORT_US);
	say(ACK | PSH, 1, 1, 100);
	cr_assert_eq(samples().connects, 1);
	wait_us(LONG_US);
	say(ACK, 101, 400, 0);
	cr_assert_eq(samples().responses, 1);
	cr_assert(took(samples().response_us, LONG_US));
}

Test(sample, a_flow_picked_up_midway_is_not_measured)
{
	EXPECT(say(ACK, 1, 1, 100), FORWARD_UNKNOWN);
	say(ACK, 101, 1, 100);
	wait_us(LONG_US);
	say(ACK, 201, 9000, 0);
	cr_assert_eq(balancer_cells(), 0);
	cr_assert_eq(live()->in_flight, 0);
}

Test(sample, nothing_is_measured_with_signal_none)
{
	arrange_signal(LARCH_SIGNAL_NONE);
	connect_in(0);
	say(ACK, 1, 1, 100);
	say(ACK, 101, 9000, 0);
	cr_assert_eq(balancer_cells(), 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(client_flow()->timing.phase, LARCH_PHASE_FRESH);
}

Test(sample, requests_are_followed_but_not_recorded_while_they_are_watched)
{
	arrange_signal(LARCH_SIGNAL_WATCH);
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	cr_assert_eq(phase(), LARCH_PHASE_FIRST);
	cr_assert_eq(live()->in_flight, 1);
	say(ACK, 101, 9000, 0);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(samples().connects, 1);
	cr_assert_eq(samples().responses, 0);
	cr_assert_eq(balancer_evidence(WEB).timed, 1);
}

Test(sample, only_connects_are_measured_with_signal_connect)
{
	arrange_signal(LARCH_SIGNAL_CONNECT);
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(phase(), LARCH_PHASE_FRESH);
	say(ACK, 101, 9000, 0);
	cr_assert_eq(samples().connects, 1);
	cr_assert_eq(samples().responses, 0);
}

Test(sample, both_arms_are_kept_apart)
{
	client.client = client_in_arm(0, LARCH_ARM_CONTROL);
	connect_in(SHORT_US);
	cr_assert_eq(client_cell().arm, LARCH_ARM_CONTROL);
	cr_assert_eq(samples().connects, 1);
}

/* A client of the largest control arm alone. */
static uint32_t client_of_the_rim(void)
{
	uint32_t number = 0;

	while (larch_hash_arm(HASH(.client = number), 0) == LARCH_ARM_LEARNED ||
	       larch_hash_arm(HASH(.client = number), 1) == LARCH_ARM_CONTROL)
		number++;
	return number;
}

static uint64_t responses_in(enum larch_arm arm)
{
	struct larch_cell cell = client_cell();
	struct larch_samples found;

	cell.arm = (uint8_t)arm;
	return balancer_cell(&cell, &found) ? found.responses : 0;
}

Test(sample, a_flow_stays_in_its_arm_when_that_becomes_smaller)
{
	client.client = client_of_the_rim();
	connect_in(SHORT_US);
	balancer.services[WEB].policy.halvings = 1;
	exchange(SHORT_US, 100, 9000);
	cr_assert_eq(responses_in(LARCH_ARM_CONTROL), 1);
	cr_assert_eq(responses_in(LARCH_ARM_LEARNED), 0);
}

Test(sample, a_flow_stays_in_its_arm_when_the_other_becomes_larger)
{
	client.client = client_of_the_rim();
	balancer.services[WEB].policy.halvings = 1;
	connect_in(SHORT_US);
	balancer.services[WEB].policy.halvings = 0;
	exchange(SHORT_US, 100, 9000);
	cr_assert_eq(responses_in(LARCH_ARM_LEARNED), 1);
	cr_assert_eq(responses_in(LARCH_ARM_CONTROL), 0);
}

static void expect_in_cell(struct larch_cell cell)
{
	struct larch_samples found;

	client.source_port++;
	while (larch_hash_arm(hash_of(&client), 0) == LARCH_ARM_CONTROL)
		client.source_port++;
	connect_in(SHORT_US);
	cr_assert(balancer_cell(&cell, &found));
	cr_assert_eq(found.connects, 1);
}

Test(sample, cells_are_told_apart_by_the_clients_features)
{
	struct larch_cell cell = client_cell();

	client = (struct spec){.from = "203.0.113.77"};
	cell.source = 0xcb0071;
	expect_in_cell(cell);
	client.ttl = 57;
	cell.hops = 7;
	expect_in_cell(cell);
	client.tcp_options = 10;
	cell.size = 1;
	expect_in_cell(cell);
	client.port = 443;
	cell.port = 443;
	arrange_vip(VIP_IPV4, NEXT_TCP, 443, WEB, LARCH_SIGNAL_RESPONSE);
	expect_in_cell(cell);
	cr_assert_eq(balancer_cells(), 4);
}

/* The size that counts is that of the first packet. */
Test(sample, all_samples_of_a_flow_are_in_one_cell)
{
	connect_in(SHORT_US);
	exchange(LONG_US, 1000, 100);
	exchange(LONG_US, 10, 2 * SEGMENT);
	cr_assert_eq(balancer_cells(), 1);
	cr_assert_eq(samples().responses, 2);
}

static struct larch_cell rest_cell(void)
{
	struct larch_cell rest = client_cell();

	rest.source = 0;
	rest.ingress = 0;
	rest.port = 0;
	rest.hops = 0;
	rest.size = 0;
	return rest;
}

Test(sample, what_finds_no_room_goes_into_the_rest)
{
	struct larch_cell rest = rest_cell();
	struct larch_samples found = {};

	client.ttl = 60;
	client.tcp_options = 10;
	balancer_put_cell(&rest);
	balancer_fill_cells();
	connect_in(SHORT_US);
	exchange(LONG_US, 100, 100);
	cr_assert_eq(samples().connects, 0);
	cr_assert(balancer_cell(&rest, &found));
	cr_assert_eq(found.connects, 1);
	cr_assert_eq(found.responses, 1);
}

/* The fast loop must not go blind because the slow loop's memory is full. */
Test(sample, without_any_room_the_slowdown_is_still_learned)
{
	balancer_fill_cells();
	connect_in(SHORT_US);
	exchange(100 * LONG_US, 100, 100);
	cr_assert_eq(balancer_cells(), LARCH_MAX_CELLS);
	cr_assert_gt(live()->slowdown, LARCH_SLOWDOWN_ONE);
}

Test(sample, samples_without_a_generation_are_let_go)
{
	connect_in(SHORT_US);
	arrange_publish(WEB, 0, 0);
	exchange(LONG_US, 100, 100);
	cr_assert_eq(samples().responses, 0);
	cr_assert_eq(live()->in_flight, 0);
}
