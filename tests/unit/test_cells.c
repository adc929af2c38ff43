// SPDX-License-Identifier: BSD-2-Clause
/* The memory of samples: growth, decay, refusal, members, and what is forgotten. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "cells.h"
#include "sample_cells.h"

Test(cells, first_sight_of_a_fresh_cell_counts_whole)
{
	struct cells *cells = cells_test_new();
	struct table table;

	cr_expect_eq(cells_feed(cells, cells_key(9, 900, 0), cells_flows(10, 1000)), 0);
	table = cells_test_table(cells);
	cr_assert_eq(table.rows, 1);
	cr_assert_eq(table.members, 3);
	cr_expect_eq(table.tally[1].connects, 10);
	cr_expect_eq(table.tally[1].connect_us, 5000);
	cr_expect_eq(table.tally[1].responses, 10);
	cr_expect_eq(table.tally[1].work_us, 2500);
	cr_expect_eq(table.tally[0].connects, 0);
	cells_free(cells);
}

Test(cells, a_row_shows_the_features_of_its_cell)
{
	struct cells *cells = cells_test_new();
	struct table table;

	cells_feed(cells, cells_key(0x123456, 5, 0), cells_flows(1, 100));
	table = cells_test_table(cells);
	cr_expect_eq(table.features->value[LARCH_FEATURE_SOURCE], 0x123456);
	cr_expect_eq(table.features->value[LARCH_FEATURE_PORT], 443);
	cr_expect_eq(table.features->value[LARCH_FEATURE_PROTOCOL], 6);
	cr_expect_eq(table.features->value[LARCH_FEATURE_HOPS], 12);
	cr_expect_eq(table.features->value[LARCH_FEATURE_SIZE], 1);
	cr_expect_eq(table.features->value[LARCH_FEATURE_INGRESS], 2);
	cr_expect_eq(table.features->value[6], 0);
	cr_expect_eq(table.features->value[7], 0);
	cells_free(cells);
}

Test(cells, adopted_cells_count_from_where_they_stand)
{
	struct cells *cells = cells_test_new();
	struct larch_cell key = cells_key(9, 5, 0);
	struct larch_samples old = cells_flows(1000, 800), now = cells_flows(1003, 800);
	struct table table;

	cr_expect_eq(cells_update(cells, &key, &old, false), 0);
	cr_expect_eq(cells_test_table(cells).rows, 0);
	cr_expect_eq(cells_counts(cells).samples, 0);
	cr_expect_eq(cells_update(cells, &key, &now, false), 0);
	table = cells_test_table(cells);
	cr_assert_eq(table.rows, 1);
	cr_expect_eq(table.tally[0].responses, 3);
	cr_expect_eq(latency_count(&cells_arms(cells)[0]), 3);
	cells_free(cells);
}

Test(cells, only_growth_counts)
{
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(9, 5, 0), cells_flows(10, 1000));
	cells_feed(cells, cells_key(9, 5, 0), cells_flows(10, 1000));
	cells_feed(cells, cells_key(9, 5, 0), cells_flows(14, 1000));
	cr_expect_eq(cells_test_table(cells).tally[0].responses, 14);
	cr_expect_eq(cells_counts(cells).samples, 14);
	cells_free(cells);
}

Test(cells, a_cell_that_came_back_smaller_counts_from_zero)
{
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(9, 5, 0), cells_flows(100, 1000));
	cells_begin(cells, 1);
	cells_feed(cells, cells_key(9, 5, 0), cells_flows(4, 1000));
	cr_expect_eq(cells_counts(cells).samples, 4);
	cr_expect_eq(latency_count(&cells_arms(cells)[0]), 4);
	cells_free(cells);
}

Test(cells, a_cell_that_came_back_with_another_histogram_counts_from_zero)
{
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(9, 5, 0), cells_flows(100, 1000));
	cells_begin(cells, 1);
	cells_feed(cells, cells_key(9, 5, 0), cells_flows(101, 5000));
	cr_expect_eq(cells_counts(cells).samples, 101);
	cells_free(cells);
}

Test(cells, narrow_histogram_counters_may_wrap)
{
	struct cells *cells = cells_test_new();
	struct larch_cell key = cells_key(9, 5, 0);
	struct larch_samples now = cells_flows(0, 1000);
	uint32_t *bucket = &now.latency[larch_latency_bucket(1000)];

	*bucket = 0xfffffffe;
	cells_update(cells, &key, &now, false);
	now.responses = 5;
	now.response_us = 5000;
	now.server_us = 2500;
	now.work_us = 1000;
	*bucket = 3;
	cr_expect_eq(cells_update(cells, &key, &now, false), 0);
	cr_expect_eq(cells_arms(cells)[0].bucket[larch_latency_bucket(1000)], 5);
	cells_free(cells);
}

Test(cells, both_arms_teach_and_are_kept_apart_for_the_judge)
{
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(9, 5, LARCH_ARM_LEARNED), cells_flows(10, 1000));
	cells_feed(cells, cells_key(9, 5, LARCH_ARM_CONTROL), cells_flows(3, 5000));
	cr_expect_eq(cells_test_table(cells).rows, 1);
	cr_expect_eq(cells_test_table(cells).tally[0].responses, 13);
	cr_expect_eq(latency_count(&cells_arms(cells)[LARCH_ARM_LEARNED]), 10);
	cr_expect_eq(latency_count(&cells_arms(cells)[LARCH_ARM_CONTROL]), 3);
	cr_expect_eq(cells_arms(cells)[LARCH_ARM_CONTROL].bucket[larch_latency_bucket(5000)], 3);
	cells_begin(cells, 1);
	cr_expect_eq(latency_count(&cells_arms(cells)[LARCH_ARM_LEARNED]), 0);
	cells_free(cells);
}

/* benefit's leaves and prefixes fade like the table that the tree is made of. */
Test(cells, a_late_tick_fades_all_alike)
{
	static struct cells_leaf leaf[LARCH_MAX_LEAVES];
	static const struct larch_tree one = {.leaves = 1};
	struct cells *cells = cells_test_new();
	struct cells_prefix prefix;
	struct table table;

	cells_feed(cells, cells_key(9, 5, 0), cells_flows(100, 1000));
	cells_begin(cells, CELLS_SERVER);
	cells_feed(cells, cells_key(9, 5, 0), cells_flows(180, 1000));
	table = cells_test_table(cells);
	cr_expect_lt(table.tally[0].responses, 50 + 80);
	cells_leaves(cells, &one, leaf);
	cr_expect_float_eq(latency_count(&leaf[0].arm[0]), table.tally[0].responses, 0.01, "%f, %f",
			   latency_count(&leaf[0].arm[0]), table.tally[0].responses);
	cr_expect_float_eq(leaf[0].connects[0], table.tally[0].connects, 0.01);
	cr_assert_eq(cells_prefixes(cells, &prefix, 1), 1);
	cr_expect_float_eq(latency_count(&prefix.arm[0]), table.tally[0].responses, 0.01);
	cells_free(cells);
}

