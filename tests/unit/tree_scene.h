// SPDX-License-Identifier: BSD-2-Clause
/* Tables for the tests of the tree: a test begins rows and adds them, then grows a tree. */
#pragma once

#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>

#include "numeric.h"
#include "tree.h"

#define MAX_ROWS    4096
#define MAX_MEMBERS 16

static struct larch_features row_features[MAX_ROWS];
static struct tally row_tally[MAX_ROWS * MAX_MEMBERS];
static struct table rows_of_test = {.features = row_features, .tally = row_tally};

static const struct tree_options usual_tree = {
	.max_leaves = 24,
	.max_depth = 6,
	.min_flows = 100,
	.min_effect = 0.02,
	.prior = 4,
	.noise = 1,
};

static inline uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1d;
}

static inline double draw_exponential(uint64_t *state)
{
	return -numeric_log(((double)(draw(state) >> 11) + 0.5) * 0x1p-53);
}

/* Sum of n exponential times. */
static inline double draw_sum(uint64_t *state, unsigned n, double mean)
{
	double sum = 0;

	while (n--)
		sum += mean * draw_exponential(state);
	return sum;
}

static inline struct table *begin_rows(size_t members)
{
	memset(row_features, 0, sizeof(row_features));
	memset(row_tally, 0, sizeof(row_tally));
	rows_of_test.rows = 0;
	rows_of_test.members = members;
	return &rows_of_test;
}

/* A new row with `value` in one feature; returns its tallies. */
static inline struct tally *add_row(enum larch_feature feature, uint64_t value)
{
	size_t row = rows_of_test.rows++;

	row_features[row].value[LARCH_FEATURE_PROTOCOL] = 6;
	row_features[row].value[feature] = value;
	return &row_tally[row * rows_of_test.members];
}

static inline void swap_rows(size_t a, size_t b)
{
	struct larch_features features = row_features[a];

	row_features[a] = row_features[b];
	row_features[b] = features;
	for (size_t j = 0; j < rows_of_test.members; j++) {
		struct tally *x = &row_tally[a * rows_of_test.members + j];
		struct tally *y = &row_tally[b * rows_of_test.members + j];
		struct tally tally = *x;

		*x = *y;
		*y = tally;
	}
}

static inline struct tally exact_tally(double flows, double net, double service)
{
	return (struct tally){flows, flows * net, flows, flows * service};
}

static inline struct tree *grow_tree(const struct tree_options *options)
{
	struct tree *tree = NULL;

	cr_assert_eq(tree_train(&rows_of_test, options, &tree), 0);
	return tree;
}

static inline int leaf_by_hand(const struct tree *tree, const struct larch_features *features)
{
	int at = 0;

	while (tree->node[at].left >= 0) {
		const struct tree_node *node = &tree->node[at];

		at = features->value[node->feature] > node->threshold ? node->right : node->left;
	}
	return tree->node[at].leaf;
}

/* 32 prefixes on either side of 10.1.128.0/17; each side has another best member. */
static inline void add_two_classes(enum larch_feature feature, uint64_t border, double flows)
{
	begin_rows(2);
	for (uint64_t i = 0; i < 64; i++) {
		struct tally *tally = add_row(feature, border - 32 + i);

		tally[i < 32] = exact_tally(flows, 1000, 2000);
		tally[i >= 32] = exact_tally(flows, 20000, 2000);
	}
}

/* 64 classes; member j is slow for those with bit j (even), or costs are wild: a deep tree. */
static inline void add_many_classes(bool even)
{
	uint64_t state = 7;

	begin_rows(8);
	for (uint64_t i = 0; i < 256; i++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, i);
		uint64_t class = i / 4 + !even;

		row_features[i].value[LARCH_FEATURE_PORT] = draw(&state) % 3 * 1000;
		row_features[i].value[LARCH_FEATURE_HOPS] = draw(&state) % 20;
		for (uint64_t j = 0; j < 8; j++) {
			uint64_t net = even ? (class >> j & 1) * (j + 3) * 1000
					    : class * (j + 3) * 7919 % 30000;

			tally[j] = exact_tally(100 + (double)(draw(&state) % 1000) / 7,
					       1000 + (double)net,
					       1000 + (double)(draw(&state) % 1000) / 3);
		}
	}
}
