// SPDX-License-Identifier: BSD-2-Clause
/* The tree: its bounds, its independence of the rows' order, what it refuses, and its packing. */
#include <errno.h>
#include <math.h>

#include "tree_scene.h"

Test(tree_shape, leaves_and_depth_stay_within_the_options)
{
	add_many_classes(true);
	for (unsigned leaves = 1; leaves <= LARCH_MAX_LEAVES; leaves++) {
		struct tree_options options = usual_tree;
		struct tree *tree;

		options.max_leaves = leaves;
		options.max_depth = LARCH_MAX_DEPTH;
		options.noise = 0;
		tree = grow_tree(&options);
		cr_assert_eq(tree->leaves, leaves);
		cr_assert_eq(tree->nodes, 2 * leaves - 1);
		tree_free(tree);
	}
	add_many_classes(false);
	for (unsigned depth = 0; depth <= LARCH_MAX_DEPTH; depth++) {
		struct tree_options options = usual_tree;
		struct tree *tree;

		options.max_depth = depth;
		options.noise = 0;
		tree = grow_tree(&options);
		cr_assert_eq(tree->depth, depth);
		tree_free(tree);
	}
}

Test(tree_shape, nodes_are_consistent)
{
	struct tree *tree;

	add_many_classes(false);
	tree = grow_tree(&usual_tree);
	for (size_t i = 0; i < tree->nodes; i++) {
		const struct tree_node *node = &tree->node[i];
		const struct tally *sum = &tree->tally[i * 8];

		if (node->left < 0) {
			cr_assert_eq(tree->leaf_node[node->leaf], (int)i);
			cr_assert_eq(node->gain, 0);
			continue;
		}
		cr_assert_eq(tree->node[node->left].parent, (int)i);
		cr_assert_eq(tree->node[node->right].parent, (int)i);
		cr_assert_eq(tree->node[node->right].depth, node->depth + 1);
		for (size_t j = 0; j < 8; j++) {
			const struct tally *left = &tree->tally[node->left * 8 + j];
			const struct tally *right = &tree->tally[node->right * 8 + j];

			cr_assert_eq(left->connect_us + right->connect_us, sum[j].connect_us);
			cr_assert_eq(left->responses + right->responses, sum[j].responses);
		}
	}
	tree_free(tree);
}

static void assert_same_trees(const struct tree *a, const struct tree *b)
{
	size_t cells = a->nodes * a->members;

	cr_assert_eq(a->nodes, b->nodes);
	cr_assert_arr_eq(a->node, b->node, a->nodes * sizeof(*a->node));
	cr_assert_arr_eq(a->tally, b->tally, cells * sizeof(*a->tally));
	cr_assert_arr_eq(a->cost, b->cost, cells * sizeof(*a->cost));
	cr_assert_arr_eq(a->leaf_node, b->leaf_node, a->leaves * sizeof(*a->leaf_node));
}

/* Classes of 4 rows each, with equal features in several rows and sums that are not exact. */
static void add_mergeable_rows(double factor)
{
	add_many_classes(false);
	for (size_t i = 0; i < rows_of_test.rows; i++) {
		row_features[i].value[LARCH_FEATURE_SOURCE] /= 4;
		row_features[i].value[LARCH_FEATURE_PORT] = 0;
		row_features[i].value[LARCH_FEATURE_HOPS] = 0;
	}
	for (size_t i = 0; i < rows_of_test.rows * rows_of_test.members; i++) {
		row_tally[i].responses *= factor;
		row_tally[i].work_us *= factor;
	}
}

Test(tree_shape, order_of_rows_does_not_matter_bit_for_bit)
{
	struct tree *first, *again;
	uint64_t state = 99;

	add_mergeable_rows(1. / 3);
	first = grow_tree(&usual_tree);
	cr_assert_gt(first->leaves, 8);
	for (unsigned round = 0; round < 5; round++) {
		for (size_t i = rows_of_test.rows; i > 1; i--)
			swap_rows(i - 1, draw(&state) % i);
		again = grow_tree(&usual_tree);
		assert_same_trees(first, again);
		tree_free(again);
	}
	tree_free(first);
}

Test(tree_shape, order_of_rows_does_not_matter_for_sums_beyond_the_fine_grid)
{
	struct tree *first, *again;

	add_mergeable_rows(1e9 / 3);
	first = grow_tree(&usual_tree);
	for (size_t i = 0; i < rows_of_test.rows / 2; i++)
		swap_rows(i, rows_of_test.rows - 1 - i);
	again = grow_tree(&usual_tree);
	assert_same_trees(first, again);
	tree_free(first);
	tree_free(again);
}

Test(tree_shape, equal_features_in_two_rows_add_up)
{
	struct tree *tree;

	begin_rows(1);
	*add_row(LARCH_FEATURE_SOURCE, 5) = exact_tally(3, 100, 200);
	*add_row(LARCH_FEATURE_SOURCE, 5) = exact_tally(7, 100, 200);
	tree = grow_tree(&usual_tree);
	cr_assert_eq(tree->tally[0].connects, 10);
	cr_assert_eq(tree->tally[0].work_us, 2000);
	cr_assert_eq(tree->node[0].flows, 10);
	tree_free(tree);
}