Test(cells, histograms_grow_into_buckets_on_both_sides)
{
	static const uint32_t us[] = {1000, 60, 900000, 3, 59000000};
	struct cells *cells = cells_test_new();
	struct larch_samples now = {0};

	for (size_t i = 0; i < sizeof(us) / sizeof(us[0]); i++) {
		struct larch_samples more = cells_flows(2, us[i]);

		cells_begin(cells, 1);
		now.connects += more.connects;
		now.connect_us += more.connect_us;
		now.responses += more.responses;
		now.response_us += more.response_us;
		now.server_us += more.server_us;
		now.work_us += more.work_us;
		now.latency[larch_latency_bucket(us[i])] += 2;
		cr_expect_eq(cells_feed(cells, cells_key(9, 5, 0), now), 0);
		cr_expect_eq(latency_count(cells_arms(cells)), 2);
		cr_expect_eq(cells_arms(cells)->bucket[larch_latency_bucket(us[i])], 2);
	}
	cells_free(cells);
}

Test(cells, memory_fades_by_its_half_lives)
{
	struct cells *cells = cells_test_new();
	struct table table;

	cells_feed(cells, cells_key(9, 5, 0), cells_flows(1000, 1000));
	for (int i = 0; i < CELLS_SERVER; i++)
		cells_begin(cells, 1);
	table = cells_test_table(cells);
	cr_expect_float_eq(table.tally[0].responses, 500, 1e-6);
	cr_expect_float_eq(table.tally[0].work_us, 125000, 1e-3);
	cr_expect_float_eq(table.tally[0].connects, 1000.0 / 32, 1e-6);
	cr_expect_float_eq(table.tally[0].connect_us, 500000.0 / 32, 1e-3);
	cells_free(cells);
}

