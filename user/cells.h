// SPDX-License-Identifier: BSD-2-Clause
/*
 * The memory of the samples of one service: turns the ever-growing sums that BPF keeps into what
 * was new in each tick, forgets by half-lives, and gives the learner its table. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "judge.h"
#include "larch/cell.h"
#include "table.h"

struct cells;

struct cells_options {
	double half_life_server;  /* ticks, for responses and server times */
	double half_life_connect; /* ticks, for connects and connect times */
};

int cells_new(struct cells **out, const struct cells_options *options);
void cells_free(struct cells *cells);

/* How fast it forgets from the next tick on. -EINVAL: a half-life is not above 0. */
int cells_set_options(struct cells *cells, const struct cells_options *options);

/*
 * Declares the members: backend[i] is the backend id of member i. What is remembered of backends
 * that stay members is kept, of others forgotten. -EINVAL: too many, one twice, or no backend id.
 */
int cells_members(struct cells *cells, const uint16_t *backend, size_t members);

/*
 * A tick begins: everything remembered decays, what was new is cleared. `ticks` have passed since
 * the last one: 1, or more if the daemon could not run. What came meanwhile counts as if it had
 * been read in time.
 */
void cells_begin(struct cells *cells, double ticks);

/*
 * What BPF holds for one cell now. The first sight of a cell after cells_new() counts as a whole
 * only if `fresh` (else it is the mark from which growth is counted: a daemon that adopts old
 * maps). Sums that shrank (the cell was deleted and came back) count as new from zero. Values
 * outside [1 us, 60 s] on average are refused, more samples than a host can take in a tick, and
 * histograms that do not fit the count: -ERANGE, and counted; growth is then counted from there.
 * Backends that are no members teach nothing, but it is remembered how far their cells have grown.
 * Both arms teach; the arms are also kept apart for the judge. -ENOMEM: nothing of it was taken,
 * and the next call makes up for it.
 */
int cells_update(struct cells *cells, const struct larch_cell *key, const struct larch_samples *now,
		 bool fresh);

/*
 * The rows, valid until the next call that changes cells. Ordered by features. At most 65536, and
 * at most 2^20 tallies; beyond that the least used rows are folded into rows with source 0.
 */
int cells_table(struct cells *cells, struct table *out);

/* What this tick alone brought, of both arms, for the judge. */
const struct latency *cells_arms(const struct cells *cells);

struct cells_statistics {
	size_t rows;
	uint64_t samples;    /* responses new in this tick */
	uint64_t connects;   /* new in this tick */
	uint64_t refused;    /* cells refused since the start */
	unsigned idle_ticks; /* ticks in a row without any new sample */
};

void cells_statistics(const struct cells *cells, struct cells_statistics *out);

/*
 * Per source prefix, with decay: latency of both arms. For `larchctl benefit`. Ordered by samples,
 * most first; returns how many were written, at most `limit`.
 */
struct cells_prefix {
	uint64_t source; /* as in struct larch_cell */
	struct latency arm[JUDGE_ARMS];
};

size_t cells_prefixes(const struct cells *cells, struct cells_prefix *out, size_t limit);

/*
 * Per leaf of a tree, with decay: response latency of both arms, and sums of connect times. The
 * backends that are members now.
 */
struct cells_leaf {
	struct latency arm[JUDGE_ARMS];
	double connects[JUDGE_ARMS], connect_us[JUDGE_ARMS];
};

void cells_leaves(const struct cells *cells, const struct larch_tree *tree,
		  struct cells_leaf out[LARCH_MAX_LEAVES]);

/*
 * Cells that brought nothing for `ticks` ticks, to be deleted from a map that is filling up. They
 * are remembered until the map has been without them for a minute of ticks.
 */
size_t cells_idle(const struct cells *cells, unsigned ticks, struct larch_cell *out, size_t limit);
