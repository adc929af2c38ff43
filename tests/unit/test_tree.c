// SPDX-License-Identifier: BSD-2-Clause
/* The tree: which classes it finds, which it leaves alone, and what they cost. */
#include <math.h>

#include "larch/cell.h"
#include "tree_scene.h"

Test(tree, opposite_best_backends_split_at_the_cidr_border)
{
	struct tree *tree;

	add_two_classes(LARCH_FEATURE_SOURCE, larch_source_ipv4(0x0a018000), 50);
	tree = grow_tree(&usual_tree);
	cr_assert_eq(tree->leaves, 2);
	cr_assert_eq(tree->nodes, 3);
	cr_assert_eq(tree->node[0].feature, LARCH_FEATURE_SOURCE);
	cr_assert_eq(tree->node[0].threshold, larch_source_ipv4(0x0a017fff));
	cr_assert_eq(tree->node[0].leaf, -1);
	cr_assert_gt(tree->node[0].gain, 0);
	cr_assert_eq(tree->leaf_node[0], tree->node[0].left);
	cr_assert_eq(tree->leaf_node[1], tree->node[0].right);
	tree_free(tree);
}

Test(tree, threshold_is_the_most_natural_number_between_two_values)
{
	struct tree *tree;

	begin_rows(2);
	for (unsigned i = 0; i < 2; i++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, i ? 0x0a0155 : 0x0a0023);

		tally[i] = exact_tally(1000, 1000, 2000);
		tally[!i] = exact_tally(1000, 20000, 2000);
	}
	tree = grow_tree(&usual_tree);
	cr_assert_eq(tree->leaves, 2);
	cr_assert_eq(tree->node[0].threshold, 0x0a00ff);
	tree_free(tree);
}

Test(tree, every_feature_can_tell_classes_apart)
{
	for (unsigned feature = 0; feature < LARCH_FEATURE_COUNT; feature++) {
		struct tree *tree;

		add_two_classes(feature, 64, 50);
		tree = grow_tree(&usual_tree);
		cr_assert_eq(tree->leaves, 2, "feature %u", feature);
		cr_assert_eq(tree->node[0].feature, feature);
		cr_assert_eq(tree->node[0].threshold, 63);
		tree_free(tree);
	}
}

Test(tree, border_is_found_among_more_values_than_bins)
{
	struct tree *tree;

	begin_rows(2);
	for (uint64_t i = 0; i < MAX_ROWS; i++) {
		bool right = i >= 3072 && i < 3584; /* one block of 512 */
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, 0x0a0000 + i);

		tally[right] = exact_tally(5, 1000, 2000);
		tally[!right] = exact_tally(5, 20000, 2000);
	}
	tree = grow_tree(&usual_tree);
	cr_assert_eq(tree->leaves, 3);
	for (uint64_t value = 0x0a0000; value < 0x0a1000; value++) {
		struct larch_features features = {.value[LARCH_FEATURE_SOURCE] = value};

		cr_assert_eq(leaf_by_hand(tree, &features), value < 0x0a0c00   ? 0
							    : value < 0x0a0e00 ? 1
									       : 2);
	}
	tree_free(tree);
}

Test(tree, class_that_is_slower_everywhere_is_no_reason_to_split)
{
	struct tree *tree;

	begin_rows(4);
	for (uint64_t i = 0; i < 64; i++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, i);
		double factor = i < 32 ? 1 : 5;

		for (unsigned j = 0; j < 4; j++)
			tally[j] = exact_tally(100, factor * 1000, factor * (500 + 500 * j));
	}
	tree = grow_tree(&usual_tree);
	cr_assert_eq(tree->leaves, 1);
	tree_free(tree);
}

