// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage steer (and classify): which backend a new flow gets. What the program chooses is compared
 * with what the shared headers say in user space, given the same maps.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>

#include "arrange.h"
#include "larch/choice.h"
#include "larch/score.h"

#define FLOWS	      2000
#define RANDOM_SEED   0x737465657231ull
#define MANY_BACKENDS 40

TestSuite(steer, .init = arrange_web, .fini = balancer_close);

static uint64_t random_state = RANDOM_SEED;

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull >> 32) % limit);
}

static uint32_t learned_client(uint32_t client)
{
	do
		client = client_in_arm(client, LARCH_ARM_LEARNED);
	while (larch_hash_explores(HASH(.client = client)) && client++ < ~0u);
	return client;
}

static uint32_t exploring_client(uint32_t client)
{
	do
		client = client_in_arm(client + 1, LARCH_ARM_LEARNED);
	while (!larch_hash_explores(HASH(.client = client)));
	return client;
}

static void expect_member(uint32_t member, const struct spec *spec)
{
	struct result result = balancer_send_spec(spec);

	cr_assert_eq(backend_reached(&result), FIRST_BACKEND + member, "backend %u instead of %u",
		     backend_reached(&result), FIRST_BACKEND + member);
}

#define EXPECT_MEMBER(member, ...) expect_member(member, &(struct spec){.flags = SYN, __VA_ARGS__})

Test(steer, one_flow_in_sixteen_goes_by_the_control_ring)
{
	uint32_t control = 0;

	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	arrange_ring(WEB, 0, LARCH_RING_CONTROL, 3, LARCH_NO_MEMBER);
	for (uint32_t client = 0; client < 4096; client++) {
		bool is_control = larch_hash_arm(HASH(.client = client), 0) == LARCH_ARM_CONTROL;

		EXPECT_MEMBER(is_control ? 3 : 0, .client = client);
		control += is_control;
	}
	cr_assert(control > 180 && control < 340, "%u of 4096 flows", control);
}

Test(steer, a_smaller_control_arm_has_fewer_flows)
{
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	arrange_ring(WEB, 0, LARCH_RING_CONTROL, 3, LARCH_NO_MEMBER);
	for (uint32_t halvings = 1; halvings <= LARCH_HALVINGS_MOST; halvings++) {
		uint32_t first = halvings * 4096u, control = 0;

		balancer.services[WEB].policy.halvings = halvings & 15u;
		for (uint32_t client = first; client < first + 4096; client++) {
			bool is_control = larch_hash_arm(HASH(.client = client), halvings) ==
					  LARCH_ARM_CONTROL;

			EXPECT_MEMBER(is_control ? 3 : 0, .client = client);
			control += is_control;
		}
		cr_assert(control > 0 && control < 400u >> halvings, "%u of 4096 flows", control);
	}
}

Test(steer, all_flows_go_by_the_control_ring_where_nothing_is_learned)
{
	arrange_all_rings(WEB, 0, 0, 1);
	arrange_ring(WEB, 0, LARCH_RING_CONTROL, 3, 1);
	balancer.plan[larch_bank_index(WEB, 0)].flags = 0;
	for (uint32_t client = 0; client < 200; client++)
		EXPECT_MEMBER(3, .client = client);
}

Test(steer, the_control_ring_is_never_compared)
{
	uint32_t client = client_in_arm(0, LARCH_ARM_CONTROL);

	arrange_all_rings(WEB, 0, 0, 1);
	balancer.live[FIRST_BACKEND].in_flight = 1000;
	EXPECT_MEMBER(0, .client = client);
}

static uint32_t control_client(uint32_t client, bool probes)
{
	client = client_in_arm(client, LARCH_ARM_CONTROL);
	while (larch_hash_probes(HASH(.client = client)) != probes)
		client = client_in_arm(client + 1, LARCH_ARM_CONTROL);
	return client;
}

static void make_slow(uint32_t member, uint32_t slowdown)
{
	balancer.live[FIRST_BACKEND + member].slowdown = slowdown;
	balancer.live[FIRST_BACKEND + member].updated = FAR_FUTURE;
}

/* Health, not learning: what is merely slower keeps its flows of the control arm. */
Test(steer, a_control_flow_takes_the_second_where_the_first_is_sick)
{
	arrange_all_rings(WEB, 0, 0, 1);
	make_slow(0, LARCH_SLOWDOWN_SICK - 1);
	EXPECT_MEMBER(0, .client = control_client(0, false));
	make_slow(0, LARCH_SLOWDOWN_SICK);
	EXPECT_MEMBER(1, .client = control_client(1000, false));
}

