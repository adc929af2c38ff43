// SPDX-License-Identifier: BSD-2-Clause
/*
 * The judge on simulated arms: lognormal latencies with a slow tail, and a factor that all flows
 * of one second share, itself correlated from second to second.
 */
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "judge.h"

struct judge_world {
	uint64_t random;
	double shared;	/* logarithm of this second's factor */
	double learned; /* learned latencies are multiplied by this */
	unsigned control_flows;
};

static double judge_uniform(struct judge_world *world)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return ((double)(world->random >> 11) + 0.5) / 9007199254740992.0;
}

static double judge_normal(struct judge_world *world)
{
	double radius = sqrt(-2 * log(judge_uniform(world)));

	return radius * cos(2 * M_PI * judge_uniform(world));
}

static struct judge_world judge_world(uint64_t seed, double learned, unsigned control_flows)
{
	struct judge_world world = {
		.random = seed * 0x9e3779b97f4a7c15ull + 1,
		.learned = learned,
		.control_flows = control_flows,
	};

	for (int i = 0; i < 20; i++)
		judge_uniform(&world);
	return world;
}

/* One second of both arms. */
static void judge_second(struct judge_world *world, struct latency arm[JUDGE_ARMS])
{
	static const unsigned flows[JUDGE_ARMS] = {
		[LARCH_ARM_LEARNED] = 15, [LARCH_ARM_CONTROL] = 1};

	memset(arm, 0, JUDGE_ARMS * sizeof(*arm));
	world->shared = 0.5 * world->shared + 0.25 * judge_normal(world);
	for (unsigned a = 0; a < JUDGE_ARMS; a++) {
		double scale = 3000 * exp(world->shared);

		scale *= a == LARCH_ARM_LEARNED ? world->learned : 1;
		for (unsigned i = 0; i < flows[a] * world->control_flows; i++) {
			double us = scale * exp(0.8 * judge_normal(world));

			us *= judge_uniform(world) < 0.02 ? 8 : 1;
			arm[a].bucket[larch_latency_bucket((uint32_t)us)]++;
		}
	}
}

/* Seconds until the verdict is OFF, or 0 if it is not within `most`. */
static unsigned judge_until_off(struct judge *judge, struct judge_world *world, unsigned most)
{
	struct latency arm[JUDGE_ARMS];

	for (unsigned tick = 1; tick <= most; tick++) {
		judge_second(world, arm);
		judge_add(judge, arm, 1);
		if (judge_verdict(judge) == JUDGE_OFF)
			return tick;
	}
	return 0;
}

/* How long the off period lasts that has just begun. */
static unsigned judge_off_period(struct judge *judge)
{
	struct latency arm[JUDGE_ARMS] = {0};
	unsigned ticks = 0;

	for (; judge_verdict(judge) == JUDGE_OFF && ticks < 5000; ticks++) {
		cr_assert_eq(judge_off_ticks(judge) > 0, true);
		judge_add(judge, arm, 1);
	}
	return ticks;
}

static struct judge *judge_test_new(void)
{
	struct judge *judge;

	cr_assert_eq(judge_new(&judge), 0);
	return judge;
}

Test(judge, no_effect_seldom_raises_an_alarm, .timeout = 60)
{
	unsigned alarms = 0;

	for (uint64_t run = 1; run <= 500; run++) {
		struct judge_world world = judge_world(run, 1, 8);
		struct judge *judge = judge_test_new();

		alarms += judge_until_off(judge, &world, 120) > 0;
		judge_free(judge);
	}
	cr_expect_leq(alarms, 25, "%u of 500", alarms);
}

