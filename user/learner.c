// SPDX-License-Identifier: BSD-2-Clause
/* From samples to a generation. See learner.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learner.h"

#define COST_LEAST_US 1.0
#define COST_MOST_US  60e6
#define ALMOST_EQUAL  0.02
#define WORTH_GAIN    0.01
#define WORTH_SHARE   0.02
#define WORTH_COST    0.05

static void set_members(const struct learner_input *input, struct larch_plan *plan)
{
	memset(plan->member_of, LARCH_NO_MEMBER, sizeof(plan->member_of));
	plan->members = (uint32_t)input->members;
	for (size_t i = 0; i < input->members; i++) {
		plan->member[i] = input->member[i].backend;
		plan->member_of[input->member[i].backend] = (uint8_t)i;
	}
}

/* Which member of the last generation is member i now? -1: it is new. */
static int last_member(const struct learner_input *input, size_t i)
{
	unsigned member = input->last->plan.member_of[input->member[i].backend];

	return member < input->last->members ? (int)member : -1;
}

static void set_cost(struct larch_cost *out, double net, double service)
{
	out->net = (uint32_t)lround(net);
	out->service = (uint32_t)lround(fmax(service, COST_LEAST_US));
}

/* A row of shares among the usable members that sums to 1; by weights if nothing is left. */
static void normalise(const struct learner_input *input, double *share)
{
	double sum = 0;

	for (size_t i = 0; i < input->members; i++) {
		if (!input->member[i].usable || !input->member[i].weight)
			share[i] = 0;
		sum += share[i];
	}
	for (size_t i = 0; sum <= 0 && i < input->members; i++)
		share[i] = input->member[i].usable ? input->member[i].weight : 0;
	sum = 0;
	for (size_t i = 0; i < input->members; i++)
		sum += share[i];
	for (size_t i = 0; sum > 0 && i < input->members; i++)
		share[i] /= sum;
}

int learner_begin(const struct learner_input *input, struct generation **out)
{
	struct generation *generation;
	int error = generation_new(&generation, 1, input->members);

	if (error)
		return error;
	set_members(input, &generation->plan);
	generation->plan.tree.leaves = 1;
	normalise(input, generation->share);
	memcpy(generation->capacity, generation->share, input->members * sizeof(double));
	learner_rings(input, generation);
	*out = generation;
	return 0;
}

/* A leaf's costs and shares for the members of now; members that are new get what is usual. */
static void keep_leaf(const struct learner_input *input, struct generation *generation, size_t leaf)
{
	const struct generation *last = input->last;
	double *share = generation->share + leaf * input->members;
	uint64_t net = 0, service = 0, known = 0;

	for (size_t i = 0; i < input->members; i++) {
		int from = last_member(input, i);

		if (from < 0)
			continue;
		share[i] = last->share[leaf * last->members + (size_t)from];
		generation->costs[leaf].member[i] = last->costs[leaf].member[from];
		net += generation->costs[leaf].member[i].net;
		service += generation->costs[leaf].member[i].service;
		known++;
	}
	for (size_t i = 0; known && i < input->members; i++) {
		if (last_member(input, i) >= 0)
			continue;
		share[i] = 1.0 / (double)input->members;
		generation->costs[leaf].member[i].net = (uint32_t)(net / known);
		generation->costs[leaf].member[i].service = (uint32_t)(service / known);
	}
	normalise(input, share);
}

int learner_keep(const struct learner_input *input, struct generation **out)
{
	const struct generation *last = input->last;
	struct generation *generation;
	int error = generation_new(&generation, last->leaves, input->members);

	if (error)
		return error;
	set_members(input, &generation->plan);
	generation->plan.flags = input->learned ? last->plan.flags & LARCH_PLAN_LEARNED : 0;
	generation->plan.tree = last->plan.tree;
	for (size_t leaf = 0; leaf < last->leaves; leaf++) {
		keep_leaf(input, generation, leaf);
		generation->demand[leaf] = last->demand[leaf];
	}
	for (size_t i = 0; i < input->members; i++) {
		int from = last_member(input, i);

		generation->capacity[i] =
			from < 0 ? 1.0 / (double)input->members : last->capacity[from];
	}
	normalise(input, generation->capacity);
	learner_rings(input, generation);
	*out = generation;
	return 0;
}