Test(steer, a_control_flow_stays_where_the_second_is_sick_too)
{
	arrange_all_rings(WEB, 0, 0, 1);
	make_slow(0, LARCH_SLOWDOWN_SICK);
	make_slow(1, LARCH_SLOWDOWN_SICK);
	EXPECT_MEMBER(0, .client = control_client(0, false));
}

Test(steer, a_control_flow_without_a_second_stays)
{
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	make_slow(0, LARCH_SLOWDOWN_SICK);
	EXPECT_MEMBER(0, .client = control_client(0, false));
}

Test(steer, a_control_flow_leaves_a_suspect)
{
	arrange_all_rings(WEB, 0, 0, 1);
	balancer.live[FIRST_BACKEND].failures = LARCH_SUSPECT_FAILURES;
	balancer.live[FIRST_BACKEND].asked = (uint32_t)(clock_now() >> 20);
	EXPECT_MEMBER(1, .client = control_client(0, false));
}

Test(steer, a_control_flow_that_probes_finds_out_who_has_recovered)
{
	arrange_all_rings(WEB, 0, 0, 1);
	make_slow(0, LARCH_SLOWDOWN_SICK);
	EXPECT_MEMBER(0, .client = control_client(0, true));
}

Test(steer, a_control_flow_that_nobody_knew_goes_by_the_ring_even_to_a_sick_one)
{
	arrange_all_rings(WEB, 0, 0, 1);
	make_slow(0, LARCH_SLOWDOWN_SICK);
	expect_member(0, &(struct spec){.client = control_client(0, false), .flags = ACK});
}

Test(steer, the_slot_is_that_of_the_hash)
{
	for (uint32_t client = 0; client < 500; client++) {
		uint32_t slot = larch_hash_slot(HASH(.client = client), LARCH_RING_CONTROL);

		if (!larch_hash_explores(HASH(.client = client)))
			EXPECT_MEMBER(slot % MEMBERS, .client = client);
	}
}

Test(steer, the_candidate_with_the_smallest_score_takes_the_flow)
{
	arrange_all_rings(WEB, 0, 0, 1);
	arrange_ring(WEB, 0, LARCH_RING_GLOBAL, 2, LARCH_NO_MEMBER);
	EXPECT_MEMBER(0, .client = learned_client(0));
	balancer.live[FIRST_BACKEND].in_flight = 5;
	EXPECT_MEMBER(1, .client = learned_client(100));
	balancer.live[FIRST_BACKEND + 1].in_flight = 6;
	EXPECT_MEMBER(2, .client = learned_client(200));
	balancer.live[FIRST_BACKEND + 2].in_flight = 7;
	EXPECT_MEMBER(0, .client = learned_client(300));
}

/* Scores change from packet to packet: what is not remembered would be torn between backends. */
Test(steer, a_flow_that_nobody_knew_goes_by_the_ring_whatever_the_scores)
{
	arrange_all_rings(WEB, 0, 0, 1);
	balancer.live[FIRST_BACKEND].in_flight = 1000;
	expect_member(0, &(struct spec){.client = learned_client(0), .flags = ACK});
	expect_member(0, &(struct spec){.client = learned_client(100), .flags = FIN | ACK});
}

Test(steer, a_flow_without_place_goes_by_the_ring_whatever_the_scores)
{
	uint32_t client = learned_client(0);

	arrange_all_rings(WEB, 0, 0, 1);
	balancer.settings->bucket_mask = 0;
	for (uint32_t i = 0; i < LARCH_BUCKET_FLOWS; i++)
		SEND(.client = client + 1 + i);
	EXPECT_MEMBER(0, .client = client);
	balancer.live[FIRST_BACKEND].in_flight = 1000;
	EXPECT_MEMBER(0, .client = client);
	EXPECT(SEND(.client = client, .flags = ACK), FORWARD_UNTRACKED);
	expect_member(0, &(struct spec){.client = client, .flags = ACK});
}

Test(steer, costs_of_the_leaf_decide)
{
	struct larch_costs *costs = &balancer.costs[larch_costs_index(WEB, 0, 0)];

	arrange_all_rings(WEB, 0, 0, 1);
	costs->member[0].net += 10;
	EXPECT_MEMBER(1, .client = learned_client(0));
	costs->member[1].service += 20;
	EXPECT_MEMBER(0, .client = learned_client(100));
}

Test(steer, a_slowed_backend_is_avoided)
{
	arrange_all_rings(WEB, 0, 0, 1);
	balancer.live[FIRST_BACKEND].slowdown = 3 * LARCH_SLOWDOWN_ONE;
	balancer.live[FIRST_BACKEND].updated = FAR_FUTURE;
	EXPECT_MEMBER(1, .client = learned_client(0));
}