Test(judge, intervals_hold_the_truth_nineteen_times_in_twenty, .timeout = 60)
{
	unsigned held[4] = {0};
	const unsigned runs = 300;

	for (uint64_t run = 1; run <= runs; run++) {
		struct judge_world world = judge_world(run, 0.8, 20);
		struct judge *judge = judge_test_new();
		struct judge_report report;

		judge_until_off(judge, &world, JUDGE_BLOCKS);
		judge_compare(judge, JUDGE_BLOCKS, &report);
		held[0] += report.p50.ratio_low <= 1.25 && report.p50.ratio_high >= 1.25;
		held[1] += report.p95.ratio_low <= 1.25 && report.p95.ratio_high >= 1.25;
		held[2] += report.p99.ratio_low <= 1.25 && report.p99.ratio_high >= 1.25;
		held[3] += report.mean.ratio_low <= 1.25 && report.mean.ratio_high >= 1.25;
		judge_free(judge);
	}
	for (unsigned i = 0; i < 4; i++)
		cr_expect_geq(held[i], runs * 0.91, "%u of %u", held[i], runs);
}

Test(judge, clear_benefit_lies_above_one)
{
	struct judge_world world = judge_world(1, 0.6, 40);
	struct judge *judge = judge_test_new();
	struct judge_report report;

	cr_expect_eq(judge_until_off(judge, &world, JUDGE_BLOCKS), 0);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect(report.enough);
	cr_expect_eq(report.ticks, JUDGE_BLOCKS);
	cr_expect_eq(report.control_samples, 40 * JUDGE_BLOCKS);
	cr_expect_eq(report.learned_samples, 15 * 40 * JUDGE_BLOCKS);
	cr_expect_gt(report.p50.ratio_low, 1);
	cr_expect_gt(report.p95.ratio_low, 1);
	cr_expect_gt(report.p99.ratio_low, 1);
	cr_expect_gt(report.mean.ratio_low, 1);
	cr_expect_lt(report.learned_mean_us, report.control_mean_us);
	judge_free(judge);
}

Test(judge, an_interval_encloses_its_ratio)
{
	struct judge_world world = judge_world(4, 0.9, 20);
	struct judge *judge = judge_test_new();
	struct judge_report report;

	judge_until_off(judge, &world, 30);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect_leq(report.p99.ratio_low, report.p99.ratio);
	cr_expect_geq(report.p99.ratio_high, report.p99.ratio);
	cr_expect_float_eq(report.p95.ratio, report.p95.control_us / report.p95.learned_us, 1e-9);
	judge_free(judge);
}

Test(judge, quantiles_are_those_of_the_added_histograms)
{
	struct judge_world world = judge_world(2, 1, 30);
	struct judge *judge = judge_test_new();
	struct latency arm[JUDGE_ARMS], all[JUDGE_ARMS] = {0};
	struct judge_report report;

	for (unsigned tick = 0; tick < 25; tick++) {
		judge_second(&world, arm);
		judge_add(judge, arm, 1);
		if (tick < 5)
			continue; /* not among the last 20 */
		latency_add(&all[0], &arm[0], 1);
		latency_add(&all[1], &arm[1], 1);
	}
	judge_compare(judge, 20, &report);
	cr_expect_eq(report.ticks, 20);
	cr_expect_float_eq(report.p50.learned_us, latency_quantile(&all[0], 0.50), 0.01);
	cr_expect_float_eq(report.p95.learned_us, latency_quantile(&all[0], 0.95), 0.01);
	cr_expect_float_eq(report.p99.control_us, latency_quantile(&all[1], 0.99), 0.01);
	cr_expect_float_eq(report.control_mean_us, latency_mean(&all[1]), 0.01);
	judge_free(judge);
}

Test(judge, old_blocks_leave_the_window)
{
	struct judge_world slow = judge_world(3, 1.2, 20), fast = judge_world(4, 0.5, 20);
	struct judge *judge = judge_test_new();
	struct judge_report report;

	judge_until_off(judge, &slow, 5);
	judge_until_off(judge, &fast, 3 * JUDGE_BLOCKS);
	judge_compare(judge, 1000, &report);
	cr_expect_eq(report.ticks, JUDGE_BLOCKS);
	cr_expect_eq(report.control_samples, 20 * JUDGE_BLOCKS);
	cr_expect_gt(report.p50.ratio_low, 1.6);
	judge_free(judge);
}

