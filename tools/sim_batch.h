// SPDX-License-Identifier: BSD-2-Clause
/* Many simulations: each scenario with each policy and each seed, in several processes. */
#pragma once

#include "sim_policy.h"

struct sim_batch {
	struct sim_scenario **scenario;
	size_t scenarios;
	const struct sim_policy **policy;
	size_t policies;
	size_t nodes, seeds;
	uint64_t first_seed;
	struct sim_result *result; /* [scenarios][policies][seeds] */
};

/* From a list with commas; `all`: all built in. Says what is wrong. 0 or -errno. */
int sim_batch_scenarios(struct sim_batch *batch, const char *list);
int sim_batch_policies(struct sim_batch *batch, const char *list);

/* 0 or -errno. */
int sim_batch_run(struct sim_batch *batch, size_t jobs);

static inline const struct sim_result *sim_batch_result(const struct sim_batch *batch,
							size_t scenario, size_t policy, size_t seed)
{
	return &batch->result[(scenario * batch->policies + policy) * batch->seeds + seed];
}

/* Means over the seeds; shed and readmit over those that have one. */
struct sim_result sim_batch_mean(const struct sim_batch *batch, size_t scenario, size_t policy);

void sim_batch_free(struct sim_batch *batch);

/* Prints names of scenarios and policies. */
void sim_batch_help(void);
