// SPDX-License-Identifier: BSD-2-Clause
/* The table of policies: one row for each. */
#include "sim_policy.h"

#include <string.h>

#define POLICIES(X)                                                                                \
	X(oracle)                                                                                  \
	X(larch)                                                                                   \
	X(larch_pooled)                                                                            \
	X(larch_wide_arm)                                                                          \
	X(larch_no_control)                                                                        \
	X(larch_plain)                                                                             \
	X(larch_slow)                                                                              \
	X(larch_fast)                                                                              \
	X(larch_frozen)                                                                            \
	X(larch_inverted)                                                                          \
	X(even)                                                                                    \
	X(weighted)                                                                                \
	X(inverse_latency)                                                                         \
	X(least_connections)                                                                       \
	X(least_in_flight)                                                                         \
	X(p2c_ewma)                                                                                \
	X(prequal)                                                                                 \
	X(knapsack)

#define X(name) extern const struct sim_policy sim_policy_##name;
POLICIES(X)
#undef X

const struct sim_policy *const sim_policies[] = {
#define X(name) &sim_policy_##name,
	POLICIES(X)
#undef X
		NULL};

const struct sim_policy *sim_policy_find(const char *name)
{
	for (size_t i = 0; sim_policies[i]; i++) {
		if (strcmp(sim_policies[i]->name, name) == 0)
			return sim_policies[i];
	}
	return NULL;
}
