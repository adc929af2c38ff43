// SPDX-License-Identifier: BSD-2-Clause
/* Shares: the model of waiting, where load goes, and that no other shares are faster. */
#include "shares_scene.h"

Test(shares_optimum, waiting_is_that_of_known_queues)
{
	double wait, slope;

	/* Exact for one server: S x / (1 - x). */
	shares_wait(1000, 1, 0.5, &wait, &slope);
	cr_assert_float_eq(wait, 1000, 1e-6);
	cr_assert_float_eq(slope, 4000, 1e-6);
	/* Near Erlang's C for 4 servers at 80 %: 746 us. */
	shares_wait(1000, 4, 0.8, &wait, &slope);
	cr_assert_float_eq(wait, 746, 30);
	shares_wait(1000, 4, 0, &wait, &slope);
	cr_assert_eq(wait, 0);
	cr_assert(isfinite(slope));
	shares_wait(1000, 0.25, 0, &wait, &slope);
	cr_assert(isfinite(slope));
}

Test(shares_optimum, waiting_goes_on_linearly_beyond_95_percent)
{
	double below, above, far, slope, slope_above, slope_far;

	shares_wait(1000, 4, 0.95 - 1e-9, &below, &slope);
	shares_wait(1000, 4, 0.95 + 1e-9, &above, &slope_above);
	shares_wait(1000, 4, 1.95, &far, &slope_far);
	cr_assert_float_eq(below, above, 1e-3);
	cr_assert_float_eq(slope / slope_above, 1, 1e-6);
	cr_assert_eq(slope_above, slope_far);
	cr_assert_float_eq(far, above + slope_far, 1e-2);
}

Test(shares_optimum, light_load_goes_to_the_near_member)
{
	set_scene(1, 2);
	scene.cost[1].net = 20000;
	solve_scene(&free_options);
	cr_assert_gt(scene.share[0], 0.999);
	assert_distributions();
}

Test(shares_optimum, heavy_load_spills_over_to_the_far_member)
{
	set_scene(1, 2);
	scene.cost[1].net = 4000;
	scene.demand[0] = 2800; /* 1.4 times what one of them can serve */
	solve_scene(&free_options);
	cr_assert_gt(scene.share[0], scene.share[1] + 0.03);
	cr_assert_gt(scene.share[1], 0.3);
	cr_assert_lt(member_load(0), 0.8);
}

Test(shares_optimum, each_class_goes_to_its_own_near_member)
{
	set_scene(2, 2);
	scene.cost[1].net = scene.cost[2].net = 20000;
	solve_scene(&free_options);
	cr_assert_gt(scene.share[0], 0.999);
	cr_assert_gt(scene.share[3], 0.999);
}

Test(shares_optimum, leaf_with_more_to_gain_keeps_the_scarce_member)
{
	set_scene(2, 2);
	scene.cost[1].net = 2000;
	scene.cost[3].net = 50000;
	scene.demand[0] = scene.demand[1] = 1500;
	solve_scene(&free_options);
	cr_assert_gt(scene.share[2], 0.95);
	cr_assert_lt(scene.share[0], 0.5);
}

Test(shares_optimum, heavier_work_loads_more)
{
	double price[4];

	set_scene(2, 2);
	scene.cost[2].service = scene.cost[3].service = 6000;
	scene.demand[0] = scene.demand[1] = 800;
	cr_assert_eq(shares_price(&scene.problem, scene.share, price), 0);
	/* Beyond the network, three times the work costs three times as much. */
	cr_assert_float_eq(price[2] - 1000, 3 * (price[0] - 1000), 1e-6);
	cr_assert_gt(price[0], 3000);
}