Test(tree, variance_splits_where_a_class_is_slower_everywhere)
{
	struct tree_options options = usual_tree;
	struct tree *tree;

	begin_rows(2);
	for (uint64_t i = 0; i < 64; i++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, i);

		for (unsigned j = 0; j < 2; j++)
			tally[j] = exact_tally(100, i < 40 ? 1000 : 5000, 2000 + 1000 * j);
	}
	options.criterion = TREE_VARIANCE;
	tree = grow_tree(&options);
	cr_assert_eq(tree->leaves, 2);
	cr_assert_eq(tree->node[0].threshold, 39);
	/* Each member's 4000 and 2400 flows are 4000 us apart. */
	cr_assert_float_eq(tree->node[0].gain, 2 * 1500. * 4000 * 4000, 1);
	tree_free(tree);
}

static void expect_leaves(const struct tree_options *options, size_t leaves)
{
	struct tree *tree = grow_tree(options);

	cr_assert_eq(tree->leaves, leaves);
	tree_free(tree);
}

Test(tree, variance_below_the_bar_is_no_reason_to_split)
{
	struct tree_options options = usual_tree;

	begin_rows(1);
	for (uint64_t i = 0; i < 64; i++)
		*add_row(LARCH_FEATURE_SOURCE, i) = exact_tally(1000, i < 32 ? 950 : 1050, 0);
	options.criterion = TREE_VARIANCE;
	options.min_effect = 0.049; /* both sides are 0.05 from the mean */
	expect_leaves(&options, 2);
	options.min_effect = 0.051;
	expect_leaves(&options, 1);
}

Test(tree, slower_class_that_hardly_tried_a_member_is_no_reason_to_split)
{
	struct tree_options options = usual_tree;

	begin_rows(4);
	for (unsigned class = 0; class < 2; class ++) {
		struct tally *tally = add_row(LARCH_FEATURE_PORT, class);

		for (unsigned j = 0; j < 4; j++)
			tally[j] = exact_tally(class && j == 3 ? 3 : 5000, 1000 << class,
					       1000 << class);
	}
	options.noise = 0;
	expect_leaves(&options, 1);
}

Test(tree, child_with_too_few_flows_is_not_made)
{
	struct tree_options options = usual_tree;

	add_two_classes(LARCH_FEATURE_SOURCE, 64, 2); /* 32 rows x 2 members x 2 = 128 a side */
	options.min_flows = 129;
	expect_leaves(&options, 1);
	options.min_flows = 128;
	expect_leaves(&options, 2);
}

Test(tree, effect_below_the_bar_is_no_reason_to_split)
{
	struct tree_options options = usual_tree;

	add_two_classes(LARCH_FEATURE_SOURCE, 64, 1000);
	options.min_effect = 0.9; /* log(22000 / 3000) / 2 is nearly 1 */
	expect_leaves(&options, 2);
	options.min_effect = 1;
	expect_leaves(&options, 1);
}

Test(tree, best_split_comes_first)
{
	struct tree_options options = usual_tree;
	struct tree *tree;

	begin_rows(2);
	for (uint64_t i = 0; i < 64; i++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, i);

		/* A contrast of 8 between the halves, of 1.5 inside the right one. */
		tally[0] = exact_tally(100, 1000, i < 32 ? 1000 : i < 48 ? 15000 : 23000);
		tally[1] = exact_tally(100, 1000, 2000);
	}
	options.max_leaves = 2;
	tree = grow_tree(&options);
	cr_assert_eq(tree->node[0].threshold, 31);
	tree_free(tree);
	options.max_leaves = 24;
	tree = grow_tree(&options);
	cr_assert_eq(tree->leaves, 3);
	cr_assert_eq(tree->node[tree->node[0].right].threshold, 47);
	tree_free(tree);
}

Test(tree, leaf_with_the_best_split_is_split_next)
{
	struct tree_options options = usual_tree;
	struct tree *tree;

	begin_rows(2);
	for (uint64_t i = 0; i < 64; i++) {
		const double service[4] = {1000, 4000, 100000, 150000};
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, i);

		tally[0] = exact_tally(100, 0, service[i / 16]);
		tally[1] = exact_tally(100, 0, 2000);
	}
	options.max_leaves = 3;
	tree = grow_tree(&options);
	cr_assert_eq(tree->leaves, 3);
	cr_assert_eq(tree->node[tree->node[0].left].threshold, 15);
	cr_assert_eq(tree->node[tree->node[0].right].left, -1);
	tree_free(tree);
}

