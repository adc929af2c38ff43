// SPDX-License-Identifier: BSD-2-Clause
// Stage flow: what the flow table remembers, and of whom.
#include <string.h>

#include "arrange.h"

#define OTHER	   3	   /* a member that no default ring begins with for all */
#define LINGER_US  1500000 /* of silence: then nobody speaks against a SYN */
#define ACTIVE_AGE 30	   /* stamps: one silent for this long is not */

TestSuite(flow, .init = arrange_web, .fini = balancer_close);

static uint32_t state_of(uint32_t client)
{
	struct larch_flow *flow = FLOW(.client = client);

	return flow ? flow->identity.state : LARCH_FLOW_FREE;
}

static void set_ready(uint32_t member, uint8_t ready)
{
	struct larch_backend backend = balancer_backend(FIRST_BACKEND + member);

	backend.ready = ready;
	balancer_set_backend(FIRST_BACKEND + member, &backend);
}

/* The client has said nothing for so long. */
static void be_silent(uint32_t client, uint32_t us)
{
	struct larch_flow *flow = FLOW(.client = client);
	union larch_timing timing = flow->timing;

	timing.start = (timing.start - us) & LARCH_START_MASK;
	flow->timing = timing;
}

Test(flow, goes_to_its_backend_though_the_ring_has_changed)
{
	for (uint32_t client = 0; client < 200; client++) {
		struct result first, later;

		arrange_all_rings(WEB, 0, (uint8_t)(client % MEMBERS), LARCH_NO_MEMBER);
		first = SEND(.client = client, .flags = SYN);
		arrange_all_rings(WEB, 0, (uint8_t)((client + 1) % MEMBERS), LARCH_NO_MEMBER);
		later = SEND(.client = client);
		EXPECT(later, FORWARD_FLOW);
		cr_assert_eq(backend_reached(&later), backend_reached(&first));
	}
}

Test(flow, a_syn_is_remembered_with_all_that_is_known_of_it)
{
	struct result result = SEND(.flags = SYN, .tcp_options = 10);
	union larch_identity identity = FLOW()->identity;

	EXPECT(result, FORWARD_NEW);
	cr_assert_eq(identity.state, LARCH_FLOW_SYN);
	cr_assert_eq(identity.tag, larch_hash_tag(HASH()));
	cr_assert_eq(identity.backend, backend_reached(&result));
	cr_assert_eq(identity.size, larch_size_class(IPV4_BYTES + TCP_BYTES + 40));
	cr_assert_eq(identity.connect, 0);
	cr_assert_leq((now_stamp() - identity.stamp) & LARCH_STAMP_MASK, 1);
}

static void check_states(uint32_t client)
{
	SEND(.client = client, .flags = SYN);
	cr_assert_eq(state_of(client), LARCH_FLOW_SYN);
	SEND(.client = client, .flags = SYN);
	cr_assert_eq(state_of(client), LARCH_FLOW_SYN);
	SEND(.client = client, .flags = ACK);
	cr_assert_eq(state_of(client), LARCH_FLOW_OPEN);
	SEND(.client = client, .flags = FIN | ACK);
	cr_assert_eq(state_of(client), LARCH_FLOW_CLOSING);
	SEND(.client = client, .flags = ACK);
	cr_assert_eq(state_of(client), LARCH_FLOW_CLOSING);
}

/* An open flow that still looked like a bare SYN would lose its place to the next flood. */
Test(flow, opens_with_the_first_ack_whatever_it_is_timed_by)
{
	arrange_signal(LARCH_SIGNAL_RESPONSE);
	check_states(1);
	arrange_signal(LARCH_SIGNAL_CONNECT);
	check_states(2);
	arrange_signal(LARCH_SIGNAL_NONE);
	check_states(3);
}

Test(flow, closes_with_a_reset_in_any_state)
{
	SEND(.client = 1, .flags = SYN);
	EXPECT(SEND(.client = 1, .flags = RST), FORWARD_FLOW);
	cr_assert_eq(state_of(1), LARCH_FLOW_CLOSING);
	SEND(.client = 2, .flags = SYN);
	SEND(.client = 2, .flags = ACK);
	EXPECT(SEND(.client = 2, .flags = RST | ACK), FORWARD_FLOW);
	cr_assert_eq(state_of(2), LARCH_FLOW_CLOSING);
}

Test(flow, that_closes_still_goes_to_its_backend)
{
	struct result first = SEND(.flags = SYN), last;

	SEND(.flags = FIN | ACK);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	last = SEND(.flags = ACK);
	cr_assert_eq(backend_reached(&last), backend_reached(&first));
}

