// SPDX-License-Identifier: BSD-2-Clause
// Stage flow: what the flow table remembers, of whom, and who must give way when it is full.
#include <string.h>

#include "arrange.h"

#define OTHER	   3  /* a member that no default ring begins with for all */
#define IDLE_AGE   40 /* stamps: an open flow silent for this long is idle */
#define ACTIVE_AGE 30 /* stamps: one silent for this long is not */
#define DEAD_AGE   3  /* stamps: a bare SYN this old is dead */

TestSuite(flow, .init = arrange_web, .fini = balancer_close);

/* An entry made by hand, of a flow that no test sends. */
static void put_entry(struct larch_flow *flow, enum larch_flow_state state, uint32_t age)
{
	flow->identity = (union larch_identity){
		.tag = 0x1eaf,
		.backend = FIRST_BACKEND + OTHER,
		.stamp = (now_stamp() - age) & LARCH_STAMP_MASK,
		.state = state,
	};
	flow->timing.word = 0;
}

/* A table of one bucket, full of such entries. */
static struct larch_flow *full_table(enum larch_flow_state state, uint32_t age)
{
	balancer.settings->bucket_mask = 0;
	for (size_t i = 0; i < LARCH_BUCKET_FLOWS; i++)
		put_entry(&balancer.bucket[0].flow[i], state, age);
	return balancer.bucket[0].flow;
}

static uint32_t state_of(uint32_t client)
{
	struct larch_flow *flow = FLOW(.client = client);

	return flow ? flow->identity.state : LARCH_FLOW_FREE;
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
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	again = SEND(.flags = SYN);
	EXPECT(again, FORWARD_NEW);
	cr_assert_eq(backend_reached(&again), FIRST_BACKEND + OTHER);
	cr_assert_eq(FLOW(), place);
	cr_assert_eq(place->identity.state, LARCH_FLOW_SYN);
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
	EXPECT(SEND(.client = 1, .flags = FIN | ACK), FORWARD_UNTRACKED);
	EXPECT(SEND(.client = 2, .flags = RST), FORWARD_UNTRACKED);
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

Test(flow, a_syn_never_takes_the_place_of_an_open_flow)
{
	struct larch_bucket before;

	full_table(LARCH_FLOW_OPEN, IDLE_AGE);
	before = balancer.bucket[0];
	for (uint32_t client = 0; client < 100; client++)
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_UNTRACKED);
	cr_assert_arr_eq(&balancer.bucket[0], &before, sizeof(before));
	cr_assert_eq(balancer_backend_traffic(FIRST_BACKEND + OTHER).evicted, 0);
}

Test(flow, that_is_established_survives_a_flood_of_syns)
{
	balancer.settings->bucket_mask = 3;
	for (uint32_t client = 0; client < 4; client++) {
		SEND(.client = client, .flags = SYN);
		SEND(.client = client, .flags = ACK);
	}
	for (uint32_t client = 100; client < 1100; client++)
		SEND(.client = client, .flags = SYN);
	for (uint32_t client = 0; client < 4; client++)
		EXPECT(SEND(.client = client), FORWARD_FLOW);
}

Test(flow, without_place_goes_where_the_ring_says_every_time)
{
	struct result first, later;

	full_table(LARCH_FLOW_OPEN, 0);
	first = SEND(.flags = SYN);
	later = SEND(.flags = ACK);
	EXPECT(first, FORWARD_UNTRACKED);
	EXPECT(later, FORWARD_UNTRACKED);
	cr_assert_eq(backend_reached(&later), backend_reached(&first));
}

