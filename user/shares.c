// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shares of the members in each leaf, by mirror descent on the total expected latency. In: costs,
 * demand, concurrency; out: shares. The formulas are in shares.h.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numeric.h"
#include "shares.h"

#define SECOND	      1e6  /* us */
#define LINEAR	      0.95 /* load beyond which waiting grows linearly */
#define FULL	      0.95 /* demand is planned as at most this part of capacity */
#define LEAST_LOAD    1e-9 /* a slope at 0 would not be finite if c < 1 */
#define LEAST_SERVICE 1.0  /* us */
#define FLOORS	      0.25 /* what all floors of a leaf take at most */
#define FRESH	      0.1  /* part of the start that comes from capacity */
#define LEAST_PART    1e-9 /* so that a member can come back */
#define SLOWER	      0.5  /* factors of the rate */
#define FASTER	      1.1
#define MOST_RATE     10.0 /* times the first */
#define MOST_EVEN     0.1
#define DISTRIBUTION  1e-6 /* tolerance of a row's sum */

struct descent {
	const struct shares_problem *problem;
	double scale;	    /* of demand, <= 1 */
	double floor, rest; /* of each member, and what all floors leave */
	double *near;	    /* [leaves]: the least cost without waiting, times even */
	double *base;	    /* [leaves][members]: cost without waiting */
	double *target;	    /* [leaves][members]: what comes out */
	double *part;	/* [leaves][members]: shares without their floors, each leaf sums to 1 */
	double *best;	/* [leaves][members]: the best parts so far */
	double *work;	/* [members]: U_j */
	double *stress; /* [members]: w + load w' */
};

/* w and its slope, of a mean service time of 1. */
static void wait_unit(double concurrency, double load, double *wait, double *slope)
{
	double exponent = sqrt(2 * (concurrency + 1)) - 1;
	double x = load < LEAST_LOAD ? LEAST_LOAD : load > LINEAR ? LINEAR : load;
	double at = numeric_exp(exponent * numeric_log(x)) / (concurrency * (1 - x));

	*slope = at * (exponent / x + 1 / (1 - x));
	*wait = load > LEAST_LOAD ? at + *slope * (load - x) : 0;
}

void shares_wait(double service_us, double concurrency, double load, double *wait, double *slope)
{
	wait_unit(concurrency, load, wait, slope);
	*wait *= service_us;
	*slope *= service_us;
}

void shares_capacity(const struct cost *root_cost, const double *concurrency, const bool *usable,
		     size_t members, double *share)
{
	double sum = 0;

	for (size_t j = 0; j < members; j++) {
		double service = root_cost[j].service;

		if (!(service > LEAST_SERVICE))
			service = LEAST_SERVICE;
		share[j] = usable[j] ? concurrency[j] / service : 0;
		sum += share[j];
	}
	for (size_t j = 0; j < members && sum > 0; j++)
		share[j] /= sum;
}

/* work[j]: us per second that member j is busy with these shares. */
static void fill_work(const struct shares_problem *problem, const double *share, double *work)
{
	size_t members = problem->members;

	memset(work, 0, members * sizeof(*work));
	for (size_t l = 0; l < problem->leaves; l++)
		for (size_t j = 0; j < members; j++)
			work[j] += problem->demand[l] * share[l * members + j] *
				   problem->cost[l * members + j].service;
}

/* Part of all requests' latency that waiting makes, us per second; fills stress. */
static double fill_stress(const struct shares_problem *problem, const double *work, double scale,
			  double *stress)
{
	double sum = 0;

	for (size_t j = 0; j < problem->members; j++) {
		double load = scale * work[j] / (SECOND * problem->concurrency[j]);
		double wait, slope;

		wait_unit(problem->concurrency[j], load, &wait, &slope);
		stress[j] = wait + load * slope;
		sum += scale * work[j] * wait;
	}
	return sum;
}

