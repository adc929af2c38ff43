// SPDX-License-Identifier: BSD-2-Clause
/*
 * Response latency of both arms for each source prefix, with decay: who benefits. Bounded; part of
 * the memory of samples (cells.c). Pure.
 */
#pragma once

#include "cells.h"
#include "lookup.h"

#define PREFIXES_MOST 4096 /* beyond that, source 0 takes what is new */

struct prefix_arms {
	float bucket[JUDGE_ARMS][LARCH_LATENCY_BUCKETS];
};

struct prefixes {
	size_t count;
	size_t capacity;
	struct larch_cell *key;	  /* [count]: all but the source is 0 */
	struct prefix_arms *arms; /* [count] */
	struct lookup lookup;
};

void prefixes_free(struct prefixes *prefixes);

/* The histograms of a source's prefix. Valid until prefixes change. NULL: no memory. */
struct prefix_arms *prefixes_get(struct prefixes *prefixes, uint64_t source);

/* Forgets by a factor, and drops prefixes with nothing left. */
void prefixes_decay(struct prefixes *prefixes, double factor);

/* As cells_prefixes(). */
size_t prefixes_list(const struct prefixes *prefixes, struct cells_prefix *out, size_t limit);
