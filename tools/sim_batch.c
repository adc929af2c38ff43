// SPDX-License-Identifier: BSD-2-Clause
/* See sim_batch.h. Each process takes every jobs-th run; results are in memory that all share. */
#include "sim_batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/number.h"

/* ---- what to run ---- */

static void say_errors(const char *name, const struct config_errors *errors)
{
	char text[512];

	for (size_t i = 0; i < errors->count && i < CONFIG_MAX_ERRORS; i++) {
		config_error_text(name, &errors->error[i], text, sizeof(text));
		fprintf(stderr, "larch-sim: %s\n", text);
	}
}

/* The scenario of that name, read when first asked for. */
static int take_scenario(struct sim_batch *batch, const char *name, const struct sim_scenario **out)
{
	struct sim_scenario **more =
		realloc(batch->scenario, (batch->scenarios + 1) * sizeof(*batch->scenario));
	struct sim_scenario *scenario = calloc(1, sizeof(*scenario));
	struct config_errors errors;
	int error;

	if (more)
		batch->scenario = more;
	if (!more || !scenario) {
		free(scenario);
		return -ENOMEM;
	}
	batch->scenario[batch->scenarios++] = scenario;
	*out = scenario;
	error = sim_scenario_load(name, scenario, &errors);
	say_errors(name, &errors);
	if (error && error != -EINVAL)
		fprintf(stderr, "larch-sim: scenario %s: %s; built in are those of --help\n", name,
			strerror(-error));
	return error;
}

