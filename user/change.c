// SPDX-License-Identifier: BSD-2-Clause
/*
 * From two generations to the largest moves of shares and their reasons. See change.h.
 *
 * In: both generations, rows of clients. Clients that were in one leaf before and are in one leaf
 * now are a group: their shares before and after are the leaves'. A generation that does not steer
 * has one leaf, whose shares are those of the control ring. Out: of each group the share that moved
 * most; of the groups those with the most moved flows. The reason is the first that applies of:
 * who steers, which backends there are and take flows, the tree, costs, demand.
 */
#include "change.h"

#include <math.h>
#include <string.h>

#define LEAVES	 LARCH_MAX_LEAVES
#define BACKENDS (2 * LARCH_MAX_MEMBERS)

/* One of both generations. */
struct side {
	const struct generation *generation;
	bool learned;
	size_t leaves;
	struct region region[LEAVES];
	double control[LARCH_MAX_MEMBERS]; /* shares of the control ring */
	double flows[LEAVES];
	double demand;
};

struct comparison {
	struct side before, now;
	const struct learner_member *member;
	double flows[LEAVES][LEAVES]; /* from a leaf before to a leaf now */
	double all;
	uint16_t backend[BACKENDS]; /* of either */
	size_t backends;
};

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

static bool find_member(const struct side *side, uint16_t backend, size_t *member)
{
	*member = side->generation->plan.member_of[backend];
	return *member < side->generation->members;
}

static double control_of(const struct side *side, uint16_t backend)
{
	size_t member;

	return find_member(side, backend, &member) ? side->control[member] : 0;
}

static double share_of(const struct side *side, size_t leaf, uint16_t backend)
{
	const struct generation *generation = side->generation;
	size_t member;

	if (!find_member(side, backend, &member))
		return 0;
	return side->learned ? generation->share[leaf * generation->members + member]
			     : side->control[member];
}

/* NULL: not known. */
static const struct larch_cost *cost_of(const struct side *side, size_t leaf, uint16_t backend)
{
	size_t member;

	if (!find_member(side, backend, &member) ||
	    !side->generation->costs[leaf].member[member].service)
		return NULL;
	return &side->generation->costs[leaf].member[member];
}

static double total_of(const struct larch_cost *cost)
{
	return (double)cost->net + cost->service;
}

/* Connects or responses behind a cost of now. */
static double samples_of(const struct side *side, size_t leaf, uint16_t backend, bool connects)
{
	const struct tree *tree = side->generation->tree;
	const struct tally *tally;
	size_t member;

	if (!tree || leaf >= tree->leaves || !find_member(side, backend, &member))
		return NAN;
	tally = &tree->tally[(size_t)tree->leaf_node[leaf] * tree->members + member];
	return connects ? tally->connects : tally->responses;
}

static double moved(const struct change_share *share)
{
	return share->after - share->before;
}

/* The share that moved most, and the one that moved most to the other side. */
static void find_shares(const struct comparison *all, size_t from, size_t to,
			struct change_move *move)
{
	struct change_share most = {.backend = LARCH_NO_BACKEND}, least = most;

	for (size_t i = 0; i < all->backends; i++) {
		struct change_share share = {
			.backend = all->backend[i],
			.before = share_of(&all->before, from, all->backend[i]),
			.after = share_of(&all->now, to, all->backend[i]),
		};

		if (moved(&share) > moved(&most))
			most = share;
		if (moved(&share) < moved(&least))
			least = share;
	}
	move->share = -moved(&least) >= moved(&most) ? least : most;
	move->opposite = -moved(&least) >= moved(&most) ? most : least;
}

/* ---- reasons ---- */

static void set_reason(struct change_move *move, enum change_reason reason, uint16_t cause,
		       double before, double after)
{
	move->reason = reason;
	move->cause = cause;
	move->before = before;
	move->after = after;
}

static bool steered_otherwise(const struct comparison *all, struct change_move *move)
{
	if (all->before.learned == all->now.learned)
		return false;
	set_reason(move, all->now.learned ? CHANGE_STEERS : CHANGE_STEERS_NOT, LARCH_NO_BACKEND,
		   NAN, NAN);
	return true;
}