Test(tree_shape, empty_table_is_one_leaf_without_costs)
{
	struct tree *tree;

	begin_rows(3);
	tree = grow_tree(&usual_tree);
	cr_assert_eq(tree->leaves, 1);
	cr_assert_eq(tree->nodes, 1);
	cr_assert_eq(tree->depth, 0);
	cr_assert_eq(tree->leaf_node[0], 0);
	for (size_t j = 0; j < 3; j++) {
		cr_assert_eq(tree->cost[j].net, 0);
		cr_assert_eq(tree->cost[j].service, 0);
	}
	tree_free(tree);
}

Test(tree_shape, rows_without_samples_are_one_leaf_without_costs)
{
	struct tree *tree;

	begin_rows(2);
	for (uint64_t i = 0; i < 10; i++)
		add_row(LARCH_FEATURE_SOURCE, i);
	tree = grow_tree(&(struct tree_options){24, 6, 0, 0, 4, 0, TREE_INTERACTION, false});
	cr_assert_eq(tree->leaves, 1);
	cr_assert_eq(tree->cost[1].service, 0);
	tree_free(tree);
}

Test(tree_shape, single_member_never_splits)
{
	struct tree *tree;

	begin_rows(1);
	for (uint64_t i = 0; i < 64; i++)
		*add_row(LARCH_FEATURE_SOURCE, i) = exact_tally(100, i < 32 ? 10 : 10000, 2000);
	tree = grow_tree(&(struct tree_options){24, 6, 0, 0, 4, 0, TREE_INTERACTION, false});
	cr_assert_eq(tree->leaves, 1);
	tree_free(tree);
}

Test(tree_shape, no_members_is_one_leaf)
{
	struct tree *tree;

	begin_rows(0);
	add_row(LARCH_FEATURE_SOURCE, 1);
	add_row(LARCH_FEATURE_SOURCE, 2);
	tree = grow_tree(&usual_tree);
	cr_assert_eq(tree->leaves, 1);
	tree_free(tree);
}

Test(tree_shape, out_of_range_options_are_refused)
{
	struct tree_options bad[10];
	struct tree *tree;

	for (size_t i = 0; i < 10; i++)
		bad[i] = usual_tree;
	bad[0].max_leaves = 0;
	bad[1].max_leaves = LARCH_MAX_LEAVES + 1;
	bad[2].max_depth = LARCH_MAX_DEPTH + 1;
	bad[3].min_flows = NAN;
	bad[4].min_effect = -1;
	bad[5].prior = 0;
	bad[6].prior = INFINITY;
	bad[7].noise = -1;
	bad[8].min_flows = -1;
	bad[9].criterion = (enum tree_criterion)7;
	begin_rows(2);
	for (size_t i = 0; i < 10; i++)
		cr_assert_eq(tree_train(&rows_of_test, &bad[i], &tree), -EINVAL, "%zu", i);
}

Test(tree_shape, rogue_tallies_are_refused)
{
	const double rogue[] = {NAN, -NAN, INFINITY, -INFINITY, -1, -1e-300, 1e300};
	struct tree *tree;

	for (size_t i = 0; i < sizeof(rogue) / sizeof(*rogue); i++)
		for (size_t field = 0; field < 4; field++) {
			add_two_classes(LARCH_FEATURE_SOURCE, 64, 50);
			memcpy((double *)&row_tally[77] + field, &rogue[i], sizeof(double));
			cr_assert_eq(tree_train(&rows_of_test, &usual_tree, &tree), -EINVAL,
				     "%g in field %zu", rogue[i], field);
		}
	add_two_classes(LARCH_FEATURE_SOURCE, 64, 50);
	row_tally[77].connects = -0.0;
	tree = grow_tree(&usual_tree);
	tree_free(tree);
}

Test(tree_shape, packed_tree_walks_like_the_tree)
{
	static struct larch_tree packed;
	uint64_t state = 3;

	add_many_classes(false);
	for (unsigned depth = 0; depth <= LARCH_MAX_DEPTH; depth++) {
		struct tree_options options = {LARCH_MAX_LEAVES, depth, 0, 0, 4, 0,
					       TREE_INTERACTION, false};
		struct tree *tree = grow_tree(&options);

		cr_assert_eq(tree->depth, depth);
		memset(&packed, 0xff, sizeof(packed));
		tree_pack(tree, &packed);
		cr_assert_eq(packed.leaves, tree->leaves);
		for (unsigned i = 0; i < 5000; i++) {
			struct larch_features features = {0};

			features.value[LARCH_FEATURE_SOURCE] = draw(&state) % 300;
			features.value[LARCH_FEATURE_PORT] = draw(&state) % 3000;
			features.value[LARCH_FEATURE_HOPS] = draw(&state) % 24;
			cr_assert_eq(larch_tree_walk(&packed, &features),
				     (unsigned)leaf_by_hand(tree, &features));
		}
		tree_free(tree);
	}
}

Test(tree_shape, leaves_number_from_left_to_right)
{
	uint64_t state = 5;
	struct tree *tree;
	int last = 0;

	begin_rows(2);
	for (uint64_t i = 0; i < 32; i++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, i);

		tally[0] = exact_tally(200, 1000, 1000 + (double)(draw(&state) % 50000));
		tally[1] = exact_tally(200, 1000, 1000);
	}
	tree = grow_tree(&(struct tree_options){24, 6, 100, 0.02, 4, 0, TREE_INTERACTION, false});
	cr_assert_gt(tree->leaves, 4);
	for (uint64_t i = 0; i < 32; i++) {
		int leaf = leaf_by_hand(tree, &row_features[i]);

		cr_assert(leaf == last || leaf == last + 1);
		last = leaf;
	}
	cr_assert_eq(last, (int)tree->leaves - 1);
	tree_free(tree);
}