Test(judge, equal_histories_give_equal_reports)
{
	struct judge_report report[2];

	memset(report, 0, sizeof(report));
	for (unsigned i = 0; i < 2; i++) {
		struct judge_world world = judge_world(9, 1.1, 10);
		struct judge *judge = judge_test_new();

		judge_until_off(judge, &world, 40);
		judge_compare(judge, JUDGE_BLOCKS, &report[i]);
		judge_compare(judge, JUDGE_BLOCKS, &report[i]);
		judge_free(judge);
	}
	cr_expect_eq(report[0].p99.ratio_low, report[1].p99.ratio_low);
	cr_expect_eq(report[0].p99.ratio_high, report[1].p99.ratio_high);
	cr_expect_eq(report[0].mean.ratio_low, report[1].mean.ratio_low);
}

static double judge_width(unsigned flows, unsigned ticks)
{
	struct judge_world world = judge_world(7, 0.9, flows);
	struct judge *judge = judge_test_new();
	struct judge_report report;

	judge_until_off(judge, &world, ticks);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	judge_free(judge);
	return report.p50.ratio_high - report.p50.ratio_low;
}

Test(judge, interval_narrows_with_more_flows_a_second)
{
	cr_expect_lt(judge_width(160, 30), 0.6 * judge_width(10, 30));
}

Test(judge, interval_narrows_with_more_seconds)
{
	cr_expect_lt(judge_width(20, 60), judge_width(20, 12));
}

Test(judge, empty_arms_are_not_enough)
{
	struct latency arm[JUDGE_ARMS] = {0};
	struct judge *judge = judge_test_new();
	struct judge_report report;

	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect_not(report.enough);
	cr_expect_eq(report.ticks, 0);
	for (unsigned i = 0; i < 100; i++)
		judge_add(judge, arm, 1);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect_not(report.enough);
	cr_expect_eq(report.p99.ratio, 0);
	cr_expect_eq(judge_verdict(judge), JUDGE_ON);
	judge_free(judge);
}

Test(judge, one_empty_arm_is_not_enough)
{
	struct latency arm[JUDGE_ARMS] = {0};
	struct judge *judge = judge_test_new();
	struct judge_report report;

	arm[LARCH_ARM_LEARNED].bucket[50] = 10000;
	for (unsigned i = 0; i < 100; i++)
		judge_add(judge, arm, 1);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect_not(report.enough);
	cr_expect_eq(report.p50.ratio, 0);
	cr_expect_eq(judge_verdict(judge), JUDGE_ON);
	judge_free(judge);
}

Test(judge, many_samples_in_few_blocks_are_not_enough)
{
	struct judge_world world = judge_world(1, 3, 1000);
	struct judge *judge = judge_test_new();
	struct judge_report report;

	cr_expect_eq(judge_until_off(judge, &world, JUDGE_LEAST_BLOCKS - 1), 0);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect_not(report.enough);
	judge_until_off(judge, &world, 1);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect(report.enough);
	judge_free(judge);
}

Test(judge, ticks_without_samples_do_no_harm_to_the_interval)
{
	struct latency none[JUDGE_ARMS] = {0}, arm[JUDGE_ARMS];
	struct judge_world world = judge_world(1, 0.5, 40);
	struct judge *steady = judge_test_new(), *pausing = judge_test_new();
	struct judge_report report, expected;

	for (unsigned i = 0; i < JUDGE_BLOCKS / 2; i++) {
		judge_second(&world, arm);
		judge_add(steady, arm, 1);
		judge_add(pausing, arm, 1);
		judge_add(pausing, none, 1);
	}
	judge_compare(steady, JUDGE_BLOCKS, &expected);
	judge_compare(pausing, JUDGE_BLOCKS, &report);
	cr_expect(report.enough);
	cr_expect_eq(report.ticks, JUDGE_BLOCKS);
	cr_expect_eq(report.p95.ratio_low, expected.p95.ratio_low);
	cr_expect_eq(report.p95.ratio_high, expected.p95.ratio_high);
	judge_free(steady);
	judge_free(pausing);
}