Test(tree, ties_go_to_the_smaller_feature)
{
	struct tree *tree;

	add_two_classes(LARCH_FEATURE_HOPS, 64, 50);
	for (size_t i = 0; i < rows_of_test.rows; i++)
		row_features[i].value[LARCH_FEATURE_PORT] =
			row_features[i].value[LARCH_FEATURE_HOPS];
	tree = grow_tree(&usual_tree);
	cr_assert_eq(tree->leaves, 2);
	cr_assert_eq(tree->node[0].feature, LARCH_FEATURE_PORT);
	tree_free(tree);
}

Test(tree, root_costs_shrink_towards_the_mean_of_the_members)
{
	struct tally *tally;
	struct tree *tree;

	begin_rows(3);
	tally = add_row(LARCH_FEATURE_SOURCE, 1);
	tally[0] = exact_tally(10, 100, 1000);
	tally[1] = exact_tally(10, 300, 5000);
	tree = grow_tree(&usual_tree);
	/* Means of the two with samples: 200 and 3000; (sum + 4 mean) / (10 + 4). */
	cr_assert_float_eq(tree->cost[0].net, (1000 + 4 * 200.) / 14, 1e-9);
	cr_assert_float_eq(tree->cost[1].net, (3000 + 4 * 200.) / 14, 1e-9);
	cr_assert_float_eq(tree->cost[0].service, (10000 + 4 * 3000.) / 14, 1e-9);
	cr_assert_float_eq(tree->cost[1].service, (50000 + 4 * 3000.) / 14, 1e-9);
	/* The third has none. */
	cr_assert_float_eq(tree->cost[2].net, 200, 1e-9);
	cr_assert_float_eq(tree->cost[2].service, 3000, 1e-9);
	tree_free(tree);
}

Test(tree, costs_of_a_child_shrink_towards_the_parent)
{
	struct tree *tree;

	add_two_classes(LARCH_FEATURE_SOURCE, 64, 50);
	row_tally[0].connect_us += 1e6;
	tree = grow_tree(&usual_tree);
	for (size_t j = 0; j < 2; j++) {
		const struct tally *tally = &tree->tally[tree->node[0].left * 2 + j];
		double expected = (tally->connect_us + 4 * tree->cost[j].net) / (1600 + 4);

		cr_assert_eq(tally->connects, 1600);
		cr_assert_float_eq(tree->cost[tree->node[0].left * 2 + j].net, expected, 1e-9);
	}
	tree_free(tree);
}

/* Rows of `samples` exponential times each; members differ in the right half by `contrast`. */
static void add_noisy_rows(uint64_t *state, size_t rows, unsigned samples, double contrast)
{
	begin_rows(8);
	for (uint64_t i = 0; i < rows; i++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, i);

		row_features[i].value[LARCH_FEATURE_PORT] = draw(state) % 2 ? 80 : 443;
		row_features[i].value[LARCH_FEATURE_HOPS] = draw(state) % 12;
		for (unsigned j = 0; j < 8; j++) {
			double factor = j % 2 && i >= rows / 2 ? contrast : 1;

			tally[j].connects = tally[j].responses = samples;
			tally[j].connect_us = samples * (900 + (double)(draw(state) % 200));
			tally[j].work_us = draw_sum(state, samples, factor * 2000);
		}
	}
}

static unsigned split_trees(const struct tree_options *options, unsigned trees, double contrast)
{
	uint64_t state = 12345;
	unsigned split = 0;

	for (unsigned i = 0; i < trees; i++) {
		struct tree *tree;

		add_noisy_rows(&state, 200, 1 + i % 8, contrast);
		tree = grow_tree(options);
		split += tree->leaves > 1;
		tree_free(tree);
	}
	return split;
}

Test(tree, noise_of_equal_backends_is_no_reason_to_split)
{
	struct tree_options options = usual_tree;

	cr_assert_leq(split_trees(&usual_tree, 200, 1), 2);
	options.noise = 0;
	cr_assert_geq(split_trees(&options, 200, 1), 150, "the test needs noise that would split");
}

