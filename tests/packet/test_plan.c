// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage classify and steer, as to what is published: the tree's features, missing members, no
 * generation, a change of generation, and a plan that is garbage.
 */
#include <linux/bpf.h>
#include <string.h>

#include "arrange.h"

#define LEFT  0 /* leaf, and the member that its ring names */
#define RIGHT 1

TestSuite(plan, .init = arrange_web, .fini = balancer_close);

static struct larch_plan *plan_of(uint32_t bank)
{
	return &balancer.plan[larch_bank_index(WEB, bank)];
}

/* No control arm and no exploration among these clients: all is decided by the tree. */
static uint32_t plain_client(uint32_t client)
{
	client = client_in_arm(client, LARCH_ARM_LEARNED);
	while (larch_hash_explores(HASH(.client = client)))
		client = client_in_arm(client + 1, LARCH_ARM_LEARNED);
	return client;
}

static void one_split(enum larch_feature feature, uint64_t threshold)
{
	struct larch_tree *tree = &plan_of(0)->tree;

	tree->depth = 1;
	tree->leaves = 2;
	tree->node[0] = (struct larch_node){.threshold = threshold, .feature = feature};
	tree->leaf[0] = LEFT;
	tree->leaf[1] = RIGHT;
	arrange_ring(WEB, 0, LARCH_RING_GLOBAL, LARCH_NO_MEMBER, LARCH_NO_MEMBER);
	for (uint8_t leaf = LEFT; leaf <= RIGHT; leaf++) {
		arrange_ring(WEB, 0, LARCH_RING_LEAF + leaf, leaf, LARCH_NO_MEMBER);
	}
}

/* The flow's source port is chosen such that the learned arm decides. */
static uint32_t leaf_of(struct spec spec)
{
	struct result result;

	spec.source_port = 1;
	while (larch_hash_arm(hash_of(&spec), 0) == LARCH_ARM_CONTROL)
		spec.source_port++;
	result = balancer_send_spec(&spec);
	return backend_reached(&result) - FIRST_BACKEND;
}

#define LEAF(...) leaf_of((struct spec){.flags = SYN, __VA_ARGS__})

Test(plan, splits_by_ipv4_source)
{
	one_split(LARCH_FEATURE_SOURCE, 0x0a0101);
	cr_assert_eq(LEAF(.from = "10.1.1.255"), LEFT);
	cr_assert_eq(LEAF(.from = "10.1.2.0"), RIGHT);
	cr_assert_eq(LEAF(.ipv6 = true, .from = "::1"), RIGHT);
}

Test(plan, splits_by_ipv6_source)
{
	one_split(LARCH_FEATURE_SOURCE, LARCH_SOURCE_IPV6 | 0x20010db80001);
	cr_assert_eq(LEAF(.ipv6 = true, .from = "2001:db8:1:ffff::"), LEFT);
	cr_assert_eq(LEAF(.ipv6 = true, .from = "2001:db8:2::"), RIGHT);
	cr_assert_eq(LEAF(.from = "255.255.255.255"), LEFT);
}

Test(plan, splits_by_port)
{
	arrange_vip(VIP_IPV4, NEXT_TCP, 0, WEB, LARCH_SIGNAL_RESPONSE);
	one_split(LARCH_FEATURE_PORT, 443);
	cr_assert_eq(LEAF(.port = 443), LEFT);
	cr_assert_eq(LEAF(.port = 444), RIGHT);
}

Test(plan, splits_by_protocol)
{
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	one_split(LARCH_FEATURE_PROTOCOL, NEXT_TCP);
	cr_assert_eq(LEAF(.protocol = NEXT_TCP), LEFT);
	cr_assert_eq(LEAF(.protocol = NEXT_UDP), RIGHT);
}

Test(plan, splits_by_hops)
{
	one_split(LARCH_FEATURE_HOPS, 10);
	cr_assert_eq(LEAF(.client = 1, .ttl = 54), LEFT);
	cr_assert_eq(LEAF(.client = 2, .ttl = 53), RIGHT);
	cr_assert_eq(LEAF(.client = 3, .ttl = 118), LEFT);
	cr_assert_eq(LEAF(.client = 4, .ttl = 117), RIGHT);
	cr_assert_eq(LEAF(.client = 5, .ttl = 245), LEFT);
	cr_assert_eq(LEAF(.client = 6, .ttl = 244), RIGHT);
	cr_assert_eq(LEAF(.client = 7, .ipv6 = true, .ttl = 244), RIGHT);
}

Test(plan, splits_by_size)
{
	one_split(LARCH_FEATURE_SIZE, 0);
	cr_assert_eq(LEAF(.client = 1, .tcp_options = 5), LEFT);
	cr_assert_eq(LEAF(.client = 2, .tcp_options = 6), RIGHT);
	cr_assert_eq(LEAF(.client = 3, .trailer = 40), LEFT);
}

Test(plan, splits_by_ingress)
{
	one_split(LARCH_FEATURE_INGRESS, INGRESS);
	cr_assert_eq(LEAF(.client = 1), LEFT);
	one_split(LARCH_FEATURE_INGRESS, INGRESS - 1);
	cr_assert_eq(LEAF(.client = 2), RIGHT);
}

Test(plan, a_missing_primary_leaves_the_choice_to_the_others)
{
	arrange_all_rings(WEB, 0, LARCH_NO_MEMBER, 2);
	cr_assert_eq(LEAF(.client = 1), 2);
	arrange_all_rings(WEB, 0, LARCH_NO_MEMBER, LARCH_NO_MEMBER);
	arrange_ring(WEB, 0, LARCH_RING_GLOBAL, 3, LARCH_NO_MEMBER);
	cr_assert_eq(LEAF(.client = 2), 3);
}