static int check_costs(const struct tree *tree)
{
	for (size_t i = 0; i < tree->nodes * tree->members; i++) {
		const struct cost *cost = &tree->cost[i];
		double sum = cost->net + cost->service;

		if (!(sum >= COST_LEAST_US && sum <= COST_MOST_US))
			return -ERANGE;
	}
	return 0;
}

static int fill_from_tree(const struct learner_input *input, struct tree *tree,
			  struct generation **out)
{
	struct generation *generation;
	int error = generation_new(&generation, tree->leaves, input->members);

	if (error)
		return error;
	set_members(input, &generation->plan);
	generation->plan.flags = input->learned ? LARCH_PLAN_LEARNED : 0;
	tree_pack(tree, &generation->plan.tree);
	for (size_t leaf = 0; leaf < tree->leaves; leaf++) {
		size_t node = (size_t)tree->leaf_node[leaf];
		const struct cost *cost = tree->cost + node * tree->members;

		generation->demand[leaf] = tree->node[node].flows * input->demand_factor;
		for (size_t i = 0; i < input->members; i++)
			set_cost(&generation->costs[leaf].member[i], cost[i].net, cost[i].service);
	}
	generation->tree = tree;
	*out = generation;
	return 0;
}

int learner_train(const struct learner_input *input, struct generation **out)
{
	struct tree *tree;
	int error = tree_train(input->table, &input->tree, &tree);

	if (error)
		return error == -EINVAL ? -ERANGE : error; /* not finite: no cost either */
	if (tree->node[0].flows < input->tree.min_flows)
		error = -ENODATA;
	if (!error)
		error = check_costs(tree);
	if (!error)
		error = fill_from_tree(input, tree, out);
	if (error)
		tree_free(tree);
	return error;
}

/* Flows are added up as multiples of this: exactly, in whichever order the rows come. */
#define FLOW_GRID 0x1p-20

/* flows[to][from]: what leaf `to` of the new tree has of the last tree's leaf `from`. */
static void count_flows(const struct learner_input *input, const struct generation *generation,
			double flows[][LARCH_MAX_LEAVES])
{
	const struct table *table = input->table;

	for (size_t row = 0; row < table->rows; row++) {
		const struct larch_features *features = &table->features[row];
		unsigned to = larch_tree_walk(&generation->plan.tree, features);
		unsigned from = larch_tree_walk(&input->last->plan.tree, features);

		flows[to][from] += rint(table_flows(table, row) / FLOW_GRID);
	}
}

static double last_share(const struct learner_input *input, size_t leaf, size_t i)
{
	int member = last_member(input, i);

	return member < 0 ? 1.0 / (double)input->members
			  : input->last->share[leaf * input->last->members + (size_t)member];
}

/* The last shares, carried over from the last tree's leaves by the flows that they have in common.
 */
static void carry_shares(const struct learner_input *input, struct generation *generation)
{
	const struct generation *last = input->last;
	double flows[LARCH_MAX_LEAVES][LARCH_MAX_LEAVES] = {};
	size_t members = input->members;

	if (last)
		count_flows(input, generation, flows);
	for (size_t to = 0; to < generation->leaves; to++) {
		double *share = generation->share + to * members;

		for (size_t from = 0; last && from < last->leaves; from++)
			for (size_t i = 0; flows[to][from] > 0 && i < members; i++)
				share[i] += flows[to][from] * last_share(input, from, i);
		normalise(input, share);
	}
}

static double largest_move(const double *before, const double *after, size_t count)
{
	double most = 0;

	for (size_t i = 0; i < count; i++)
		most = fmax(most, fabs(after[i] - before[i]));
	return most;
}

/* The solver's view of the generation's leaves; frees with free(). */
struct problem {
	struct shares_problem problem;
	double *concurrency;
	bool *usable;
	struct cost *cost;
};

static void problem_free(struct problem *problem)
{
	free(problem->concurrency);
	free(problem->usable);
	free(problem->cost);
}