/* So many have waited for a long time. */
static union larch_wait waiting(uint32_t clients)
{
	return (union larch_wait){
		.since = ((uint32_t)(clock_now() >> 20) - (1u << 20)) & LARCH_WAIT_MASK,
		.count = clients & 0xff,
	};
}

Test(steer, a_backend_that_owes_an_answer_for_long_is_avoided)
{
	arrange_all_rings(WEB, 0, 0, 1);
	balancer.live[FIRST_BACKEND].in_flight = 1;
	balancer.live[FIRST_BACKEND].asked = (uint32_t)(clock_now() >> 20);
	balancer.live[FIRST_BACKEND].requests = waiting(LARCH_SILENCE_WAIT);
	balancer.live[FIRST_BACKEND + 1].in_flight = 2;
	EXPECT_MEMBER(1, .client = learned_client(0));
}

/* Random costs and live states, in such a way that the time of the decision does not matter. */
static void random_live(struct larch_live *live)
{
	bool silent = random_below(8) == 0, tried = random_below(2);

	*live = (struct larch_live){
		.in_flight = (int32_t)random_below(40) - 4,
		.slowdown = random_below(4 * LARCH_SLOWDOWN_ONE),
		.updated = FAR_FUTURE,
		.asked = tried ? (uint32_t)(clock_now() >> 20) + 1000 : 0,
		.requests = silent ? waiting(random_below(6)) : (union larch_wait){},
		.connects = silent ? waiting(random_below(6)) : (union larch_wait){},
		.concurrency = 1 + random_below(8),
		.service_us = 1 + random_below(500),
		.patience_us = random_below(20000),
		.failures = random_below(2 * LARCH_SUSPECT_FAILURES),
	};
	live->share = (1u << 16) / live->concurrency;
}

static uint8_t random_member(void)
{
	return random_below(20) ? (uint8_t)random_below(MANY_BACKENDS) : LARCH_NO_MEMBER;
}

static void random_rings(void)
{
	for (uint32_t ring = 0; ring < LARCH_RINGS; ring++)
		for (uint32_t i = 0; i < LARCH_RING_SLOTS; i++)
			balancer.ring[larch_ring_index(WEB, 0, ring)].slot[i] =
				(struct larch_slot){random_member(), random_member()};
}

static void random_tree(struct larch_tree *tree)
{
	static const uint64_t range[LARCH_FEATURE_SLOTS] = {0x0a0100, 100, 20, 64, 3, 2, 1, 1};

	tree->depth = LARCH_MAX_DEPTH;
	tree->leaves = LARCH_MAX_LEAVES;
	for (uint32_t i = 0; i < LARCH_TREE_NODES; i++) {
		tree->node[i].feature = random_below(LARCH_FEATURE_SLOTS);
		tree->node[i].threshold = random_below(
			(uint32_t)range[tree->node[i].feature & (LARCH_FEATURE_SLOTS - 1)]);
	}
	for (uint32_t i = 0; i < LARCH_TREE_LEAVES; i++)
		tree->leaf[i] = (uint8_t)random_below(LARCH_MAX_LEAVES);
}

static void random_plan(void)
{
	arrange_plan(WEB, 0, MANY_BACKENDS);
	random_rings();
	random_tree(&balancer.plan[larch_bank_index(WEB, 0)].tree);
	for (uint32_t leaf = 0; leaf < LARCH_MAX_LEAVES; leaf++)
		for (uint32_t m = 0; m < MANY_BACKENDS; m++)
			balancer.costs[larch_costs_index(WEB, 0, leaf)].member[m] =
				(struct larch_cost){random_below(500), 1 + random_below(2000)};
	for (uint32_t m = 0; m < MANY_BACKENDS; m++)
		arrange_backend(FIRST_BACKEND + m, m % 2 ? LARCH_TUNNEL_IPV4 : LARCH_TUNNEL_IPV6,
				INGRESS);
}

static struct spec random_spec(void)
{
	struct spec spec = {
		.ipv6 = random_below(2),
		.client = random_below(1 << 24),
		.source_port = (uint16_t)(1024 + random_below(60000)),
		.flags = SYN,
		.ttl = (uint8_t)(1 + random_below(255)),
		.tcp_options = (uint8_t)random_below(11),
		.payload = (uint16_t)(random_below(2) * random_below(900)),
	};

	return spec;
}

static uint32_t hops_of(uint32_t ttl)
{
	return ttl > 128 ? 255 - ttl : ttl > 64 ? 128 - ttl : 64 - ttl;
}