Test(judge, harm_switches_off_after_ten_ticks_of_proof)
{
	struct judge_world world = judge_world(1, 2, 100);
	struct judge *judge = judge_test_new();
	unsigned off = judge_until_off(judge, &world, 200);

	/* The first tick that can prove anything is the tenth. */
	cr_expect_eq(off, JUDGE_LEAST_BLOCKS + JUDGE_PATIENCE - 1, "after %u", off);
	judge_free(judge);
}

Test(judge, small_harm_is_found_in_the_end)
{
	struct judge_world world = judge_world(1, 1.15, 60);
	struct judge *judge = judge_test_new();
	unsigned off = judge_until_off(judge, &world, 300);

	cr_expect_geq(off, JUDGE_PATIENCE);
	judge_free(judge);
}

Test(judge, harm_after_a_good_stretch_is_found)
{
	struct judge_world good = judge_world(1, 0.7, 60), bad = judge_world(2, 2, 60);
	struct judge *judge = judge_test_new();

	cr_expect_eq(judge_until_off(judge, &good, 300), 0);
	cr_expect_gt(judge_until_off(judge, &bad, 60), JUDGE_PATIENCE);
	judge_free(judge);
}

Test(judge, harm_too_small_to_matter_is_left_alone)
{
	struct latency arm[JUDGE_ARMS] = {0};
	struct judge *judge = judge_test_new();

	arm[LARCH_ARM_LEARNED].bucket[80] = 900;
	arm[LARCH_ARM_LEARNED].bucket[81] = 100;
	arm[LARCH_ARM_CONTROL].bucket[80] = 902;
	arm[LARCH_ARM_CONTROL].bucket[81] = 98;
	for (unsigned tick = 0; tick < 200; tick++)
		judge_add(judge, arm, 1);
	cr_expect_eq(judge_verdict(judge), JUDGE_ON);
	judge_free(judge);
}

Test(judge, what_is_measured_while_off_is_no_evidence)
{
	struct judge_world bad = judge_world(1, 2, 100), same = judge_world(2, 1, 100);
	struct latency arm[JUDGE_ARMS];
	struct judge *judge = judge_test_new();
	struct judge_report report;

	cr_assert_gt(judge_until_off(judge, &bad, 100), 0);
	for (unsigned i = 0; i < JUDGE_OFF_LEAST; i++) {
		cr_expect_eq(judge_verdict(judge), JUDGE_OFF);
		cr_expect_eq(judge_off_ticks(judge), JUDGE_OFF_LEAST - i);
		judge_second(&same, arm);
		judge_add(judge, arm, 1);
	}
	cr_expect_eq(judge_verdict(judge), JUDGE_ON);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect_eq(report.ticks, 0);
	cr_expect_eq(report.learned_samples, 0);
	judge_free(judge);
}

Test(judge, the_evidence_stays_to_be_seen_while_off)
{
	struct judge_world bad = judge_world(1, 2, 100);
	struct judge *judge = judge_test_new();
	struct judge_report report;

	cr_assert_gt(judge_until_off(judge, &bad, 100), 0);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect(report.enough);
	cr_expect_lt(report.mean.ratio_high, 1);
	judge_free(judge);
}

Test(judge, what_is_only_observed_is_never_judged)
{
	struct judge_world bad = judge_world(1, 3, 100);
	struct latency arm[JUDGE_ARMS];
	struct judge *judge = judge_test_new();
	struct judge_report report;

	for (unsigned i = 0; i < 60; i++) {
		judge_second(&bad, arm);
		judge_observe(judge, arm, 1);
		cr_assert_eq(judge_verdict(judge), JUDGE_ON);
	}
	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect_lt(report.p50.ratio_high, 1);
	judge_clear(judge);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	cr_expect_eq(report.learned_samples, 0);
	judge_free(judge);
}