Test(cells, rows_with_nothing_left_are_dropped)
{
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(9, 5, 0), cells_flows(1, 1000));
	cells_feed(cells, cells_key(8, 5, 0), cells_flows(1000, 1000));
	for (int i = 0; i < 7 * CELLS_SERVER; i++)
		cells_begin(cells, 1);
	cr_assert_eq(cells_test_table(cells).rows, 1);
	cr_expect_eq(cells_test_table(cells).features->value[LARCH_FEATURE_SOURCE], 8);
	cells_feed(cells, cells_key(9, 5, 0), cells_flows(3, 1000));
	cr_expect_eq(cells_test_table(cells).rows, 2);
	cr_expect_eq(cells_test_table(cells).tally[3].responses, 2);
	cells_free(cells);
}

Test(cells, fading_leaves_no_denormal_numbers)
{
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(9, 5, 0), cells_flows(1000, 1000));
	for (uint32_t i = 1; i <= 2000; i++) {
		cells_begin(cells, 1);
		cells_feed(cells, cells_key(9, 7, 0), cells_flows(i, 1000));
	}
	cr_assert_eq(cells_test_table(cells).rows, 1);
	cr_expect_eq(cells_test_table(cells).tally[0].responses, 0);
	cr_expect_eq(cells_test_table(cells).tally[0].connect_us, 0);
	cells_free(cells);
}

static struct larch_samples cells_with(size_t offset, uint64_t value)
{
	struct larch_samples samples = cells_flows(10, 1000);

	memcpy((char *)&samples + offset, &value, sizeof(value));
	return samples;
}

Test(cells, values_beyond_belief_are_refused)
{
	const struct larch_samples bad[] = {
		cells_with(offsetof(struct larch_samples, connect_us), 9),
		cells_with(offsetof(struct larch_samples, connect_us), 600000010),
		cells_with(offsetof(struct larch_samples, response_us), 9),
		cells_with(offsetof(struct larch_samples, response_us), ~0ull),
		cells_with(offsetof(struct larch_samples, server_us), 0),
		cells_with(offsetof(struct larch_samples, server_us), 600000010),
		cells_with(offsetof(struct larch_samples, work_us), 600000010),
		cells_with(offsetof(struct larch_samples, connects), 0),
		cells_with(offsetof(struct larch_samples, responses), 0),
	};
	const size_t count = sizeof(bad) / sizeof(bad[0]);
	struct cells *cells = cells_test_new();

	for (size_t i = 0; i < count; i++)
		cr_expect_eq(cells_feed(cells, cells_key(i, 5, 0), bad[i]), -ERANGE, "%zu", i);
	cr_expect_eq(cells_counts(cells).refused, count);
	cr_expect_eq(cells_counts(cells).samples, 0);
	cr_expect_eq(cells_counts(cells).connects, 0);
	cr_expect_eq(cells_test_table(cells).rows, 0);
	cr_expect_eq(latency_count(cells_arms(cells)), 0);
	cells_free(cells);
}

/* Anything at all, as if somebody had written to the map: no crash, and hardly ever believed. */
Test(cells, garbage_is_refused)
{
	struct cells *cells = cells_test_new();
	struct larch_samples garbage;
	uint64_t state = 1;

	for (unsigned value = 1; value < 256; value++) {
		memset(&garbage, (int)value, sizeof(garbage));
		cr_expect_eq(cells_feed(cells, cells_key(value, 5, 0), garbage), -ERANGE);
	}
	for (unsigned i = 0; i < 2000; i++) {
		for (size_t k = 0; k < sizeof(garbage) / 4; k++) {
			state = state * 6364136223846793005 + 1442695040888963407;
			memcpy((char *)&garbage + 4 * k, (char *)&state + 4, 4);
		}
		cells_feed(cells, cells_key(1000 + i % 7, 5, 0), garbage);
		cells_begin(cells, 1);
	}
	cr_expect_eq(cells_test_table(cells).rows, 0);
	cr_expect_eq(latency_count(cells_arms(cells)), 0);
	cr_expect_eq(cells_feed(cells, cells_key(1, 5, 0), cells_flows(10, 1000)), 0);
	cells_free(cells);
}