static struct larch_features features_of(const struct spec *spec)
{
	struct larch_tuple tuple = tuple_of(spec);
	uint32_t bytes = (spec->ipv6 ? IPV6_BYTES : IPV4_BYTES) + TCP_BYTES +
			 4u * spec->tcp_options + spec->payload;
	uint64_t ipv6 =
		1ull << 48 | (uint64_t)ntohl(tuple.source[0]) << 16 | ntohl(tuple.source[1]) >> 16;

	return (struct larch_features){.value = {
					       spec->ipv6 ? ipv6 : ntohl(tuple.source[3]) >> 8,
					       VIP_PORT,
					       NEXT_TCP,
					       hops_of(spec->ttl),
					       larch_size_class(bytes),
					       INGRESS,
				       }};
}

static uint32_t best_of(const uint8_t candidate[3], uint32_t leaf)
{
	const struct larch_costs *costs = &balancer.costs[larch_costs_index(WEB, 0, leaf)];
	uint64_t best = ~0ull;
	uint32_t chosen = LARCH_NO_MEMBER;

	for (int i = 0; i < 3; i++) {
		uint8_t m = candidate[i];
		uint64_t score;

		if (m == LARCH_NO_MEMBER)
			continue;
		score = larch_score(&costs->member[m], &balancer.live[FIRST_BACKEND + m],
				    clock_now());
		if (score < best) {
			best = score;
			chosen = m;
		}
	}
	return chosen;
}

/* An exploring flow goes round the candidates that there are, from `choice` on. */
static uint32_t explored(const uint8_t candidate[3], uint32_t choice)
{
	for (uint32_t i = 0; i < 3; i++) {
		uint8_t m = candidate[(choice % 3 + i) % 3];

		if (m != LARCH_NO_MEMBER)
			return m;
	}
	return LARCH_NO_MEMBER;
}

static bool is_sick(uint8_t member)
{
	return larch_sick(&balancer.live[FIRST_BACKEND + member], clock_now());
}

static uint32_t control_by_rule(const struct larch_slot *slot, uint64_t hash)
{
	uint8_t first = slot->primary, second = slot->secondary;

	if (first == LARCH_NO_MEMBER || second == LARCH_NO_MEMBER || larch_hash_probes(hash))
		return first;
	return is_sick(first) && !is_sick(second) ? second : first;
}

static uint32_t member_by_rule(const struct spec *spec)
{
	struct larch_features features = features_of(spec);
	uint32_t leaf = larch_tree_walk(&balancer.plan[larch_bank_index(WEB, 0)].tree, &features);
	uint64_t hash = hash_of(spec);
	const struct larch_ring *rings = &balancer.ring[larch_ring_index(WEB, 0, 0)];
	uint32_t slot = larch_hash_slot(hash, LARCH_RING_LEAF);
	uint32_t global = larch_hash_slot(hash, LARCH_RING_GLOBAL);
	uint8_t candidate[3] = {
		rings[LARCH_RING_LEAF + leaf].slot[slot].primary,
		rings[LARCH_RING_LEAF + leaf].slot[slot].secondary,
		rings[LARCH_RING_GLOBAL].slot[global].primary,
	};

	if (larch_hash_arm(hash, 0) == LARCH_ARM_CONTROL)
		return control_by_rule(&rings[LARCH_RING_CONTROL].slot[slot], hash);
	larch_doubt(&balancer.costs[larch_costs_index(WEB, 0, leaf)],
		    &rings[LARCH_RING_GLOBAL].slot[global & ~1u], global, candidate);
	if (larch_hash_explores(hash))
		return explored(candidate, larch_hash_choice(hash));
	return best_of(candidate, leaf);
}

Test(steer, chooses_as_user_space_does_from_the_same_maps)
{
	uint32_t none = 0;

	random_plan();
	for (uint32_t i = 0; i < FLOWS; i++) {
		struct spec spec = random_spec();
		struct result result;
		uint32_t member;

		for (uint32_t m = 0; m < MANY_BACKENDS; m++)
			random_live(&balancer.live[FIRST_BACKEND + m]);
		member = member_by_rule(&spec);
		result = balancer_send_spec(&spec);
		if (member == LARCH_NO_MEMBER)
			EXPECT(result, DROP_NO_BACKEND);
		else
			cr_assert_eq(backend_reached(&result), FIRST_BACKEND + member, "flow %u",
				     i);
		none += member == LARCH_NO_MEMBER;
	}
	cr_assert_lt(none, FLOWS / 10);
}

