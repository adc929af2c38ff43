// SPDX-License-Identifier: BSD-2-Clause
/* What would have had to differ for another candidate, held against the choice itself. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "instead.h"
#include "larch/score.h"
#include "report_world.h"

#define CLIENT "10.1.0.7" /* leaf 0 */

/*
 * Three candidates: members 0, 1 and 2, in this order, whatever the slot. Costs 100 + 1000, 2000,
 * 3000 us; four requests served at once.
 */
static struct scene *instead_scene(void)
{
	struct scene *scene = scene_new();

	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
		scene->ring[LARCH_RING_LEAF].slot[slot] = (struct larch_slot){0, 1};
		scene->ring[LARCH_RING_GLOBAL].slot[slot] = (struct larch_slot){2, LARCH_NO_MEMBER};
	}
	return scene;
}

static struct explain look(const struct scene *scene, enum larch_arm arm, bool explores)
{
	struct explain_input input =
		scene_input(scene, CLIENT, scene_port(scene, CLIENT, arm, explores));
	struct explain out;

	explain_flow(&input, &out);
	return out;
}

static uint8_t taken(const struct scene *scene)
{
	return look(scene, LARCH_ARM_LEARNED, false).member;
}

static const struct instead *ask_instead(const struct scene *scene)
{
	static struct instead instead[LARCH_CANDIDATES];
	struct explain explain = look(scene, LARCH_ARM_LEARNED, false);

	instead_find(&explain, instead);
	for (unsigned i = 0; i < LARCH_CANDIDATES; i++)
		cr_assert_eq(instead[i].there, explain.candidate[i].member != explain.member);
	return instead;
}

Test(instead, costs_at_their_borders_decide)
{
	struct scene *scene = instead_scene();
	struct larch_cost *cost = &scene->costs[0].member[1];
	const struct instead *instead = ask_instead(scene);

	/* Of equal scores the first candidate is taken: member 1 must be better than 1100. */
	cr_assert_eq(instead[1].service_us, 999);
	cr_assert_eq(instead[1].net_us, INSTEAD_NEVER);
	cost->service = 999;
	cr_assert_eq(taken(scene), 1);
	cost->service = 1000;
	cr_assert_eq(taken(scene), 0);
	cost->service = 1050;
	cr_assert_eq(ask_instead(scene)[1].net_us, 49);
	cost->net = 49;
	cr_assert_eq(taken(scene), 1);
	cost->net = 50;
	cr_assert_eq(taken(scene), 0);
	free(scene);
}

Test(instead, requests_in_flight_at_their_border_decide)
{
	struct scene *scene = instead_scene();
	struct larch_live *live = scene->live + SCENE_FIRST;
	int64_t most;

	live[0].in_flight = 8; /* 3100 */
	live[1].in_flight = 5; /* 4600 */
	live[2].in_flight = 5;
	most = ask_instead(scene)[1].in_flight;
	cr_assert_eq(most, 1); /* 2600; two in flight are 3100, as much as the first one's */
	live[1].in_flight = (__s32)most;
	cr_assert_eq(taken(scene), 1);
	live[1].in_flight = (__s32)most + 1;
	cr_assert_eq(taken(scene), 0);
	cr_assert_eq(ask_instead(scene)[2].in_flight, INSTEAD_NEVER);
	free(scene);
}

Test(instead, slowdown_at_its_border_decides)
{
	struct scene *scene = instead_scene();
	struct larch_live *live = scene->live + SCENE_FIRST;
	int64_t most;

	live[0].in_flight = 12; /* 4100 */
	live[1].slowdown = 3 * LARCH_SLOWDOWN_ONE;
	live[1].updated = 1000000000000;
	live[2].in_flight = 100;
	most = ask_instead(scene)[1].slowdown;
	cr_assert_geq(most, LARCH_SLOWDOWN_NOISE);
	live[1].slowdown = (__u32)most;
	cr_assert_eq(taken(scene), 1);
	live[1].slowdown = (__u32)most + 1;
	cr_assert_eq(taken(scene), 0);
	free(scene);
}

Test(instead, load_of_the_chosen_one_gives_the_flow_to_the_next_best_alone)
{
	struct scene *scene = instead_scene();
	struct larch_live *live = scene->live + SCENE_FIRST;
	const struct instead *instead = ask_instead(scene);
	int64_t least = instead[1].chosen_in_flight;

	cr_assert_eq(least, 5); /* 2350 > 2100 */
	cr_assert_eq(instead[2].chosen_in_flight, INSTEAD_NEVER);
	live[0].in_flight = (__s32)least - 1;
	cr_assert_eq(taken(scene), 0);
	live[0].in_flight = (__s32)least;
	cr_assert_eq(taken(scene), 1);
	free(scene);
}

