// SPDX-License-Identifier: BSD-2-Clause
// Stage flow: who finds a place in the flow table, and who must give way when it is full.
#include <string.h>

#include "arrange.h"

#define OTHER	   3  /* a member that no default ring begins with for all */
#define IDLE_AGE   40 /* stamps: an open flow silent for this long is idle */
#define ACTIVE_AGE 30 /* stamps: one silent for this long is not */
#define DEAD_AGE   3  /* stamps: a bare SYN this old is dead */
#define YOUNG	   0
#define OLD	   1200 /* ms: a SYN this old has had time for its handshake */

TestSuite(room, .init = arrange_web, .fini = balancer_close);

static void set_start(struct larch_flow *flow, uint64_t ms_ago)
{
	uint64_t start = clock_now() - ms_ago * NS_PER_MS;

	flow->timing.start = start >> LARCH_START_SHIFT & LARCH_START_MASK;
}

/* An entry made by hand, of a flow that no test sends. SYNs are old unless a test says otherwise.
 */
static void put_entry(struct larch_flow *flow, enum larch_flow_state state, uint32_t age)
{
	flow->identity = (union larch_identity){
		.tag = 0x1eaf,
		.backend = FIRST_BACKEND + OTHER,
		.stamp = (now_stamp() - age) & LARCH_STAMP_MASK,
		.state = state,
	};
	flow->timing.word = 0;
	set_start(flow, OLD);
}

/* A table of one bucket, full of such entries. */
static struct larch_flow *full_table(enum larch_flow_state state, uint32_t age)
{
	balancer.settings->bucket_mask = 0;
	for (size_t i = 0; i < LARCH_BUCKET_FLOWS; i++)
		put_entry(&balancer.bucket[0].flow[i], state, age);
	return balancer.bucket[0].flow;
}

Test(room, a_syn_never_takes_the_place_of_an_open_flow)
{
	struct larch_bucket before;

	full_table(LARCH_FLOW_OPEN, IDLE_AGE);
	before = balancer.bucket[0];
	for (uint32_t client = 0; client < 100; client++)
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_UNTRACKED);
	cr_assert_arr_eq(&balancer.bucket[0], &before, sizeof(before));
	cr_assert_eq(balancer_backend_traffic(FIRST_BACKEND + OTHER).evicted, 0);
}

Test(room, an_established_flow_survives_a_flood_of_syns)
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

Test(room, a_flow_without_place_goes_where_the_ring_says_every_time)
{
	struct result first, later;

	full_table(LARCH_FLOW_OPEN, 0);
	first = SEND(.flags = SYN);
	later = SEND(.flags = ACK);
	EXPECT(first, FORWARD_UNTRACKED);
	EXPECT(later, FORWARD_UNTRACKED);
	cr_assert_eq(backend_reached(&later), backend_reached(&first));
}

Test(room, an_idle_flow_gives_way_to_an_established_one_and_is_counted)
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

Test(room, the_least_valuable_entry_gives_way_to_a_syn)
{
	for (size_t others = 1; others < COUNT(willing); others++)
		for (size_t loser = 0; loser < others && loser < 4; loser++)
			check_gives_way(loser, others, (loser + others) % 4, SYN);
}

Test(room, the_least_valuable_entry_gives_way_to_an_established_flow)
{
	for (size_t others = 1; others < COUNT(willing); others++)
		for (size_t loser = 0; loser < others && loser < 4; loser++)
			check_gives_way(loser, others, (loser + others) % 4, ACK);
	check_gives_way(4, 5, 1, ACK);
}

/* Of equals the one that is there longest, in whichever of its buckets that is. */
static void check_oldest_syn_goes(uint32_t client, uint8_t flags, uint64_t age)
{
	uint32_t mask = balancer.settings->bucket_mask;
	uint64_t hash = HASH(.client = client);
	struct larch_bucket *bucket[] = {
		&balancer.bucket[larch_hash_bucket(hash, mask)],
		&balancer.bucket[larch_hash_second_bucket(hash, mask)],
	};
	struct larch_flow *oldest = &bucket[client & 1]->flow[client >> 1 & 3];

	for (size_t i = 0; i < COUNT(bucket) * LARCH_BUCKET_FLOWS; i++) {
		struct larch_flow *flow = &bucket[i / 4]->flow[i % 4];

		put_entry(flow, LARCH_FLOW_SYN, 0);
		set_start(flow, age + i);
	}
	set_start(oldest, age + 100);
	SEND(.client = client, .flags = flags);
	cr_assert_eq(FLOW(.client = client), oldest, "client %u", client);
}

