// SPDX-License-Identifier: BSD-2-Clause
/*
 * The packed tree read backwards: which clients reach which leaf. Works on what the kernel walks,
 * so it can be asked of a plan of which nothing else is left. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larch/plan.h"

#define REGION_MOST LARCH_TREE_LEAVES

/* A box of feature values that all reach the same leaf. */
struct region {
	unsigned leaf;
	uint64_t low[LARCH_FEATURE_COUNT]; /* both included; 0 and UINT64_MAX where not tested */
	uint64_t high[LARCH_FEATURE_COUNT];
};

/*
 * The leaf of all that reaches a node of the heap, if it is only one (larch_tree repeats a leaf
 * below itself). False: the node's test matters.
 */
bool region_leaf(const struct larch_tree *tree, size_t node, unsigned *leaf);

/* All regions from left to right; returns how many there are, of which `limit` are written. */
size_t region_list(const struct larch_tree *tree, struct region *out, size_t limit);

/* Does the path to the region test the feature? */
bool region_tests(const struct region *region, unsigned feature);