static double total_demand(const struct shares_problem *problem)
{
	double sum = 0;

	for (size_t l = 0; l < problem->leaves; l++)
		sum += problem->demand[l];
	return sum;
}

/* Part of the latency that does not come from waiting, us per second. */
static double base_latency(const struct shares_problem *problem, const double *share)
{
	size_t members = problem->members;
	double sum = 0;

	for (size_t l = 0; l < problem->leaves; l++) {
		double leaf = 0;

		for (size_t j = 0; j < members; j++) {
			const struct cost *cost = &problem->cost[l * members + j];

			leaf += share[l * members + j] * (cost->net + cost->service);
		}
		sum += problem->demand[l] * leaf;
	}
	return sum;
}

double shares_latency(const struct shares_problem *problem, const double *share)
{
	double demand = total_demand(problem);
	double sum = base_latency(problem, share);

	/* One member at a time, so that nothing needs to be allocated. */
	for (size_t j = 0; j < problem->members; j++) {
		double work = 0, wait, slope;

		for (size_t l = 0; l < problem->leaves; l++)
			work += problem->demand[l] * share[l * problem->members + j] *
				problem->cost[l * problem->members + j].service;
		wait_unit(problem->concurrency[j], work / (SECOND * problem->concurrency[j]), &wait,
			  &slope);
		sum += work * wait;
	}
	return demand > 0 ? sum / demand : 0;
}

int shares_price(const struct shares_problem *problem, const double *share, double *price)
{
	size_t members = problem->members;
	double *work = calloc(2 * members + 1, sizeof(*work));
	double *stress = work + members;

	if (!work)
		return -ENOMEM;
	fill_work(problem, share, work);
	fill_stress(problem, work, 1, stress);
	for (size_t l = 0; l < problem->leaves; l++)
		for (size_t j = 0; j < members; j++) {
			const struct cost *cost = &problem->cost[l * members + j];

			price[l * members + j] = cost->net + cost->service * (1 + stress[j]);
		}
	free(work);
	return 0;
}

static bool finite_positive(double x)
{
	return isfinite(x) && x > 0;
}

static bool finite_not_negative(double x)
{
	return isfinite(x) && x >= 0;
}

static bool problem_valid(const struct shares_problem *problem)
{
	bool usable = false;

	if (!(problem->even >= 0 && problem->even <= MOST_EVEN))
		return false;
	for (size_t j = 0; j < problem->members; j++) {
		usable = usable || problem->usable[j];
		if (!finite_positive(problem->concurrency[j]))
			return false;
	}
	for (size_t l = 0; l < problem->leaves; l++)
		if (!finite_not_negative(problem->demand[l]))
			return false;
	for (size_t i = 0; i < problem->leaves * problem->members; i++)
		if (!finite_not_negative(problem->cost[i].net) ||
		    !finite_not_negative(problem->cost[i].service))
			return false;
	return usable;
}

static bool options_valid(const struct shares_options *options)
{
	return finite_positive(options->rate) && finite_not_negative(options->floor) &&
	       options->limit >= 0;
}

/* A leaf's row without what is on unusable members. False: no valid distribution. */
static bool row_usable(const struct shares_problem *problem, const double *row, double *out)
{
	double all = 0, sum = 0;

	for (size_t j = 0; j < problem->members; j++) {
		if (!finite_not_negative(row[j]))
			return false;
		all += row[j];
		out[j] = problem->usable[j] ? row[j] : 0;
		sum += out[j];
	}
	if (!(fabs(all - 1) <= DISTRIBUTION) || !(sum > DISTRIBUTION))
		return false;
	for (size_t j = 0; j < problem->members; j++)
		out[j] /= sum;
	return true;
}

static void leaf_capacity(const struct shares_problem *problem, size_t leaf, double *out)
{
	shares_capacity(&problem->cost[leaf * problem->members], problem->concurrency,
			problem->usable, problem->members, out);
}

