// SPDX-License-Identifier: BSD-2-Clause
/* See sim_larch_maps.h. There is one service, whose id is 0. */
#include "sim_larch_maps.h"

#include <stdlib.h>
#include <string.h>

#include "larch/tuple.h"

#define PLACES (2 * LARCH_MAX_CELLS)

struct sim_maps *sim_maps_new(void)
{
	struct sim_maps *maps = calloc(1, sizeof(*maps));

	if (!maps)
		return NULL;
	maps->samples = calloc(LARCH_MAX_CELLS, sizeof(*maps->samples));
	if (!maps->samples) {
		free(maps);
		return NULL;
	}
	maps->settings.flags = LARCH_COUNT_SYNS; /* as publisher_settings() sets them */
	maps->kernel.plans = maps->plan;
	maps->kernel.rings[0] = maps->ring;
	maps->kernel.costs[0] = maps->costs;
	maps->datapath = (struct datapath){
		.settings = &maps->settings,
		.active = maps->active,
		.services = maps->services,
		.connects = maps->connects,
		.live = maps->live,
		.bands = maps->bands,
		.kernel = &maps->kernel,
	};
	return maps;
}

void sim_maps_free(struct sim_maps *maps)
{
	if (!maps)
		return;
	free(maps->samples);
	free(maps);
}

static uint32_t place_of(const struct larch_cell *cell)
{
	uint64_t word[sizeof(*cell) / sizeof(uint64_t)], hash = 0;

	memcpy(word, cell, sizeof(word));
	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++)
		hash = larch_mix(hash, word[i]);
	return (uint32_t)(hash >> 20) % PLACES;
}

static struct larch_samples *find(struct sim_maps *maps, const struct larch_cell *cell)
{
	uint32_t place = place_of(cell);

	for (; maps->place[place]; place = (place + 1) % PLACES) {
		uint32_t at = maps->place[place] - 1;

		if (memcmp(&maps->cell[at], cell, sizeof(*cell)) == 0)
			return &maps->samples[at];
	}
	if (maps->cells == LARCH_MAX_CELLS)
		return NULL;
	maps->cell[maps->cells] = *cell;
	maps->place[place] = (uint32_t)++maps->cells;
	return &maps->samples[maps->cells - 1];
}

struct larch_samples *sim_maps_cell(struct sim_maps *maps, const struct larch_cell *cell)
{
	struct larch_samples *samples = find(maps, cell);
	struct larch_cell rest = {
		.service = cell->service,
		.backend = cell->backend,
		.protocol = cell->protocol,
		.arm = cell->arm,
	};

	return samples ? samples : find(maps, &rest);
}