static int problem_fill(struct problem *problem, const struct learner_input *input,
			const struct generation *generation)
{
	const struct tree *tree = generation->tree;
	size_t members = input->members, leaves = generation->leaves;

	problem->concurrency = calloc(members, sizeof(*problem->concurrency));
	problem->usable = calloc(members, sizeof(*problem->usable));
	problem->cost = calloc(leaves * members, sizeof(*problem->cost));
	if (!problem->concurrency || !problem->usable || !problem->cost)
		return -ENOMEM;
	for (size_t i = 0; i < members; i++) {
		problem->concurrency[i] = input->member[i].concurrency;
		problem->usable[i] = input->member[i].usable && input->member[i].weight > 0;
	}
	for (size_t leaf = 0; leaf < leaves; leaf++)
		memcpy(problem->cost + leaf * members,
		       tree->cost + (size_t)tree->leaf_node[leaf] * members,
		       members * sizeof(*problem->cost));
	problem->problem = (struct shares_problem){
		.leaves = leaves,
		.members = members,
		.cost = problem->cost,
		.demand = generation->demand,
		.concurrency = problem->concurrency,
		.usable = problem->usable,
		.even = ALMOST_EQUAL,
	};
	return 0;
}

int learner_solve(const struct learner_input *input, struct generation *generation)
{
	size_t cells = generation->leaves * input->members;
	double *before = calloc(cells, sizeof(*before)), was;
	struct problem problem = {};
	int error = before ? problem_fill(&problem, input, generation) : -ENOMEM;

	if (error)
		goto out;
	carry_shares(input, generation);
	memcpy(before, generation->share, cells * sizeof(*before));
	was = shares_latency(&problem.problem, before);
	error = shares_solve(&problem.problem, &input->shares, generation->share);
	if (error)
		goto out;
	shares_capacity(generation->tree->cost, problem.concurrency, problem.usable, input->members,
			generation->capacity);
	generation->expected_us = shares_latency(&problem.problem, generation->share);
	generation->expected_gain = was > 0 ? 1 - generation->expected_us / was : 0;
	generation->moved_share = largest_move(before, generation->share, cells);
out:
	problem_free(&problem);
	free(before);
	return error;
}

/* A ring by weights, of which cold members get less. */
static void build_ring(const struct learner_input *input, const double *weight,
		       const struct larch_ring *other, struct larch_ring *out)
{
	double now[LARCH_MAX_MEMBERS] = {};

	for (size_t i = 0; i < input->members; i++)
		now[i] = weight[i] * (1 - input->member[i].cold);
	ring_build(input->builder, now, other, out);
}

void learner_rings(const struct learner_input *input, struct generation *generation)
{
	double weight[LARCH_MAX_MEMBERS] = {};

	for (size_t i = 0; i < input->members; i++)
		weight[i] = input->member[i].usable ? input->member[i].weight : 0;
	build_ring(input, weight, NULL, &generation->ring[LARCH_RING_CONTROL]);
	build_ring(input, generation->capacity, &generation->ring[LARCH_RING_CONTROL],
		   &generation->ring[LARCH_RING_GLOBAL]);
	for (size_t leaf = 0; leaf < generation->leaves; leaf++)
		build_ring(input, generation->share + leaf * input->members,
			   &generation->ring[LARCH_RING_GLOBAL],
			   &generation->ring[LARCH_RING_LEAF + leaf]);
	generation->plan.digest = generation_digest(generation);
}

static bool cost_moved(const struct larch_cost *before, const struct larch_cost *after)
{
	double was = (double)before->net + before->service,
	       is = (double)after->net + after->service;

	return fabs(is - was) > WORTH_COST * was;
}

bool learner_worth(const struct generation *last, const struct generation *next)
{
	bool same_tree;

	if (!last || last->plan.flags != next->plan.flags ||
	    memcmp(last->plan.member, next->plan.member, sizeof(last->plan.member)) != 0 ||
	    next->expected_gain > WORTH_GAIN || next->moved_share > WORTH_SHARE)
		return true;
	same_tree = memcmp(&last->plan.tree, &next->plan.tree, sizeof(last->plan.tree)) == 0;
	for (size_t leaf = 0; same_tree && leaf < next->leaves; leaf++) {
		for (size_t i = 0; i < next->members; i++) {
			if (cost_moved(&last->costs[leaf].member[i], &next->costs[leaf].member[i]))
				return true;
		}
	}
	return false;
}