Test(cells, values_at_the_limits_are_taken)
{
	struct cells *cells = cells_test_new();
	struct larch_samples least = {5, 5, 5, 5, 5, 0, {[1] = 5}};
	struct larch_samples most = {1, 60000000, 1, 60000000, 60000000, 60000000, {[190] = 1}};

	cr_expect_eq(cells_feed(cells, cells_key(1, 5, 0), least), 0);
	cr_expect_eq(cells_feed(cells, cells_key(2, 5, 0), most), 0);
	cells_free(cells);
}

Test(cells, a_histogram_that_does_not_fit_its_count_is_refused)
{
	struct cells *cells = cells_test_new();
	struct larch_samples bad = cells_flows(10, 1000);

	for (unsigned i = 0; i < LARCH_LATENCY_BUCKETS; i++)
		bad.latency[i] = 5;
	cr_expect_eq(cells_feed(cells, cells_key(1, 5, 0), bad), -ERANGE);
	bad.latency[3] = 0xffffffff;
	cr_expect_eq(cells_feed(cells, cells_key(2, 5, 0), bad), -ERANGE);
	cr_expect_eq(latency_count(cells_arms(cells)), 0);
	cells_free(cells);
}

Test(cells, growth_counts_on_after_a_refusal)
{
	struct cells *cells = cells_test_new();
	struct larch_samples now = cells_flows(10, 1000);

	now.response_us = 10 * 70000000ull;
	cr_expect_eq(cells_feed(cells, cells_key(1, 5, 0), now), -ERANGE);
	cr_expect_eq(cells_feed(cells, cells_key(1, 5, 0), now), 0);
	now.responses++;
	now.response_us += 1000;
	now.server_us += 500;
	now.latency[larch_latency_bucket(1000)]++;
	cr_expect_eq(cells_feed(cells, cells_key(1, 5, 0), now), 0);
	cr_expect_eq(cells_counts(cells).samples, 1);
	cr_expect_eq(cells_counts(cells).refused, 1);
	cells_free(cells);
}

Test(cells, keys_beyond_all_bounds_are_refused)
{
	struct cells *cells = cells_test_new();

	cr_expect_eq(cells_feed(cells, cells_key(1, 5, 2), cells_flows(1, 100)), -ERANGE);
	cr_expect_eq(cells_feed(cells, cells_key(1, 5, 255), cells_flows(1, 100)), -ERANGE);
	cr_expect_eq(cells_feed(cells, cells_key(1, LARCH_MAX_BACKENDS, 0), cells_flows(1, 100)),
		     -ERANGE);
	cr_expect_eq(cells_feed(cells, cells_key(1, LARCH_NO_BACKEND, 0), cells_flows(1, 100)),
		     -ERANGE);
	cr_expect_eq(cells_counts(cells).refused, 4);
	cells_free(cells);
}

Test(cells, backends_that_are_no_members_teach_nothing)
{
	struct cells *cells = cells_test_new();

	cr_expect_eq(cells_feed(cells, cells_key(1, 6, 0), cells_flows(10, 100)), 0);
	cr_expect_eq(cells_test_table(cells).rows, 0);
	cr_expect_eq(cells_counts(cells).samples, 0);
	cr_expect_eq(latency_count(cells_arms(cells)), 0);
	cells_free(cells);
}

Test(cells, a_backend_that_becomes_a_member_counts_from_then_on)
{
	static const uint16_t more[] = {5, 900, 7, 6};
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(1, 6, 0), cells_flows(10, 100));
	cr_assert_eq(cells_members(cells, more, 4), 0);
	cells_feed(cells, cells_key(1, 6, 0), cells_flows(12, 100));
	cr_expect_eq(cells_test_table(cells).members, 4);
	cr_expect_eq(cells_test_table(cells).tally[3].responses, 2);
	cells_free(cells);
}

