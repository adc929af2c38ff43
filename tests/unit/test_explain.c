// SPDX-License-Identifier: BSD-2-Clause
/* Explain says of a flow what the packet path would do with it. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "larch/score.h"
#include "plan_scene.h"
#include "region.h"

#define NEAR "10.1.0.7"	    /* leaf 0 */
#define FAR  "198.51.100.7" /* leaf 1 or 2, by hops */

static struct explain explained(const struct scene *scene, const char *source, enum larch_arm arm,
				bool explores)
{
	struct explain_input input =
		scene_input(scene, source, scene_port(scene, source, arm, explores));
	struct explain out;

	explain_flow(&input, &out);
	return out;
}

Test(explain, a_learned_flow_takes_the_smallest_score)
{
	struct scene *scene = scene_new();
	struct explain out = explained(scene, NEAR, LARCH_ARM_LEARNED, false);
	uint64_t least = UINT64_MAX;

	cr_assert(out.learned);
	cr_assert_not(out.known);
	for (size_t i = 0; i < LARCH_CANDIDATES; i++) {
		cr_assert(out.candidate[i].there);
		cr_assert_eq(out.candidate[i].backend, SCENE_FIRST + out.candidate[i].member);
		if (out.candidate[i].score < least)
			least = out.candidate[i].score;
	}
	cr_assert_eq(out.candidate[explain_chosen(&out)].score, least);
	cr_assert_eq(out.backend, SCENE_FIRST + out.member);
	free(scene);
}

Test(explain, candidates_are_the_leafs_two_and_the_global_one)
{
	struct scene *scene = scene_new();
	struct explain out = explained(scene, NEAR, LARCH_ARM_LEARNED, false);

	cr_assert_eq(out.candidate[0].member, (out.slot + LARCH_RING_LEAF) % SCENE_MEMBERS);
	cr_assert_eq(out.candidate[1].member, (out.slot + LARCH_RING_LEAF + 1) % SCENE_MEMBERS);
	cr_assert_eq(out.candidate[2].member,
		     (out.global_slot + LARCH_RING_GLOBAL) % SCENE_MEMBERS);
	cr_assert_eq(out.control[0].member, (out.slot + LARCH_RING_CONTROL) % SCENE_MEMBERS);
	free(scene);
}

Test(explain, a_busy_backend_loses_the_flow)
{
	struct scene *scene = scene_new();
	struct explain before = explained(scene, NEAR, LARCH_ARM_LEARNED, false), after;

	scene->live[before.backend].in_flight = 1000;
	after = explained(scene, NEAR, LARCH_ARM_LEARNED, false);
	cr_assert_neq(after.backend, before.backend);
	free(scene);
}

Test(explain, a_control_flow_takes_the_control_ring)
{
	struct scene *scene = scene_new();
	struct explain out = explained(scene, NEAR, LARCH_ARM_CONTROL, false);

	cr_assert_not(out.learned);
	cr_assert_eq(out.member, (out.slot + LARCH_RING_CONTROL) % SCENE_MEMBERS);
	free(scene);
}

/* As bpf/steer.h: by health alone. */
Test(explain, a_control_flow_takes_the_second_where_the_first_is_sick)
{
	struct scene *scene = scene_new();
	struct explain before = explained(scene, NEAR, LARCH_ARM_CONTROL, false), after;
	struct larch_live *live = &scene->live[before.backend];

	cr_assert_not(larch_hash_probes(before.hash));
	cr_assert_not(before.spared);
	live->failures = LARCH_SUSPECT_FAILURES;
	live->asked = (__u32)(before.now_ns >> 20);
	after = explained(scene, NEAR, LARCH_ARM_CONTROL, false);
	cr_assert(after.spared);
	cr_assert_eq(after.member, after.control[1].member);
	for (size_t i = 0; i < SCENE_MEMBERS; i++)
		scene->live[SCENE_FIRST + i] = *live;
	after = explained(scene, NEAR, LARCH_ARM_CONTROL, false);
	cr_assert_not(after.spared);
	cr_assert_eq(after.member, before.member);
	free(scene);
}

Test(explain, without_learning_all_take_the_control_ring)
{
	struct scene *scene = scene_new();
	struct explain out;

	scene->plan.flags = 0;
	out = explained(scene, NEAR, LARCH_ARM_LEARNED, false);
	cr_assert_not(out.learned);
	cr_assert_eq(out.member, (out.slot + LARCH_RING_CONTROL) % SCENE_MEMBERS);
	free(scene);
}

