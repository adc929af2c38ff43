// SPDX-License-Identifier: BSD-2-Clause
/* Percentiles of histograms against those of the samples that went into them. */
#include <math.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "latency.h"

#define LATENCY_SAMPLES 5000

static uint32_t latency_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1;
	return (uint32_t)(*state >> 32);
}

static int latency_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double latency_width(uint32_t us)
{
	uint32_t bucket = larch_latency_bucket(us);

	return latency_value(bucket, 1) - latency_value(bucket, 0) + 1;
}

/* A sample of 1 us up to about a minute, each octave equally likely. */
static uint32_t latency_draw(uint64_t *state)
{
	uint32_t octave = latency_random(state) % 25;

	return (1u << octave) + latency_random(state) % (1u << octave);
}

static void latency_fill(struct latency *out, uint32_t *samples, uint64_t seed)
{
	*out = (struct latency){0};
	for (size_t i = 0; i < LATENCY_SAMPLES; i++) {
		samples[i] = latency_draw(&seed);
		out->bucket[larch_latency_bucket(samples[i])]++;
	}
	qsort(samples, LATENCY_SAMPLES, sizeof(*samples), latency_compare);
}

Test(latency, quantiles_are_exact_to_the_width_of_a_bucket)
{
	static const double quantiles[] = {0.001, 0.01, 0.1, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999};
	static uint32_t samples[LATENCY_SAMPLES];
	struct latency latency;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		latency_fill(&latency, samples, seed);
		for (size_t k = 0; k < sizeof(quantiles) / sizeof(quantiles[0]); k++) {
			size_t rank = (size_t)ceil(quantiles[k] * LATENCY_SAMPLES - 1e-6) - 1;
			double found = latency_quantile(&latency, quantiles[k]);

			cr_expect(fabs(found - samples[rank]) < latency_width(samples[rank]),
				  "q %g: %g, exactly %u", quantiles[k], found, samples[rank]);
		}
	}
}

Test(latency, mean_is_exact_to_half_a_bucket)
{
	static uint32_t samples[LATENCY_SAMPLES];
	struct latency latency;
	double sum = 0;

	latency_fill(&latency, samples, 1);
	for (size_t i = 0; i < LATENCY_SAMPLES; i++)
		sum += samples[i];
	cr_expect_lt(fabs(latency_mean(&latency) * LATENCY_SAMPLES / sum - 1), 1.0 / 16);
}

Test(latency, small_values_are_exact)
{
	for (uint32_t us = 0; us < 16; us++) {
		struct latency latency = {0};

		latency.bucket[larch_latency_bucket(us)] = 10;
		cr_expect_eq(latency_quantile(&latency, 0.3), us);
		cr_expect_eq(latency_mean(&latency), us);
	}
}

Test(latency, ends_are_the_ends_of_the_outermost_buckets)
{
	struct latency latency = {0};

	latency.bucket[larch_latency_bucket(100)] = 3;
	latency.bucket[larch_latency_bucket(1000)] = 1;
	cr_expect_eq(latency_quantile(&latency, 0), 96);
	cr_expect_eq(latency_quantile(&latency, 1), 1023);
	cr_expect_eq(latency_quantile(&latency, 0.75), 103);
}

Test(latency, quantiles_rise_with_q)
{
	static uint32_t samples[LATENCY_SAMPLES];
	struct latency latency;
	double before = 0;

	latency_fill(&latency, samples, 3);
	for (int k = 0; k <= 1000; k++) {
		double now = latency_quantile(&latency, k / 1000.0);

		cr_expect_geq(now, before);
		before = now;
	}
}

Test(latency, a_quantile_is_interpolated_within_its_bucket)
{
	struct latency latency = {0};

	latency.bucket[larch_latency_bucket(1024)] = 4; /* 1024 to 1151 */
	cr_expect_float_eq(latency_quantile(&latency, 0.5), 1024 + 127 * 0.5, 1e-9);
	cr_expect_float_eq(latency_quantile(&latency, 0.25), 1024 + 127 * 0.25, 1e-9);
}

Test(latency, empty_histogram_reads_zero)
{
	struct latency latency = {0};

	cr_expect_eq(latency_quantile(&latency, 0.5), 0);
	cr_expect_eq(latency_mean(&latency), 0);
	cr_expect_eq(latency_count(&latency), 0);
}

Test(latency, last_bucket_holds_what_is_longer)
{
	struct latency latency = {0};

	latency.bucket[larch_latency_bucket(0xffffffff)] = 1;
	cr_expect_gt(latency_quantile(&latency, 0.5), 60e6);
	cr_expect_lt(latency_quantile(&latency, 1), 68e6);
}

Test(latency, adding_scales_and_counts)
{
	struct latency a = {.bucket = {[5] = 2, [191] = 1}};
	struct latency b = {.bucket = {[5] = 4, [7] = 6}};

	latency_add(&a, &b, 0.5);
	cr_expect_eq(a.bucket[5], 4);
	cr_expect_eq(a.bucket[7], 3);
	cr_expect_eq(latency_count(&a), 8);
}

Test(latency, fractions_of_samples_count)
{
	struct latency latency = {.bucket = {[3] = 0.001, [9] = 0.003}};

	cr_expect_eq(latency_quantile(&latency, 0.2), 3);
	cr_expect_eq(latency_quantile(&latency, 0.9), 9);
}