Test(judge, off_periods_double_up_to_the_longest)
{
	static const unsigned expected[] = {30, 60, 120, 240, 480, 960, 960};
	struct judge_world bad = judge_world(1, 2, 30);
	struct judge *judge = judge_test_new();

	for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		cr_assert_gt(judge_until_off(judge, &bad, 300), 0);
		cr_expect_eq(judge_off_period(judge), expected[i]);
	}
	judge_free(judge);
}

/* Good ticks, harm, an off period, good ticks again, harm: how long is the next off period? */
static unsigned judge_second_off_period(unsigned before_ticks, unsigned good_ticks)
{
	struct judge_world bad = judge_world(1, 2, 30), good = judge_world(2, 0.7, 10);
	struct judge *judge = judge_test_new();
	unsigned period;

	cr_assert_eq(judge_until_off(judge, &good, before_ticks), 0);
	cr_assert_gt(judge_until_off(judge, &bad, 300), 0);
	judge_off_period(judge);
	cr_assert_eq(judge_until_off(judge, &good, good_ticks), 0);
	cr_assert_gt(judge_until_off(judge, &bad, 300), 0);
	period = judge_off_period(judge);
	judge_free(judge);
	return period;
}

Test(judge, a_long_good_stretch_is_forgiving)
{
	cr_expect_eq(judge_second_off_period(0, JUDGE_PROBATION), JUDGE_OFF_LEAST);
}

Test(judge, a_short_good_stretch_is_not)
{
	cr_expect_eq(judge_second_off_period(0, JUDGE_PROBATION / 3), 2 * JUDGE_OFF_LEAST);
}

Test(judge, what_was_good_before_an_off_period_does_not_count)
{
	cr_expect_eq(judge_second_off_period(JUDGE_PROBATION, 0), 2 * JUDGE_OFF_LEAST);
}

/*
 * For half of the blocks everybody is ten times slower, and the control arm twice as large: the
 * learned arm is neither better nor worse.
 */
static void judge_sizes(struct judge *judge, double weight)
{
	struct judge_world world = judge_world(5, 1, 100);
	struct latency arm[JUDGE_ARMS], half[JUDGE_ARMS];

	for (unsigned i = 0; i < JUDGE_BLOCKS; i++) {
		bool early = i < JUDGE_BLOCKS / 2;

		judge_second(&world, arm);
		memset(half, 0, sizeof(half));
		for (unsigned b = 0; b < LARCH_LATENCY_BUCKETS; b++) {
			/* 8 buckets are an octave */
			unsigned to = early && b + 24 < LARCH_LATENCY_BUCKETS ? b + 24 : b;
			double *control = half[LARCH_ARM_CONTROL].bucket;

			half[LARCH_ARM_LEARNED].bucket[to] += arm[LARCH_ARM_LEARNED].bucket[b];
			control[to] += arm[LARCH_ARM_CONTROL].bucket[b] * (early ? 2 : 1);
		}
		judge_add(judge, half, early ? 1 : weight);
	}
}

Test(judge, a_change_of_the_arms_size_is_no_difference)
{
	struct judge *judge = judge_test_new(), *naive = judge_test_new();
	struct judge_report report, wrong;

	judge_sizes(judge, 2);
	judge_sizes(naive, 1);
	judge_compare(judge, JUDGE_BLOCKS, &report);
	judge_compare(naive, JUDGE_BLOCKS, &wrong);
	cr_expect_float_eq(report.mean.ratio, 1, 0.1, "%.3f", report.mean.ratio);
	cr_expect(report.mean.ratio_low < 1 && report.mean.ratio_high > 1);
	cr_expect_gt(wrong.mean.ratio, 1.2, "%.3f", wrong.mean.ratio);
	cr_expect_float_eq(report.control_samples, 100 * (30 * 2 + 30), 1);
	judge_free(judge);
	judge_free(naive);
}