Test(explain, an_exploring_flow_takes_the_candidate_of_its_hash)
{
	struct scene *scene = scene_new();
	struct explain out = explained(scene, NEAR, LARCH_ARM_LEARNED, true);
	uint32_t choice = larch_hash_choice(out.hash);

	cr_assert(out.explores);
	cr_assert_eq(out.member, out.candidate[choice < LARCH_CANDIDATES ? choice : 0].member);
	free(scene);
}

Test(explain, an_absent_candidate_is_passed_over)
{
	struct scene *scene = scene_new();
	struct explain out;

	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
		scene->ring[LARCH_RING_LEAF].slot[slot].primary = LARCH_NO_MEMBER;
		scene->ring[LARCH_RING_LEAF].slot[slot].secondary = 3;
		scene->ring[LARCH_RING_GLOBAL].slot[slot] =
			(struct larch_slot){LARCH_NO_MEMBER, LARCH_NO_MEMBER};
	}
	out = explained(scene, NEAR, LARCH_ARM_LEARNED, false);
	cr_assert_not(out.candidate[0].there);
	cr_assert_eq(out.member, 3);
	cr_assert_eq(explain_chosen(&out), 1);
	free(scene);
}

Test(explain, what_cannot_be_used_gives_way_to_the_next_candidate)
{
	struct scene *scene = scene_new();
	bool unusable[LARCH_MAX_BACKENDS] = {};
	struct explain_input input =
		scene_input(scene, NEAR, scene_port(scene, NEAR, LARCH_ARM_LEARNED, false));
	struct explain before, after;
	unsigned chosen;

	input.unusable = unusable;
	explain_flow(&input, &before);
	cr_assert_not(before.passed_over);
	chosen = explain_chosen(&before);
	unusable[before.backend] = true;
	explain_flow(&input, &after);
	cr_assert(after.passed_over);
	for (unsigned i = 1; i < LARCH_CANDIDATES; i++) {
		const struct explain_candidate *next =
			&before.candidate[(chosen + i) % LARCH_CANDIDATES];

		if (next->backend == before.backend)
			continue;
		cr_assert_eq(after.backend, next->backend);
		break;
	}
	memset(unusable, true, sizeof(unusable));
	explain_flow(&input, &after);
	cr_assert_eq(after.backend, before.backend, "the kernel says what is wrong with it");
	free(scene);
}

Test(explain, the_control_arm_has_its_slots_second)
{
	struct scene *scene = scene_new();
	bool unusable[LARCH_MAX_BACKENDS] = {};
	struct explain_input input =
		scene_input(scene, NEAR, scene_port(scene, NEAR, LARCH_ARM_CONTROL, false));
	struct explain out;

	input.unusable = unusable;
	explain_flow(&input, &out);
	unusable[out.backend] = true;
	explain_flow(&input, &out);
	cr_assert_eq(out.member, (out.slot + LARCH_RING_CONTROL + 1) % SCENE_MEMBERS);
	cr_assert_eq(explain_chosen(&out), 1);
	free(scene);
}

Test(explain, nobody_can_take_it)
{
	struct scene *scene = scene_new();
	struct explain out;

	memset(scene->ring, LARCH_NO_MEMBER, sizeof(scene->ring));
	out = explained(scene, NEAR, LARCH_ARM_LEARNED, false);
	cr_assert_eq(out.member, LARCH_NO_MEMBER);
	cr_assert_eq(out.backend, LARCH_NO_BACKEND);
	free(scene);
}

Test(explain, the_path_ends_where_a_leaf_is_repeated)
{
	struct scene *scene = scene_new();
	struct explain out = explained(scene, NEAR, LARCH_ARM_LEARNED, false);

	cr_assert_eq(out.leaf, 0);
	cr_assert_eq(out.steps, 1);
	cr_assert_eq(out.step[0].feature, LARCH_FEATURE_SOURCE);
	cr_assert_not(out.step[0].right);
	free(scene);
}

Test(explain, given_hops_decide_the_leaf)
{
	struct scene *scene = scene_new();
	struct explain_input input = scene_input(scene, FAR, 4711);
	struct explain out;

	input.hops = 5;
	explain_flow(&input, &out);
	cr_assert_eq(out.leaf, 1);
	cr_assert_eq(out.steps, 2);
	input.hops = 6;
	explain_flow(&input, &out);
	cr_assert_eq(out.leaf, 2);
	cr_assert(out.step[1].right);
	cr_assert_eq(out.step[1].value, 6);
	free(scene);
}