Test(tree, classes_are_found_in_noise)
{
	cr_assert_geq(split_trees(&usual_tree, 200, 2), 190);
}

Test(tree, classes_stay_when_learned_shares_starve_the_slow_members)
{
	uint64_t state = 4711;
	unsigned kept = 0;

	for (unsigned i = 0; i < 50; i++) {
		struct tree *tree;

		begin_rows(16);
		for (uint64_t row = 0; row < 200; row++) {
			struct tally *tally = add_row(LARCH_FEATURE_SOURCE, row);

			for (unsigned j = 0; j < 16; j++) {
				bool slow = (j % 2 != 0) == (row < 128);
				unsigned n = !slow ? 10 : draw(&state) % 32 == 0; /* 0.3 % */

				tally[j] = exact_tally(n, 1000, 0);
				tally[j].work_us = draw_sum(&state, n, slow ? 10000 : 2000);
			}
		}
		tree = grow_tree(&usual_tree);
		kept += tree->leaves == 2 && tree->node[0].threshold == 127;
		tree_free(tree);
	}
	cr_assert_geq(kept, 48);
}

/* Two classes in 64 rows, whose means are exact; `contrast` is between two halves of 8 members. */
static bool class_is_found(double samples, double contrast)
{
	struct tree *tree;
	bool found;

	begin_rows(8);
	for (uint64_t i = 0; i < 64; i++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, i);

		for (unsigned j = 0; j < 8; j++)
			tally[j] = exact_tally(samples, 1000, 500 * (j + 1));
		for (unsigned j = 0; j < 4 && i >= 24; j++)
			tally[j].work_us *= contrast;
	}
	tree = grow_tree(&usual_tree);
	found = tree->leaves == 2 && tree->node[0].threshold == 23;
	tree_free(tree);
	return found;
}

Test(tree, more_samples_never_hide_a_class)
{
	unsigned found = 0, missed = 0;

	for (double contrast = 1.25; contrast < 5; contrast *= 1.1) {
		bool was = false;

		for (double samples = 0.25; samples < 1e5; samples *= 2) {
			bool is = class_is_found(samples, contrast);

			cr_assert(is >= was, "contrast %g, %g samples", contrast, samples);
			was = is;
			found += is;
			missed += !is;
		}
		cr_assert(was, "contrast %g", contrast);
	}
	cr_assert(found > 30 && missed > 30);
}

Test(tree, more_samples_never_find_fewer_classes_in_noise)
{
	unsigned before = 0;

	for (unsigned samples = 1; samples <= 64; samples *= 4) {
		unsigned found = 0;

		for (uint64_t state = 1; state <= 40; state++) {
			uint64_t seed = state * 7919;
			struct tree *tree;

			add_noisy_rows(&seed, 100, samples, 1.5);
			tree = grow_tree(&usual_tree);
			found += tree->leaves > 1;
			tree_free(tree);
		}
		cr_assert_geq(found, before, "%u samples", samples);
		before = found;
	}
	cr_assert_eq(before, 40);
}

Test(tree, more_samples_bring_costs_nearer_to_their_mean)
{
	double before[2] = {INFINITY, INFINITY};

	for (double samples = 1; samples < 1e6; samples *= 3) {
		struct tally *tally;
		struct tree *tree;

		begin_rows(2);
		tally = add_row(LARCH_FEATURE_SOURCE, 1);
		tally[0] = exact_tally(samples, 1000, 2000);
		tally[1] = exact_tally(5, 4000, 9000);
		tree = grow_tree(&usual_tree);
		cr_assert_lt(fabs(tree->cost[0].net - 1000), before[0]);
		cr_assert_lt(fabs(tree->cost[0].service - 2000), before[1]);
		before[0] = fabs(tree->cost[0].net - 1000);
		before[1] = fabs(tree->cost[0].service - 2000);
		tree_free(tree);
	}
	cr_assert_lt(before[0], 0.1);
}