Test(cells, members_that_stay_keep_their_memory)
{
	static const uint16_t other[] = {11, 7, 5};
	struct cells *cells = cells_test_new();
	struct table table;

	cells_feed(cells, cells_key(1, 5, 0), cells_flows(10, 100));
	cells_feed(cells, cells_key(1, 900, 0), cells_flows(20, 100));
	cells_feed(cells, cells_key(1, 7, 0), cells_flows(30, 100));
	cells_feed(cells, cells_key(2, 900, 0), cells_flows(40, 100));
	cr_assert_eq(cells_members(cells, other, 3), 0);
	table = cells_test_table(cells);
	cr_assert_eq(table.rows, 1);
	cr_expect_eq(table.tally[0].responses, 0);
	cr_expect_eq(table.tally[1].responses, 30);
	cr_expect_eq(table.tally[2].responses, 10);
	cells_free(cells);
}

Test(cells, all_members_may_leave_and_come_back)
{
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(1, 5, 0), cells_flows(10, 100));
	cr_expect_eq(cells_members(cells, NULL, 0), 0);
	cr_expect_eq(cells_test_table(cells).rows, 0);
	cr_expect_eq(cells_feed(cells, cells_key(1, 5, 0), cells_flows(11, 100)), 0);
	cells_begin(cells, 1);
	cr_expect_eq(cells_members(cells, cells_backends, 3), 0);
	cells_feed(cells, cells_key(1, 5, 0), cells_flows(15, 100));
	cr_expect_eq(cells_test_table(cells).tally[0].responses, 4);
	cells_free(cells);
}

Test(cells, impossible_members_are_refused_and_change_nothing)
{
	static const uint16_t twice[] = {5, 900, 5}, beyond[] = {5, LARCH_MAX_BACKENDS};
	static const uint16_t many[LARCH_MAX_MEMBERS + 1];
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(1, 7, 0), cells_flows(10, 100));
	cr_expect_eq(cells_members(cells, twice, 3), -EINVAL);
	cr_expect_eq(cells_members(cells, beyond, 2), -EINVAL);
	cr_expect_eq(cells_members(cells, many, LARCH_MAX_MEMBERS + 1), -EINVAL);
	cr_expect_eq(cells_test_table(cells).members, 3);
	cr_expect_eq(cells_test_table(cells).tally[2].responses, 10);
	cells_free(cells);
}

Test(cells, half_lives_must_be_positive)
{
	static const double bad[] = {0, -1, NAN};

	for (size_t i = 0; i < 3; i++) {
		struct cells_options options = {bad[i], 1};
		struct cells *cells;

		cr_expect_eq(cells_new(&cells, &options), -EINVAL);
	}
}

Test(cells, idle_ticks_count_since_the_last_new_sample)
{
	struct cells *cells = cells_test_new();

	cells_feed(cells, cells_key(1, 5, 0), cells_flows(2, 1000));
	cr_expect_eq(cells_counts(cells).idle_ticks, 0);
	for (unsigned i = 1; i < 4; i++) {
		cells_begin(cells, 1);
		cells_feed(cells, cells_key(1, 5, 0), cells_flows(2, 1000));
		cr_expect_eq(cells_counts(cells).idle_ticks, i);
	}
	cells_feed(cells, cells_key(1, 5, 0), cells_flows(3, 1000));
	cr_expect_eq(cells_counts(cells).idle_ticks, 0);
	cells_free(cells);
}

Test(cells, statistics_count_what_this_tick_brought)
{
	struct cells *cells = cells_test_new();
	struct larch_samples connects = {.connects = 4, .connect_us = 400};

	cells_feed(cells, cells_key(1, 5, 0), cells_flows(2, 1000));
	cells_feed(cells, cells_key(2, 5, 0), connects);
	cr_expect_eq(cells_counts(cells).samples, 2);
	cr_expect_eq(cells_counts(cells).connects, 6);
	cr_expect_eq(cells_counts(cells).rows, 2);
	cells_begin(cells, 1);
	cr_expect_eq(cells_counts(cells).samples, 0);
	cr_expect_eq(cells_counts(cells).connects, 0);
	cells_free(cells);
}

