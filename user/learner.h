// SPDX-License-Identifier: BSD-2-Clause
/*
 * The learner: from a table of samples to a generation, in three steps that the controller times:
 * train the tree, solve the shares, build the rings. Pure; equal input gives equal bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "generation.h"
#include "ring.h"
#include "shares.h"
#include "table.h"
#include "tree.h"

/* One backend of the service. */
struct learner_member {
	uint16_t backend;   /* id */
	uint32_t weight;    /* configured */
	bool usable;	    /* may take new flows */
	double concurrency; /* > 0 */
	double cold;	    /* part of its flows that it does not get yet: 0 to below 1 */
};

struct learner_input {
	const struct learner_member *member;
	size_t members;
	const struct table *table;
	struct tree_options tree;
	struct shares_options shares;
	double demand_factor;		    /* decayed responses to requests per second */
	bool learned;			    /* the learned arm may be steered by what was learned */
	const struct ring_builder *builder; /* of these members */
	const struct generation *last;	    /* NULL: none */
};

/*
 * Too little is known yet: everything by configured weights, one leaf, no costs. Also what is
 * published first.
 */
int learner_begin(const struct learner_input *input, struct generation **out);

/*
 * The last generation for members that have changed (health, weights, membership, mode): same
 * tree and costs, shares as near as they can be. Needs input->last.
 */
int learner_keep(const struct learner_input *input, struct generation **out);

/*
 * Step 1. -ENODATA: too few samples for anything; -ERANGE: a cost is not between 1 us and 60 s.
 * The result has tree, costs and demand, but no shares and rings yet.
 */
int learner_train(const struct learner_input *input, struct generation **out);

/* Step 2: shares, starting from the last ones, and what they are expected to gain. */
int learner_solve(const struct learner_input *input, struct generation *generation);

/* Step 3: rings and digest. Members that are cold get less than their shares. */
void learner_rings(const struct learner_input *input, struct generation *generation);

/* Is it worth a publication? More than 1 % gain, or a share or cost that moved. */
bool learner_worth(const struct generation *last, const struct generation *next);
