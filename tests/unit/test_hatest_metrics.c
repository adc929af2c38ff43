// SPDX-License-Identifier: BSD-2-Clause
// What the high-availability test makes of a log of requests.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../../tools/hatest.h"

static struct hatest_scenario scenario;
static struct hatest_samples samples;
static struct hatest_metrics metrics;

static void begin(double duration_s)
{
	scenario = (struct hatest_scenario){
		.load = {.duration_s = duration_s, .in_time_s = 1, .requests = 2},
		.lab = {.backends = 4, .members = 0x1e},
		.thresholds = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN},
	};
}

static void add(double at_s, unsigned index, double connect_ms, double ms, const char *backend,
		const char *status)
{
	char line[256];

	snprintf(line, sizeof(line), "%.6f 10.1.0.7 4711 10.99.0.1 80 %u %.3f %.3f %s %s\n", at_s,
		 index, connect_ms, ms, backend, status);
	cr_assert_eq(hatest_samples_line(&samples, line, 0, 2), 0, "%s", line);
}

// New connections to b1 to b4 in turn, 200 a second, answered after so long.
static void flows(double from_s, double to_s, double ms)
{
	static const char *const names[] = {"b1", "b2", "b3", "b4"};
	unsigned n = 0;

	for (double at = from_s; at < to_s - 1e-9; at += 0.005)
		add(at, 0, 1, ms, names[n++ % 4], "ok");
}

static void measure(const struct hatest_action *actions, size_t count)
{
	hatest_samples_sort(&samples);
	hatest_measure(&samples, &scenario, actions, count, &metrics);
	hatest_samples_free(&samples);
}

Test(hatest_metrics, availability_is_of_all_that_was_meant)
{
	begin(10);
	add(-1, 0, 1, 5, "b1", "ok"); // while it warms up
	add(1, 0, 1, 999, "b1", "ok");
	add(1, 1, 0, 1001, "b1", "ok"); // late
	add(2, 0, 1, 5, "b1", "rejected");
	add(3, 0, 1, 5, "-", "refused"); // and one that was never sent
	add(4, 1, 0, 5, "b2", "reset");
	add(5, 7, 0, 5, "b2", "long");
	add(6, 8, 0, 5, "b2", "long-eof");
	measure(NULL, 0);
	cr_expect_eq(metrics.meant, 8);
	cr_expect_eq(metrics.in_time, 2);
	cr_expect_eq(metrics.late, 1);
	cr_expect_eq(metrics.rejected, 1);
	cr_expect_eq(metrics.refused, 1);
	cr_expect_eq(metrics.abandoned, 1);
	cr_expect_eq(metrics.broken, 1);
	cr_expect_eq(metrics.broken_long, 1);
	cr_expect_float_eq(metrics.availability, 2.0 / 8, 1e-9);
	cr_expect_float_eq(metrics.imbalance, 4, 1e-9, "b1 has all of four members' answers");
}

Test(hatest_metrics, a_line_that_is_none_is_refused)
{
	cr_expect_lt(hatest_samples_line(&samples, "0.1 10.1.0.7 4711\n", 0, 2), 0);
	cr_expect_lt(hatest_samples_line(&samples, "0.1 a 1 b 80 0 1 1 b1 odd\n", 0, 2), 0);
	cr_expect_eq(samples.count, 0);
}

Test(hatest_metrics, quantiles_are_of_three_parts)
{
	const struct hatest_action kill = {.at_s = 4, .end_s = 7, .affects = 1u << 2};

	begin(10);
	flows(0, 4, 10);
	flows(4, 7, 30);
	flows(7, 10, 20);
	measure(&kill, 1);
	cr_expect_float_eq(metrics.part[0].p99, 10, 1e-3);
	cr_expect_float_eq(metrics.span[0].end_s, 3.5, 1e-9, "half a second is neither");
	cr_expect_float_eq(metrics.part[1].p50, 30, 1e-3);
	cr_expect_eq(metrics.part[1].count, 600);
	cr_expect_float_eq(metrics.part[2].p999, 20, 1e-3);
}

Test(hatest_metrics, detected_is_when_new_connections_avoid_the_backend)
{
	const struct hatest_action slow = {.at_s = 4, .end_s = 9, .affects = 1u << 2};

	begin(10);
	flows(0, 5, 10);
	for (double at = 5; at < 10; at += 0.005)
		add(at, 0, 1, 10, "b1", "ok");
	measure(&slow, 1);
	cr_expect_float_eq(metrics.detect_s, 1, 0.11);
	flows(0, 10, 10);
	measure(&slow, 1);
	cr_expect(isinf(metrics.detect_s));
}

