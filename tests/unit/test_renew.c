// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who has recovered is noticed from few samples, noise and lies are not taken for it, and the
 * memory of samples then says what the new ones do.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "../../tools/lib/prng.h"
#include "renew.h"
#include "sample_cells.h"

static struct renew renew;

/* A tick of `samples` by sources in turn; each takes `ratio` of the 1000 us remembered, times
 * noise.
 */
static double tick(struct prng *prng, unsigned samples, unsigned sources, double ratio)
{
	for (unsigned i = 0; i < samples; i++) {
		double noise = prng ? prng_exponential(prng) : 1;

		renew_add(&renew, 3, i % sources, 1, 1000 * ratio * noise, 1000);
	}
	return renew_factor(&renew, 3);
}

static void renew_begin(void)
{
	memset(&renew, 0, sizeof(renew));
}

TestSuite(renew, .init = renew_begin);

Test(renew, a_few_samples_of_some_sources_tell_who_has_recovered)
{
	double factor = 1;
	unsigned ticks = 0;

	while (factor == 1 && ++ticks < 100)
		factor = tick(NULL, 4, 4, 0.2);
	cr_expect_leq(ticks, 10, "%u ticks of four samples", ticks);
	cr_expect_float_eq(factor, 0.2, 1e-6, "%f", factor);
	cr_expect_eq(tick(NULL, 4, 4, 1), 1, "the sum begins anew");
}

Test(renew, noise_is_no_recovery)
{
	static const unsigned rates[] = {1, 3, 10, 30, 100, 1000};

	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		struct prng prng = prng_seed(1, r);
		unsigned alarms = 0;

		renew_begin();
		for (unsigned t = 0; t < 20000; t++)
			alarms += tick(&prng, rates[r], 8, 1) < 1;
		cr_expect_leq(alarms, 1, "%u of 20000 ticks of %u samples", alarms, rates[r]);
	}
}

Test(renew, who_is_slower_or_a_little_faster_is_left_to_the_decay)
{
	for (unsigned t = 0; t < 1000; t++) {
		cr_assert_eq(tick(NULL, 20, 4, 0.75), 1);
		cr_assert_eq(tick(NULL, 20, 4, 5), 1);
	}
}

Test(renew, one_source_alone_is_not_believed)
{
	for (unsigned t = 0; t < 1000; t++) {
		for (uint64_t source = 0; source < 8; source++)
			renew_add(&renew, 3, source, 10, 10000, 1000);
		renew_add(&renew, 3, 99, 1000, 10000, 1000); /* a hundredth of what is remembered */
		cr_assert_eq(renew_factor(&renew, 3), 1, "tick %u", t);
	}
}

Test(renew, members_are_their_own)
{
	for (unsigned t = 0; t < 10; t++)
		for (uint64_t source = 0; source < 8; source++)
			renew_add(&renew, 4, source, 1, 100, 1000);
	cr_expect_eq(renew_factor(&renew, 3), 1);
	cr_expect_lt(renew_factor(&renew, 4), 1);
}

Test(renew, what_takes_no_time_is_bounded_and_finite)
{
	for (uint64_t source = 0; source < 8; source++) {
		renew_add(&renew, 3, source, 100, 0, 1000);
		renew_add(&renew, 3, source, 0, 1000, 1000);
		renew_add(&renew, 3, source, 100, 0, 0);
	}
	cr_expect_eq(renew_factor(&renew, 3), RENEW_LEAST);
}

/* Server times of two backends; the second was ten times slower for long, and is not any more. */
static double mean_of(struct cells *cells, size_t member)
{
	struct table table = cells_test_table(cells);
	double count = 0, us = 0;

	for (size_t row = 0; row < table.rows; row++) {
		count += table.tally[row * table.members + member].responses;
		us += table.tally[row * table.members + member].work_us;
	}
	return us / count;
}

static void feed_more(struct cells *cells, struct larch_samples *sums, uint64_t source, unsigned us)
{
	struct larch_samples more = cells_flows(1, us);

	for (uint64_t *to = (uint64_t *)sums, *from = (uint64_t *)&more;
	     from < (uint64_t *)more.latency;)
		*to++ += *from++;
	sums->latency[larch_latency_bucket(us)]++;
	cr_assert_eq(cells_feed(cells, cells_key(source, 900, 0), *sums), 0);
}

Test(renew, the_memory_of_samples_says_so_within_seconds)
{
	struct cells *cells = cells_test_new();
	struct larch_samples sums[4] = {};
	unsigned ticks = 0;

	for (unsigned t = 0; t < 60; t++) {
		cells_begin(cells, 1);
		for (uint64_t source = 0; source < 4; source++)
			feed_more(cells, &sums[source], source, 40000);
	}
	cr_assert_float_eq(mean_of(cells, 1), 10000, 1);
	while (mean_of(cells, 1) > 1200 && ticks++ < 60) {
		cells_begin(cells, 1);
		for (uint64_t source = 0; source < 4; source++)
			feed_more(cells, &sums[source], source, 4000);
	}
	cr_expect_leq(ticks, 10, "%u ticks; by the half-life alone it is 55", ticks);
	cr_expect_geq(mean_of(cells, 1), 500);
	cells_free(cells);
}
