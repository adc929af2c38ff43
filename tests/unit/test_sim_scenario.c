// SPDX-License-Identifier: BSD-2-Clause
// Scenarios of the simulator: what is built in, and what is refused.
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "../../tools/sim_scenario.h"

static struct sim_scenario scenario;
static struct config_errors errors;

#define BACKENDS "backends: [{count: 2, workers: 3}]\n"
#define CLASSES	 "classes: [{name: a, source: 10.1.0.0}]\n"
#define NET	 "net: 1ms\n"

static int parse(const char *text)
{
	return sim_scenario_parse(text, strlen(text), &scenario, &errors);
}

static void refuses(const char *text, unsigned line, const char *why)
{
	cr_assert_eq(parse(text), -EINVAL, "accepted: %s", text);
	cr_assert_eq(errors.error[0].line, line, "line %u: %s", errors.error[0].line,
		     errors.error[0].text);
	cr_assert(strstr(errors.error[0].text, why), "%s", errors.error[0].text);
}

Test(sim_scenario, all_built_in_are_valid)
{
	for (size_t i = 0; sim_scenario_names[i]; i++) {
		cr_assert_eq(sim_scenario_load(sim_scenario_names[i], &scenario, &errors), 0, "%s",
			     sim_scenario_names[i]);
		cr_assert_str_eq(scenario.name, sim_scenario_names[i]);
		cr_assert_geq(scenario.load, 0.4);
		cr_assert_leq(scenario.load, 0.85);
		cr_assert_gt(sim_scenario_flow_rate(&scenario), 100);
	}
}

Test(sim_scenario, a_short_one_has_defaults)
{
	cr_assert_eq(parse(BACKENDS NET CLASSES "...\n"), 0);
	cr_assert_eq(scenario.backends, 2);
	cr_assert_eq(scenario.backend[1].workers, 3);
	cr_assert_eq(scenario.class[0].source, 0x0a0100);
	cr_assert_float_eq(scenario.class[0].net.fixed[1], 1e-3, 1e-9);
	/* 60 % of 6 workers, 2 ms a request, 4 requests a flow */
	cr_assert_float_eq(sim_scenario_flow_rate(&scenario), 0.6 * 6 / 2e-3 / 4, 1e-6);
}

Test(sim_scenario, distances_may_be_listed)
{
	cr_assert_eq(parse(BACKENDS "net: [1ms, 2ms]\n" CLASSES "...\n"), 0);
	cr_assert_float_eq(scenario.class[0].net.fixed[1], 2e-3, 1e-9);
	refuses(BACKENDS "net: [1ms, 2ms, 3ms]\n" CLASSES "...\n", 2, "3 times, but 2 backends");
}

Test(sim_scenario, what_is_wrong_is_said_with_its_line)
{
	refuses(BACKENDS NET CLASSES "lod: 0.5\n...\n", 4, "did you mean 'load'");
	refuses(BACKENDS NET CLASSES "load: 9\n...\n", 4, "load is '9'");
	refuses(BACKENDS NET CLASSES "measure: [5s, 2s]\n...\n", 4, "must be after");
	refuses(BACKENDS NET CLASSES "measure: [5s, 50s]\n...\n", 4, "ends before");
	refuses(BACKENDS CLASSES "...\n", 2, "no 'net'");
	refuses(NET CLASSES "...\n", 1, "'backends' is missing");
	refuses(BACKENDS NET CLASSES "events: [{at: 1s, backend: 2, slow: 5}]\n...\n", 4,
		"backend is '2'");
	refuses(BACKENDS NET CLASSES "events: [{at: 1s, class: b, move: true}]\n...\n", 4,
		"the name of a class");
	refuses(BACKENDS NET CLASSES "events: [{at: 1s, backend: 0, dead: false}]\n...\n", 4,
		"expected true");
	refuses(BACKENDS NET CLASSES "events: [{at: 1s, backend: 0, slow: 5, dead: true}]\n...\n",
		4, "not 2 of them");
	refuses(BACKENDS NET CLASSES "events: [{at: 41s, backend: 0, dead: true}]\n...\n", 4,
		"ends before");
	refuses(BACKENDS NET "classes: [{name: a, source: 10.1.0.0}, {name: a, source: 10.2.0.0}]\n"
			     "...\n",
		3, "a class 'a' before");
	refuses(BACKENDS NET CLASSES "events: [{at: 1s}]\n...\n", 4, "one of slow, dead");
}

Test(sim_scenario, a_file_that_is_not_there_is_no_scenario)
{
	cr_assert_eq(sim_scenario_load("/nowhere/at-all.yaml", &scenario, &errors), -ENOENT);
}
