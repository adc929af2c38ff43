// SPDX-License-Identifier: BSD-2-Clause
/* Memory, digest and reading back of generations. Pure. See generation.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
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

uint64_t generation_digest(const struct generation *generation)
{
	const struct larch_plan *plan = &generation->plan;
	uint64_t hash = DIGEST_BEGIN;

	hash = digest_fold(hash, &plan->flags, sizeof(plan->flags));
	hash = digest_fold(hash, &plan->members,
			   sizeof(*plan) - offsetof(struct larch_plan, members));
	hash = digest_fold(hash, generation->ring,
			   (LARCH_RING_LEAF + generation->leaves) * sizeof(*generation->ring));
	return digest_fold(hash, generation->costs,
			   generation->leaves * sizeof(*generation->costs));
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

int generation_make(struct generation **out, const struct larch_plan *plan,
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
	generation->plan.digest = generation_digest(generation);
	*out = generation;
	return 0;
}

int generation_read(struct generation **out, const struct larch_plan *plan,
		    const struct larch_ring *rings, const struct larch_costs *costs)
{
	struct generation *generation;
	int error = generation_make(&generation, plan, rings, costs);

	if (error)
		return error;
	if (generation->plan.digest != plan->digest) {
		generation_free(generation);
		return -EINVAL;
	}
	*out = generation;
	return 0;
}

static void set_members(struct larch_plan *plan, const uint16_t *backend, size_t members)
{
	memset(plan->member_of, LARCH_NO_MEMBER, sizeof(plan->member_of));
	plan->members = (uint32_t)members;
	for (size_t i = 0; i < members; i++) {
		plan->member[i] = backend[i];
		plan->member_of[backend[i]] = (uint8_t)i;
	}
}

/* What the walk does not reach is 0, so that it makes no difference. */
static void copy_tree(struct larch_tree *to, const struct larch_tree *from)
{
	size_t leaves = 1u << from->depth;

	to->depth = from->depth;
	to->leaves = from->leaves;
	for (size_t i = 0; i + 1 < leaves; i++) {
		to->node[i].feature = from->node[i].feature;
		to->node[i].threshold = from->node[i].threshold;
	}
	memcpy(to->leaf, from->leaf, leaves * sizeof(to->leaf[0]));
}

static uint8_t renumbered(const uint8_t *place, size_t members, uint8_t member)
{
	return member < members ? place[member] : LARCH_NO_MEMBER;
}

static void renumber_leaf(struct generation *to, const struct generation *from,
			  const uint8_t *place, size_t leaf)
{
	for (size_t i = 0; i < from->members; i++) {
		to->share[leaf * to->members + place[i]] = from->share[leaf * from->members + i];
		to->costs[leaf].member[place[i]] = from->costs[leaf].member[i];
	}
	to->demand[leaf] = from->demand[leaf];
}

int generation_renumber(struct generation **out, const struct generation *from,
			const uint8_t *place, const uint16_t *backend, size_t members)
{
	struct generation *to;
	int error = generation_new(&to, from->leaves, members);

	if (error)
		return error;
	to->plan.flags = from->plan.flags;
	set_members(&to->plan, backend, members);
	copy_tree(&to->plan.tree, &from->plan.tree);
	for (size_t ring = 0; ring < LARCH_RING_LEAF + from->leaves; ring++) {
		for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
			const struct larch_slot *was = &from->ring[ring].slot[slot];

			to->ring[ring].slot[slot] = (struct larch_slot){
				.primary = renumbered(place, from->members, was->primary),
				.secondary = renumbered(place, from->members, was->secondary),
			};
		}
	}
	for (size_t leaf = 0; leaf < from->leaves; leaf++)
		renumber_leaf(to, from, place, leaf);
	for (size_t i = 0; i < from->members; i++)
		to->capacity[place[i]] = from->capacity[i];
	to->plan.digest = generation_digest(to);
	*out = to;
	return 0;
}
