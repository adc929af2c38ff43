// SPDX-License-Identifier: BSD-2-Clause
/* A service for the tests of the learner: members and samples made by chance, and its ticks. */
#pragma once

#include <math.h>

#include "learner.h"
#include "tree_scene.h"

static struct learner_member members[MAX_MEMBERS];
static struct learner_input input;

static inline unsigned below(uint64_t *state, unsigned limit)
{
	return (unsigned)(draw(state) >> 32) % limit;
}

static inline double between(uint64_t *state, double low, double high)
{
	return low + (high - low) * (double)(draw(state) >> 11) * 0x1p-53;
}

/* Members of different costs and concurrency. */
static inline void random_members(uint64_t *state, size_t count)
{
	uint64_t identity[MAX_MEMBERS];

	for (size_t i = 0; i < count; i++) {
		members[i] = (struct learner_member){
			.backend = (uint16_t)i,
			.weight = 1,
			.usable = true,
			.concurrency = 1 + below(state, 8),
		};
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

static inline void random_features(uint64_t *state, struct larch_features *features)
{
	features->value[LARCH_FEATURE_SOURCE] = below(state, 1000);
	features->value[LARCH_FEATURE_PORT] = 80 + below(state, 3);
	features->value[LARCH_FEATURE_HOPS] = below(state, 12);
}

/* Which of four classes: by source, and by hops. */
static inline unsigned class_of(const struct larch_features *features)
{
	return 2 * (features->value[LARCH_FEATURE_SOURCE] >= 400) +
	       (features->value[LARCH_FEATURE_HOPS] >= 7);
}

/* Four classes that differ in who serves them well; up to `samples` noisy samples a row. */
static inline void random_table(uint64_t *state, size_t count, unsigned samples)
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

/* One tick, after `last`. */
static inline struct generation *learn(const struct generation *last)
{
	struct generation *out;

	input.last = last;
	cr_assert_eq(learner_train(&input, &out), 0);
	cr_assert_eq(learner_solve(&input, out), 0);
	learner_rings(&input, out);
	return out;
}
