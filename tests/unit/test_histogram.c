// SPDX-License-Identifier: BSD-2-Clause
// The histogram's quantiles against those of the sorted values themselves.
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "../../tools/lib/histogram.h"
#include "../../tools/lib/prng.h"

#define VALUES 20000

static struct histogram h;
static uint64_t values[VALUES];

static void setup(void)
{
	histogram_reset(&h);
}

TestSuite(histogram, .init = setup);

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double relative_error(double q)
{
	size_t rank = (size_t)ceil(q * VALUES);
	double exact = (double)values[rank ? rank - 1 : 0];

	return fabs((double)histogram_quantile(&h, q) - exact) / exact;
}

Test(histogram, quantiles_of_spread_values_are_within_one_percent)
{
	static const double qs[] = {0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
	struct prng p = prng_seed(1, 1);

	for (size_t i = 0; i < VALUES; i++) {
		values[i] = (uint64_t)exp(prng_unit(&p) * 25) + 1;
		histogram_add(&h, values[i]);
	}
	qsort(values, VALUES, sizeof(values[0]), compare);
	for (size_t i = 0; i < sizeof(qs) / sizeof(qs[0]); i++)
		cr_assert_leq(relative_error(qs[i]), 0.01, "q %g is off by %g", qs[i],
			      relative_error(qs[i]));
}

Test(histogram, small_values_are_exact)
{
	for (uint64_t v = 0; v < 256; v++)
		histogram_add(&h, v);
	for (uint64_t v = 0; v < 256; v++)
		cr_assert_eq(histogram_quantile(&h, (double)(v + 1) / 256), v);
}

Test(histogram, every_value_lands_within_its_error)
{
	for (uint64_t v = 1; v < 1ULL << 41; v += v / 3 + 1) {
		histogram_reset(&h);
		// Extremes are exact, so look at one in the middle.
		histogram_add(&h, 0);
		histogram_add(&h, v);
		histogram_add(&h, UINT64_MAX / 4);
		cr_assert_leq(fabs((double)histogram_quantile(&h, 0.5) - (double)v),
			      0.004 * (double)v, "%llu", (unsigned long long)v);
	}
}

Test(histogram, extremes_and_mean_are_exact)
{
	histogram_add(&h, 1000003);
	histogram_add(&h, 3000009);
	cr_assert_eq(histogram_quantile(&h, 0), 1000003);
	cr_assert_eq(histogram_quantile(&h, 1), 3000009);
	cr_assert_float_eq(histogram_mean(&h), 2000006, 1e-6);
}

Test(histogram, huge_values_are_kept_as_the_maximum)
{
	histogram_add(&h, 1ULL << 50);
	cr_assert_eq(histogram_quantile(&h, 0.5), 1ULL << 50);
}

Test(histogram, empty_one_has_zero_for_all)
{
	cr_assert_eq(histogram_quantile(&h, 0.5), 0);
	cr_assert_eq(histogram_mean(&h), 0);
}

Test(histogram, merged_halves_equal_the_whole)
{
	static struct histogram odd, even;
	struct prng p = prng_seed(2, 1);

	histogram_reset(&odd);
	histogram_reset(&even);
	for (size_t i = 0; i < 1000; i++) {
		uint64_t value = prng_below(&p, 1 << 30);

		histogram_add(&h, value);
		histogram_add(i % 2 ? &odd : &even, value);
	}
	histogram_merge(&odd, &even);
	cr_assert_arr_eq(&odd, &h, sizeof(h));
}
