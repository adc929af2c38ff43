// SPDX-License-Identifier: BSD-2-Clause
/*
 * One generation of one service as it stands in private memory: what will be, or was, published.
 * The kernel's tables are the lasting state: a generation can be read back from them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "larch/plan.h"
#include "tree.h"

struct generation {
	struct larch_plan plan;
	size_t leaves;
	size_t members;
	struct larch_ring *ring;   /* [LARCH_RING_LEAF + leaves], as the kernel numbers them */
	struct larch_costs *costs; /* [leaves] */
	double *share;		   /* [leaves][members] */
	double *demand;		   /* [leaves], requests per second */
	double *capacity;	   /* [members], shares of the global ring */
	struct tree *tree;	   /* the evidence; NULL if read back or not trained */
	double expected_us;	   /* expected latency by its own costs */
	double expected_gain; /* of these shares over the last ones, relative, by these costs */
	double moved_share;   /* largest move of one share of one leaf, 0..1 */
};

int generation_new(struct generation **out, size_t leaves, size_t members);
void generation_free(struct generation *generation);

/* Hash of everything in it but its number: equal on all nodes for equal inputs. */
uint64_t generation_digest(const struct generation *generation);

/* From tables; shares are counted from the rings. -EINVAL: they make no sense. */
int generation_make(struct generation **out, const struct larch_plan *plan,
		    const struct larch_ring *rings, const struct larch_costs *costs);

/* The same, back from the kernel. -EINVAL also where the digest is not theirs. */
int generation_read(struct generation **out, const struct larch_plan *plan,
		    const struct larch_ring *rings, const struct larch_costs *costs);

/*
 * The same with other numbers: member i becomes member place[i], of `members`; backend[] are the
 * ids of these. Those that no member becomes take no flows. The places differ, and are there.
 */
int generation_renumber(struct generation **out, const struct generation *from,
			const uint8_t *place, const uint16_t *backend, size_t members);
