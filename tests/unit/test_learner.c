// SPDX-License-Identifier: BSD-2-Clause
/* The learner: what must hold for any table, on many made by chance. */
#include "learner_scene.h"

#define TABLES 30

static void shuffle_rows(uint64_t *state)
{
	for (unsigned i = (unsigned)rows_of_test.rows; i > 1; i--)
		swap_rows(i - 1, below(state, i));
}

static void assert_same_generations(const struct generation *a, const struct generation *b)
{
	cr_assert_eq(a->plan.digest, b->plan.digest);
	cr_assert_eq(a->leaves, b->leaves);
	cr_assert_arr_eq(a->share, b->share, a->leaves * a->members * sizeof(*a->share));
	cr_assert_arr_eq(a->capacity, b->capacity, a->members * sizeof(*a->capacity));
}

Test(learner, order_of_rows_does_not_matter)
{
	uint64_t state = 11;
	size_t leaves = 0;

	for (unsigned i = 0; i < TABLES; i++) {
		struct generation *first, *second, *first_again, *second_again;
		size_t count = 2 + below(&state, MAX_MEMBERS - 1);

		random_members(&state, count);
		random_table(&state, count, 20);
		for (size_t k = 0; k < rows_of_test.rows * count; k++)
			row_tally[k].responses /= 3; /* sums that are not exact */
		first = learn(NULL);
		second = learn(first);
		shuffle_rows(&state);
		first_again = learn(NULL);
		second_again = learn(first_again);
		assert_same_generations(first, first_again);
		assert_same_generations(second, second_again);
		leaves += first->leaves;
		generation_free(first);
		generation_free(second);
		generation_free(first_again);
		generation_free(second_again);
	}
	cr_assert_gt(leaves, 3 * TABLES, "the test needs trees that split");
}

Test(learner, other_samples_give_another_digest)
{
	struct generation *before, *after;
	uint64_t state = 12;

	random_members(&state, 4);
	random_table(&state, 4, 20);
	before = learn(NULL);
	for (size_t row = 0; row < rows_of_test.rows; row++)
		row_tally[4 * row].connect_us *= 1.01;
	after = learn(NULL);
	cr_assert_neq(before->plan.digest, after->plan.digest);
	generation_free(before);
	generation_free(after);
}

Test(learner, classes_that_are_slower_everywhere_cause_no_split)
{
	uint64_t state = 13;

	for (unsigned i = 0; i < TABLES; i++) {
		size_t count = 2 + below(&state, MAX_MEMBERS - 1);
		double factor[4] = {1, between(&state, 0.1, 10), between(&state, 0.1, 10), 30};
		double net[MAX_MEMBERS], service[MAX_MEMBERS];
		struct generation *generation;

		for (size_t j = 0; j < count; j++) {
			net[j] = between(&state, 300, 20000);
			service[j] = between(&state, 500, 10000);
		}
		random_members(&state, count);
		random_table(&state, count, 20);
		for (size_t row = 0; row < rows_of_test.rows; row++)
			for (size_t j = 0; j < count; j++) {
				struct tally *tally = &row_tally[row * count + j];
				double f = factor[class_of(&row_features[row])];
				double flows = row_tally[row * count].connects;

				*tally = exact_tally(flows, f * net[j], f * service[j]);
			}
		generation = learn(NULL);
		cr_assert_eq(generation->leaves, 1, "table %u", i);
		generation_free(generation);
	}
}

/* Samples of a row at one member, as a hash of the flows spreads them: 2 `samples` tosses. */
static unsigned spread_samples(uint64_t *state, unsigned samples)
{
	unsigned n = 0;

	while (samples--)
		n += (unsigned)__builtin_popcountll(draw(state) & 3);
	return n;
}

