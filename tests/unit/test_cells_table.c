// SPDX-License-Identifier: BSD-2-Clause
/* What the memory of samples shows: the learner's rows, their order and bounds, and prefixes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "cells.h"
#include "prefixes.h"
#include "rows.h"
#include "sample_cells.h"

static int cells_compare_rows(const struct larch_features *a, const struct larch_features *b)
{
	for (unsigned i = 0; i < LARCH_FEATURE_COUNT; i++)
		if (a->value[i] != b->value[i])
			return a->value[i] < b->value[i] ? -1 : 1;
	return 0;
}

/* Adds `count` rows in a scrambled order; row n of prefix n has n flows at member n % 3. */
static void cells_scramble(struct cells *cells, uint32_t count, uint32_t step)
{
	for (uint32_t i = 1; i <= count; i++) {
		uint32_t n = i * step % (count + 1);

		cells_feed(cells, cells_key(n, cells_backends[n % 3], 0), cells_flows(n, 1000));
	}
}

Test(cells_table, rows_are_ordered_and_keep_their_tallies)
{
	struct cells *cells = cells_test_new();
	struct table table;

	cells_scramble(cells, 1008, 601); /* 1009 is prime, so every row is met once */
	table = cells_test_table(cells);
	cr_assert_eq(table.rows, 1008);
	for (size_t row = 0; row < table.rows; row++) {
		uint64_t source = table.features[row].value[LARCH_FEATURE_SOURCE];

		cr_assert_eq(table.features[row].value[LARCH_FEATURE_SLOTS - 1], 0);
		if (row)
			cr_assert_lt(
				cells_compare_rows(&table.features[row - 1], &table.features[row]),
				0);
		for (size_t i = 0; i < 3; i++)
			cr_assert_eq(table.tally[row * 3 + i].responses,
				     source % 3 == i ? (double)source : 0);
	}
	cells_free(cells);
}

Test(cells_table, the_table_does_not_depend_on_the_order_of_cells)
{
	struct cells *a = cells_test_new(), *b = cells_test_new();
	struct table first, second;

	cells_scramble(a, 1008, 601);
	cells_scramble(b, 1008, 7);
	first = cells_test_table(a);
	second = cells_test_table(b);
	cr_assert_eq(first.rows, second.rows);
	cr_expect(!memcmp(first.features, second.features, first.rows * sizeof(*first.features)));
	cr_expect(!memcmp(first.tally, second.tally, first.rows * 3 * sizeof(*first.tally)));
	cells_free(a);
	cells_free(b);
}

Test(cells_table, rows_that_come_later_are_ordered_too)
{
	struct cells *cells = cells_test_new();
	struct table table;

	cells_feed(cells, cells_key(2, 5, 0), cells_flows(2, 1000));
	cells_test_table(cells);
	cells_feed(cells, cells_key(1, 5, 0), cells_flows(1, 1000));
	table = cells_test_table(cells);
	cr_assert_eq(table.rows, 2);
	cr_expect_eq(table.features[0].value[LARCH_FEATURE_SOURCE], 1);
	cr_expect_eq(table.tally[0].responses, 1);
	cr_expect_eq(table.tally[3].responses, 2);
	cells_free(cells);
}

Test(cells_table, rows_are_found_again_after_sorting)
{
	struct cells *cells = cells_test_new();

	cells_scramble(cells, 100, 47);
	cells_test_table(cells);
	cells_feed(cells, cells_key(50, 900, 1), cells_flows(5, 1000));
	cr_expect_eq(cells_test_table(cells).rows, 100);
	cr_expect_eq(cells_test_table(cells).tally[49 * 3 + 1].responses, 5);
	cells_free(cells);
}

static double cells_responses(struct cells *cells)
{
	struct table table = cells_test_table(cells);
	double sum = 0;

	for (size_t i = 0; i < table.rows * table.members; i++)
		sum += table.tally[i].responses;
	return sum;
}

Test(cells_table, rows_are_bounded_and_the_rest_goes_to_source_zero)
{
	struct cells *cells = cells_test_new();
	struct table table;

	for (uint32_t i = 1; i <= 70000; i++)
		cells_feed(cells, cells_key(i, 5, 0), cells_flows(2, 1000));
	table = cells_test_table(cells);
	cr_expect_leq(table.rows, ROWS_MOST);
	cr_expect_eq(cells_responses(cells), 140000);
	cr_expect_eq(table.features[0].value[LARCH_FEATURE_SOURCE], 0);
	cr_expect_eq(table.features[0].value[LARCH_FEATURE_PORT], 443);
	cr_expect_gt(table.tally[0].responses, 8000);
	cells_free(cells);
}

