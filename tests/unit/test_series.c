// SPDX-License-Identifier: BSD-2-Clause
/* Both arms over time: by tick and by minute, bounded. */
#include <criterion/criterion.h>
#include <string.h>

#include "series.h"

static struct series series;
static struct latency series_response[JUDGE_ARMS], series_connect[JUDGE_ARMS];

/* A tick with `learned` and `control` samples in one bucket each. */
static void series_tick(time_t when, double learned, double control)
{
	memset(series_response, 0, sizeof(series_response));
	memset(series_connect, 0, sizeof(series_connect));
	series_response[LARCH_ARM_LEARNED].bucket[50] = learned;
	series_response[LARCH_ARM_CONTROL].bucket[80] = control;
	series_connect[LARCH_ARM_CONTROL].bucket[30] = control;
	series_add(&series, when, learned > 0, series_response, series_connect);
}

Test(series, a_tick_is_a_point)
{
	const struct series_point *point;

	series_tick(1000, 30, 2);
	cr_assert_eq(series_count(&series.ticks), 1);
	cr_assert_eq(series_count(&series.minutes), 0);
	point = series_at(&series.ticks, 0);
	cr_expect_eq(point->when, 1000);
	cr_expect(point->learned);
	cr_expect_eq(point->response[LARCH_ARM_LEARNED].samples, 30);
	cr_expect_eq(point->response[LARCH_ARM_CONTROL].samples, 2);
	cr_expect_eq(point->connect[LARCH_ARM_CONTROL].samples, 2);
	cr_expect_eq(point->connect[LARCH_ARM_LEARNED].samples, 0);
	cr_expect_float_eq(point->response[LARCH_ARM_LEARNED].p50_us,
			   latency_quantile(&series_response[LARCH_ARM_LEARNED], 0.5), 0.1);
	cr_expect_float_eq(point->response[LARCH_ARM_CONTROL].p99_us,
			   latency_quantile(&series_response[LARCH_ARM_CONTROL], 0.99), 0.1);
}

Test(series, only_the_last_points_stay_in_order)
{
	for (time_t i = 0; i < 2 * SERIES_POINTS + 5; i++)
		series_tick(i, 1, 1);
	cr_assert_eq(series_count(&series.ticks), SERIES_POINTS);
	cr_expect_eq(series_at(&series.ticks, 0)->when, SERIES_POINTS + 5);
	cr_expect_eq(series_at(&series.ticks, SERIES_POINTS - 1)->when, 2 * SERIES_POINTS + 4);
}

Test(series, a_minute_adds_up_its_ticks)
{
	const struct series_point *point;

	for (time_t i = 119; i < 185; i++)
		series_tick(i, i == 150 ? 1000 : 10, 1);
	cr_assert_eq(series_count(&series.minutes), 2);
	point = series_at(&series.minutes, 0);
	cr_expect_eq(point->when, 120);
	cr_expect_eq(point->response[LARCH_ARM_LEARNED].samples, 10);
	point = series_at(&series.minutes, 1);
	cr_expect_eq(point->when, 180);
	cr_expect_eq(point->response[LARCH_ARM_LEARNED].samples, 59 * 10 + 1000);
	cr_expect_eq(point->response[LARCH_ARM_CONTROL].samples, 60);
	cr_expect_eq(point->connect[LARCH_ARM_CONTROL].samples, 60);
}

Test(series, an_hour_of_minutes_is_kept_and_gaps_have_no_point)
{
	for (time_t minute = 0; minute < 100; minute++)
		if (minute != 70)
			series_tick(minute * 60, 1, 1);
	cr_assert_eq(series_count(&series.minutes), SERIES_POINTS);
	cr_expect_eq(series_at(&series.minutes, SERIES_POINTS - 1)->when, 99 * 60);
	cr_expect_eq(series_at(&series.minutes, 0)->when, (99 - SERIES_POINTS) * 60);
}
