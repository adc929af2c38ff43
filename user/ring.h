// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rings: which member each slot of a ring names first and second. Weighted rendezvous hashing per
 * slot (Thaler and Ravishankar 1998; weights as in Schindelhauer and Schomaker 2005): a change of
 * weights moves the fewest slots that it can, the second comes for free, and nothing depends on
 * history. Pure and deterministic: the same members and weights give the same bytes anywhere.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "larch/plan.h"

struct ring_builder;

/*
 * Prepares the draws of every member for every slot; reused for all rings of a service.
 * identity[members]: a stable number of each member (hash of its address), the same on all nodes.
 * -EINVAL: too many members; -EEXIST: two have the same identity.
 */
int ring_builder_new(struct ring_builder **out, const uint64_t *identity, size_t members);

void ring_builder_free(struct ring_builder *builder);

/*
 * Builds one ring. weight[members] >= 0; a member of weight 0 (or negative, or no number) is in no
 * slot. All zero: every slot names LARCH_NO_MEMBER. Ties go by identity, so that the order of the
 * members does not matter. The secondary differs from the primary; it is LARCH_NO_MEMBER where only
 * one member has weight, and then taken from `fallback` if that is not NULL and names another one.
 */
void ring_build(const struct ring_builder *builder, const double *weight,
		const struct larch_ring *fallback, struct larch_ring *out);

/* Slots whose primary differs. */
size_t ring_moved(const struct larch_ring *before, const struct larch_ring *after);

/* Stable number of a member, from its address. */
uint64_t ring_identity(const void *address, size_t length);