Test(shares_optimum, slope_of_waiting_is_that_of_its_differences)
{
	const double concurrency[] = {0.5, 1, 3, 16, 200};

	for (size_t i = 0; i < 5; i++)
		for (double load = 0.01; load < 1.4; load += 0.03) {
			double up, down, slope, ignored, step = 1e-6;

			shares_wait(1000, concurrency[i], load + step, &up, &ignored);
			shares_wait(1000, concurrency[i], load - step, &down, &ignored);
			shares_wait(1000, concurrency[i], load, &ignored, &slope);
			cr_assert_float_eq((up - down) / (2 * step), slope, 1e-6 + 1e-4 * slope,
					   "c %g, load %g", concurrency[i], load);
		}
}

/* The price of each leaf at each member against differences of the latency. */
static void assert_prices_are_slopes(void)
{
	size_t members = scene.problem.members, cells = scene.problem.leaves * members;
	double price[LEAVES * MEMBERS], demand = 0, step = 1e-6;

	for (size_t l = 0; l < scene.problem.leaves; l++)
		demand += scene.demand[l];
	cr_assert_eq(shares_price(&scene.problem, scene.share, price), 0);
	for (size_t at = 0; at < cells; at++) {
		double was = scene.share[at], up, down, slope;

		scene.share[at] = was + step;
		up = scene_latency();
		scene.share[at] = was - step;
		down = scene_latency();
		scene.share[at] = was;
		slope = (up - down) / (2 * step) * demand / scene.demand[at / members];
		cr_assert_float_eq(slope / price[at], 1, 1e-3, "%g is not %g", slope, price[at]);
	}
}

Test(shares_optimum, price_is_the_slope_of_the_latency)
{
	uint64_t state = 40;

	for (unsigned i = 0; i < 60; i++) {
		size_t leaves = 1 + (size_t)(LEAVES * uniform(&state));
		size_t members = 1 + (size_t)(12 * uniform(&state));

		set_scene(leaves, members);
		randomise_scene(40 + i, 0.05 + 1.4 * uniform(&state));
		for (size_t at = 0; at < leaves * members;
		     at++) /* any shares, not just good ones */
			scene.share[at] = uniform(&state) * 2 / (double)members;
		assert_prices_are_slopes();
	}
}

/* Waiting time in an M/M/c queue by Sakasegawa's formula, in libm's words. */
static double waiting(double service, double c, double load)
{
	double at = fmin(load, 0.95);
	double wait = pow(at, sqrt(2 * (c + 1)) - 1) / (c * (1 - at)) * service;
	double slope = wait * ((sqrt(2 * (c + 1)) - 1) / at + 1 / (1 - at));

	return load > 0.95 ? wait + slope * (load - 0.95) : wait;
}

/* The expected latency of a request, from the definitions alone. */
static double latency_of(const double *share)
{
	size_t leaves = scene.problem.leaves, members = scene.problem.members;
	double sum = 0, demand = 0;

	for (size_t l = 0; l < leaves; l++)
		demand += scene.demand[l];
	for (size_t j = 0; j < members; j++) {
		double requests = 0, busy = 0;

		for (size_t l = 0; l < leaves; l++) {
			const struct cost *cost = &scene.cost[l * members + j];
			double rate = scene.demand[l] * share[l * members + j];

			requests += rate;
			busy += rate * cost->service;
			sum += rate * (cost->net + cost->service);
		}
		if (requests > 0) /* each waits as long as the mean request takes to be served */
			sum += requests * waiting(busy / requests, scene.concurrency[j],
						  busy / 1e6 / scene.concurrency[j]);
	}
	return sum / demand;
}

Test(shares_optimum, latency_follows_from_the_definitions)
{
	for (unsigned i = 0; i < 50; i++) {
		set_scene(1 + i % LEAVES, 2 + i % 20);
		randomise_scene(500 + i, 0.03 * (i + 1));
		cr_assert_float_eq(scene_latency() / latency_of(scene.share), 1, 1e-9);
		solve_scene(&free_options);
		cr_assert_float_eq(scene_latency() / latency_of(scene.share), 1, 1e-9);
	}
}

