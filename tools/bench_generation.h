// SPDX-License-Identifier: BSD-2-Clause
/* The benchmark's first generation, as larchd would publish it. */
#pragma once

#include <stdint.h>

#include "larch/plan.h"

/* The memory of larch_plans, larch_rings, larch_costs and larch_active; NULL is refused. */
struct generation_maps {
	struct larch_plan *plans;
	struct larch_ring *rings;
	struct larch_costs *costs;
	struct larch_active *active;
};

/*
 * Services 0.. have BENCH_MEMBERS backends each, from id first[service] on; those from id
 * BENCH_MEMBERS on are asked over IPv6. 0 or -errno.
 */
int generation_publish(const struct generation_maps *maps, const uint32_t *first,
		       uint32_t services);