/* A flow by source has no port, and no packet of it is its first: neither can decide. */
Test(explain, by_source_neither_port_nor_size_decides)
{
	static const enum larch_feature features[] = {LARCH_FEATURE_PORT, LARCH_FEATURE_SIZE};
	struct scene *scene = scene_new();
	struct explain_input input = scene_input(scene, FAR, 4711);
	struct explain out;

	input.size = 3;
	for (size_t i = 0; i < 2; i++) {
		scene->plan.tree.node[2].feature = features[i];
		scene->plan.tree.node[2].threshold = 0;
		input.policy.flags = 0;
		explain_flow(&input, &out);
		cr_assert_eq(out.leaf, 2);
		input.policy.flags = LARCH_SERVICE_BY_SOURCE;
		explain_flow(&input, &out);
		cr_assert_eq(out.leaf, 1);
	}
	free(scene);
}

/* Its packets are seen from both sides: see classify_cell() in bpf/classify.h. */
Test(explain, by_nat_neither_hops_nor_ingress_decides)
{
	static const enum larch_feature features[] = {LARCH_FEATURE_HOPS, LARCH_FEATURE_INGRESS};
	struct scene *scene = scene_new();
	struct explain_input input = scene_input(scene, FAR, 4711);
	struct explain out;

	input.hops = input.ingress = 7;
	for (size_t i = 0; i < 2; i++) {
		scene->plan.tree.node[2].feature = features[i];
		scene->plan.tree.node[2].threshold = 0;
		input.policy.mode = LARCH_MODE_IPIP;
		explain_flow(&input, &out);
		cr_assert_eq(out.leaf, 2);
		input.policy.mode = LARCH_MODE_NAT;
		explain_flow(&input, &out);
		cr_assert_eq(out.leaf, 1);
	}
	free(scene);
}

Test(explain, by_nat_a_backend_serves_itself)
{
	struct scene *scene = scene_new();
	struct explain_input input = scene_input(scene, FAR, 4711);
	bool unusable[LARCH_MAX_BACKENDS] = {};
	struct explain out;

	input.unusable = unusable;
	input.policy.mode = LARCH_MODE_NAT;
	for (uint16_t i = 0; i < SCENE_MEMBERS; i++) {
		input.own = (uint16_t)(SCENE_FIRST + i);
		explain_flow(&input, &out);
		cr_assert(out.own);
		cr_assert_eq(out.backend, input.own);
		cr_assert_eq(out.member, i);
	}
	unusable[input.own] = true;
	explain_flow(&input, &out);
	cr_assert_not(out.own);
	cr_assert_neq(out.backend, input.own);
	unusable[input.own] = false;
	input.policy.mode = LARCH_MODE_GUE;
	explain_flow(&input, &out);
	cr_assert_not(out.own);
	free(scene);
}

Test(explain, by_source_all_ports_are_one_flow)
{
	struct scene *scene = scene_new();
	struct explain one, other;

	for (uint16_t port = 1; port < 200; port++) {
		struct explain_input input = scene_input(scene, FAR, port);

		input.policy.flags = LARCH_SERVICE_BY_SOURCE;
		explain_flow(&input, &other);
		if (port == 1)
			one = other;
		cr_assert_eq(other.hash, one.hash);
		cr_assert_eq(other.arm, one.arm);
		cr_assert_eq(other.backend, one.backend);
	}
	free(scene);
}

static void remember(struct scene *scene, const struct explain *flow, uint32_t bucket,
		     enum larch_flow_state state)
{
	struct larch_flow *entry = &scene->flows[bucket].flow[2];

	entry->identity.tag = larch_hash_tag(flow->hash) & ((1u << 29) - 1);
	entry->identity.backend = SCENE_FIRST + 1;
	entry->identity.state = state;
	entry->identity.stamp = SCENE_STAMP - 1;
}

Test(explain, the_flow_table_is_asked_in_both_buckets)
{
	struct scene *scene = scene_new();
	struct explain_input input = scene_input(scene, NEAR, 4711);
	struct explain before, out;

	explain_flow(&input, &before);
	cr_assert_not(before.known);
	remember(scene, &before, before.second_bucket, LARCH_FLOW_OPEN);
	explain_flow(&input, &out);
	cr_assert(out.known);
	cr_assert_eq(out.identity.backend, SCENE_FIRST + 1);
	cr_assert_eq(out.idle_ns, (1000000000ull << SCENE_STAMP_SHIFT) / SCENE_HZ);
	cr_assert_eq(out.backend, before.backend, "what a new flow would do stays the same");
	free(scene);
}

Test(explain, a_free_entry_is_no_flow)
{
	struct scene *scene = scene_new();
	struct explain_input input = scene_input(scene, NEAR, 4711);
	struct explain before, out;

	explain_flow(&input, &before);
	remember(scene, &before, before.bucket, LARCH_FLOW_FREE);
	explain_flow(&input, &out);
	cr_assert_not(out.known);
	free(scene);
}