/* Two leaves that are told apart by the first packet's size: up to this class, and above. */
static void split_by_size(uint32_t class)
{
	struct larch_tree *tree = &balancer.plan[larch_bank_index(WEB, 0)].tree;

	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	arrange_ring(WEB, 0, LARCH_RING_LEAF + 1, 1, LARCH_NO_MEMBER);
	arrange_ring(WEB, 0, LARCH_RING_GLOBAL, LARCH_NO_MEMBER, LARCH_NO_MEMBER);
	*tree = (struct larch_tree){.depth = 1, .leaves = 2, .leaf = {0, 1}};
	tree->node[0] = (struct larch_node){.feature = LARCH_FEATURE_SIZE, .threshold = class};
}

static uint32_t learned_ipv6(void)
{
	uint32_t client = 0;

	while (larch_hash_arm(HASH(.ipv6 = true, .client = client), 0) != LARCH_ARM_LEARNED)
		client++;
	return client;
}

/* A node that takes over sees any packet of the flow, and must come to the leaf of its SYN. */
Test(steer, a_flow_that_nobody_knew_is_taken_for_one_with_a_usual_syn)
{
	uint32_t ipv4 = learned_client(0), ipv6 = learned_ipv6();

	split_by_size(0);
	EXPECT_MEMBER(0, .client = ipv4, .tcp_options = 5);
	EXPECT_MEMBER(1, .ipv6 = true, .client = ipv6, .tcp_options = 5);
	memset(balancer.bucket, 0, LARCH_FLOW_BUCKETS * sizeof(*balancer.bucket));
	expect_member(0, &(struct spec){.client = ipv4, .payload = 1000});
	expect_member(1, &(struct spec){.ipv6 = true, .client = ipv6, .flags = FIN | ACK});
	cr_assert_eq(FLOW(.client = ipv4)->identity.size, 0);
	split_by_size(1);
	memset(balancer.bucket, 0, LARCH_FLOW_BUCKETS * sizeof(*balancer.bucket));
	expect_member(0, &(struct spec){.ipv6 = true, .client = ipv6, .payload = 1000});
	cr_assert_eq(FLOW(.ipv6 = true, .client = ipv6)->identity.size, 1);
}

Test(steer, a_syn_is_judged_by_its_own_size)
{
	split_by_size(1);
	EXPECT_MEMBER(1, .client = learned_client(0), .payload = 100);
}

static void lose_backend(uint32_t member)
{
	struct larch_backend backend = balancer_backend(FIRST_BACKEND + member);

	backend.ready = 0;
	balancer_set_backend(FIRST_BACKEND + member, &backend);
}

/* Until the next generation, the rings still name it. */
Test(steer, a_candidate_that_cannot_be_used_gives_way_to_the_next)
{
	arrange_all_rings(WEB, 0, 0, 1);
	arrange_ring(WEB, 0, LARCH_RING_GLOBAL, 2, LARCH_NO_MEMBER);
	lose_backend(0);
	EXPECT_MEMBER(1, .client = learned_client(0));
	cr_assert_eq(FLOW(.client = learned_client(0))->identity.backend, FIRST_BACKEND + 1);
	lose_backend(1);
	EXPECT_MEMBER(2, .client = learned_client(100));
	expect_member(2, &(struct spec){.client = learned_client(200), .flags = ACK});
}

Test(steer, the_control_arm_has_its_slots_second)
{
	uint32_t client = client_in_arm(0, LARCH_ARM_CONTROL);

	arrange_all_rings(WEB, 0, 2, 3);
	arrange_ring(WEB, 0, LARCH_RING_CONTROL, 0, 1);
	lose_backend(0);
	EXPECT_MEMBER(1, .client = client);
	lose_backend(1);
	EXPECT(SEND(.client = client_in_arm(client + 1, LARCH_ARM_CONTROL)), DROP_NO_NEXTHOP);
}

Test(steer, an_exploring_flow_takes_any_candidate_whatever_the_score)
{
	static const uint32_t member[4] = {0, 1, 2, 0};
	uint32_t client = 0, seen = 0;

	arrange_all_rings(WEB, 0, 0, 1);
	arrange_ring(WEB, 0, LARCH_RING_GLOBAL, 2, LARCH_NO_MEMBER);
	balancer.live[FIRST_BACKEND].in_flight = 100;
	balancer.live[FIRST_BACKEND + 1].in_flight = 200;
	while (seen != 0xf) {
		client = exploring_client(client);
		EXPECT_MEMBER(member[larch_hash_choice(HASH(.client = client))], .client = client);
		seen |= 1u << larch_hash_choice(HASH(.client = client));
	}
}
