// SPDX-License-Identifier: BSD-2-Clause
/*
 * The decision tree: classes of clients whose best backends differ. Pure: data in, data out, no
 * clock, no random numbers; equal tables (in any order of rows) give equal trees, bit for bit.
 *
 * Costs of a node: (sum + k0 * parent's cost) / (n + k0); the root's parent is the mean over the
 * members, each weighted with n / (n + k0), so that one with next to no samples hardly speaks.
 * Splits: the interaction criterion of LEARNER.md, with two refinements (tree_split.c): what
 * shrinkage took from a contrast is not mistaken for a change of ratios, and a gain must exceed
 * what chance alone would bring: the noise of the samples, and which rows each member has them of;
 * both are estimated from the rows.
 * The plain variance criterion is there to be compared with: by what it learns, and by what others
 * make of the same data. It looks at costs as they are, in us: neither shrunk nor for noise.
 * Resolution: a feature is seen in at most 256 bins, bordered where CIDR blocks end. With more
 * combinations of bins than 2^18 / members (or 2048, if that is more), in fewer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

enum tree_criterion {
	TREE_INTERACTION, /* LEARNER.md's: a split gains if it changes the ratio of the costs */
	TREE_VARIANCE,	  /* a split gains if costs vary less within its sides */
};

struct tree_options {
	unsigned max_leaves; /* 1 to LARCH_MAX_LEAVES */
	unsigned max_depth;  /* 0 to LARCH_MAX_DEPTH */
	double min_flows;    /* decayed flows (connects or responses, the larger) of each child */
	double min_effect;   /* 0.02: a split's gain must exceed min_effect^2 * flows * members;
				of variance, min_effect^2 * sum_j flows_j cost_j^2 */
	double prior;	     /* k0 = 4: pseudo-counts of the parent's costs; > 0 */
	double noise;	     /* 1: factor of the noise's bound; 0: noise is not looked at */
	enum tree_criterion criterion;
	bool trust; /* no source is believed too much; see trust.h */
};

struct tree_node {
	int parent;	    /* -1: root */
	int left, right;    /* -1: a leaf */
	unsigned feature;   /* enum larch_feature */
	uint64_t threshold; /* left: value <= threshold */
	unsigned depth;
	int leaf;     /* number of the leaf, in order from left to right; -1: inner node */
	double flows; /* decayed */
	double gain;  /* of its split; 0 for a leaf */
};

struct tree {
	size_t members;
	size_t nodes;
	size_t leaves;
	unsigned depth;
	struct tree_node *node; /* [nodes]; 0 is the root */
	struct tally *tally;	/* [nodes][members] */
	struct cost *cost;	/* [nodes][members]; shrunk towards the parent's */
	int *leaf_node;		/* [leaves]: index in node */
};

/*
 * Trains a tree. Best-first growth. A member without samples costs what
 * the mean of the others does; a table without rows or samples gives a tree of one leaf and costs
 * of 0. Errors: -ENOMEM; -EINVAL if options are out of range or a tally is negative, not finite or
 * absurdly large (tree_rows.h).
 */
int tree_train(const struct table *table, const struct tree_options *options, struct tree **out);

/* Sets a node's costs from tallies that need not be its own; its parent's costs must be right. */
void tree_node_cost(struct tree *tree, size_t node, const struct tally *tally, double prior);

/* NULL is allowed. */
void tree_free(struct tree *tree);

/* The layout that the kernel walks. */
void tree_pack(const struct tree *tree, struct larch_tree *out);
