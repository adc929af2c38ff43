// SPDX-License-Identifier: BSD-2-Clause
// Scenarios of the high-availability test: what is read, what is refused, and what a lab is told.
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/hatest.h"

static struct hatest_scenario scenario;
static struct config_errors errors;
static struct hatest_action action[HATEST_ACTIONS];

#define TITLE "title: t\n"

static int parse(const char *text)
{
	return hatest_scenario_parse(text, strlen(text), &scenario, &errors);
}

static void refuses(const char *text, unsigned line, unsigned column, const char *why)
{
	cr_assert_eq(parse(text), -EINVAL, "accepted: %s", text);
	cr_expect_eq(errors.error[0].line, line, "line %u: %s", errors.error[0].line,
		     errors.error[0].text);
	cr_expect_eq(errors.error[0].column, column, "column %u: %s", errors.error[0].column,
		     errors.error[0].text);
	cr_expect(strstr(errors.error[0].text, why), "%s", errors.error[0].text);
}

static size_t timeline(const char *text)
{
	cr_assert_eq(parse(text), 0, "%s", errors.error[0].text);
	return hatest_timeline(&scenario, action);
}

static void expect_action(size_t i, double at_s, const char *command)
{
	cr_expect_float_eq(action[i].at_s, at_s, 1e-9, "%zu: %g", i, action[i].at_s);
	cr_expect_str_eq(action[i].command, command);
}

Test(hatest_scenario, a_title_is_enough)
{
	cr_assert_eq(parse(TITLE "...\n"), 0);
	cr_expect_eq(scenario.lab.backends, 4);
	cr_expect_eq(scenario.lab.members, 0x1e);
	cr_expect_eq(scenario.lab.learning, true);
	cr_expect_float_eq(scenario.lab.distance[1][0], 0.06, 1e-9);
	cr_expect_float_eq(scenario.load.in_time_s, 1, 1e-9);
	cr_expect(isnan(scenario.thresholds.availability));
	cr_expect_eq(scenario.events, 0);
}

Test(hatest_scenario, all_keys_are_read)
{
	cr_assert_eq(parse(TITLE
			   "about: a\n"
			   "lab: {backends: 2, members: 1, workers: 3, service: 5ms, jitter: 0, "
			   "learning: off, distance: [[1ms, 2ms], [3ms, 4ms], [5ms, 6ms]],\n"
			   "  larchd: {flow_table: {entries: 1024}}, web: {signal: connect}}\n"
			   "load: {rate: 10, requests: 3, gap: 20ms, body: 7, long: 1, "
			   "long_interval: 100ms, in_time: 500ms, timeout: 2s, warm: 0s, "
			   "duration: 4s, path: /x}\n"
			   "events: [{at: 1s, do: kill, backend: b1}]\n"
			   "thresholds: {availability: 0.5, broken: 1, detect: 1s, lost: 3}\n"
			   "...\n"),
		     0, "%s", errors.error[0].text);
	cr_expect_eq(scenario.lab.members, 2);
	cr_expect_eq(scenario.lab.workers, 3);
	cr_expect_eq(scenario.lab.learning, false);
	cr_expect_float_eq(scenario.lab.distance[2][1], 0.006, 1e-9);
	cr_expect(json_object_get(scenario.lab.larchd, "flow_table"));
	cr_expect(json_object_get(scenario.lab.web, "signal"));
	cr_expect_str_eq(scenario.load.path, "/x");
	cr_expect_float_eq(scenario.load.long_interval_s, 0.1, 1e-9);
	cr_expect_float_eq(scenario.thresholds.detect, 1, 1e-9);
	cr_expect(isnan(scenario.thresholds.recover));
	hatest_scenario_free(&scenario);
}

Test(hatest_scenario, what_is_wrong_is_said_with_its_place)
{
	refuses("load: {rate: 1}\n...\n", 1, 1, "title");
	refuses(TITLE "load: {rate: 10x}\n...\n", 2, 14, "'10x'");
	refuses(TITLE "load: {rte: 10}\n...\n", 2, 8, "rate");
	refuses(TITLE "load: {in_time: 3s, timeout: 2s}\n...\n", 2, 7, "no answer could be late");
	refuses(TITLE "load: {path: x}\n...\n", 2, 7, "begin with '/'");
	refuses(TITLE "lab: {distance: [[1ms]]}\n...\n", 2, 17, "3 lists");
	refuses(TITLE "lab: {backends: 1}\n...\n", 2, 17, "from 2 to 15");
	refuses(TITLE "lab: {members: 5}\n...\n", 2, 16, "from 1 to 4");
	refuses(TITLE "lab: {web: {port: 8}}\n...\n", 2, 12, "the lab itself sets 'port'");
	refuses(TITLE "thresholds: {availability: 2}\n...\n", 2, 28, "from 0 to 1");
	refuses(TITLE, 2, 1, "closing line");
	refuses(TITLE "load: {path: \"/a --rate 9\"}\n...\n", 2, 7, "without spaces");
}