/* All members are slower for some classes; odd ones by `contrast` more for the right sources. */
static void level_table(uint64_t *state, const double factor[4], double contrast, unsigned samples)
{
	double net[8], service[8];

	for (size_t j = 0; j < 8; j++) {
		net[j] = between(state, 3000, 30000);
		service[j] = between(state, 500, 5000);
	}
	begin_rows(8);
	for (unsigned row = 0; row < 250; row++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, 0);
		unsigned class;

		random_features(state, &row_features[row]);
		class = class_of(&row_features[row]);
		for (size_t j = 0; j < 8; j++) {
			double f = factor[class] * (class >= 2 && j % 2 ? contrast : 1);
			unsigned n = spread_samples(state, samples);

			tally[j] = exact_tally(n, f * net[j], 0);
			tally[j].work_us = draw_sum(state, n, f * service[j]);
		}
	}
}

/* However far apart the classes are: by chance, a member has more samples of the slower ones. */
Test(learner, members_that_met_more_of_a_slow_class_are_no_reason_to_split)
{
	uint64_t state = 16;

	for (unsigned i = 0; i < 2 * TABLES; i++) {
		double far = i % 2 ? 30 : 5;
		struct tree *tree;

		level_table(&state, (double[4]){1, 1, far, far}, 1, 1 + i % 16);
		tree = grow_tree(&usual_tree);
		cr_assert_eq(tree->leaves, 1, "table %u", i);
		tree_free(tree);
	}
}

Test(learner, classes_are_found_among_classes_that_are_slower_everywhere)
{
	uint64_t state = 17;
	unsigned found = 0;

	for (unsigned i = 0; i < TABLES; i++) {
		struct tree *tree;

		level_table(&state, (double[4]){1, 30, 1, 30}, 2, 16);
		tree = grow_tree(&usual_tree);
		found += tree->leaves >= 2 && tree->leaves <= 4 &&
			 tree->node[0].feature == LARCH_FEATURE_SOURCE &&
			 tree->node[0].threshold > 380 && tree->node[0].threshold < 420;
		tree_free(tree);
	}
	cr_assert_geq(found, TABLES - 2, "%u", found);
}

Test(learner, twins_get_equal_shares)
{
	uint64_t state = 14;

	for (unsigned i = 0; i < TABLES; i++) {
		size_t count = 3 + below(&state, MAX_MEMBERS - 2);
		size_t a = below(&state, (unsigned)count), b = (a + 1) % count;
		struct generation *generation = NULL;

		random_members(&state, count);
		members[b].concurrency = members[a].concurrency;
		random_table(&state, count, 20);
		for (size_t row = 0; row < rows_of_test.rows; row++)
			row_tally[row * count + b] = row_tally[row * count + a];
		for (unsigned tick = 0; tick < 3; tick++) {
			struct generation *next = learn(generation);

			for (size_t leaf = 0; leaf < next->leaves; leaf++)
				cr_assert_eq(next->share[leaf * count + a],
					     next->share[leaf * count + b]);
			cr_assert_eq(next->capacity[a], next->capacity[b]);
			generation_free(generation);
			generation = next;
		}
		generation_free(generation);
	}
}

Test(learner, scaling_all_costs_changes_no_split)
{
	const double factors[] = {0.11, 3, 1000. / 7};
	uint64_t state = 15;

	for (unsigned i = 0; i < TABLES; i++) {
		size_t count = 2 + below(&state, MAX_MEMBERS - 1);
		struct tree *tree, *scaled;

		random_table(&state, count, 20);
		tree = grow_tree(&usual_tree);
		for (size_t k = 0; k < rows_of_test.rows * count; k++) {
			row_tally[k].connect_us *= factors[i % 3];
			row_tally[k].work_us *= factors[i % 3];
		}
		scaled = grow_tree(&usual_tree);
		cr_assert_eq(tree->nodes, scaled->nodes);
		for (size_t at = 0; at < tree->nodes; at++) {
			cr_assert_eq(tree->node[at].left, scaled->node[at].left);
			cr_assert_eq(tree->node[at].feature, scaled->node[at].feature);
			cr_assert_eq(tree->node[at].threshold, scaled->node[at].threshold);
			cr_assert_float_eq(tree->node[at].gain, scaled->node[at].gain,
					   1e-5 * tree->node[at].gain);
		}
		tree_free(tree);
		tree_free(scaled);
	}
}