/* before[]: from where the limit counts; descent->part: from where the descent starts. */
static void start(struct descent *descent, const double *share, double *before)
{
	const struct shares_problem *problem = descent->problem;

	for (size_t l = 0; l < problem->leaves; l++) {
		size_t at = l * problem->members;
		double *part = &descent->part[at];

		leaf_capacity(problem, l, part);
		if (!row_usable(problem, &share[at], &before[at]))
			memcpy(&before[at], part, problem->members * sizeof(*part));
		for (size_t j = 0; j < problem->members; j++)
			part[j] = (1 - FRESH) * before[at + j] + FRESH * part[j];
	}
}

/* Factor of the demand that keeps it within FULL of what all members can do together. */
static double demand_scale(const struct shares_problem *problem)
{
	double load = 0;

	for (size_t l = 0; l < problem->leaves; l++) {
		double capacity = 0;

		for (size_t j = 0; j < problem->members; j++) {
			double service = problem->cost[l * problem->members + j].service;

			if (!(service > LEAST_SERVICE))
				service = LEAST_SERVICE;
			if (problem->usable[j])
				capacity += SECOND * problem->concurrency[j] / service;
		}
		load += problem->demand[l] / capacity;
	}
	return load > FULL ? FULL / load : 1;
}

static void add_floors(const struct descent *descent, const double *part, double *share)
{
	const struct shares_problem *problem = descent->problem;

	for (size_t l = 0; l < problem->leaves; l++)
		for (size_t j = 0; j < problem->members; j++) {
			size_t at = l * problem->members + j;

			share[at] =
				problem->usable[j] ? descent->floor + descent->rest * part[at] : 0;
		}
}

/* The leaf's negative entropy, in the price's unit. */
static double unevenness(const struct descent *descent, size_t leaf)
{
	size_t members = descent->problem->members;
	const double *part = &descent->part[leaf * members];
	double sum = 0;

	for (size_t j = 0; descent->near[leaf] > 0 && j < members; j++)
		if (part[j] > 0)
			sum += part[j] * numeric_log(part[j]);
	return descent->near[leaf] * sum;
}

/*
 * What is to become least at descent->part: latency of all requests and unevenness, us per second.
 * Fills stress for the next step.
 */
static double evaluate(struct descent *descent)
{
	const struct shares_problem *problem = descent->problem;
	size_t members = problem->members;
	double sum = 0;

	add_floors(descent, descent->part, descent->target);
	fill_work(problem, descent->target, descent->work);
	for (size_t l = 0; l < problem->leaves; l++) {
		double leaf = 0;

		for (size_t j = 0; j < members; j++)
			leaf += descent->target[l * members + j] * descent->base[l * members + j];
		leaf += descent->rest * unevenness(descent, l);
		sum += descent->scale * problem->demand[l] * leaf;
	}
	return sum + fill_stress(problem, descent->work, descent->scale, descent->stress);
}

/* What one more request of the leaf costs at member j, and what it takes from evenness. */
static double price(const struct descent *descent, size_t leaf, size_t j)
{
	size_t at = leaf * descent->problem->members + j;
	double out = descent->base[at] + descent->problem->cost[at].service * descent->stress[j];

	if (descent->near[leaf] > 0 && descent->part[at] > 0)
		out += descent->near[leaf] * numeric_log(descent->part[at]);
	return out;
}

/* Price relative to the leaf's mean, times rate: shares move by the exponential of its negative. */
static void step_leaf(struct descent *descent, size_t leaf, double rate)
{
	const struct shares_problem *problem = descent->problem;
	size_t first = leaf * problem->members;
	double mean = 0, sum = 0;

	for (size_t j = 0; j < problem->members; j++)
		mean += descent->part[first + j] * price(descent, leaf, j);
	for (size_t j = 0; j < problem->members; j++) {
		double *part = &descent->part[first + j];

		if (!problem->usable[j])
			continue;
		if (mean > 0)
			*part *= numeric_exp(rate * (1 - price(descent, leaf, j) / mean));
		if (!(*part > LEAST_PART))
			*part = LEAST_PART;
		sum += *part;
	}
	for (size_t j = 0; j < problem->members; j++)
		descent->part[first + j] /= sum;
}