Test(hatest_scenario, thresholds_that_nothing_is_measured_for_are_refused)
{
	refuses(TITLE "thresholds: {detect: 1s}\n...\n", 2, 22, "nothing to detect");
	refuses(TITLE "thresholds: {recover: 1s}\n...\n", 2, 23, "no event");
	refuses(TITLE "thresholds: {p99_ratio: 2}\n...\n", 2, 25, "no event");
	refuses(TITLE "lab: {learning: off}\nthresholds: {p99_over_static: 1}\n...\n", 3, 31,
		"no static weights");
	refuses(TITLE "events: [{at: 1s, do: reload, members: []}]\n...\n", 2, 40, "");
	cr_assert_eq(parse(TITLE "events: [{at: 1s, do: reload, members: [b1, b2]}]\n"
				 "thresholds: {detect: 1s}\n...\n"),
		     0, "%s", errors.error[0].text);
}

Test(hatest_scenario, events_that_make_no_sense_are_refused)
{
	refuses(TITLE "events:\n  - {at: 1s, do: explode}\n...\n", 3, 18, "restart-larchd");
	refuses(TITLE "events:\n  - {at: 1s, do: kill}\n...\n", 3, 5, "backend");
	refuses(TITLE "events:\n  - {at: 1s, do: kill, backend: b5}\n...\n", 3, 33, "b1 to b4");
	refuses(TITLE "events:\n  - {at: 1s, do: kill, backend: b1, rate: 3}\n...\n", 3, 43,
		"kill has no rate");
	refuses(TITLE "events:\n  - {at: 19s, do: kill, backend: b1, for: 2s}\n...\n", 3, 5,
		"ends at 21 s, when the load (20 s) is over");
	refuses(TITLE "events:\n  - {at: 1s, do: flood}\n...\n", 3, 5, "flood needs 'for'");
	refuses(TITLE "events:\n  - {at: 1s, do: upgrade, for: 1s}\n...\n", 3, 32, "does not last");
	refuses(TITLE "events:\n  - {at: 1s, do: kill, backend: b1, for: 2s, every: 1s, times: 3}"
		      "\n...\n",
		3, 5, "begins again before it ends");
	refuses(TITLE "events:\n  - {at: 1s, do: kill, backend: b1, times: 3}\n...\n", 3, 5,
		"every");
	refuses(TITLE "events:\n  - {at: 1s, do: run}\n...\n", 3, 5, "command");
	refuses(TITLE "events:\n  - {at: 1s, do: kill-node, node: 1}\n...\n", 3, 5, "two nodes");
	refuses(TITLE "events:\n  - {at: 1s, do: kill, backend: b1, members: [b1]}\n...\n", 3, 46,
		"only a reload");
}

Test(hatest_scenario, what_lasts_is_undone)
{
	cr_assert_eq(timeline(TITLE "events:\n  - {at: 2s, do: kill, backend: b2, for: 3s}\n"
				    "  - {at: 1s, do: slow, backend: b1, factor: 4}\n...\n"),
		     3);
	expect_action(0, 1, "tell b1 speed 0.2500");
	cr_expect_float_eq(action[0].end_s, 20, 1e-9, "it stays so");
	expect_action(1, 2, "kill b2");
	cr_expect_eq(action[1].affects, 1u << 2);
	cr_expect_float_eq(action[1].end_s, 5, 1e-9);
	expect_action(2, 5, "start b2");
	cr_expect(action[2].undoes);
}

Test(hatest_scenario, repeats_take_one_target_after_the_other)
{
	cr_assert_eq(timeline(TITLE "events:\n  - {at: 1s, do: drain, backend: [b3, b1], "
				    "for: 500ms, every: 2s, times: 3}\n...\n"),
		     6);
	expect_action(0, 1, "drain b3");
	expect_action(1, 1.5, "activate b3");
	expect_action(2, 3, "drain b1");
	expect_action(4, 5, "drain b3");
}

Test(hatest_scenario, a_lab_is_told_the_rest)
{
	cr_assert_eq(
		timeline(TITLE
			 "events:\n  - {at: 1s, do: restart-larchd}\n"
			 "  - {at: 2s, do: upgrade}\n  - {at: 3s, do: crowd, factor: 3, for: 1s}\n"
			 "  - {at: 4s, do: flood, rate: 50, for: 1s}\n"
			 "  - {at: 5s, do: link-down, link: balancer, for: 100ms}\n"
			 "  - {at: 6s, do: reload, members: [b1, b2]}\n"
			 "  - {at: 7s, do: run, command: \"echo  a\"}\n...\n"),
		9);
	expect_action(0, 1, "daemon kill");
	expect_action(1, 1.5, "daemon start");
	expect_action(2, 2, "upgrade");
	expect_action(3, 3, "crowd 300.000 1.000");
	expect_action(4, 4, "flood 50 1.000");
	expect_action(5, 5, "down balancer");
	cr_expect_eq(action[5].affects, 0);
	expect_action(7, 6, "reload b1 b2");
	cr_expect_eq(action[7].affects, 1u << 3 | 1u << 4, "those that leave");
	expect_action(8, 7, "run echo  a");
}

Test(hatest_scenario, a_short_one_keeps_its_order)
{
	cr_assert_eq(parse(TITLE "events:\n  - {at: 8s, do: kill, backend: b2, for: 4s}\n...\n"),
		     0);
	cr_assert(hatest_scenario_shorten(&scenario));
	cr_expect_float_eq(scenario.load.duration_s, 5, 1e-9);
	cr_expect_float_eq(scenario.event[0].at_s, 2, 1e-9);
	cr_expect_float_eq(scenario.event[0].for_s, 1, 1e-9);
	cr_expect_not(hatest_scenario_shorten(&scenario), "it is short already");
}
