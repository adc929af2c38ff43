// SPDX-License-Identifier: BSD-2-Clause
/*
 * What ships, in the simulator: seeds are fixed, so every run gives the same figures. The limits
 * leave room for honest changes; who loses one has lost something that the README promises.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../tools/sim_policy.h"

static struct sim_result run(const char *name, const char *policy, size_t nodes, uint64_t seed)
{
	static struct sim_scenario scenario;
	struct config_errors errors;
	struct sim_result result;

	cr_assert_eq(sim_scenario_load(name, &scenario, &errors), 0);
	cr_assert(sim_policy_find(policy), "%s", policy);
	cr_assert_eq(sim_run(&scenario, sim_policy_find(policy), nodes, seed, &result), 0);
	return result;
}

static void at_most(const char *what, double value, double most)
{
	cr_expect_leq(value, most, "%s: %.3f, at most %.3f", what, value, most);
}

Test(sim_bars, a_seed_gives_the_same_every_time)
{
	struct sim_result one = run("flat", "larch", 1, 3), other = run("flat", "larch", 1, 3);

	one.seconds = other.seconds = 0;
	cr_assert(memcmp(&one, &other, sizeof(one)) == 0);
}

Test(sim_bars, every_policy_gets_the_same_flows)
{
	cr_assert_eq(run("flat", "even", 1, 1).flows, run("flat", "oracle", 1, 1).flows);
}

Test(sim_bars, every_policy_serves_what_is_asked)
{
	for (size_t i = 0; sim_policies[i]; i++) {
		struct sim_result result = run("flat", sim_policies[i]->name, 1, 1);

		cr_expect_eq(result.lost, 0, "%s", sim_policies[i]->name);
		at_most(sim_policies[i]->name, result.mean, 5);
	}
}

static struct sim_result run_text(const char *text)
{
	static struct sim_scenario scenario;
	struct config_errors errors;
	struct sim_result result;

	cr_assert_eq(sim_scenario_parse(text, strlen(text), &scenario, &errors), 0, "%s",
		     errors.error[0].text);
	cr_assert_eq(sim_run(&scenario, sim_policy_find("even"), 1, 1, &result), 0);
	return result;
}

/* Windows in which hardly a request begins, or none. */
Test(sim_bars, few_requests_have_quantiles_and_none_has_none)
{
	unsigned some = 0;

	for (unsigned ms = 1; ms < 40; ms += 2) {
		struct sim_result result;
		char text[200];

		snprintf(text, sizeof(text),
			 "{duration: 4s, measure: [3s, 3.0%02us], net: 1ms, work: 2ms, load: 0.1,\n"
			 " backends: [{count: 1}], classes: [{name: a, source: 10.1.0.0}]}\n...\n",
			 ms);
		result = run_text(text);
		some += result.mean > 0;
		cr_expect(result.mean > 0 ? result.p50 > 0 && result.p50 <= result.p999
					  : result.mean == -1 && result.p99 == -1,
			  "%u ms: mean %f, p50 %f, p99 %f", ms, result.mean, result.p50,
			  result.p99);
	}
	cr_expect(some > 0 && some < 20, "%u windows with requests", some);
}

Test(sim_bars, classes_are_told_apart)
{
	struct sim_result larch = run("class", "larch", 1, 1);
	struct sim_result oracle = run("class", "oracle", 1, 1);
	struct sim_result even = run("class", "even", 1, 1);
	struct sim_result blind = run("class", "least_in_flight", 1, 1);

	at_most("mean over the oracle's", larch.mean / oracle.mean, 1.05);
	at_most("p99 over the oracle's", larch.p99 / oracle.p99, 1.05);
	at_most("mean over even", larch.mean / even.mean, 0.55);
	at_most("p99 over even", larch.p99 / even.p99, 0.60);
	at_most("mean over least in flight", larch.mean / blind.mean, 0.70);
	at_most("p99 over least in flight", larch.p99 / blind.p99, 0.88);
}

Test(sim_bars, noise_pauses_and_bursts_are_borne)
{
	struct sim_result larch = run("mix", "larch", 1, 1), oracle = run("mix", "oracle", 1, 1);

	at_most("mean over the oracle's", larch.mean / oracle.mean, 1.08);
	at_most("p99 over the oracle's", larch.p99 / oracle.p99, 1.12);
}

Test(sim_bars, the_control_arm_costs_little)
{
	at_most("mean over that without one",
		run("class", "larch", 1, 1).mean / run("class", "larch_no_control", 1, 1).mean,
		1.02);
}

Test(sim_bars, both_loops_are_needed)
{
	double larch = run("mix", "larch", 1, 1).mean;

	at_most("over the slow loop alone", larch / run("mix", "larch_slow", 1, 1).mean, 0.9);
	at_most("over the fast loop alone", larch / run("mix", "larch_fast", 1, 1).mean, 0.8);
}

Test(sim_bars, where_there_are_no_classes_nothing_is_lost)
{
	at_most("p99 over least in flight",
		run("flat", "larch", 1, 1).p99 / run("flat", "least_in_flight", 1, 1).p99, 1.03);
}

Test(sim_bars, a_slowed_backend_loses_its_flows_at_once)
{
	struct sim_result larch = run("slow", "larch", 1, 1), oracle = run("slow", "oracle", 1, 1);

	at_most("mean over the oracle's", larch.mean / oracle.mean, 1.05);
	at_most("p99 over the oracle's", larch.p99 / oracle.p99, 1.05);
	cr_expect_geq(larch.shed, 0, "it keeps its flows");
	at_most("ms until 80 % are gone", larch.shed, 100);
	cr_expect_geq(larch.readmit, 0, "it never has them back");
	at_most("ms until it has them back", larch.readmit, 500);
}

Test(sim_bars, nobody_waits_for_a_backend_that_hardly_answers)
{
	struct sim_result larch = run("fail_slow", "larch", 1, 1);

	at_most("p99.9 over the oracle's", larch.p999 / run("fail_slow", "oracle", 1, 1).p999, 1.8);
	at_most("mean over the oracle's", larch.mean / run("fail_slow", "oracle", 1, 1).mean, 1.2);
}

Test(sim_bars, a_dead_backend_loses_its_flows_at_once)
{
	struct sim_result larch = run("dead", "larch", 1, 1);

	cr_expect_geq(larch.shed, 0, "it keeps its flows");
	at_most("ms until 80 % are gone", larch.shed, 100);
	at_most("p99 over the oracle's", larch.p99 / run("dead", "oracle", 1, 1).p99, 1.15);
}

Test(sim_bars, a_tree_that_is_wrong_does_little_harm_to_the_slowest)
{
	at_most("p99 over its own",
		run("class", "larch_inverted", 1, 1).p99 / run("class", "larch", 1, 1).p99, 1.15);
}

Test(sim_bars, nodes_that_pool_what_they_see_are_nearly_one)
{
	at_most("mean of 4 nodes over one's",
		run("class", "larch_pooled", 4, 1).mean / run("class", "larch", 1, 1).mean, 1.10);
}