static int add_case(struct sim_batch *batch, const struct sim_case *add)
{
	struct sim_case *more = realloc(batch->cases, (batch->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	batch->cases = more;
	batch->cases[batch->count++] = *add;
	return 0;
}

static int add_policies(struct sim_batch *batch, struct sim_case *add, const char *list)
{
	char *copy = strdup(list), *rest = copy, *name;
	bool all = strcmp(list, "all") == 0;
	int error = copy ? 0 : -ENOMEM;

	for (size_t i = 0; all && sim_policies[i] && !error; i++) {
		add->policy = sim_policies[i];
		error = add_case(batch, add);
	}
	while (!all && !error && (name = strsep(&rest, ","))) {
		add->policy = sim_policy_find(name);
		if (add->policy) {
			error = add_case(batch, add);
		} else {
			fprintf(stderr, "larch-sim: there is no policy %s; --help lists them\n",
				name);
			error = -EINVAL;
		}
	}
	free(copy);
	return error;
}

static int add_nodes(struct sim_batch *batch, struct sim_case *add, char *list,
		     const char *policies)
{
	char *number;
	int error = 0;

	while (!error && (number = strsep(&list, ","))) {
		uint64_t nodes;

		if (number_parse_count(number, 1, SIM_NODES, &nodes)) {
			fprintf(stderr, "larch-sim: nodes '%s': must be a number from 1 to %d\n",
				number, SIM_NODES);
			return -EINVAL;
		}
		add->nodes = nodes;
		error = add_policies(batch, add, policies);
	}
	return error;
}

static int add_scenario(struct sim_batch *batch, const char *name, const char *policies,
			const char *nodes)
{
	struct sim_case add = {};
	int error = take_scenario(batch, name, &add.scenario);
	char *list = error ? NULL : strdup(nodes);

	if (!error)
		error = list ? add_nodes(batch, &add, list, policies) : -ENOMEM;
	free(list);
	return error;
}

int sim_batch_add(struct sim_batch *batch, const char *cases)
{
	char *copy = strdup(cases), *rest = copy;
	const char *scenarios = strsep(&rest, ":"), *policies = strsep(&rest, ":"), *name;
	const char *nodes = rest ? rest : "1";
	bool all = scenarios && strcmp(scenarios, "all") == 0;
	char *each = copy;
	int error = copy ? 0 : -ENOMEM;

	if (!policies || !*policies)
		policies = "oracle,larch,even";
	for (size_t i = 0; all && sim_scenario_names[i] && !error; i++)
		error = add_scenario(batch, sim_scenario_names[i], policies, nodes);
	while (!all && !error && (name = strsep(&each, ",")))
		error = add_scenario(batch, name, policies, nodes);
	free(copy);
	return error;
}

void sim_batch_help(void)
{
	printf("\nScenarios built in:");
	for (size_t i = 0; sim_scenario_names[i]; i++)
		printf(" %s", sim_scenario_names[i]);
	printf("\n\nPolicies:\n");
	for (size_t i = 0; sim_policies[i]; i++)
		printf("  %-20s%s\n", sim_policies[i]->name, sim_policies[i]->help);
}

/* ---- running ---- */

static size_t count_runs(const struct sim_batch *batch)
{
	return batch->count * batch->seeds;
}

static int run_one(struct sim_batch *batch, size_t number)
{
	const struct sim_case *one = &batch->cases[number / batch->seeds];

	return sim_run(one->scenario, one->policy, one->nodes,
		       batch->first_seed + number % batch->seeds, &batch->result[number]);
}

static int run_part(struct sim_batch *batch, size_t first, size_t step)
{
	int error = 0;

	for (size_t i = first; i < count_runs(batch) && !error; i += step)
		error = run_one(batch, i);
	return error;
}

/* The parent takes the first part itself. */
static int run_parts(struct sim_batch *batch, size_t jobs)
{
	int error = 0, status;

	fflush(NULL);
	for (size_t job = 1; job < jobs; job++) {
		pid_t child = fork();

		if (child < 0)
			error = -errno;
		if (child == 0)
			_exit(run_part(batch, job, jobs) ? 1 : 0);
	}
	if (!error)
		error = run_part(batch, 0, jobs);
	while (wait(&status) > 0) {
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			error = error ? error : -EIO;
	}
	return error;
}

int sim_batch_run(struct sim_batch *batch, size_t jobs)
{
	size_t bytes = count_runs(batch) * sizeof(*batch->result);

	batch->result =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (batch->result == MAP_FAILED) {
		batch->result = NULL;
		return -errno;
	}
	return run_parts(batch, jobs);
}

static void add_time(double *sum, double *count, double value)
{
	if (value < 0)
		return;
	*sum += value;
	*count += 1;
}

struct sim_result sim_batch_mean(const struct sim_batch *batch, size_t at)
{
	double shed = 0, sheds = 0, readmit = 0, readmits = 0, n = (double)batch->seeds;
	struct sim_result mean = {};
	bool measured = true;

	for (size_t seed = 0; seed < batch->seeds; seed++) {
		const struct sim_result *one = sim_batch_result(batch, at, seed);

		measured &= one->mean >= 0;
		mean.mean += one->mean / n;
		mean.p50 += one->p50 / n;
		mean.p99 += one->p99 / n;
		mean.p999 += one->p999 / n;
		mean.seconds += one->seconds / n;
		mean.flows += one->flows;
		mean.requests += one->requests;
		mean.lost += one->lost;
		add_time(&shed, &sheds, one->shed);
		add_time(&readmit, &readmits, one->readmit);
	}
	if (!measured)
		mean.mean = mean.p50 = mean.p99 = mean.p999 = -1;
	mean.shed = sheds > 0 ? shed / sheds : -1;
	mean.readmit = readmits > 0 ? readmit / readmits : -1;
	return mean;
}

static bool same_group(const struct sim_case *one, const struct sim_case *other)
{
	return one->nodes == other->nodes &&
	       strcmp(one->scenario->name, other->scenario->name) == 0;
}

bool sim_batch_begins(const struct sim_batch *batch, size_t at)
{
	return at == 0 || !same_group(&batch->cases[at - 1], &batch->cases[at]);
}

bool sim_batch_oracle(const struct sim_batch *batch, size_t at, struct sim_result *out)
{
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->cases[i].policy == sim_policy_find("oracle") &&
		    same_group(&batch->cases[i], &batch->cases[at])) {
			*out = sim_batch_mean(batch, i);
			return true;
		}
	}
	return false;
}

void sim_batch_free(struct sim_batch *batch)
{
	for (size_t i = 0; i < batch->scenarios; i++)
		free(batch->scenario[i]);
	free(batch->scenario);
	free(batch->cases);
	if (batch->result)
		munmap(batch->result, count_runs(batch) * sizeof(*batch->result));
}
