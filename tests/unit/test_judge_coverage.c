// SPDX-License-Identifier: BSD-2-Clause
/*
 * The judge's promises in simulation: its 95 % intervals hold the truth in 93 to 99 of 100 runs,
 * it seldom switches off what does no harm, and soon what does.
 *
 * A world: flows come at random, more of them under more load; load is common to both arms and
 * stays for some ticks; one flow in 16 is of the control arm. Responses are lognormal; one in 50 is
 * of a tail by Pareto, of which few control samples meet much.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "judge.h"

#define RUNS	     500
#define ALARM_RUNS   120 /* of ten minutes each */
#define ALARM_TICKS  600
#define CONTROL_RATE 20 /* control flows a tick */

struct coverage_world {
	uint64_t random;
	double load;
	unsigned load_ticks; /* for which it stays */
	double harm;	     /* learned responses are multiplied by this */
	double sigma;	     /* of the logarithm of responses */
	double tail;	     /* Pareto's exponent */
};

static double coverage_uniform(struct coverage_world *world)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return ((double)(world->random >> 11) + 0.5) / 9007199254740992.0;
}

static double coverage_normal(struct coverage_world *world)
{
	double radius = sqrt(-2 * log(coverage_uniform(world)));

	return radius * cos(2 * M_PI * coverage_uniform(world));
}

static struct coverage_world coverage_world(uint64_t seed, double harm, double sigma, double tail)
{
	struct coverage_world world = {
		.random = seed * 0x9e3779b97f4a7c15ull + 1,
		.harm = harm,
		.sigma = sigma,
		.tail = tail,
	};

	for (int i = 0; i < 20; i++)
		coverage_uniform(&world);
	return world;
}

static uint32_t coverage_response(struct coverage_world *world, double scale)
{
	double us = scale * exp(world->sigma * coverage_normal(world));

	if (coverage_uniform(world) < 0.02)
		us *= 4 * pow(coverage_uniform(world), -1 / world->tail);
	return us < 6e7 ? (uint32_t)us : 60000000;
}

static void coverage_tick(struct coverage_world *world, struct latency arm[JUDGE_ARMS])
{
	double mean, flows, scale;

	memset(arm, 0, JUDGE_ARMS * sizeof(*arm));
	if (world->load_ticks == 0) {
		world->load = 0.5 * coverage_normal(world);
		world->load_ticks = 1 + (unsigned)(20 * coverage_uniform(world));
	}
	world->load_ticks--;
	scale = 3000 * exp(world->load + 0.15 * coverage_normal(world));
	mean = 16 * CONTROL_RATE * exp(0.3 * world->load);
	flows = mean + sqrt(mean) * coverage_normal(world);
	for (double i = 0; i < flows; i++) {
		bool control = coverage_uniform(world) < 1 / 16.0;
		uint32_t us = coverage_response(world, control ? scale : scale * world->harm);

		arm[control ? LARCH_ARM_CONTROL : LARCH_ARM_LEARNED]
			.bucket[larch_latency_bucket(us)]++;
	}
}

/* The tick at which learning is switched off, or 0: not within `ticks`. */
static unsigned coverage_run(struct judge *judge, struct coverage_world *world, unsigned ticks)
{
	struct latency arm[JUDGE_ARMS];

	for (unsigned tick = 1; tick <= ticks; tick++) {
		coverage_tick(world, arm);
		judge_add(judge, arm, 1);
		if (judge_verdict(judge) == JUDGE_OFF)
			return tick;
	}
	return 0;
}

static bool coverage_holds(const struct judge_quantile *found)
{
	return found->ratio_low <= 1 && found->ratio_high >= 1;
}

/* How many of RUNS intervals of mean, p50, p95 and p99 hold the truth: no effect. */
static void coverage_count(double sigma, double tail, unsigned held[4])
{
	memset(held, 0, 4 * sizeof(*held));
	for (uint64_t run = 1; run <= RUNS; run++) {
		struct coverage_world world = coverage_world(run, 1, sigma, tail);
		struct judge_report report;
		struct judge *judge;

		cr_assert_eq(judge_new(&judge), 0);
		coverage_run(judge, &world, JUDGE_BLOCKS);
		judge_compare(judge, JUDGE_BLOCKS, &report);
		held[0] += coverage_holds(&report.mean);
		held[1] += coverage_holds(&report.p50);
		held[2] += coverage_holds(&report.p95);
		held[3] += coverage_holds(&report.p99);
		judge_free(judge);
	}
}

static void expect_coverage(double sigma, double tail)
{
	static const char *const name[] = {"mean", "p50", "p95", "p99"};
	unsigned held[4];

	coverage_count(sigma, tail, held);
	for (unsigned i = 0; i < 4; i++) {
		cr_expect_geq(held[i], 0.93 * RUNS, "%s: %u of %u", name[i], held[i], RUNS);
		cr_expect_leq(held[i], 0.99 * RUNS, "%s: %u of %u", name[i], held[i], RUNS);
	}
}

Test(judge_coverage, intervals_hold_the_truth_with_a_long_tail, .timeout = 120)
{
	expect_coverage(1.0, 2.2);
}

Test(judge_coverage, intervals_hold_the_truth_without_one, .timeout = 120)
{
	expect_coverage(0.8, 9);
}

Test(judge_coverage, no_harm_is_seldom_switched_off_within_ten_minutes, .timeout = 120)
{
	unsigned alarms = 0;

	for (uint64_t run = 1; run <= ALARM_RUNS; run++) {
		struct coverage_world world = coverage_world(1000 + run, 1, 1.0, 2.2);
		struct judge *judge;

		cr_assert_eq(judge_new(&judge), 0);
		alarms += coverage_run(judge, &world, ALARM_TICKS) > 0;
		judge_free(judge);
	}
	cr_expect_leq(alarms, 0.05 * ALARM_RUNS, "%u of %u", alarms, ALARM_RUNS);
}

Test(judge_coverage, thirty_percent_of_harm_is_switched_off_within_sixty_ticks, .timeout = 120)
{
	const unsigned runs = 100;
	unsigned found = 0;

	for (uint64_t run = 1; run <= runs; run++) {
		struct coverage_world world = coverage_world(2000 + run, 1.3, 1.0, 2.2);
		struct judge *judge;

		cr_assert_eq(judge_new(&judge), 0);
		found += coverage_run(judge, &world, 60) > 0;
		judge_free(judge);
	}
	cr_expect_geq(found, 0.9 * runs, "%u of %u", found, runs);
}

/* A dearer middle is worth a cheaper tail: the mean is what counts then. */
Test(judge_coverage, a_better_mean_with_a_worse_median_is_left_alone)
{
	struct latency arm[JUDGE_ARMS] = {};
	struct judge *judge;

	cr_assert_eq(judge_new(&judge), 0);
	arm[LARCH_ARM_LEARNED].bucket[larch_latency_bucket(2400)] = 1000;
	arm[LARCH_ARM_CONTROL].bucket[larch_latency_bucket(2000)] = 90;
	arm[LARCH_ARM_CONTROL].bucket[larch_latency_bucket(30000)] = 10;
	for (unsigned tick = 0; tick < 100; tick++)
		judge_add(judge, arm, 1);
	cr_expect_eq(judge_verdict(judge), JUDGE_ON);
	arm[LARCH_ARM_LEARNED].bucket[larch_latency_bucket(30000)] = 111;
	for (unsigned tick = 0; tick < 100 && judge_verdict(judge) == JUDGE_ON; tick++)
		judge_add(judge, arm, 1);
	cr_expect_eq(judge_verdict(judge), JUDGE_OFF);
	judge_free(judge);
}