Test(explain, without_a_plan_only_the_table_speaks)
{
	struct scene *scene = scene_new();
	struct explain_input input = scene_input(scene, NEAR, 4711);
	struct explain out;

	input.plan = NULL;
	explain_flow(&input, &out);
	cr_assert_eq(out.backend, LARCH_NO_BACKEND);
	cr_assert_eq(out.steps, 0);
	free(scene);
}

Test(region, leaves_have_their_ranges)
{
	struct scene *scene = scene_new();
	struct region region[REGION_MOST];
	size_t count = region_list(&scene->plan.tree, region, REGION_MOST);

	cr_assert_eq(count, 3);
	cr_assert_eq(region[0].high[LARCH_FEATURE_SOURCE], SCENE_BORDER);
	cr_assert_not(region_tests(&region[0], LARCH_FEATURE_HOPS));
	cr_assert_eq(region[1].low[LARCH_FEATURE_SOURCE], SCENE_BORDER + 1);
	cr_assert_eq(region[1].high[LARCH_FEATURE_HOPS], 5);
	cr_assert_eq(region[2].low[LARCH_FEATURE_HOPS], 6);
	cr_assert_eq(region[2].leaf, 2);
	free(scene);
}

Test(region, a_tree_of_one_leaf_is_everybody)
{
	struct larch_tree tree = {.leaves = 1};
	struct region region[2];

	cr_assert_eq(region_list(&tree, region, 2), 1);
	for (unsigned i = 0; i < LARCH_FEATURE_COUNT; i++)
		cr_assert_not(region_tests(&region[0], i));
}

Test(region, what_nothing_can_reach_is_left_out)
{
	struct scene *scene = scene_new();
	struct region region[REGION_MOST];

	scene->plan.tree.node[2].feature = LARCH_FEATURE_SOURCE;
	scene->plan.tree.node[2].threshold = 5; /* asked of sources above SCENE_BORDER */
	cr_assert_eq(region_list(&scene->plan.tree, region, REGION_MOST), 2);
	cr_assert_eq(region[1].leaf, 2);
	free(scene);
}

Test(region, every_walk_ends_in_its_region)
{
	struct larch_tree tree = {.depth = LARCH_MAX_DEPTH, .leaves = LARCH_MAX_LEAVES};
	struct region region[REGION_MOST];
	uint64_t state = 7;
	size_t count;

	for (size_t i = 0; i < LARCH_TREE_NODES; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		tree.node[i].feature = (__u32)(state >> 60) % LARCH_FEATURE_COUNT;
		tree.node[i].threshold = state >> 40 & 0xff;
	}
	for (size_t i = 0; i < LARCH_TREE_LEAVES; i++)
		tree.leaf[i] = i % LARCH_MAX_LEAVES;
	count = region_list(&tree, region, REGION_MOST);
	for (int round = 0; round < 1000; round++) {
		struct larch_features features = {};
		size_t inside = 0;

		for (unsigned i = 0; i < LARCH_FEATURE_COUNT; i++) {
			state = state * 6364136223846793005ull + 1442695040888963407ull;
			features.value[i] = state >> 40 & 0xff;
		}
		for (size_t i = 0; i < count; i++) {
			bool in = true;

			for (unsigned j = 0; j < LARCH_FEATURE_COUNT; j++)
				in &= features.value[j] >= region[i].low[j] &&
				      features.value[j] <= region[i].high[j];
			inside += in;
			if (in)
				cr_assert_eq(region[i].leaf, larch_tree_walk(&tree, &features));
		}
		cr_assert_eq(inside, 1);
	}
}

/* Requests on their way keep a backend busy, too, but no score divides by them. */
Test(explain, the_load_of_a_candidate_is_what_its_score_has_been_worked_out_from)
{
	struct scene *scene = scene_new();

	for (size_t i = 0; i < SCENE_MEMBERS; i++) {
		struct larch_live *live = &scene->live[SCENE_FIRST + i];

		live->concurrency = 40; /* eight served, the others on their way */
		live->share = (1u << 16) / 8;
		live->in_flight = 6;
		live->slowdown = 0;
	}
	for (size_t i = 0; i < LARCH_CANDIDATES; i++) {
		struct explain now = explained(scene, NEAR, LARCH_ARM_LEARNED, false);
		const struct explain_candidate *of = &now.candidate[i];

		if (!of->there)
			continue;
		cr_assert_eq(of->queue, 6);
		cr_assert_eq(of->concurrency, 8);
		cr_assert_eq(of->busy, 40);
		cr_assert_eq(of->score, of->cost.net + of->cost.service * 14 / 8);
	}
	free(scene);
}
