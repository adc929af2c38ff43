// SPDX-License-Identifier: BSD-2-Clause
/*
 * Why shares moved: the first that applies of: who steers, which backends there are and take flows,
 * the tree, costs, demand; and where none of them has changed much, what flows pay for. Shares
 * follow marginal costs, with the waits that others there would have (shares.h), a step at a time:
 * so they may go on moving when all else stands still. See change.h.
 */
#include "change_compare.h"

#include <math.h>

#include "shares.h"

/* NULL: not known. */
static const struct larch_cost *cost_of(const struct side *side, size_t leaf, uint16_t backend)
{
	size_t member;

	if (!change_find_member(side, backend, &member) ||
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

	if (!tree || leaf >= tree->leaves || !change_find_member(side, backend, &member))
		return NAN;
	tally = &tree->tally[(size_t)tree->leaf_node[leaf] * tree->members + member];
	return connects ? tally->connects : tally->responses;
}

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

		before = change_control_of(&all->before, backend);
		after = change_control_of(&all->now, backend);
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
	before = change_control_of(&all->before, cause);
	after = change_control_of(&all->now, cause);
	was = change_find_member(&all->before, cause, &member);
	is = change_find_member(&all->now, cause, &member);
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
	double move = change_share_of(&all->now, to, backend) -
		      change_share_of(&all->before, from, backend);
	double rise = before && after ? log(total_of(after) / total_of(before)) : 0;

	if (fabs(rise) < log(1 + CHANGE_COST) || fabs(move) < 0.25 * fabs(change_moved(largest)))
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

/* ---- where nothing has changed much ---- */

/* Flows of leaf `from` before and `to` now, requests per second of now. */
static double demand_of(const struct comparison *all, size_t from, size_t to)
{
	return all->all > 0 ? all->now.demand * all->flows[from][to] / all->all : 0;
}

/*
 * How busy the clients of now keep a backend by the shares of before, or of now: 1 is all that it
 * can do. Without those that are in leaf `but` now; LEAVES: with all.
 */
static double load_of(const struct comparison *all, uint16_t backend, bool before, size_t but)
{
	double work = 0;
	size_t member;

	if (!change_find_member(&all->now, backend, &member) ||
	    !(all->member[member].concurrency > 0))
		return 0;
	for (size_t from = 0; from < all->before.leaves; from++) {
		for (size_t to = 0; to < all->now.leaves; to++) {
			const struct larch_cost *cost = cost_of(&all->now, to, backend);

			if (to != but && cost)
				work += demand_of(all, from, to) * cost->service *
					(before ? change_share_of(&all->before, from, backend)
						: change_share_of(&all->now, to, backend));
		}
	}
	return work / (1e6 * all->member[member].concurrency);
}

/* What one more request of the leaf would have cost by the shares of before, us; NAN: not known. */
static double price_of(const struct comparison *all, size_t to, uint16_t backend)
{
	const struct larch_cost *cost = cost_of(&all->now, to, backend);
	double load = load_of(all, backend, true, LEAVES), wait, slope;
	size_t member;

	if (!cost || !change_find_member(&all->now, backend, &member) ||
	    !(all->member[member].concurrency > 0))
		return NAN;
	shares_wait(cost->service, all->member[member].concurrency, load, &wait, &slope);
	return total_of(cost) + wait + load * slope;
}

/* Who takes flows is the cheaper one: true of every step down the costs of all. */
static bool prices_differ(const struct change_move *move, double share, double opposite)
{
	double lost = change_moved(&move->share) < 0 ? share : opposite;
	double won = change_moved(&move->share) < 0 ? opposite : share;

	return lost > (1 + CHANGE_EVEN_COST) * won;
}

/* Have other clients come to the one that lost these, or left the one that won them? */
static bool others_changed(const struct comparison *all, size_t to, struct change_move *move)
{
	const struct change_share *share[] = {&move->share, &move->opposite};
	double most = CHANGE_OTHERS_LOAD;
	bool found = false;

	for (size_t i = 0; i < 2; i++) {
		double before, after, against;

		if (share[i]->backend == LARCH_NO_BACKEND)
			continue;
		before = load_of(all, share[i]->backend, true, to);
		after = load_of(all, share[i]->backend, false, to);
		against = change_moved(share[i]) < 0 ? after - before : before - after;
		if (against <= most)
			continue;
		most = against;
		found = true;
		set_reason(move, CHANGE_OTHERS, share[i]->backend, before, after);
	}
	return found;
}

/* Shares go to whom one more request costs less, a step at a time, also while all else stands. */
static void prices_stand(const struct comparison *all, size_t to, struct change_move *move)
{
	double share = price_of(all, to, move->share.backend);
	double opposite = move->opposite.backend == LARCH_NO_BACKEND
				  ? NAN
				  : price_of(all, to, move->opposite.backend);

	if (prices_differ(move, share, opposite))
		set_reason(move, CHANGE_PRICE, LARCH_NO_BACKEND, share, opposite);
	else if (!others_changed(all, to, move))
		set_reason(move, CHANGE_EVEN, LARCH_NO_BACKEND, share, opposite);
	if (move->reason != CHANGE_OTHERS)
		move->samples = samples_of(&all->now, to, move->share.backend, false);
}

void change_reason(const struct comparison *all, size_t from, size_t to, struct change_move *move)
{
	move->samples = NAN;
	if (steered_otherwise(all, move) || backends_changed(all, move) ||
	    tree_changed(all, from, to, move) || costs_changed(all, from, to, move) ||
	    demand_changed(all, move))
		return;
	prices_stand(all, to, move);
}