/* Membership, health and weights decide the control ring alone: what moved there is the reason. */
static bool backends_changed(const struct comparison *all, struct change_move *move)
{
	uint16_t cause = LARCH_NO_BACKEND;
	double most = 0, before, after;
	bool was, is, flipped = false;
	size_t member;

	for (size_t i = 0; i < all->backends; i++) {
		uint16_t backend = all->backend[i];
		bool flips;

		before = control_of(&all->before, backend);
		after = control_of(&all->now, backend);
		flips = (before > 0) != (after > 0);
		if (!flips && (flipped || fabs(after - before) < CHANGE_SHARE))
			continue;
		if (flips == flipped && fabs(after - before) <= most)
			continue;
		most = fabs(after - before);
		flipped = flips;
		cause = backend;
	}
	if (cause == LARCH_NO_BACKEND)
		return false;
	before = control_of(&all->before, cause);
	after = control_of(&all->now, cause);
	was = find_member(&all->before, cause, &member);
	is = find_member(&all->now, cause, &member);
	set_reason(move,
		   !was				 ? CHANGE_JOINED
		   : !is			 ? CHANGE_LEFT
		   : !all->member[member].usable ? CHANGE_LOST
		   : before <= 0		 ? CHANGE_FOUND
						 : CHANGE_WEIGHT,
		   cause, before, after);
	return true;
}

/* Are most clients of both leaves the same? */
static bool tree_changed(const struct comparison *all, size_t from, size_t to,
			 struct change_move *move)
{
	double flows = all->flows[from][to];
	bool split = flows < CHANGE_SAME * all->before.flows[from];
	bool merged = flows < CHANGE_SAME * all->now.flows[to];

	if (!split && !merged)
		return false;
	set_reason(move, split ? CHANGE_SPLIT : CHANGE_MERGED, LARCH_NO_BACKEND, NAN, NAN);
	return true;
}

/*
 * How much of the move a backend's cost explains: by how much it changed, times its own move. One
 * that has little part in the move is no reason, however dear it has become.
 */
static double explained(const struct comparison *all, size_t from, size_t to, uint16_t backend,
			const struct change_share *largest)
{
	const struct larch_cost *before = cost_of(&all->before, from, backend);
	const struct larch_cost *after = cost_of(&all->now, to, backend);
	double move = share_of(&all->now, to, backend) - share_of(&all->before, from, backend);
	double rise = before && after ? log(total_of(after) / total_of(before)) : 0;

	if (fabs(rise) < log(1 + CHANGE_COST) || fabs(move) < 0.25 * fabs(moved(largest)))
		return 0;
	return -move * rise;
}

static bool costs_changed(const struct comparison *all, size_t from, size_t to,
			  struct change_move *move)
{
	const struct larch_cost *before, *after;
	uint16_t cause = LARCH_NO_BACKEND;
	double most = 0, net, service;

	for (size_t i = 0; i < all->backends; i++) {
		double here = explained(all, from, to, all->backend[i], &move->share);

		if (here <= most)
			continue;
		most = here;
		cause = all->backend[i];
	}
	if (cause == LARCH_NO_BACKEND)
		return false;
	before = cost_of(&all->before, from, cause);
	after = cost_of(&all->now, to, cause);
	net = fabs((double)after->net - before->net);
	service = fabs((double)after->service - before->service);
	if (net > service)
		set_reason(move, CHANGE_NET, cause, before->net, after->net);
	else
		set_reason(move, CHANGE_SERVICE, cause, before->service, after->service);
	move->samples = samples_of(&all->now, to, cause, net > service);
	return true;
}

static bool demand_changed(const struct comparison *all, struct change_move *move)
{
	double before = all->before.demand, after = all->now.demand;

	if (before <= 0 || after <= 0 || fabs(log(after / before)) < log(1 + CHANGE_LOAD))
		return false;
	set_reason(move, CHANGE_DEMAND, LARCH_NO_BACKEND, before, after);
	return true;
}

static void find_reason(const struct comparison *all, size_t from, size_t to,
			struct change_move *move)
{
	const struct larch_cost *cost, *opposite;

	move->samples = NAN;
	if (steered_otherwise(all, move) || backends_changed(all, move) ||
	    tree_changed(all, from, to, move) || costs_changed(all, from, to, move) ||
	    demand_changed(all, move))
		return;
	cost = cost_of(&all->now, to, move->share.backend);
	opposite = move->opposite.backend == LARCH_NO_BACKEND
			   ? NULL
			   : cost_of(&all->now, to, move->opposite.backend);
	set_reason(move, CHANGE_STANDING, move->share.backend, cost ? total_of(cost) : NAN,
		   opposite ? total_of(opposite) : NAN);
	move->samples = samples_of(&all->now, to, move->share.backend, false);
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
	return move->part * fabs(moved(&move->share));
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
	if (fabs(moved(&move.share)) < CHANGE_SHARE)
		return;
	find_reason(all, from, to, &move);
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
