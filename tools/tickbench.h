// SPDX-License-Identifier: BSD-2-Clause
/* Made-up samples for tickbench, and what is measured apart from the other stages. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "larch/cell.h"
#include "table.h"

#define SCENE_CLASSES 32

/* Clients by members. Client c comes from source prefix c, and belongs to a class of neighbours. */
struct scene {
	size_t clients;
	size_t members;
};

/* One cell of larch_cells: the samples that client and member have gathered in `ticks` ticks. */
void scene_cell(const struct scene *scene, size_t client, size_t member, unsigned ticks,
		struct larch_cell *key, struct larch_samples *samples);

/* The learner's table of the whole scene, as the memory of samples would give it. */
int scene_table(const struct scene *scene, struct table *out);
void scene_table_free(struct table *table);

struct datapath;

/*
 * CPU time of estimate_tick(), ms, in each of so many ticks, in which so many backends have new
 * samples in all bands.
 */
int tickbench_estimate(struct datapath *datapath, size_t backends, double *ms, size_t ticks);

/* The same of a single fit. */
void tickbench_fit(double *ms, size_t times);