Test(room, the_oldest_syn_of_both_buckets_gives_way)
{
	for (uint32_t client = 0; client < 16; client++) {
		check_oldest_syn_goes(client, SYN, OLD);
		check_oldest_syn_goes(100 + client, ACK, OLD);
		check_oldest_syn_goes(200 + client, ACK, YOUNG);
	}
}

/* In a flood the entry would be gone before the client could answer. */
Test(room, a_young_syn_keeps_its_place_from_further_syns)
{
	struct larch_flow *table = full_table(LARCH_FLOW_SYN, 0);

	for (size_t i = 0; i < LARCH_BUCKET_FLOWS; i++)
		set_start(&table[i], YOUNG);
	for (uint32_t client = 0; client < 50; client++)
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_UNTRACKED);
	EXPECT(SEND(.client = 100), FORWARD_UNKNOWN);
	cr_assert_not_null(FLOW(.client = 100));
}

/* Its entry may be taken again before its client answers: the ring would still know its backend. */
Test(room, a_flow_that_takes_the_place_of_another_syn_goes_by_the_ring)
{
	uint32_t client = client_in_arm(0, LARCH_ARM_LEARNED);
	struct result result;

	arrange_all_rings(WEB, 0, 0, 1);
	balancer.live[FIRST_BACKEND].in_flight = 1000;
	full_table(LARCH_FLOW_SYN, 0);
	result = SEND(.client = client, .flags = SYN);
	EXPECT(result, FORWARD_NEW);
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND);
}

Test(room, a_closed_flow_that_is_long_dead_is_as_good_as_free)
{
	struct larch_flow *table = full_table(LARCH_FLOW_CLOSING, 1);

	put_entry(&table[3], LARCH_FLOW_CLOSING, DEAD_AGE);
	SEND(.flags = SYN);
	cr_assert_eq(FLOW(), &table[3]);
}

Test(room, is_found_in_the_second_bucket_and_the_flow_too)
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

Test(room, a_free_place_in_the_second_bucket_comes_before_another_in_the_first)
{
	uint32_t mask = balancer.settings->bucket_mask;
	struct larch_bucket *first = &balancer.bucket[larch_hash_bucket(HASH(), mask)];

	for (size_t i = 0; i < LARCH_BUCKET_FLOWS; i++)
		put_entry(&first->flow[i], LARCH_FLOW_SYN, 0);
	EXPECT(SEND(.flags = SYN), FORWARD_NEW);
	cr_assert_eq(FLOW(), &balancer.bucket[larch_hash_second_bucket(HASH(), mask)].flow[0]);
}

Test(room, there_is_none_where_the_table_is_smaller_than_the_settings_say)
{
	uint32_t mask = balancer.settings->bucket_mask = (1u << 22) - 1, client = 0;

	while (larch_hash_bucket(HASH(.client = client), mask) < LARCH_FLOW_BUCKETS ||
	       larch_hash_second_bucket(HASH(.client = client), mask) < LARCH_FLOW_BUCKETS)
		client++;
	EXPECT(SEND(.client = client, .flags = SYN), FORWARD_UNTRACKED);
}

/* Two choices keep the buckets level: at half load nearly every flow finds a place. */
Test(room, there_is_a_place_for_all_in_a_table_that_is_half_full)
{
	unsigned untracked = 0, flows = 2048 * LARCH_BUCKET_FLOWS / 2;

	balancer.settings->bucket_mask = 2047;
	for (unsigned i = 0; i < flows; i++) {
		struct result result = SEND(.client = i, .flags = ACK, .payload = 10);

		untracked += result.outcome == LARCH_FORWARD_UNTRACKED;
	}
	cr_assert_leq(untracked, 1, "%u of %u flows found no place", untracked, flows);
}