Test(plan, without_any_member_drops_the_flow)
{
	arrange_all_rings(WEB, 0, LARCH_NO_MEMBER, LARCH_NO_MEMBER);
	for (uint32_t client = 0; client < 100; client++) {
		EXPECT(SEND(.client = client, .flags = SYN), DROP_NO_BACKEND);
		cr_assert_null(FLOW(.client = client));
	}
}

Test(plan, a_member_that_is_no_backend_is_the_last_choice)
{
	plan_of(0)->member[0] = LARCH_NO_BACKEND;
	arrange_all_rings(WEB, 0, 0, 1);
	EXPECT(SEND(.client = client_in_arm(0, LARCH_ARM_CONTROL), .flags = SYN), DROP_NO_BACKEND);
	for (uint32_t client = 0; client < 300; client++) {
		uint64_t hash = HASH(.client = client);

		if (larch_hash_arm(hash, 0) == LARCH_ARM_LEARNED && !larch_hash_explores(hash))
			EXPECT(SEND(.client = client, .flags = SYN), FORWARD_NEW);
	}
}

Test(plan, a_service_without_generation_drops_new_flows)
{
	arrange_publish(WEB, 0, 0);
	EXPECT(SEND(.client = 1, .flags = SYN), DROP_NO_PLAN);
	EXPECT(SEND(.client = 1), DROP_NO_PLAN);
}

Test(plan, flows_go_on_without_generation_or_with_a_wrong_bank)
{
	SEND(.flags = SYN);
	arrange_publish(WEB, 0, 0);
	EXPECT(SEND(), FORWARD_FLOW);
	balancer.active[WEB] = (struct larch_active){LARCH_BANKS, 1};
	EXPECT(SEND(.payload = 100), FORWARD_FLOW);
	EXPECT(SEND(.acknowledged = 9000), FORWARD_FLOW);
}

/* The first bank of the next service must not be taken for a fourth one of this. */
Test(plan, a_bank_that_does_not_exist_drops_new_flows)
{
	arrange_plan(WEB + 1, 0, MEMBERS);
	arrange_publish(WEB + 1, 0, 1);
	balancer.active[WEB].bank = LARCH_BANKS;
	EXPECT(SEND(.client = 1, .flags = SYN), DROP_INTERNAL);
	balancer.active[WEB].bank = ~0u;
	EXPECT(SEND(.client = 2, .flags = SYN), DROP_INTERNAL);
}

Test(plan, a_new_generation_takes_new_flows_only)
{
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	for (uint32_t client = 0; client < 50; client++)
		SEND(.client = client, .flags = SYN);
	arrange_plan(WEB, 1, MEMBERS);
	arrange_all_rings(WEB, 1, 3, LARCH_NO_MEMBER);
	arrange_publish(WEB, 1, 2);
	for (uint32_t client = 0; client < 50; client++) {
		struct result known = SEND(.client = client), fresh;

		fresh = SEND(.client = 1000 + client, .flags = SYN);
		cr_assert_eq(backend_reached(&known), FIRST_BACKEND);
		cr_assert_eq(backend_reached(&fresh), FIRST_BACKEND + 3);
	}
}

Test(plan, the_bank_being_built_is_not_read)
{
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	memset(plan_of(1), 0xff, sizeof(struct larch_plan));
	memset(&balancer.ring[larch_ring_index(WEB, 1, 0)], 0xff,
	       LARCH_RINGS * sizeof(struct larch_ring));
	for (uint32_t client = 0; client < 50; client++)
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_NEW);
}

Test(plan, too_deep_a_tree_is_a_tree_of_one_leaf)
{
	one_split(LARCH_FEATURE_INGRESS, 0);
	plan_of(0)->tree.depth = LARCH_MAX_DEPTH + 1;
	cr_assert_eq(LEAF(.client = 1), LEFT);
	plan_of(0)->tree.depth = ~0u;
	cr_assert_eq(LEAF(.client = 2), LEFT);
}

static void fill_randomly(void *memory, size_t size, uint64_t *state)
{
	uint8_t *bytes = memory;

	for (size_t i = 0; i < size; i++) {
		*state = *state * 6364136223846793005ull + 1442695040888963407ull;
		bytes[i] = (uint8_t)(*state >> 56);
	}
}

/* Whatever stands in the maps, packets are forwarded or dropped, and counted. */
Test(plan, garbage_does_no_harm)
{
	uint64_t state = 1;

	for (uint32_t round = 0; round < 20; round++) {
		fill_randomly(plan_of(0), sizeof(struct larch_plan), &state);
		plan_of(0)->tree.depth &= 15;
		fill_randomly(&balancer.ring[0], LARCH_RINGS * sizeof(struct larch_ring), &state);
		fill_randomly(&balancer.costs[0], LARCH_MAX_LEAVES * sizeof(struct larch_costs),
			      &state);
		fill_randomly(&balancer.live[0], LARCH_MAX_BACKENDS * sizeof(struct larch_live),
			      &state);
		fill_randomly(&balancer.bucket[0], 64 * sizeof(struct larch_bucket), &state);
		balancer.settings->bucket_mask = 63;
		balancer.settings->flags = round;
		for (uint32_t client = 0; client < 100; client++)
			SEND(.client = client, .flags = (uint8_t)(client % 32),
			     .payload = (uint16_t)(client % 3), .acknowledged = client * 977);
	}
	cr_assert_eq(balancer_received(), 2000);
}

Test(plan, both_families_share_a_plan)
{
	arrange_all_rings(WEB, 0, 2, LARCH_NO_MEMBER);
	cr_assert_eq(LEAF(.client = plain_client(0)), 2);
	cr_assert_eq(LEAF(.ipv6 = true), 2);
}
