// SPDX-License-Identifier: BSD-2-Clause
/* Many simulations: cases, each with several seeds, in several processes. */
#pragma once

#include "sim_policy.h"

struct sim_case {
	const struct sim_scenario *scenario;
	const struct sim_policy *policy;
	size_t nodes;
};

struct sim_batch {
	struct sim_scenario **scenario;
	size_t scenarios;
	struct sim_case *cases;
	size_t count, seeds;
	uint64_t first_seed;
	struct sim_result *result; /* [count][seeds] */
};

/*
 * Adds the cases of "SCENARIO,...:POLICY,...:NODES,..."; `all`: all built in. What is left out at
 * the end: oracle, larch, even; 1 node. Says what is wrong. 0 or -errno.
 */
int sim_batch_add(struct sim_batch *batch, const char *cases);

/* 0 or -errno. */
int sim_batch_run(struct sim_batch *batch, size_t jobs);

static inline const struct sim_result *sim_batch_result(const struct sim_batch *batch, size_t at,
							size_t seed)
{
	return &batch->result[at * batch->seeds + seed];
}

/* Means over the seeds; shed and readmit over those that have one. */
struct sim_result sim_batch_mean(const struct sim_batch *batch, size_t at);

/* The oracle's mean in the same scenario with as many nodes; false: it was not run. */
bool sim_batch_oracle(const struct sim_batch *batch, size_t at, struct sim_result *out);

/* Does another scenario, or number of nodes, begin with this case? */
bool sim_batch_begins(const struct sim_batch *batch, size_t at);

void sim_batch_free(struct sim_batch *batch);

/* Prints names of scenarios and policies. */
void sim_batch_help(void);
