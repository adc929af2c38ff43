// SPDX-License-Identifier: BSD-2-Clause
/*
 * From two generations to the largest moves of shares and their reasons. See change.h.
 *
 * In: both generations, rows of clients. Clients that were in one leaf before and are in one leaf
 * now are a group: their shares before and after are the leaves'. A generation that does not steer
 * has one leaf, whose shares are those of the control ring. Out: of each group the share that moved
 * most; of the groups those with the most moved flows. Their reasons: change_reason.c.
 */
#include "change_compare.h"

#include <math.h>
#include <string.h>

static struct region everybody(void)
{
	struct region region = {};

	for (unsigned i = 0; i < LARCH_FEATURE_COUNT; i++)
		region.high[i] = UINT64_MAX;
	return region;
}

static void find_regions(struct side *side)
{
	struct region region[REGION_MOST];
	size_t count = region_list(&side->generation->plan.tree, region, REGION_MOST);

	for (size_t i = count < REGION_MOST ? count : REGION_MOST; i-- > 0;)
		side->region[region[i].leaf] = region[i];
}

static void open_side(const struct generation *generation, struct side *side)
{
	const struct larch_ring *ring = &generation->ring[LARCH_RING_CONTROL];

	*side = (struct side){
		.generation = generation,
		.learned = generation->plan.flags & LARCH_PLAN_LEARNED,
		.leaves = 1,
		.region = {everybody()},
	};
	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
		if (ring->slot[slot].primary < generation->members)
			side->control[ring->slot[slot].primary] += 1.0 / LARCH_RING_SLOTS;
	}
	for (size_t leaf = 0; leaf < generation->leaves; leaf++)
		side->demand += generation->demand[leaf];
	if (!side->learned)
		return;
	side->leaves = generation->leaves;
	find_regions(side);
}

static size_t leaf_of(const struct side *side, const struct larch_features *features)
{
	return side->learned ? larch_tree_walk(&side->generation->plan.tree, features) : 0;
}

static void add_clients(struct comparison *all, const struct larch_features *features, double flows)
{
	size_t from = leaf_of(&all->before, features), to = leaf_of(&all->now, features);

	all->flows[from][to] += flows;
	all->before.flows[from] += flows;
	all->now.flows[to] += flows;
	all->all += flows;
}

/* Without rows: each leaf of the larger tree is one kind of clients. */
static void add_leaves(struct comparison *all)
{
	const struct side *side = all->now.leaves > all->before.leaves ? &all->now : &all->before;

	for (size_t leaf = 0; leaf < side->leaves; leaf++) {
		struct larch_features features = {};

		memcpy(features.value, side->region[leaf].low, sizeof(side->region[leaf].low));
		add_clients(all, &features,
			    side->learned && side->demand > 0 ? side->generation->demand[leaf] : 1);
	}
}

static void list_backends(struct comparison *all)
{
	const struct larch_plan *before = &all->before.generation->plan;
	const struct larch_plan *now = &all->now.generation->plan;

	for (size_t i = 0; i < all->now.generation->members; i++)
		all->backend[all->backends++] = now->member[i];
	for (size_t i = 0; i < all->before.generation->members; i++) {
		if (now->member_of[before->member[i]] >= all->now.generation->members)
			all->backend[all->backends++] = before->member[i];
	}
}

bool change_find_member(const struct side *side, uint16_t backend, size_t *member)
{
	*member = side->generation->plan.member_of[backend];
	return *member < side->generation->members;
}

double change_control_of(const struct side *side, uint16_t backend)
{
	size_t member;

	return change_find_member(side, backend, &member) ? side->control[member] : 0;
}

double change_share_of(const struct side *side, size_t leaf, uint16_t backend)
{
	const struct generation *generation = side->generation;
	size_t member;

	if (!change_find_member(side, backend, &member))
		return 0;
	return side->learned ? generation->share[leaf * generation->members + member]
			     : side->control[member];
}

/* The share that moved most, and the one that moved most to the other side. */
static void find_shares(const struct comparison *all, size_t from, size_t to,
			struct change_move *move)
{
	struct change_share most = {.backend = LARCH_NO_BACKEND}, least = most;

	for (size_t i = 0; i < all->backends; i++) {
		struct change_share share = {
			.backend = all->backend[i],
			.before = change_share_of(&all->before, from, all->backend[i]),
			.after = change_share_of(&all->now, to, all->backend[i]),
		};

		if (change_moved(&share) > change_moved(&most))
			most = share;
		if (change_moved(&share) < change_moved(&least))
			least = share;
	}
	move->share = -change_moved(&least) >= change_moved(&most) ? least : most;
	move->opposite = -change_moved(&least) >= change_moved(&most) ? most : least;
}

/* ---- groups ---- */

/* The clients' name: that of a leaf if they are nearly all of it, rather of the one of now. */
static struct region name_clients(const struct comparison *all, size_t from, size_t to)
{
	const struct region *before = &all->before.region[from], *now = &all->now.region[to];
	struct region both = *now;

	if (all->flows[from][to] >= 0.95 * all->now.flows[to])
		return *now;
	if (all->flows[from][to] >= 0.95 * all->before.flows[from])
		return *before;
	for (unsigned i = 0; i < LARCH_FEATURE_COUNT; i++) {
		if (before->low[i] > both.low[i])
			both.low[i] = before->low[i];
		if (before->high[i] < both.high[i])
			both.high[i] = before->high[i];
	}
	return both;
}

static double weight_of(const struct change_move *move)
{
	return move->part * fabs(change_moved(&move->share));
}

/* Keeps the list in order; the smallest falls off. */
static void insert(struct change *out, const struct change_move *move)
{
	size_t at = out->count < CHANGE_MOVES ? out->count++ : CHANGE_MOVES;

	for (; at > 0 && weight_of(move) > weight_of(&out->move[at - 1]); at--) {
		if (at < CHANGE_MOVES)
			out->move[at] = out->move[at - 1];
	}
	if (at < CHANGE_MOVES)
		out->move[at] = *move;
}

static void look_at(const struct comparison *all, size_t from, size_t to, struct change *out)
{
	struct change_move move = {.part = all->flows[from][to] / all->all};

	if (!(move.part >= CHANGE_PART))
		return;
	find_shares(all, from, to, &move);
	if (fabs(change_moved(&move.share)) < CHANGE_SHARE)
		return;
	change_reason(all, from, to, &move);
	move.clients = name_clients(all, from, to);
	insert(out, &move);
}

void change_find(const struct generation *before, const struct generation *now,
		 const struct learner_member *member, const struct table *table, struct change *out)
{
	struct comparison all = {.member = member};

	out->count = 0;
	if (!before)
		return;
	open_side(before, &all.before);
	open_side(now, &all.now);
	list_backends(&all);
	for (size_t row = 0; table && row < table->rows; row++)
		add_clients(&all, &table->features[row], table_flows(table, row));
	if (all.all <= 0)
		add_leaves(&all);
	for (size_t from = 0; from < all.before.leaves; from++) {
		for (size_t to = 0; to < all.now.leaves; to++)
			look_at(&all, from, to, out);
	}
}