Test(flow, a_syn_after_the_end_is_steered_anew_in_the_same_place)
{
	struct larch_flow *place;
	struct result again;

	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	SEND(.flags = SYN);
	place = FLOW();
	SEND(.flags = FIN | ACK);
	be_silent(0, LINGER_US);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	again = SEND(.flags = SYN);
	EXPECT(again, FORWARD_NEW);
	cr_assert_eq(backend_reached(&again), FIRST_BACKEND + OTHER);
	cr_assert_eq(FLOW(), place);
	cr_assert_eq(place->identity.state, LARCH_FLOW_SYN);
}

/* Who knows the ports can send an end and a SYN; the client goes on. */
static void check_forged_end(uint32_t client, uint8_t end, uint16_t payload)
{
	struct result result;

	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	SEND(.client = client, .flags = SYN);
	SEND(.client = client, .sequence = 1);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	SEND(.client = client, .sequence = 4711, .flags = end);
	be_silent(client, 10 * LINGER_US);
	SEND(.client = client, .sequence = 1, .flags = ACK);
	result = SEND(.client = client, .sequence = 4711, .flags = SYN);
	EXPECT(result, FORWARD_NEW);
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND);
	result = SEND(.client = client, .sequence = 1, .payload = payload);
	EXPECT(result, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND);
	cr_assert_eq(state_of(client), LARCH_FLOW_OPEN);
}

Test(flow, that_goes_on_is_not_moved_by_an_end_and_a_syn_of_somebody_else)
{
	static const enum larch_signal signals[] = {
		LARCH_SIGNAL_NONE,
		LARCH_SIGNAL_CONNECT,
		LARCH_SIGNAL_RESPONSE,
	};

	for (uint32_t i = 0; i < COUNT(signals); i++) {
		arrange_signal(signals[i]);
		check_forged_end(10 * i, FIN, 0);
		check_forged_end(10 * i + 1, FIN | ACK, 100);
		check_forged_end(10 * i + 2, RST, 100);
	}
}

/* Else one that does not answer would keep it. */
Test(flow, after_a_recent_end_the_syn_leaves_a_backend_that_cannot_be_reached)
{
	struct result again;

	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	SEND(.flags = SYN);
	SEND(.flags = FIN | ACK);
	set_ready(0, 0);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	again = SEND(.flags = SYN);
	EXPECT(again, FORWARD_NEW);
	cr_assert_eq(backend_reached(&again), FIRST_BACKEND + OTHER);
}

Test(flow, a_syn_within_the_flow_keeps_the_backend)
{
	struct result again;

	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	SEND(.flags = SYN);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	again = SEND(.flags = SYN);
	cr_assert_eq(backend_reached(&again), FIRST_BACKEND);
	SEND(.flags = ACK);
	again = SEND(.flags = SYN);
	cr_assert_eq(backend_reached(&again), FIRST_BACKEND);
	cr_assert_eq(state_of(0), LARCH_FLOW_OPEN);
}

Test(flow, that_nobody_knew_is_steered_and_remembered)
{
	struct result first = SEND(.payload = 10), later;

	EXPECT(first, FORWARD_UNKNOWN);
	cr_assert_eq(state_of(0), LARCH_FLOW_OPEN);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	later = SEND(.payload = 10);
	EXPECT(later, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&later), backend_reached(&first));
}

Test(flow, that_nobody_knew_is_not_remembered_when_it_ends)
{
	EXPECT(SEND(.client = 1, .flags = FIN | ACK), FORWARD_UNKNOWN);
	EXPECT(SEND(.client = 2, .flags = RST), FORWARD_UNKNOWN);
	cr_assert_null(FLOW(.client = 1));
	cr_assert_null(FLOW(.client = 2));
}

Test(flow, udp_sticks_to_its_backend)
{
	struct spec spec = {.protocol = NEXT_UDP, .payload = 30};
	struct result first, later;

	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_RESPONSE);
	first = balancer_send_spec(&spec);
	EXPECT(first, FORWARD_NEW);
	cr_assert_eq(flow_of(&spec)->identity.state, LARCH_FLOW_OPEN);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	later = balancer_send_spec(&spec);
	EXPECT(later, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&later), backend_reached(&first));
	cr_assert_eq(flow_of(&spec)->timing.phase, LARCH_PHASE_DATAGRAM);
}

Test(flow, its_stamp_is_kept_fresh)
{
	SEND(.flags = SYN);
	SEND(.flags = ACK);
	FLOW()->identity.stamp = (now_stamp() - ACTIVE_AGE) & LARCH_STAMP_MASK;
	SEND(.flags = ACK);
	cr_assert_leq((now_stamp() - FLOW()->identity.stamp) & LARCH_STAMP_MASK, 1);
}

Test(flow, that_was_idle_for_hours_is_still_known)
{
	SEND(.flags = SYN);
	SEND(.flags = ACK);
	FLOW()->identity.stamp = (now_stamp() - 400) & LARCH_STAMP_MASK;
	EXPECT(SEND(.flags = ACK), FORWARD_FLOW);
}

