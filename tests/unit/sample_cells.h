// SPDX-License-Identifier: BSD-2-Clause
/* Cells as BPF would have filled them, for the tests of the memory of samples. */
#pragma once

#include <criterion/criterion.h>

#include "cells.h"

#define CELLS_SERVER  10
#define CELLS_CONNECT 2

static const uint16_t cells_backends[] = {5, 900, 7};

static inline struct cells *cells_test_new(void)
{
	struct cells_options options = {CELLS_SERVER, CELLS_CONNECT};
	struct cells *cells;

	cr_assert_eq(cells_new(&cells, &options), 0);
	cr_assert_eq(cells_members(cells, cells_backends, 3), 0);
	cells_begin(cells, 1);
	return cells;
}

static inline struct larch_cell cells_key(uint64_t source, uint16_t backend, uint8_t arm)
{
	return (struct larch_cell){
		.source = source,
		.ingress = 2,
		.service = 1,
		.backend = backend,
		.port = 443,
		.protocol = 6,
		.hops = 12,
		.size = 1,
		.arm = arm,
	};
}

/* Sums after this many flows, each with one connect of `us` / 2 and one response of `us`. */
static inline struct larch_samples cells_flows(uint32_t flows, uint32_t us)
{
	struct larch_samples samples = {
		.connects = flows,
		.connect_us = (uint64_t)flows * (us / 2),
		.responses = flows,
		.response_us = (uint64_t)flows * us,
		.server_us = (uint64_t)flows * (us - us / 2),
		.work_us = (uint64_t)flows * (us / 4),
	};

	samples.latency[larch_latency_bucket(us)] = flows;
	return samples;
}

static inline int cells_feed(struct cells *cells, struct larch_cell key, struct larch_samples now)
{
	return cells_update(cells, &key, &now, true);
}

static inline struct table cells_test_table(struct cells *cells)
{
	struct table table;

	cr_assert_eq(cells_table(cells, &table), 0);
	return table;
}

static inline struct cells_statistics cells_counts(const struct cells *cells)
{
	struct cells_statistics statistics;

	cells_statistics(cells, &statistics);
	return statistics;
}
