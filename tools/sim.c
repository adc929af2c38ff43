// SPDX-License-Identifier: BSD-2-Clause
/*
 * larch-sim: Larch's own modules and their rivals in a simulated world. Runs every scenario with
 * every policy and seed, in several processes, and reports latencies and their ratios to those of
 * an oracle.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/options.h"
#include "sim_batch.h"
#include "sim_policy.h"
#include "sim_report.h"

#define LIST_MOST 64

static struct {
	const char *scenarios, *policies, *json, *svg, *rows;
	uint64_t nodes, seeds, seed, jobs;
	bool pretty;
} options = {
	.scenarios = "class",
	.policies = "oracle,larch,even",
	.nodes = 1,
	.seeds = 1,
	.seed = 1,
	.jobs = 1,
};

static const struct option_row rows[] = {
	{"scenario", "NAME,...", "built in, or files; all: all built in (class)", option_text,
	 &options.scenarios, 0, 0},
	{"policy", "NAME,...", "or all (oracle,larch,even)", option_text, &options.policies, 0, 0},
	{"nodes", "N", "balancers that share the flows (1)", option_count, &options.nodes, 1,
	 SIM_NODES},
	{"seeds", "N", "runs with seeds in a row, of which the report has the mean (1)",
	 option_count, &options.seeds, 1, 1000},
	{"seed", "N", "the first of them (1)", option_count, &options.seed, 1, 1e15},
	{"jobs", "N", "processes at once (1)", option_count, &options.jobs, 1, 64},
	{"json", "FILE", "write one row for each run", option_text, &options.json, 0, 0},
	{"svg", "FILE", "draw the means", option_text, &options.svg, 0, 0},
	{},
};

static const char usage[] =
	"usage: larch-sim [options]\n\n"
	"Simulates clients, backends and balancers by discrete events. Larch is what ships: its\n"
	"learner, rings and judge, and the packet path's choice in integers.";

int main(int argc, char **argv)
{
	struct sim_batch batch = {};
	int error, first = options_parse(rows, usage, argc, argv);

	if (first == 0) {
		sim_batch_help();
		return 0;
	}
	if (first < 0)
		return 2;
	if (first < argc) {
		fprintf(stderr, "larch-sim: '%s' is no option; --help lists them\n", argv[first]);
		return 2;
	}
	error = sim_batch_scenarios(&batch, options.scenarios);
	if (!error)
		error = sim_batch_policies(&batch, options.policies);
	if (error) {
		sim_batch_free(&batch);
		return 2;
	}
	batch.nodes = options.nodes;
	batch.seeds = options.seeds;
	batch.first_seed = options.seed;
	error = sim_batch_run(&batch, options.jobs);
	if (!error) {
		sim_report_table(&batch, stdout);
		if (options.json)
			error = sim_report_json(&batch, options.json);
		if (options.svg && !error)
			error = sim_report_svg(&batch, options.svg);
	}
	if (error)
		fprintf(stderr, "larch-sim: %s\n", strerror(-error));
	sim_batch_free(&batch);
	return error ? 1 : 0;
}