Test(cells, idle_cells_are_named)
{
	struct cells *cells = cells_test_new();
	struct larch_cell found[4], quiet = cells_key(1, 5, 0);

	for (uint32_t i = 1; i <= 5; i++) {
		cells_feed(cells, quiet, cells_flows(2, 1000));
		cells_feed(cells, cells_key(2, 5, 0), cells_flows(i, 1000));
		cells_begin(cells, 1);
	}
	cr_expect_eq(cells_idle(cells, 6, found, 4), 0);
	cr_assert_eq(cells_idle(cells, 5, found, 4), 1);
	cr_expect(!memcmp(&found[0], &quiet, sizeof(quiet)));
	cr_expect_eq(cells_idle(cells, 1, found, 4), 2);
	cr_expect_eq(cells_idle(cells, 1, found, 1), 1);
	cells_free(cells);
}

Test(cells, cells_gone_from_the_map_are_forgotten_in_the_end)
{
	struct cells *cells = cells_test_new();
	struct larch_cell found[4];

	cells_feed(cells, cells_key(1, 5, 0), cells_flows(2, 1000));
	for (uint32_t i = 1; i <= 62; i++) {
		cells_begin(cells, 1);
		cells_feed(cells, cells_key(2, 5, 0), cells_flows(i, 1000));
	}
	cr_assert_eq(cells_idle(cells, 0, found, 4), 1);
	cr_expect_eq(found[0].source, 2);
	cells_free(cells);
}

Test(cells, nothing_is_forgotten_while_the_map_cannot_be_read)
{
	struct cells *cells = cells_test_new();
	struct larch_cell found[4];

	cells_feed(cells, cells_key(1, 5, 0), cells_flows(2, 1000));
	for (uint32_t i = 1; i <= 200; i++)
		cells_begin(cells, 1);
	cr_expect_eq(cells_idle(cells, 0, found, 4), 1);
	cells_feed(cells, cells_key(1, 5, 0), cells_flows(3, 1000));
	cr_expect_eq(cells_counts(cells).samples, 1);
	cells_free(cells);
}

Test(cells, forget_faster_once_they_are_told_to)
{
	struct cells_options faster = {1, 1}, none = {0, 1};
	struct cells *cells = cells_test_new();
	struct larch_cell key = cells_key(1, cells_backends[0], 0);
	struct larch_samples samples = cells_flows(100, 1000);
	struct table table;

	cr_assert_eq(cells_update(cells, &key, &samples, true), 0);
	cr_assert_eq(cells_set_options(cells, &none), -EINVAL);
	cr_assert_eq(cells_set_options(cells, &faster), 0);
	cells_begin(cells, 1);
	cr_assert_eq(cells_table(cells, &table), 0);
	cr_assert_float_eq(table.tally[0].responses, 50, 1e-9);
	cells_free(cells);
}

/* The daemon was stopped: what it finds when it goes on is the traffic of all that time. */
Test(cells, a_late_tick_remembers_what_ticks_in_time_would_have)
{
	struct cells *late = cells_test_new(), *timely = cells_test_new();
	const struct tally *a, *b;
	uint32_t flows = 1000;

	cells_feed(late, cells_key(9, 5, 0), cells_flows(flows, 1000));
	cells_feed(timely, cells_key(9, 5, 0), cells_flows(flows, 1000));
	for (int i = 0; i < 40; i++) {
		flows += 25;
		cells_begin(timely, 1);
		cells_feed(timely, cells_key(9, 5, 0), cells_flows(flows, 1000));
	}
	cells_begin(late, 40);
	cells_feed(late, cells_key(9, 5, 0), cells_flows(flows, 1000));
	a = cells_test_table(late).tally;
	b = cells_test_table(timely).tally;
	cr_assert_float_eq(a->responses, b->responses, 1e-6 * b->responses);
	cr_assert_float_eq(a->work_us, b->work_us, 1e-6 * b->work_us);
	cr_assert_float_eq(a->connects, b->connects, 1e-6 * b->connects);
	cr_assert_float_eq(a->connect_us, b->connect_us, 1e-6 * b->connect_us);
	cells_free(late);
	cells_free(timely);
}