Test(hatest_metrics, what_is_refused_or_needs_a_second_syn_went_to_the_dead_backend)
{
	const struct hatest_action kill = {.at_s = 4, .end_s = 9, .affects = 1u << 2};

	begin(10);
	flows(0, 4, 10);
	for (double at = 4; at < 10; at += 0.02) {
		bool early = at < 6, again = (long)(at * 100) & 2;

		add(at, 0, again && early ? 1010 : 1, 10, again || !early ? "b1" : "-",
		    again || !early ? "ok" : "refused");
		add(at + 0.01, 0, 1, 10, "b1", "ok");
	}
	measure(&kill, 1);
	cr_expect_float_eq(metrics.detect_s, 2, 0.11);
}

Test(hatest_metrics, recovered_is_when_it_stays_as_before)
{
	const struct hatest_action slow = {.at_s = 5, .end_s = 12, .affects = 1u << 2};

	begin(15);
	flows(0, 5, 20);
	flows(5, 6.5, 300);
	flows(6.5, 7, 20); // a moment only
	flows(7, 8, 300);
	flows(8, 15, 20);
	measure(&slow, 1);
	cr_expect_float_eq(metrics.recover_s, 3, 0.11);
	cr_expect_gt(metrics.impaired_s, 2.4);
	cr_expect_lt(metrics.impaired_s, 3.6);
}

Test(hatest_metrics, one_that_never_left_has_recovered_at_once)
{
	const struct hatest_action kill = {.at_s = 5, .end_s = 5};

	begin(15);
	flows(0, 15, 20);
	measure(&kill, 1);
	cr_expect_float_eq(metrics.recover_s, 0, 1e-9);
	cr_expect_float_eq(metrics.impaired_s, 0, 1e-9);
	cr_expect(isnan(metrics.detect_s), "there is nothing to detect");
}

Test(hatest_metrics, what_fails_to_the_end_never_recovers)
{
	const struct hatest_action kill = {.at_s = 5, .end_s = 15, .affects = 1u << 1};

	begin(15);
	flows(0, 15, 20);
	for (double at = 5; at < 15; at += 0.05)
		add(at, 0, 1, 1, "-", "refused");
	measure(&kill, 1);
	cr_expect(isinf(metrics.recover_s));
}

static struct hatest_verdict verdict[HATEST_THRESHOLDS];

Test(hatest_verdict, only_what_is_asked_is_judged)
{
	begin(10);
	metrics = (struct hatest_metrics){.availability = 0.99, .lost = NAN};
	cr_expect_eq(hatest_judge(&scenario, &metrics, NULL, false, verdict), 0);
	scenario.thresholds.availability = 0.995;
	scenario.thresholds.broken = 0;
	scenario.thresholds.lost = 0;		 // not known
	scenario.thresholds.p99_over_static = 1; // nothing beside it
	cr_assert_eq(hatest_judge(&scenario, &metrics, NULL, false, verdict), 2);
	cr_expect_str_eq(verdict[0].name, "availability");
	cr_expect(verdict[0].judged && !verdict[0].met);
	cr_expect(verdict[1].judged && verdict[1].met);
}

Test(hatest_verdict, what_was_asked_and_could_not_be_measured_is_not_met)
{
	begin(10);
	metrics = (struct hatest_metrics){.detect_s = NAN, .recover_s = NAN};
	scenario.thresholds.detect = 1;
	scenario.thresholds.recover = 1;
	cr_assert_eq(hatest_judge(&scenario, &metrics, NULL, false, verdict), 2);
	cr_expect(verdict[0].judged && !verdict[0].met);
	cr_expect(verdict[1].judged && !verdict[1].met);
}

Test(hatest_verdict, a_shortened_run_is_judged_by_what_must_never_happen)
{
	begin(10);
	metrics = (struct hatest_metrics){.availability = 0.5, .broken = 1, .recover_s = INFINITY};
	scenario.thresholds.availability = 0.9;
	scenario.thresholds.broken = 0;
	scenario.thresholds.recover = 1;
	cr_assert_eq(hatest_judge(&scenario, &metrics, NULL, true, verdict), 3);
	cr_expect(!verdict[0].judged);
	cr_expect(verdict[1].judged && !verdict[1].met);
	cr_expect(!verdict[2].judged && !verdict[2].met);
}

Test(hatest_verdict, ratios_are_of_the_time_while_it_happens)
{
	struct hatest_metrics fixed = {.part = {{.p99 = 10}, {.p99 = 100}}};

	begin(10);
	metrics = (struct hatest_metrics){.part = {{.p99 = 10}, {.p99 = 30}}};
	scenario.thresholds.p99_ratio = 2;
	scenario.thresholds.p99_over_static = 0.5;
	cr_assert_eq(hatest_judge(&scenario, &metrics, &fixed, false, verdict), 2);
	cr_expect_float_eq(verdict[0].value, 3, 1e-9);
	cr_expect(!verdict[0].met);
	cr_expect_float_eq(verdict[1].value, 0.3, 1e-9);
	cr_expect(verdict[1].met);
}
