// SPDX-License-Identifier: BSD-2-Clause
/* The search for the best split of one node of the tree. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tree.h"
#include "tree_rows.h"

/* Squared coefficient of variation of single samples. */
struct tree_noise {
	double net;
	double service;
};

struct tree_split {
	size_t column; /* of struct tree_rows */
	unsigned bin;  /* left: bin <= this one */
	uint64_t threshold;
	double gain; /* 0: no split is worth it */
};

/* The node to be split. */
struct tree_part {
	const uint32_t *row; /* [rows]: indices of struct tree_rows */
	size_t rows;
	const struct tally *tally; /* [members]: sums of these rows */
	const struct cost *cost;   /* [members] */
};

struct tree_search;

int tree_search_new(struct tree_search **out, const struct tree_rows *rows,
		    const struct tree_options *options);
void tree_search_free(struct tree_search *search);

/*
 * The split with the largest gain that leaves min_flows on both sides, exceeds min_effect and what
 * noise alone would bring. Ties: the smaller feature, then the smaller threshold.
 */
void tree_search_best(struct tree_search *search, const struct tree_part *part,
		      struct tree_split *out);

/* Decayed flows in these tallies: connects or responses, the larger. */
double tree_split_flows(const struct tally *tally, size_t members);

/*
 * What the rows say about the noise of their own samples: from the differences between rows that
 * follow each other, since neighbours mostly belong to the same class (the successive differences
 * of von Neumann 1941). Without enough neighbours: a guess, see there. order[rows] is
 * scratch memory.
 */
void tree_noise_estimate(const struct tree_rows *rows, uint32_t *order, struct tree_noise *out);
