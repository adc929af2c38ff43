// SPDX-License-Identifier: BSD-2-Clause
/* A problem for the tests of the shares, which each test sets up and changes. */
#pragma once

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "shares.h"

#define LEAVES	8
#define MEMBERS 64

/* A problem and its storage. */
struct scene {
	struct shares_problem problem;
	struct cost cost[LEAVES * MEMBERS];
	double demand[LEAVES];
	double concurrency[MEMBERS];
	bool usable[MEMBERS];
	double share[LEAVES * MEMBERS];
};

static struct scene scene;

static const struct shares_options free_options = {150, 0.3, 0, 1};
static const struct shares_options usual_options = {150, 0.3, 0.002, 0.2};

/* All members alike, even shares. */
static inline void set_scene(size_t leaves, size_t members)
{
	memset(&scene, 0, sizeof(scene));
	scene.problem = (struct shares_problem){
		leaves, members, scene.cost, scene.demand, scene.concurrency, scene.usable, 0};
	for (size_t l = 0; l < leaves; l++)
		scene.demand[l] = 100;
	for (size_t j = 0; j < members; j++) {
		scene.concurrency[j] = 4;
		scene.usable[j] = true;
	}
	for (size_t i = 0; i < leaves * members; i++) {
		scene.cost[i] = (struct cost){1000, 2000};
		scene.share[i] = 1 / (double)members;
	}
}

static inline double uniform(uint64_t *state)
{
	*state = *state * 6364136223846793005 + 1442695040888963407;
	return (double)(*state >> 11) * 0x1p-53;
}

/* Costs and concurrency at random; demand so that even shares by capacity give this load. */
static inline void randomise_scene(uint64_t seed, double load)
{
	size_t members = scene.problem.members, leaves = scene.problem.leaves;
	uint64_t state = seed;

	for (size_t j = 0; j < members; j++)
		scene.concurrency[j] = 1 + floor(8 * uniform(&state));
	for (size_t l = 0; l < leaves; l++) {
		double capacity = 0;

		for (size_t j = 0; j < members; j++) {
			struct cost *cost = &scene.cost[l * members + j];

			cost->net = 500 + 30000 * uniform(&state) * uniform(&state);
			cost->service = 1000 + 9000 * uniform(&state);
			capacity += 1e6 * scene.concurrency[j] / cost->service;
		}
		scene.demand[l] = load * capacity / (double)leaves;
	}
}

static inline void solve_scene(const struct shares_options *options)
{
	cr_assert_eq(shares_solve(&scene.problem, options, scene.share), 0);
}

static inline double scene_latency(void)
{
	return shares_latency(&scene.problem, scene.share);
}

static inline double member_load(size_t member)
{
	double sum = 0;

	for (size_t l = 0; l < scene.problem.leaves; l++) {
		size_t at = l * scene.problem.members + member;

		sum += scene.demand[l] * scene.share[at] * scene.cost[at].service;
	}
	return sum / 1e6 / scene.concurrency[member];
}

static inline double row_variation(const double *a, const double *b, size_t members)
{
	double sum = 0;

	for (size_t j = 0; j < members; j++)
		sum += fabs(a[j] - b[j]) / 2;
	return sum;
}

static inline void assert_distributions(void)
{
	for (size_t l = 0; l < scene.problem.leaves; l++) {
		double sum = 0;

		for (size_t j = 0; j < scene.problem.members; j++) {
			double share = scene.share[l * scene.problem.members + j];

			cr_assert(share >= 0 && share <= 1);
			cr_assert(scene.usable[j] || share == 0);
			sum += share;
		}
		cr_assert_float_eq(sum, 1, 1e-12);
	}
}
