// SPDX-License-Identifier: BSD-2-Clause
/*
 * No single client prefix is believed too much: it may send fast or slow acknowledgements as it
 * likes, and as many as it likes. Pure.
 *
 * In each node of the tree and at each member, the mean cost of all sources is taken anew, in such
 * a way that no source has more than a quarter of the weight (one with less than TRUST_FLOWS is
 * never cut), and none counts as slower than TRUST_SLOW times the mean of the others (times more
 * for few flows, whose mean is noisy: by the root of TRUST_FLOWS / flows). Where nothing exceeds
 * that, costs stay as they were, bit for bit.
 *
 * So, where the other sources bring 3 * TRUST_FLOWS flows to a member, one source changes that
 * member's cost by the factors TRUST_LEAST to TRUST_MOST at most, whatever it sends. A class of its
 * own is its own affair. Many prefixes that lie alike are beyond this.
 */
#pragma once

#include "tree.h"
#include "tree_rows.h"

#define TRUST_FLOWS 250.0
#define TRUST_SLOW  4.0
#define TRUST_LEAST 0.75
#define TRUST_MOST  1.75

/* Where each node's rows stand: row[start[node]] and so on. */
struct trust_nodes {
	const uint32_t *row;
	const size_t *start, *count;
};

/*
 * Bounds the costs of a tree that was grown from these rows with this prior. A source is a bin of
 * the rows: beyond TREE_BINS prefixes, neighbours are one. -ENOMEM: the costs are unchanged.
 */
int trust_costs(const struct tree_rows *rows, const struct trust_nodes *nodes, double prior,
		struct tree *tree);