Test(cells_table, a_full_table_folds_its_least_used_rows)
{
	struct cells *cells = cells_test_new();
	struct table table;
	size_t full;

	for (uint32_t i = 1; i <= 70000; i++)
		cells_feed(cells, cells_key(i, 5, 0), cells_flows(i % 10 ? 2 : 50, 1000));
	full = cells_counts(cells).rows;
	cells_begin(cells, 1);
	cr_expect_lt(cells_counts(cells).rows, full - full / 10);
	table = cells_test_table(cells);
	cr_expect_float_eq(cells_responses(cells), (63000 * 2 + 7000 * 50) * exp2(-0.1), 1e-3);
	for (size_t row = 1; row < 100; row++)
		cr_expect_eq(table.features[row].value[LARCH_FEATURE_PORT], 443);
	for (uint32_t source = 10, row = 1; source < 10000; source += 10) {
		while (row < table.rows && table.features[row].value[0] < source)
			row++;
		cr_assert_eq(table.features[row].value[0], source, "a busy row was folded");
	}
	cells_free(cells);
}

Test(cells_table, kinds_without_end_fold_into_one_row)
{
	struct cells *cells = cells_test_new();
	struct table table;

	for (uint32_t i = 1; i <= 70000; i++) {
		struct larch_cell key = cells_key(0, 5, 0);

		key.ingress = i;
		cells_feed(cells, key, cells_flows(1, 1000));
	}
	table = cells_test_table(cells);
	cr_expect_leq(table.rows, ROWS_MOST);
	cr_expect_eq(table.features[0].value[LARCH_FEATURE_PORT], 0);
	cr_expect_eq(cells_responses(cells), 70000);
	for (int i = 0; i < 3; i++)
		cells_begin(cells, 1);
	cr_expect_leq(cells_test_table(cells).rows, ROWS_MOST);
	cells_free(cells);
}

Test(cells_table, more_members_mean_fewer_rows)
{
	uint16_t backend[LARCH_MAX_MEMBERS];
	struct cells *cells = cells_test_new();

	for (uint16_t i = 0; i < LARCH_MAX_MEMBERS; i++)
		backend[i] = i;
	for (uint32_t i = 1; i <= 10000; i++)
		cells_feed(cells, cells_key(i, 5, 0), cells_flows(2, 1000));
	cr_assert_eq(cells_members(cells, backend, LARCH_MAX_MEMBERS), 0);
	cr_expect_leq(cells_counts(cells).rows * LARCH_MAX_MEMBERS, ROWS_TALLIES_MOST);
	cr_expect_eq(cells_responses(cells), 20000);
	cells_free(cells);
}

Test(cells_table, prefixes_are_listed_by_samples)
{
	struct cells *cells = cells_test_new();
	static struct cells_prefix found[8];

	cells_feed(cells, cells_key(1, 5, 0), cells_flows(10, 1000));
	cells_feed(cells, cells_key(2, 5, 0), cells_flows(30, 1000));
	cells_feed(cells, cells_key(2, 7, 1), cells_flows(5, 3000));
	cells_feed(cells, cells_key(3, 5, 0), cells_flows(20, 1000));
	cr_assert_eq(cells_prefixes(cells, found, 8), 3);
	cr_expect_eq(found[0].source, 2);
	cr_expect_eq(found[1].source, 3);
	cr_expect_eq(found[2].source, 1);
	cr_expect_eq(latency_count(&found[0].arm[LARCH_ARM_LEARNED]), 30);
	cr_expect_eq(found[0].arm[LARCH_ARM_CONTROL].bucket[larch_latency_bucket(3000)], 5);
	cr_expect_eq(cells_prefixes(cells, found, 2), 2);
	cells_free(cells);
}

Test(cells_table, prefixes_fade_and_are_forgotten)
{
	struct cells *cells = cells_test_new();
	static struct cells_prefix found[8];

	cells_feed(cells, cells_key(1, 5, 0), cells_flows(1, 1000));
	cells_feed(cells, cells_key(2, 5, 0), cells_flows(1000, 1000));
	for (int i = 0; i < 7 * CELLS_SERVER; i++)
		cells_begin(cells, 1);
	cr_assert_eq(cells_prefixes(cells, found, 8), 1);
	cr_expect_eq(found[0].source, 2);
	cr_expect_float_eq(latency_count(&found[0].arm[0]), 1000.0 / 128, 0.001);
	cells_free(cells);
}