static void set_ready(uint32_t member, uint8_t ready)
{
	struct larch_backend backend = balancer_backend(FIRST_BACKEND + member);

	backend.ready = ready;
	balancer_set_backend(FIRST_BACKEND + member, &backend);
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

Test(flow, that_is_idle_gives_way_to_an_established_one_and_is_counted)
{
	struct larch_flow *table = full_table(LARCH_FLOW_OPEN, ACTIVE_AGE);

	put_entry(&table[2], LARCH_FLOW_OPEN, IDLE_AGE);
	EXPECT(SEND(.client = 1), FORWARD_UNKNOWN);
	cr_assert_eq(FLOW(.client = 1), &table[2]);
	cr_assert_eq(balancer_backend_traffic(FIRST_BACKEND + OTHER).evicted, 1);
	EXPECT(SEND(.client = 2), FORWARD_UNTRACKED);
	cr_assert_eq(balancer_backend_traffic(FIRST_BACKEND + OTHER).evicted, 1);
}

/* From the most to the least willing to give up its place. */
static const struct {
	enum larch_flow_state state;
	uint32_t age;
} willing[] = {
	{LARCH_FLOW_FREE, 0}, {LARCH_FLOW_SYN, DEAD_AGE},  {LARCH_FLOW_CLOSING, 1},
	{LARCH_FLOW_SYN, 0},  {LARCH_FLOW_OPEN, IDLE_AGE}, {LARCH_FLOW_OPEN, ACTIVE_AGE},
};

/* One entry is more willing than the other three, and it is the one that goes. */
static void check_gives_way(size_t loser, size_t others, size_t place, uint8_t flags)
{
	struct larch_flow *table = full_table(willing[others].state, willing[others].age);

	put_entry(&table[place], willing[loser].state, willing[loser].age);
	backend_reached(&(struct result[]){SEND(.client = 5, .flags = flags)}[0]);
	cr_assert_eq(FLOW(.client = 5), &table[place], "kind %zu among %zu", loser, others);
	if (willing[loser].state != LARCH_FLOW_OPEN)
		cr_assert_eq(balancer_backend_traffic(FIRST_BACKEND + OTHER).evicted, 0);
}

Test(flow, the_least_valuable_entry_gives_way_to_a_syn)
{
	for (size_t others = 1; others < COUNT(willing); others++)
		for (size_t loser = 0; loser < others && loser < 4; loser++)
			check_gives_way(loser, others, (loser + others) % 4, SYN);
}

Test(flow, the_least_valuable_entry_gives_way_to_an_established_flow)
{
	for (size_t others = 1; others < COUNT(willing); others++)
		for (size_t loser = 0; loser < others && loser < 4; loser++)
			check_gives_way(loser, others, (loser + others) % 4, ACK);
	check_gives_way(4, 5, 1, ACK);
}

Test(flow, a_closed_flow_that_is_long_dead_is_as_good_as_free)
{
	struct larch_flow *table = full_table(LARCH_FLOW_CLOSING, 1);

	put_entry(&table[3], LARCH_FLOW_CLOSING, DEAD_AGE);
	SEND(.flags = SYN);
	cr_assert_eq(FLOW(), &table[3]);
}

Test(flow, finds_room_in_its_second_bucket_and_is_found_there)
{
	uint32_t mask = balancer.settings->bucket_mask;
	struct larch_bucket *first = &balancer.bucket[larch_hash_bucket(HASH(), mask)];
	struct larch_bucket *second = &balancer.bucket[larch_hash_second_bucket(HASH(), mask)];

	cr_assert_neq(first, second);
	for (size_t i = 0; i < LARCH_BUCKET_FLOWS; i++)
		put_entry(&first->flow[i], LARCH_FLOW_OPEN, 0);
	EXPECT(SEND(.flags = SYN), FORWARD_NEW);
	cr_assert_eq(FLOW(), &second->flow[0]);
	EXPECT(SEND(.flags = ACK), FORWARD_FLOW);
	cr_assert_eq(second->flow[0].identity.state, LARCH_FLOW_OPEN);
}

Test(flow, takes_a_free_place_in_its_second_bucket_before_another_in_its_first)
{
	uint32_t mask = balancer.settings->bucket_mask;
	struct larch_bucket *first = &balancer.bucket[larch_hash_bucket(HASH(), mask)];

	for (size_t i = 0; i < LARCH_BUCKET_FLOWS; i++)
		put_entry(&first->flow[i], LARCH_FLOW_SYN, 0);
	EXPECT(SEND(.flags = SYN), FORWARD_NEW);
	cr_assert_eq(FLOW(), &balancer.bucket[larch_hash_second_bucket(HASH(), mask)].flow[0]);
}

Test(flow, goes_untracked_where_the_table_is_smaller_than_the_settings_say)
{
	uint32_t mask = balancer.settings->bucket_mask = (1u << 22) - 1, client = 0;

	while (larch_hash_bucket(HASH(.client = client), mask) < LARCH_FLOW_BUCKETS ||
	       larch_hash_second_bucket(HASH(.client = client), mask) < LARCH_FLOW_BUCKETS)
		client++;
	EXPECT(SEND(.client = client, .flags = SYN), FORWARD_UNTRACKED);
}

Test(flow, thousands_are_told_apart)
{
	for (uint32_t client = 0; client < 5000; client++)
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_NEW);
	for (uint32_t client = 0; client < 5000; client++)
		EXPECT(SEND(.client = client), FORWARD_FLOW);
}

/* Two choices keep the buckets level: at half load nearly every flow finds a place. */
Test(flow, finds_a_place_in_a_table_that_is_half_full)
{
	unsigned untracked = 0, flows = 2048 * LARCH_BUCKET_FLOWS / 2;

	balancer.settings->bucket_mask = 2047;
	for (unsigned i = 0; i < flows; i++) {
		struct result result = SEND(.client = i, .flags = ACK, .payload = 10);

		untracked += result.outcome == LARCH_FORWARD_UNTRACKED;
	}
	cr_assert_leq(untracked, 1, "%u of %u flows found no place", untracked, flows);
}

/* Such a flow has many connections: a SYN of the next one says nothing of its beginning. */
Test(flow, by_source_a_syn_looks_for_its_flow_in_both_buckets)
{
	struct spec syn = {.flags = SYN};
	uint32_t mask = balancer.settings->bucket_mask;
	struct larch_flow *flow;

	balancer.services[WEB].policy.flags = LARCH_SERVICE_BY_SOURCE;
	flow = &balancer.bucket[larch_hash_second_bucket(hash_of(&syn), mask)].flow[0];
	put_entry(flow, LARCH_FLOW_OPEN, 0);
	flow->identity.tag = larch_hash_tag(hash_of(&syn)) & ((1u << 29) - 1);
	EXPECT(balancer_send_spec(&syn), FORWARD_FLOW);
}
