// SPDX-License-Identifier: BSD-2-Clause
/* Shares: what holds whatever comes in: limits, floors, unusable members, odd input. */
#include <errno.h>

#include "shares_scene.h"

Test(shares, capacity_is_concurrency_by_service_time)
{
	const struct cost cost[4] = {{9, 1000}, {9, 2000}, {9, 1000}, {9, 1000}};
	const double concurrency[4] = {2, 4, 4, 9};
	const bool usable[4] = {true, true, true, false};
	double share[4];

	shares_capacity(cost, concurrency, usable, 4, share);
	cr_assert_float_eq(share[0], 0.25, 1e-12);
	cr_assert_float_eq(share[1], 0.25, 1e-12);
	cr_assert_float_eq(share[2], 0.5, 1e-12);
	cr_assert_eq(share[3], 0);
}

Test(shares, capacity_without_costs_is_concurrency)
{
	const struct cost cost[2] = {{0, 0}, {0, 0}};
	const double concurrency[2] = {1, 3};
	const bool usable[2] = {true, true}, none[2] = {false, false};
	double share[2];

	shares_capacity(cost, concurrency, usable, 2, share);
	cr_assert_float_eq(share[1], 0.75, 1e-12);
	shares_capacity(cost, concurrency, none, 2, share);
	cr_assert_eq(share[0], 0);
	cr_assert_eq(share[1], 0);
}

Test(shares, no_leaf_moves_further_than_the_limit)
{
	double before[4 * 8], furthest = 0;

	for (unsigned i = 0; i < 20; i++) {
		set_scene(4, 8);
		randomise_scene(i, 0.05 * (i + 1));
		memcpy(before, scene.share, sizeof(before));
		solve_scene(&usual_options);
		for (size_t l = 0; l < 4; l++) {
			double moved = row_variation(&before[l * 8], &scene.share[l * 8], 8);

			cr_assert_leq(moved, 0.2 + 1e-12);
			furthest = fmax(furthest, moved);
		}
		assert_distributions();
	}
	cr_assert_float_eq(furthest, 0.2, 1e-12);
}

Test(shares, small_moves_are_held_back_too)
{
	set_scene(1, 2);
	scene.cost[1].net = 30000;
	scene.share[0] = 0.75;
	scene.share[1] = 0.25;
	solve_scene(&usual_options);
	cr_assert_float_eq(scene.share[0], 0.95, 1e-12);
}

Test(shares, ticks_with_a_limit_arrive_where_one_without_does)
{
	double apart;

	set_scene(4, 8);
	randomise_scene(2, 0.5);
	for (unsigned tick = 0; tick < 12; tick++)
		solve_scene(&usual_options);
	apart = scene_latency();
	solve_scene(&(struct shares_options){3000, 0.3, 0.002, 1});
	cr_assert_float_eq(apart / scene_latency(), 1, 0.001);
}

Test(shares, every_usable_member_gets_the_floor)
{
	set_scene(2, 8);
	randomise_scene(3, 0.1);
	scene.usable[5] = false;
	solve_scene(&(struct shares_options){150, 0.3, 0.002, 1});
	for (size_t i = 0; i < 16; i++)
		cr_assert(i % 8 == 5 || scene.share[i] >= 0.002 - 1e-15);
	assert_distributions();
}

Test(shares, floor_and_limit_hold_together_from_tick_to_tick)
{
	uint64_t state = 5;

	for (unsigned i = 0; i < 20; i++) {
		size_t leaves = 1 + (size_t)(LEAVES * uniform(&state));
		size_t members = 2 + (size_t)(MEMBERS / 2 * uniform(&state));

		set_scene(leaves, members);
		for (unsigned tick = 0; tick < 20; tick++) {
			double before[LEAVES * MEMBERS];

			if (tick % 10 ==
			    0) /* everything changes, and all that is left is to follow */
				randomise_scene(100 * i + tick, 0.05 * (i + 1));
			memcpy(before, scene.share, sizeof(before));
			solve_scene(&usual_options);
			assert_distributions();
			for (size_t l = 0; l < leaves; l++)
				cr_assert_leq(row_variation(&before[l * members],
							    &scene.share[l * members], members),
					      0.2 + 1e-12);
		}
		for (size_t at = 0; at < leaves * members; at++)
			cr_assert_geq(scene.share[at], 0.002 - 1e-12);
	}
}

