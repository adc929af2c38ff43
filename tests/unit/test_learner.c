// SPDX-License-Identifier: BSD-2-Clause
/* The learner: what must hold for any table, on many made by chance. */
#include "learner.h"
#include "tree_scene.h"

#define TABLES 30

static struct learner_member members[MAX_MEMBERS];
static struct learner_input input;

static unsigned below(uint64_t *state, unsigned limit)
{
	return (unsigned)(draw(state) >> 32) % limit;
}

static double between(uint64_t *state, double low, double high)
{
	return low + (high - low) * (double)(draw(state) >> 11) * 0x1p-53;
}

/* Members of different costs and concurrency. */
static void random_members(uint64_t *state, size_t count)
{
	uint64_t identity[MAX_MEMBERS];

	for (size_t i = 0; i < count; i++) {
		members[i] = (struct learner_member){(uint16_t)i, 1, true, 1 + below(state, 8)};
		identity[i] = ring_identity(&i, sizeof(i));
	}
	ring_builder_free((struct ring_builder *)input.builder);
	input = (struct learner_input){
		.member = members,
		.members = count,
		.table = &rows_of_test,
		.tree = usual_tree,
		.shares = {150, 0.3, 0.002, 0.2},
		.demand_factor = 0.07,
		.learned = true,
	};
	cr_assert_eq(ring_builder_new((struct ring_builder **)&input.builder, identity, count), 0);
}

static void random_features(uint64_t *state, struct larch_features *features)
{
	features->value[LARCH_FEATURE_SOURCE] = below(state, 1000);
	features->value[LARCH_FEATURE_PORT] = 80 + below(state, 3);
	features->value[LARCH_FEATURE_HOPS] = below(state, 12);
}

/* Which of four classes: by source, and by hops. */
static unsigned class_of(const struct larch_features *features)
{
	return 2 * (features->value[LARCH_FEATURE_SOURCE] >= 400) +
	       (features->value[LARCH_FEATURE_HOPS] >= 7);
}

/* Four classes that differ in who serves them well; up to `samples` noisy samples a row. */
static void random_table(uint64_t *state, size_t count, unsigned samples)
{
	double net[4][MAX_MEMBERS], service[4][MAX_MEMBERS];

	for (size_t i = 0; i < 4 * MAX_MEMBERS; i++) {
		net[i / MAX_MEMBERS][i % MAX_MEMBERS] = between(state, 300, 20000);
		service[i / MAX_MEMBERS][i % MAX_MEMBERS] = between(state, 500, 10000);
	}
	begin_rows(count);
	for (size_t rows = 100 + below(state, 200), row = 0; row < rows; row++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, 0);
		unsigned class;

		random_features(state, &row_features[row]);
		class = class_of(&row_features[row]);
		for (size_t j = 0; j < count; j++) {
			unsigned n = 1 + below(state, samples);

			tally[j] = exact_tally(n, net[class][j], 0);
			tally[j].work_us = draw_sum(state, n, service[class][j]);
		}
	}
}

static void shuffle_rows(uint64_t *state)
{
	for (unsigned i = (unsigned)rows_of_test.rows; i > 1; i--)
		swap_rows(i - 1, below(state, i));
}

/* One tick, after `last`. */
static struct generation *learn(const struct generation *last)
{
	struct generation *out;

	input.last = last;
	cr_assert_eq(learner_train(&input, &out), 0);
	cr_assert_eq(learner_solve(&input, out), 0);
	learner_rings(&input, out);
	return out;
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
