// SPDX-License-Identifier: BSD-2-Clause
/* The packet path's maps of one simulated node, in memory, as user/publisher.c writes them. */
#pragma once

#include <stddef.h>

#include "datapath_kernel.h"
#include "larch/cell.h"

struct sim_maps {
	struct datapath datapath;
	struct datapath_kernel kernel;
	struct larch_settings settings;
	struct larch_active active[LARCH_MAX_SERVICES];
	struct larch_service services[LARCH_MAX_SERVICES];
	struct larch_connects connects[LARCH_MAX_SERVICES * LARCH_ARMS];
	struct larch_live live[LARCH_MAX_BACKENDS];
	struct larch_bands bands[LARCH_MAX_BACKENDS];
	struct larch_plan plan[LARCH_BANKS];
	struct larch_ring ring[LARCH_BANKS * LARCH_RINGS];
	struct larch_costs costs[LARCH_BANKS * LARCH_MAX_LEAVES];
	/* larch_cells: open addressing; the value of key[i] is samples[i]. */
	size_t cells;
	uint32_t place[2 * LARCH_MAX_CELLS]; /* number of the cell and 1; 0: free */
	struct larch_cell cell[LARCH_MAX_CELLS];
	struct larch_samples *samples; /* [LARCH_MAX_CELLS] */
};

/* NULL: no memory. */
struct sim_maps *sim_maps_new(void);
void sim_maps_free(struct sim_maps *maps);

/* As sample_cell_or_rest() of bpf/sample.h. NULL: there is no room, not even for the rest. */
struct larch_samples *sim_maps_cell(struct sim_maps *maps, const struct larch_cell *cell);
