// SPDX-License-Identifier: BSD-2-Clause
/*
 * From costs to shares: which part of each leaf's flows every member should get, so that the total
 * expected latency is least. Pure, and deterministic: equal input gives equal bits.
 *
 * Member j works U_j = sum_l demand_l share_lj service_lj us per second, its load is
 * U_j / (1e6 c_j), and its requests wait W_j = S_j w(load_j), where S_j is the mean service time of
 * its mix (Sakasegawa 1977: w(x) = x^(sqrt(2(c+1)) - 1) / (c (1 - x)), service times exponential).
 * The sum of all waits is U_j w(load_j), so that one more request of leaf l at j costs
 *
 *	price_lj = net_lj + service_lj (1 + w(load_j) + load_j w'(load_j))
 *
 * which is LEARNER.md's net + svc + W_j + X_j dW_j with the externality of a request weighed by its
 * own work. The problem is convex; mirror descent (exponentiated gradient) solves it.
 *
 * Where this goes beyond LEARNER.md:
 * - the rate adapts: halved, and the step taken back, if the latency rises; else grown slowly;
 * - the floor is part of the problem (the rest of the shares makes room for it), and takes at most
 *   a quarter of a leaf's flows: with more than 125 usable members it is below 0.002;
 * - descent starts a tenth of the way to the shares of capacity, so that members at 0 can come back
 *   and twins become alike in a few ticks;
 * - a little entropy is worth something: members that cost a leaf almost the same share its flows,
 *   as exp(-price / (even * least cost)), instead of one taking all until noise tips the scale. The
 *   second candidates of such a leaf are good ones, too. It costs at most even * ln(members);
 * - demand beyond 95 % of capacity is planned as if it were 95 %, which spreads it nearly like
 *   capacity.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "table.h"

struct shares_options {
	unsigned steps; /* 150 steps of mirror descent */
	double rate;	/* 0.3, first step size relative to the leaf's mean price; > 0 */
	double floor;	/* 0.002: least share of a usable member */
	double limit;	/* 0.2: largest total variation of one leaf a tick; >= 1: no limit */
};

struct shares_problem {
	size_t leaves;
	size_t members;
	const struct cost *cost;   /* [leaves][members], us */
	const double *demand;	   /* [leaves]: requests per second */
	const double *concurrency; /* [members]: requests served at once, > 0 */
	const bool *usable;	   /* [members]: may take new flows */
	double even; /* 0.02: costs that differ by this part are almost the same; 0 to 0.1 */
};

/*
 * Improves `share` ([leaves][members], each leaf sums to 1; unusable members get exactly 0) in
 * place, starting from what it holds. Rows that hold no valid distribution, or nothing on usable
 * members, start from capacity. What unusable members had goes to the others in proportion; the
 * limit counts from there, and goes before the floor: a member that comes in below the floor may
 * need several ticks to reach it.
 * -EINVAL: a cost, demand or concurrency is not finite or negative, an option is out of range, or
 * no member is usable; -ENOMEM. Both leave share unchanged.
 */
int shares_solve(const struct shares_problem *problem, const struct shares_options *options,
		 double *share);

/* Expected latency per request of all leaves together at these shares, us; 0 without demand. */
double shares_latency(const struct shares_problem *problem, const double *share);

/*
 * price[leaves][members], us: what one more request of the leaf costs all requests together. The
 * slope of shares_latency() along share[l][j] is price[l][j] * demand[l] / sum of demand.
 */
int shares_price(const struct shares_problem *problem, const double *share, double *price);

/* Waiting time of an M/G/c queue, us (Sakasegawa 1977), linear beyond 95 % load; and its slope per
 * unit of load. */
void shares_wait(double service_us, double concurrency, double load, double *wait, double *slope);

/*
 * Shares proportional to capacity: concurrency / service time (at least 1 us). Unusable members get
 * 0; all get 0 if none is usable.
 */
void shares_capacity(const struct cost *root_cost, const double *concurrency, const bool *usable,
		     size_t members, double *share);
