// SPDX-License-Identifier: BSD-2-Clause
/* Memory, digest and reading back of generations. Pure. See generation.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "generation.h"

int generation_new(struct generation **out, size_t leaves, size_t members)
{
	struct generation *generation = calloc(1, sizeof(*generation));

	if (!generation)
		return -ENOMEM;
	generation->leaves = leaves;
	generation->members = members;
	generation->ring = calloc(LARCH_RING_LEAF + leaves, sizeof(*generation->ring));
	generation->costs = calloc(leaves, sizeof(*generation->costs));
	generation->share = calloc(leaves * members, sizeof(*generation->share));
	generation->demand = calloc(leaves, sizeof(*generation->demand));
	generation->capacity = calloc(members, sizeof(*generation->capacity));
	if (!generation->ring || !generation->costs || !generation->share || !generation->demand ||
	    !generation->capacity) {
		generation_free(generation);
		return -ENOMEM;
	}
	*out = generation;
	return 0;
}

void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	tree_free(generation->tree);
	free(generation->ring);
	free(generation->costs);
	free(generation->share);
	free(generation->demand);
	free(generation->capacity);
	free(generation);
}

/* FNV-1a, 64 bits, by words: only a change has to show, nobody attacks it. */
static uint64_t fold(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t word;

	for (; length >= sizeof(word); length -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3ull;
		hash ^= hash >> 32;
	}
	while (length--)
		hash = (hash ^ *at++) * 0x100000001b3ull;
	return hash;
}

uint64_t generation_digest(const struct generation *generation)
{
	const struct larch_plan *plan = &generation->plan;
	uint64_t hash = 0xcbf29ce484222325ull;

	hash = fold(hash, &plan->flags, sizeof(plan->flags));
	hash = fold(hash, &plan->members, sizeof(*plan) - offsetof(struct larch_plan, members));
	hash = fold(hash, generation->ring,
		    (LARCH_RING_LEAF + generation->leaves) * sizeof(*generation->ring));
	return fold(hash, generation->costs, generation->leaves * sizeof(*generation->costs));
}

/* Shares of the members in a ring, counted from its slots. */
static void count_shares(const struct larch_ring *ring, size_t members, double *share)
{
	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
		size_t member = ring->slot[slot].primary;

		if (member < members)
			share[member] += 1.0 / LARCH_RING_SLOTS;
	}
}

static int check_plan(const struct larch_plan *plan)
{
	if (plan->members == 0 || plan->members > LARCH_MAX_MEMBERS || plan->tree.leaves == 0 ||
	    plan->tree.leaves > LARCH_MAX_LEAVES || plan->tree.depth > LARCH_MAX_DEPTH)
		return -EINVAL;
	for (size_t i = 0; i < plan->members; i++) {
		if (plan->member[i] >= LARCH_MAX_BACKENDS)
			return -EINVAL;
	}
	for (size_t i = 0; i < 1u << plan->tree.depth; i++) {
		if (plan->tree.leaf[i] >= plan->tree.leaves)
			return -EINVAL;
	}
	return 0;
}

int generation_read(struct generation **out, const struct larch_plan *plan,
		    const struct larch_ring *rings, const struct larch_costs *costs)
{
	struct generation *generation;
	int error = check_plan(plan);

	if (!error)
		error = generation_new(&generation, plan->tree.leaves, plan->members);
	if (error)
		return error;
	generation->plan = *plan;
	memcpy(generation->ring, rings,
	       (LARCH_RING_LEAF + generation->leaves) * sizeof(*generation->ring));
	memcpy(generation->costs, costs, generation->leaves * sizeof(*generation->costs));
	count_shares(&rings[LARCH_RING_GLOBAL], generation->members, generation->capacity);
	for (size_t leaf = 0; leaf < generation->leaves; leaf++)
		count_shares(&rings[LARCH_RING_LEAF + leaf], generation->members,
			     generation->share + leaf * generation->members);
	if (generation_digest(generation) != plan->digest) {
		generation_free(generation);
		return -EINVAL;
	}
	*out = generation;
	return 0;
}