/* Descends to the least latency; descent->best holds its parts. */
static void descend(struct descent *descent, const struct shares_options *options)
{
	const struct shares_problem *problem = descent->problem;
	size_t bytes = problem->leaves * problem->members * sizeof(double);
	double least = evaluate(descent);
	double rate = options->rate;

	memcpy(descent->best, descent->part, bytes);
	for (unsigned step = 0; step < options->steps; step++) {
		double latency;

		for (size_t l = 0; l < problem->leaves; l++)
			step_leaf(descent, l, rate);
		latency = evaluate(descent);
		if (latency <= least) {
			least = latency;
			memcpy(descent->best, descent->part, bytes);
			rate = fmin(rate * FASTER, options->rate * MOST_RATE);
			continue;
		}
		memcpy(descent->part, descent->best, bytes);
		evaluate(descent);
		rate *= SLOWER;
	}
}

/* Moves one row from `before` towards `target`, by at most `limit` of total variation. */
static void move_row(const double *before, const double *target, size_t members, double limit,
		     double *out)
{
	double variation = 0, part, sum = 0;

	for (size_t j = 0; j < members; j++)
		variation += fabs(target[j] - before[j]) / 2;
	part = variation > limit ? limit / variation : 1;
	for (size_t j = 0; j < members; j++) {
		out[j] = part < 1 ? before[j] + part * (target[j] - before[j]) : target[j];
		sum += out[j];
	}
	for (size_t j = 0; j < members; j++)
		out[j] /= sum;
}

static double least_cost(const struct descent *descent, size_t leaf)
{
	const struct shares_problem *problem = descent->problem;
	double least = INFINITY;

	for (size_t j = 0; j < problem->members; j++)
		if (problem->usable[j])
			least = fmin(least, descent->base[leaf * problem->members + j]);
	return least;
}

static void prepare(struct descent *descent, const struct shares_options *options)
{
	const struct shares_problem *problem = descent->problem;
	size_t usable = 0;

	for (size_t j = 0; j < problem->members; j++)
		usable += problem->usable[j];
	descent->scale = demand_scale(problem);
	descent->floor = fmin(options->floor, FLOORS / (double)usable);
	descent->rest = 1 - (double)usable * descent->floor;
	for (size_t i = 0; i < problem->leaves * problem->members; i++)
		descent->base[i] = problem->cost[i].net + problem->cost[i].service;
	for (size_t l = 0; l < problem->leaves; l++)
		descent->near[l] = descent->problem->even * least_cost(descent, l);
}

int shares_solve(const struct shares_problem *problem, const struct shares_options *options,
		 double *share)
{
	size_t members = problem->members, cells = problem->leaves * members;
	struct descent descent = {.problem = problem};
	double *memory, *before;

	if (!problem_valid(problem) || !options_valid(options))
		return -EINVAL;
	memory = calloc(5 * cells + 2 * members + problem->leaves, sizeof(*memory));
	if (!memory)
		return -ENOMEM;
	before = memory;
	descent.base = before + cells;
	descent.target = descent.base + cells;
	descent.part = descent.target + cells;
	descent.best = descent.part + cells;
	descent.work = descent.best + cells;
	descent.stress = descent.work + members;
	descent.near = descent.stress + members;
	prepare(&descent, options);
	start(&descent, share, before);
	descend(&descent, options);
	add_floors(&descent, descent.best, descent.target);
	for (size_t l = 0; l < problem->leaves; l++)
		move_row(&before[l * members], &descent.target[l * members], members,
			 options->limit, &share[l * members]);
	free(memory);
	return 0;
}
