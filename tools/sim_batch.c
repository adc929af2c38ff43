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

/* ---- what to run ---- */

static int add_scenario(struct sim_batch *batch, const char *name)
{
	struct sim_scenario **more =
		realloc(batch->scenario, (batch->scenarios + 1) * sizeof(*batch->scenario));
	struct config_errors errors;
	char text[512];
	int error;

	if (!more)
		return -ENOMEM;
	batch->scenario = more;
	batch->scenario[batch->scenarios] = calloc(1, sizeof(**batch->scenario));
	if (!batch->scenario[batch->scenarios])
		return -ENOMEM;
	error = sim_scenario_load(name, batch->scenario[batch->scenarios++], &errors);
	for (size_t i = 0; error == -EINVAL && i < errors.count && i < CONFIG_MAX_ERRORS; i++) {
		config_error_text(name, &errors.error[i], text, sizeof(text));
		fprintf(stderr, "larch-sim: %s\n", text);
	}
	if (error && error != -EINVAL)
		fprintf(stderr, "larch-sim: scenario %s: %s; built in are those of --help\n", name,
			strerror(-error));
	return error;
}

static int add_policy(struct sim_batch *batch, const char *name)
{
	const struct sim_policy *policy = sim_policy_find(name);
	const struct sim_policy **more =
		realloc(batch->policy, (batch->policies + 1) * sizeof(*batch->policy));

	if (!more)
		return -ENOMEM;
	batch->policy = more;
	if (!policy) {
		fprintf(stderr, "larch-sim: there is no policy %s; --help lists them\n", name);
		return -EINVAL;
	}
	batch->policy[batch->policies++] = policy;
	return 0;
}

static int add_each(struct sim_batch *batch, const char *list,
		    int (*add)(struct sim_batch *batch, const char *name))
{
	char *copy = strdup(list), *rest = copy, *name;
	int error = copy ? 0 : -ENOMEM;

	while (!error && (name = strsep(&rest, ",")))
		error = add(batch, name);
	free(copy);
	return error;
}

int sim_batch_scenarios(struct sim_batch *batch, const char *list)
{
	int error = 0;

	if (strcmp(list, "all") != 0)
		return add_each(batch, list, add_scenario);
	for (size_t i = 0; sim_scenario_names[i] && !error; i++)
		error = add_scenario(batch, sim_scenario_names[i]);
	return error;
}

int sim_batch_policies(struct sim_batch *batch, const char *list)
{
	int error = 0;

	if (strcmp(list, "all") != 0)
		return add_each(batch, list, add_policy);
	for (size_t i = 0; sim_policies[i] && !error; i++)
		error = add_policy(batch, sim_policies[i]->name);
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
	return batch->scenarios * batch->policies * batch->seeds;
}

static int run_one(struct sim_batch *batch, size_t number)
{
	size_t seed = number % batch->seeds, rest = number / batch->seeds;

	return sim_run(batch->scenario[rest / batch->policies],
		       batch->policy[rest % batch->policies], batch->nodes,
		       batch->first_seed + seed, &batch->result[number]);
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

struct sim_result sim_batch_mean(const struct sim_batch *batch, size_t scenario, size_t policy)
{
	double shed = 0, sheds = 0, readmit = 0, readmits = 0, n = (double)batch->seeds;
	struct sim_result mean = {};

	for (size_t seed = 0; seed < batch->seeds; seed++) {
		const struct sim_result *one = sim_batch_result(batch, scenario, policy, seed);

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
	mean.shed = sheds > 0 ? shed / sheds : -1;
	mean.readmit = readmits > 0 ? readmit / readmits : -1;
	return mean;
}

void sim_batch_free(struct sim_batch *batch)
{
	for (size_t i = 0; i < batch->scenarios; i++)
		free(batch->scenario[i]);
	free(batch->scenario);
	free(batch->policy);
	if (batch->result)
		munmap(batch->result, count_runs(batch) * sizeof(*batch->result));
}