Test(cells_table, prefixes_are_bounded)
{
	struct cells_prefix *found = malloc((PREFIXES_MOST + 1) * sizeof(*found));
	struct cells *cells = cells_test_new();

	for (uint32_t i = 1; i <= PREFIXES_MOST + 1000; i++)
		cells_feed(cells, cells_key(i, 5, 0), cells_flows(1, 1000));
	cr_expect_eq(cells_prefixes(cells, found, PREFIXES_MOST + 1), PREFIXES_MOST);
	cr_expect_eq(found[0].source, 0);
	cr_expect_eq(latency_count(&found[0].arm[0]), 1001);
	free(found);
	cells_free(cells);
}

/* Prefixes 1 and 2 reach leaf 0 of a tree, others leaf 1. */
static struct larch_tree cells_tree(void)
{
	struct larch_tree tree = {.depth = 1, .leaves = 2};

	tree.node[0].feature = LARCH_FEATURE_SOURCE;
	tree.node[0].threshold = 2;
	tree.leaf[1] = 1;
	return tree;
}

Test(cells_table, leaves_hold_what_reaches_them_by_arm)
{
	const struct larch_tree tree = cells_tree();
	static struct cells_leaf leaf[LARCH_MAX_LEAVES];
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(1, 5, LARCH_ARM_LEARNED), cells_flows(30, 1000));
	cells_feed(cells, cells_key(2, 900, LARCH_ARM_LEARNED), cells_flows(10, 9000));
	cells_feed(cells, cells_key(2, 7, LARCH_ARM_CONTROL), cells_flows(4, 3000));
	cells_feed(cells, cells_key(3, 7, LARCH_ARM_CONTROL), cells_flows(7, 500));
	cells_leaves(cells, &tree, leaf);
	cr_expect_float_eq(latency_count(&leaf[0].arm[LARCH_ARM_LEARNED]), 40, 1e-3);
	cr_expect_float_eq(leaf[0].arm[LARCH_ARM_LEARNED].bucket[larch_latency_bucket(9000)], 10,
			   1e-3);
	cr_expect_float_eq(latency_count(&leaf[0].arm[LARCH_ARM_CONTROL]), 4, 1e-3);
	cr_expect_float_eq(leaf[0].connect_us[LARCH_ARM_CONTROL], 4 * 1500, 1e-3);
	cr_expect_float_eq(latency_count(&leaf[1].arm[LARCH_ARM_CONTROL]), 7, 1e-3);
	cr_expect_eq(latency_count(&leaf[1].arm[LARCH_ARM_LEARNED]), 0);
	cells_free(cells);
}

Test(cells_table, leaves_fade_by_both_half_lives_and_grow_with_new_buckets)
{
	const struct larch_tree tree = cells_tree();
	static struct cells_leaf leaf[LARCH_MAX_LEAVES];
	const struct larch_cell key = cells_key(1, 5, LARCH_ARM_LEARNED);
	struct cells *cells = cells_test_new();
	struct larch_samples now = cells_flows(64, 1000);

	cells_feed(cells, key, now);
	for (int i = 0; i < CELLS_SERVER; i++)
		cells_begin(cells, 1);
	cells_leaves(cells, &tree, leaf);
	cr_expect_float_eq(latency_count(&leaf[0].arm[LARCH_ARM_LEARNED]), 32, 0.01);
	cr_expect_float_eq(leaf[0].connects[LARCH_ARM_LEARNED], 2, 0.01);
	now.responses += 8;
	now.response_us += 8 * 50000;
	now.server_us += 8 * 50000;
	now.latency[larch_latency_bucket(50000)] += 8;
	cells_feed(cells, key, now);
	cells_leaves(cells, &tree, leaf);
	cr_expect_float_eq(latency_count(&leaf[0].arm[LARCH_ARM_LEARNED]), 40, 0.01);
	cr_expect_float_eq(leaf[0].arm[LARCH_ARM_LEARNED].bucket[larch_latency_bucket(1000)], 32,
			   0.01);
	for (int i = 0; i < 30 * CELLS_SERVER; i++)
		cells_begin(cells, 1);
	now.responses++;
	now.response_us += 1000;
	now.server_us += 1000;
	now.latency[larch_latency_bucket(1000)]++;
	cells_feed(cells, key, now);
	cells_leaves(cells, &tree, leaf);
	cr_expect_float_eq(latency_count(&leaf[0].arm[LARCH_ARM_LEARNED]), 1, 1e-3);
	cells_free(cells);
}