Test(shares, limit_counts_from_what_unusable_members_leave)
{
	for (unsigned i = 0; i < 20; i++) {
		double before[8], left = 0;

		set_scene(1, 8);
		randomise_scene(70 + i, 0.5);
		solve_scene(&(struct shares_options){150, 0.3, 0.002, 1});
		scene.usable[i % 8] = false;
		for (size_t j = 0; j < 8; j++) {
			before[j] = scene.usable[j] ? scene.share[j] : 0;
			left += before[j];
		}
		for (size_t j = 0; j < 8; j++)
			before[j] /= left;
		randomise_scene(90 + i, 0.8);
		solve_scene(&usual_options);
		assert_distributions();
		cr_assert_leq(row_variation(before, scene.share, 8), 0.2 + 1e-12);
	}
}

Test(shares, floors_take_at_most_a_quarter)
{
	set_scene(1, MEMBERS);
	for (size_t j = 1; j < MEMBERS; j++)
		scene.cost[j].net = 1e6;
	solve_scene(&(struct shares_options){400, 0.3, 0.1, 1});
	cr_assert_gt(scene.share[0], 0.74);
	cr_assert_float_eq(scene.share[1], 0.25 / MEMBERS, 1e-4);
}

Test(shares, unusable_members_get_nothing_at_once)
{
	set_scene(2, 4);
	scene.usable[0] = scene.usable[3] = false;
	solve_scene(&usual_options);
	assert_distributions();
	for (size_t l = 0; l < 2; l++) {
		cr_assert_eq(scene.share[4 * l], 0);
		cr_assert_eq(scene.share[4 * l + 3], 0);
		cr_assert_float_eq(scene.share[4 * l + 1], 0.5, 1e-12);
	}
}

Test(shares, only_usable_member_gets_everything)
{
	set_scene(1, 3);
	scene.usable[0] = scene.usable[2] = false;
	solve_scene(&usual_options);
	cr_assert_eq(scene.share[1], 1);
}

Test(shares, member_comes_back_from_nothing)
{
	set_scene(1, 2);
	scene.cost[1].net = 30000;
	scene.share[0] = 0;
	scene.share[1] = 1;
	for (unsigned tick = 0; tick < 6; tick++)
		solve_scene(&usual_options);
	cr_assert_gt(scene.share[0], 0.99);
}

Test(shares, twins_get_equal_shares)
{
	set_scene(2, 4);
	scene.cost[0].net = scene.cost[1].net = 800;
	solve_scene(&free_options);
	for (size_t l = 0; l < 2; l++) {
		cr_assert_eq(scene.share[4 * l], scene.share[4 * l + 1]);
		cr_assert_eq(scene.share[4 * l + 2], scene.share[4 * l + 3]);
	}
}

Test(shares, twins_become_alike_from_unequal_shares)
{
	set_scene(1, 2);
	scene.demand[0] = 1;
	scene.share[0] = 0.9;
	scene.share[1] = 0.1;
	for (unsigned tick = 0; tick < 40; tick++)
		solve_scene(&usual_options);
	cr_assert_float_eq(scene.share[0], 0.5, 0.01);
}

Test(shares, no_demand_is_no_trouble)
{
	set_scene(2, 2);
	scene.demand[0] = scene.demand[1] = 0;
	scene.cost[1].net = 20000;
	solve_scene(&free_options);
	assert_distributions();
	cr_assert_eq(scene_latency(), 0);
	cr_assert_gt(scene.share[0], 0.99);
}