/* Each border, one by one, for many random worlds. */
static void expect_border(struct scene *scene, uint8_t member, int64_t border, __s32 *value)
{
	__s32 was = *value;

	if (border == INSTEAD_NEVER)
		return;
	*value = (__s32)border;
	cr_expect_eq(taken(scene), member);
	*value = (__s32)border + 1;
	cr_expect_neq(taken(scene), member);
	*value = was;
}

Test(instead, borders_hold_in_random_worlds)
{
	struct scene *scene = instead_scene();
	unsigned found = 0;

	srand(1);
	for (unsigned run = 0; run < 300; run++) {
		struct instead instead[LARCH_CANDIDATES];
		struct explain explain;

		for (unsigned i = 0; i < 3; i++) {
			scene->live[SCENE_FIRST + i].in_flight = rand() % 20;
			scene->costs[0].member[i].net = (__u32)(rand() % 3000);
			scene->costs[0].member[i].service = (__u32)(1 + rand() % 3000);
		}
		explain = look(scene, LARCH_ARM_LEARNED, false);
		instead_find(&explain, instead);
		for (uint8_t i = 0; i < LARCH_CANDIDATES; i++) {
			struct larch_live *live = &scene->live[SCENE_FIRST + i];
			struct larch_cost *cost = &scene->costs[0].member[i];

			if (!instead[i].there)
				continue;
			found += instead[i].in_flight >= 0;
			expect_border(scene, i, instead[i].in_flight, &live->in_flight);
			expect_border(scene, i, instead[i].service_us, (__s32 *)&cost->service);
			expect_border(scene, i, instead[i].net_us, (__s32 *)&cost->net);
		}
	}
	cr_assert_gt(found, 100);
	free(scene);
}

Test(instead, a_member_that_is_named_twice_differs_twice)
{
	struct scene *scene = instead_scene();
	const struct instead *instead;

	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++)
		scene->ring[LARCH_RING_GLOBAL].slot[slot].primary = 1;
	instead = ask_instead(scene);
	cr_assert_eq(instead[1].service_us, 999);
	cr_assert_eq(instead[2].service_us, 999);
	free(scene);
}

Test(instead, where_no_scores_decided_there_is_nothing_to_tell)
{
	struct scene *scene = instead_scene();
	struct instead instead[LARCH_CANDIDATES];
	struct explain control = look(scene, LARCH_ARM_CONTROL, false);
	struct explain explores = look(scene, LARCH_ARM_LEARNED, true);

	instead_find(&control, instead);
	cr_assert_not(instead[0].there || instead[1].there || instead[2].there);
	instead_find(&explores, instead);
	cr_assert_not(instead[0].there || instead[1].there || instead[2].there);
	free(scene);
}

TestSuite(instead_words, .init = report_begin, .fini = report_end);

Test(instead_words, name_the_borders_and_what_is)
{
	struct explain_candidate candidates[] = {
		{.there = true, .backend = SCENE_FIRST, .in_flight = 2, .slowdown = 1024},
		{.there = true,
		 .member = 1,
		 .backend = SCENE_FIRST + 1,
		 .cost = {.net = 100, .service = 3000},
		 .in_flight = 5,
		 .slowdown = 2 * LARCH_SLOWDOWN_ONE},
	};
	struct explain explain = {.candidate = {candidates[0], candidates[1]}, .learned = true};
	struct instead instead = {.there = true,
				  .in_flight = 2,
				  .slowdown = LARCH_SLOWDOWN_ONE * 3 / 2 - 1,
				  .service_us = 2099,
				  .net_us = INSTEAD_NEVER,
				  .chosen_in_flight = 7};
	json_t *told = report_instead(world.controller, &explain, &candidates[1], &instead);

	cr_assert_str_eq(
		report_word(told, "text"),
		"b2 would have been taken if its requests in flight were below 3 (it has "
		"5), or its slowdown were below 1.50 (it is 2.00), or its server time were "
		"below 2.10 ms (it is 3.00 ms), or b1 had 7 requests in flight (it has 2)");
	cr_assert_eq(report_value_of(told, "in_flight"), 2);
	cr_assert(json_is_null(json_object_get(told, "net_us")));
	json_decref(told);
	instead = (struct instead){true, -1, -1, -1, -1, -1};
	told = report_instead(world.controller, &explain, &candidates[1], &instead);
	cr_assert_str_eq(report_word(told, "text"),
			 "b2 would not have been taken for any one thing that differed");
	json_decref(told);
}
