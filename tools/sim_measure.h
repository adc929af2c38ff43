// SPDX-License-Identifier: BSD-2-Clause
/* What a simulation measures: latencies, and where new flows went while a backend was in trouble.
 */
#pragma once

#include "sim_world.h"

void sim_measure_latency(struct sim_world *world, uint64_t meant_ns, uint64_t latency_ns);

/* A new flow goes to its backend now. */
void sim_measure_choice(struct sim_world *world, const struct sim_flow *flow);

/* At the end. */
void sim_measure(const struct sim_world *world, struct sim_result *out);