/* Least latency over a grid of the shares of two leaves at two members. */
static double brute_force_2(void)
{
	double best = INFINITY;

	for (int a = 0; a <= 400; a++)
		for (int b = 0; b <= 400; b++) {
			double share[4] = {a / 400., 1 - a / 400., b / 400., 1 - b / 400.};

			best = fmin(best, latency_of(share));
		}
	return best;
}

/* The same for three members. */
static double brute_force_3(void)
{
	enum { GRID = 30 };
	static double rows[(GRID + 1) * (GRID + 2) / 2][3];
	double best = INFINITY;
	size_t count = 0;

	for (int a = 0; a <= GRID; a++)
		for (int b = 0; a + b <= GRID; b++, count++) {
			rows[count][0] = (double)a / GRID;
			rows[count][1] = (double)b / GRID;
			rows[count][2] = (double)(GRID - a - b) / GRID;
		}
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < count; k++) {
			double share[6];

			memcpy(share, rows[i], sizeof(rows[i]));
			memcpy(share + 3, rows[k], sizeof(rows[k]));
			best = fmin(best, latency_of(share));
		}
	return best;
}

Test(shares_optimum, result_is_the_optimum_of_two_members)
{
	for (unsigned i = 0; i < 24; i++) {
		set_scene(2, 2);
		randomise_scene(i, 0.1 + 0.032 * i);
		solve_scene(&free_options);
		cr_assert_leq(scene_latency(), 1.002 * brute_force_2(), "scene %u", i);
	}
}

Test(shares_optimum, result_is_the_optimum_of_three_members)
{
	for (unsigned i = 0; i < 6; i++) {
		set_scene(2, 3);
		randomise_scene(100 + i, 0.2 + 0.12 * i);
		solve_scene(&free_options);
		cr_assert_leq(scene_latency(), 1.002 * brute_force_3(), "scene %u", i);
	}
}

Test(shares_optimum, no_distribution_nearby_is_better)
{
	uint64_t state = 77;

	for (unsigned i = 0; i < 8; i++) {
		double best, found[LEAVES * 16];

		set_scene(LEAVES, 16);
		randomise_scene(200 + i, 0.1 + 0.1 * i);
		solve_scene(&free_options);
		best = scene_latency();
		memcpy(found, scene.share, sizeof(found));
		for (unsigned trial = 0; trial < 200; trial++) {
			for (size_t l = 0; l < LEAVES; l++) {
				size_t from = l * 16 + (size_t)(16 * uniform(&state));
				size_t to = l * 16 + (size_t)(16 * uniform(&state));
				double moved = scene.share[from] * uniform(&state);

				scene.share[from] -= moved;
				scene.share[to] += moved;
			}
			cr_assert_leq(best, scene_latency() * (1 + 1e-4));
			memcpy(scene.share, found, sizeof(found));
		}
	}
}

Test(shares_optimum, more_steps_hardly_help)
{
	for (unsigned i = 0; i < 9; i++) {
		struct shares_options many = free_options;
		double latency;

		set_scene(LEAVES, 32);
		randomise_scene(300 + i, 0.1 * (i + 1));
		solve_scene(&free_options);
		latency = scene_latency();
		many.steps = 3000;
		solve_scene(&many);
		cr_assert_leq(latency, 1.002 * scene_latency(), "load %g", 0.1 * (i + 1));
	}
}

Test(shares_optimum, overload_is_spread_like_capacity)
{
	set_scene(2, 3);
	scene.concurrency[0] = 8;
	scene.cost[2].net = scene.cost[5].net = 30000;
	scene.demand[0] = scene.demand[1] = 50000; /* 12 times what all can serve */
	solve_scene(&free_options);
	assert_distributions();
	for (size_t j = 0; j < 3; j++)
		cr_assert_float_eq(member_load(j) / 12.5, 1, 0.06, "%zu: %g", j, member_load(j));
}