static void check_moves_on(uint32_t client, bool acknowledged)
{
	struct result again;

	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	SEND(.client = client, .flags = SYN);
	if (acknowledged)
		SEND(.client = client, .flags = ACK);
	set_ready(0, 0);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	again = SEND(.client = client, .flags = SYN);
	EXPECT(again, FORWARD_NEW);
	cr_assert_eq(backend_reached(&again), FIRST_BACKEND + OTHER);
	set_ready(0, 1);
	again = SEND(.client = client, .flags = ACK);
	EXPECT(again, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&again), FIRST_BACKEND + OTHER);
}

/* Else each further SYN would go the way of the first one, until the client gives up. */
Test(flow, whose_backend_cannot_be_reached_is_steered_anew_by_its_next_syn)
{
	check_moves_on(1, false);
	check_moves_on(2, true);
}

/* A reset that somebody else sent would else give its place away. */
Test(flow, a_reset_that_does_not_follow_the_last_request_does_not_close_it)
{
	SEND(.flags = SYN);
	SEND(.sequence = 1, .acknowledged = 1);
	SEND(.sequence = 1, .acknowledged = 1, .payload = 100);
	for (uint32_t guess = 1000; guess < 1500; guess += 7)
		EXPECT(SEND(.sequence = guess, .flags = RST), FORWARD_FLOW);
	cr_assert_eq(state_of(0), LARCH_FLOW_OPEN);
	EXPECT(SEND(.sequence = 101, .flags = RST), FORWARD_FLOW);
	cr_assert_eq(state_of(0), LARCH_FLOW_CLOSING);
}

Test(flow, a_reset_behind_the_clients_end_closes_it)
{
	SEND(.flags = SYN);
	SEND(.sequence = 1, .acknowledged = 1, .payload = 100);
	SEND(.sequence = 101, .acknowledged = 1, .flags = FIN | ACK);
	SEND(.sequence = 1, .acknowledged = 1, .payload = 100);
	cr_assert_eq(state_of(0), LARCH_FLOW_OPEN);
	SEND(.sequence = 102, .flags = RST);
	cr_assert_eq(state_of(0), LARCH_FLOW_CLOSING);
}

Test(flow, whose_requests_are_not_timed_is_closed_by_any_reset)
{
	arrange_signal(LARCH_SIGNAL_CONNECT);
	SEND(.flags = SYN);
	SEND(.sequence = 1, .acknowledged = 1, .payload = 100);
	SEND(.sequence = 5000, .flags = RST);
	cr_assert_eq(state_of(0), LARCH_FLOW_CLOSING);
}

/* Its client goes on to send: the end was not its own. */
Test(flow, that_goes_on_after_its_end_is_open_again)
{
	static const uint8_t ends[] = {FIN | ACK, RST};

	for (uint32_t client = 0; client < COUNT(ends); client++) {
		SEND(.client = client, .flags = SYN);
		SEND(.client = client, .sequence = 1);
		SEND(.client = client, .sequence = 1, .flags = ends[client]);
		cr_assert_eq(state_of(client), LARCH_FLOW_CLOSING);
		SEND(.client = client, .sequence = 2);
		cr_assert_eq(state_of(client), LARCH_FLOW_CLOSING);
		SEND(.client = client, .sequence = 2, .payload = 10);
		cr_assert_eq(state_of(client), LARCH_FLOW_OPEN);
	}
}

Test(flow, thousands_are_told_apart)
{
	for (uint32_t client = 0; client < 5000; client++)
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_NEW);
	for (uint32_t client = 0; client < 5000; client++)
		EXPECT(SEND(.client = client), FORWARD_FLOW);
}

static void remember_in_second_bucket(const struct spec *spec)
{
	uint64_t hash = hash_of(spec);
	uint32_t mask = balancer.settings->bucket_mask;

	balancer.bucket[larch_hash_second_bucket(hash, mask)].flow[0].identity =
		(union larch_identity){
			.tag = larch_hash_tag(hash) & ((1u << 29) - 1),
			.backend = FIRST_BACKEND,
			.stamp = now_stamp() & LARCH_STAMP_MASK,
			.state = LARCH_FLOW_OPEN,
		};
}

/* It may be a late copy: were it taken for a new flow, its entry would hide the established one. */
Test(flow, a_syn_finds_its_flow_in_the_second_bucket_though_the_first_is_empty)
{
	struct spec syn = {.flags = SYN};

	remember_in_second_bucket(&syn);
	EXPECT(balancer_send_spec(&syn), FORWARD_FLOW);
	EXPECT(SEND(), FORWARD_FLOW);
}

/* Such a flow has many connections: a SYN of the next one says nothing of its beginning. */
Test(flow, by_source_a_syn_looks_for_its_flow_in_both_buckets)
{
	struct spec syn = {.flags = SYN};

	balancer.services[WEB].policy.flags = LARCH_SERVICE_BY_SOURCE;
	remember_in_second_bucket(&syn);
	EXPECT(balancer_send_spec(&syn), FORWARD_FLOW);
}