Test(shares, costs_of_zero_are_no_trouble)
{
	set_scene(2, 3);
	memset(scene.cost, 0, sizeof(scene.cost));
	solve_scene(&usual_options);
	assert_distributions();
	cr_assert_float_eq(scene.share[0], 1. / 3, 1e-12);
}

Test(shares, extreme_input_gives_distributions)
{
	set_scene(2, 4);
	scene.cost[0] = (struct cost){1e300, 1e-300};
	scene.cost[1] = (struct cost){0, 6e7};
	scene.cost[6] = (struct cost){1e-300, 0};
	scene.concurrency[2] = 1e-6;
	scene.concurrency[3] = 1e9;
	scene.demand[0] = 1e9;
	solve_scene(&usual_options);
	assert_distributions();
}

Test(shares, rows_without_a_distribution_start_from_capacity)
{
	const double rogue[] = {NAN, INFINITY, -0.5, 0, 7};

	for (size_t i = 0; i < 5; i++) {
		set_scene(2, 2);
		scene.concurrency[0] = 12;
		scene.share[0] = rogue[i];
		solve_scene(&(struct shares_options){150, 0.3, 0, 0});
		cr_assert_float_eq(scene.share[0], 0.75, 1e-12);
		cr_assert_float_eq(scene.share[2], 0.5, 1e-12, "the other leaf keeps its own");
	}
}

static void assert_refused(const struct shares_options *options)
{
	double before[4];

	memcpy(before, scene.share, sizeof(before));
	cr_assert_eq(shares_solve(&scene.problem, options, scene.share), -EINVAL);
	cr_assert_arr_eq(before, scene.share, sizeof(before));
}

Test(shares, invalid_problem_is_refused_and_share_unchanged)
{
	const double rogue[] = {NAN, INFINITY, -1};

	for (size_t i = 0; i < 3; i++) {
		set_scene(2, 2);
		scene.cost[3].net = rogue[i];
		assert_refused(&usual_options);
		set_scene(2, 2);
		scene.cost[0].service = rogue[i];
		assert_refused(&usual_options);
		set_scene(2, 2);
		scene.demand[1] = rogue[i];
		assert_refused(&usual_options);
		set_scene(2, 2);
		scene.concurrency[1] = rogue[i];
		assert_refused(&usual_options);
	}
	set_scene(2, 2);
	scene.concurrency[0] = 0;
	assert_refused(&usual_options);
	for (size_t i = 0; i < 3; i++) {
		set_scene(2, 2);
		scene.problem.even = rogue[i];
		assert_refused(&usual_options);
	}
	set_scene(2, 2);
	scene.usable[0] = scene.usable[1] = false;
	assert_refused(&usual_options);
}

Test(shares, invalid_options_are_refused_and_share_unchanged)
{
	set_scene(2, 2);
	assert_refused(&(struct shares_options){150, 0, 0, 1});
	assert_refused(&(struct shares_options){150, NAN, 0, 1});
	assert_refused(&(struct shares_options){150, 0.3, -1, 1});
	assert_refused(&(struct shares_options){150, INFINITY, 0, 1});
	assert_refused(&(struct shares_options){150, 0.3, NAN, 1});
	assert_refused(&(struct shares_options){150, 0.3, INFINITY, 1});
	assert_refused(&(struct shares_options){150, 0.3, 0, NAN});
	assert_refused(&(struct shares_options){150, 0.3, 0, -0.1});
}

Test(shares, equal_input_gives_equal_bits)
{
	double first[LEAVES * MEMBERS];

	set_scene(LEAVES, MEMBERS);
	randomise_scene(9, 0.7);
	solve_scene(&usual_options);
	memcpy(first, scene.share, sizeof(first));
	set_scene(LEAVES, MEMBERS);
	randomise_scene(9, 0.7);
	solve_scene(&usual_options);
	cr_assert_arr_eq(first, scene.share, sizeof(first));
}
