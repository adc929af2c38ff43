// SPDX-License-Identifier: BSD-2-Clause
/* The walk of the packed tree, as the kernel does it: on good trees, and on garbage. */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "larch/cell.h"
#include "larch/plan.h"

static uint64_t plan_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15ull;
	return (*state ^ (*state >> 31)) * 0xd6e8feb86659fd93ull ^ (*state >> 17);
}

/* Memory that ends (or begins) at a page which nobody may touch. */
static void *plan_fenced(size_t size, int at_end)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (size + page - 1) / page * page;
	char *memory = mmap(NULL, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(memory, MAP_FAILED);
	cr_assert_eq(mprotect(memory + page, room, PROT_READ | PROT_WRITE), 0);
	return memory + page + (at_end ? room - size : 0);
}

Test(plan, a_tree_of_depth_zero_is_one_leaf)
{
	struct larch_tree tree = {.depth = 0, .leaf = {7}};
	struct larch_features features = {.value = {INT64_MAX}};

	cr_expect_eq(larch_tree_walk(&tree, &features), 7);
}

Test(plan, equal_to_the_threshold_goes_left)
{
	struct larch_tree tree = {
		.depth = 1,
		.node = {{.threshold = 443, .feature = LARCH_FEATURE_PORT}},
		.leaf = {4, 5},
	};
	struct larch_features features = {0};

	features.value[LARCH_FEATURE_PORT] = 443;
	cr_expect_eq(larch_tree_walk(&tree, &features), 4);
	features.value[LARCH_FEATURE_PORT] = 444;
	cr_expect_eq(larch_tree_walk(&tree, &features), 5);
}

Test(plan, all_ones_as_threshold_always_goes_left)
{
	struct larch_tree tree = {
		.depth = 1,
		.node = {{.threshold = INT64_MAX}},
		.leaf = {1, 2},
	};
	struct larch_features features = {.value = {INT64_MAX}};

	cr_expect_eq(larch_tree_walk(&tree, &features), 1);
}

Test(plan, every_feature_is_looked_at)
{
	for (uint32_t feature = 0; feature < LARCH_FEATURE_COUNT; feature++) {
		struct larch_tree tree = {
			.depth = 1,
			.node = {{.threshold = 10, .feature = feature}},
			.leaf = {0, 1},
		};
		struct larch_features features = {0};

		cr_expect_eq(larch_tree_walk(&tree, &features), 0);
		features.value[feature] = 11;
		cr_expect_eq(larch_tree_walk(&tree, &features), 1);
	}
}

Test(plan, ipv6_sources_lie_right_of_all_ipv4_sources)
{
	struct larch_tree tree = {
		.depth = 1,
		.node = {{LARCH_SOURCE_IPV6 - 1, LARCH_FEATURE_SOURCE, 0}},
		.leaf = {4, 6},
	};
	struct larch_features features = {0};

	features.value[LARCH_FEATURE_SOURCE] = larch_source_ipv4(0xffffffff);
	cr_expect_eq(larch_tree_walk(&tree, &features), 4);
	features.value[LARCH_FEATURE_SOURCE] = larch_source_ipv6(0, 0);
	cr_expect_eq(larch_tree_walk(&tree, &features), 6);
}

/* A full tree of the greatest depth that reads a number bit by bit, as a heap of midpoints. */
static void plan_binary_tree(struct larch_tree *tree)
{
	*tree = (struct larch_tree){.depth = LARCH_MAX_DEPTH};
	for (uint32_t level = 0; level < LARCH_MAX_DEPTH; level++) {
		uint32_t width = LARCH_TREE_LEAVES >> level;

		for (uint32_t i = 0; i < 1u << level; i++)
			tree->node[(1u << level) - 1 + i].threshold = i * width + width / 2 - 1;
	}
	for (uint32_t i = 0; i < LARCH_TREE_LEAVES; i++)
		tree->leaf[i] = (uint8_t)(i % LARCH_MAX_LEAVES);
}

Test(plan, every_leaf_of_the_deepest_tree_is_reached)
{
	static struct larch_tree tree;

	plan_binary_tree(&tree);
	for (uint32_t i = 0; i < LARCH_TREE_LEAVES; i++) {
		struct larch_features features = {.value = {i}};

		cr_expect_eq(larch_tree_walk(&tree, &features), i % LARCH_MAX_LEAVES);
	}
}

static void plan_walk_garbage(int at_end)
{
	struct larch_tree *tree = plan_fenced(sizeof(*tree), at_end);
	struct larch_features *features = plan_fenced(sizeof(*features), at_end);
	uint64_t seed = 1;

	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(*tree) / 8; i++)
			((uint64_t *)tree)[i] = plan_random(&seed);
		for (size_t i = 0; i < LARCH_FEATURE_SLOTS; i++)
			features->value[i] = round % 3 ? plan_random(&seed) : INT64_MAX;
		if (round % 2)
			tree->depth %= 12;
		cr_assert_lt(larch_tree_walk(tree, features), LARCH_MAX_LEAVES);
	}
}

Test(plan, garbage_never_reads_beyond_the_end)
{
	plan_walk_garbage(1);
}

Test(plan, garbage_never_reads_before_the_beginning)
{
	plan_walk_garbage(0);
}

Test(plan, impossible_depths_give_a_leaf)
{
	static const uint32_t depths[] = {9, 31, 32, 33, 64, 255, 0x7fffffff, 0xffffffff};
	struct larch_tree *tree = plan_fenced(sizeof(*tree), 1);
	struct larch_features features = {.value = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}};

	memset(tree, 0xff, sizeof(*tree));
	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		tree->depth = depths[i];
		for (uint32_t n = 0; n < LARCH_TREE_NODES; n++)
			tree->node[n].threshold = 0;
		cr_expect_lt(larch_tree_walk(tree, &features), LARCH_MAX_LEAVES);
	}
}
