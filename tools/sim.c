// SPDX-License-Identifier: BSD-2-Clause
/*
 * larch-sim: Larch's own modules and their rivals in a simulated world. Runs every scenario with
 * every policy and seed, in several processes, and reports latencies and their ratios to those of
 * an oracle.
 */
#include <stdio.h>
#include <string.h>

#include "lib/options.h"
#include "sim_batch.h"
#include "sim_policy.h"
#include "sim_report.h"

static struct {
	const char *json, *svg;
	uint64_t seeds, seed, jobs;
} options = {.seeds = 1, .seed = 1, .jobs = 1};

static const struct option_row rows[] = {
	{"seeds", "N", "runs with seeds in a row, of which the report has the mean (1)",
	 option_count, &options.seeds, 1, 1000},
	{"seed", "N", "the first of them (1)", option_count, &options.seed, 1, 1e15},
	{"jobs", "N", "processes at once (1)", option_count, &options.jobs, 1, 64},
	{"json", "FILE", "write one row for each run", option_text, &options.json, 0, 0},
	{"svg", "FILE", "draw the means", option_text, &options.svg, 0, 0},
	{},
};

static const char usage[] =
	"usage: larch-sim [options] [SCENARIO,...[:POLICY,...[:NODES,...]]]...\n\n"
	"Simulates clients, backends and balancers by discrete events. Larch is what ships: its\n"
	"learner, rings and judge, and the packet path's choice in integers. A scenario is built "
	"in\n"
	"or a file; `all` are those, and all policies, built in. Without more:\n"
	"class:oracle,larch,even:1.";

static int add_all(struct sim_batch *batch, char **arguments)
{
	int error = 0;

	if (!*arguments)
		return sim_batch_add(batch, "class");
	for (; *arguments && !error; arguments++)
		error = sim_batch_add(batch, *arguments);
	return error;
}

static int report(const struct sim_batch *batch)
{
	int error = 0;

	sim_report_table(batch, stdout);
	if (options.json)
		error = sim_report_json(batch, options.json);
	if (options.svg && !error)
		error = sim_report_svg(batch, options.svg);
	return error;
}

int main(int argc, char **argv)
{
	struct sim_batch batch = {};
	int error, first = options_parse(rows, usage, argc, argv);

	if (first == 0)
		sim_batch_help();
	if (first <= 0)
		return first ? 2 : 0;
	batch.seeds = options.seeds;
	batch.first_seed = options.seed;
	error = add_all(&batch, argv + first);
	if (error) {
		sim_batch_free(&batch);
		return 2;
	}
	error = sim_batch_run(&batch, options.jobs);
	if (!error)
		error = report(&batch);
	if (error)
		fprintf(stderr, "larch-sim: %s\n", strerror(-error));
	sim_batch_free(&batch);
	return error ? 1 : 0;
}
