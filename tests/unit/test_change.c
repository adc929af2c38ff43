// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a generation changed for whom, and why. Three backends (ids 10 to 12); clients are sources,
 * told apart at 100 and 200.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "change.h"
#include "report_world.h"

#define MEMBERS 3
#define FIRST	10
#define ROWS	3 /* sources 50, 150, 250 */

struct change_scene {
	struct generation *before, *now;
	struct learner_member member[MEMBERS];
	struct larch_features features[ROWS];
	struct tally tally[ROWS * MEMBERS];
	struct table table;
	struct change change;
};

static struct change_scene change_scene;

/* A ring in which each member has its part of `weight`. */
static void fill_control(struct generation *generation, const unsigned *weight)
{
	unsigned sum = 0, slot = 0;

	for (size_t i = 0; i < generation->members; i++)
		sum += weight[i];
	for (size_t i = 0; i < generation->members; i++) {
		for (unsigned n = 0; n < LARCH_RING_SLOTS * weight[i] / sum; n++)
			generation->ring[LARCH_RING_CONTROL].slot[slot++].primary = (__u8)i;
	}
	while (slot < LARCH_RING_SLOTS)
		generation->ring[LARCH_RING_CONTROL].slot[slot++].primary = LARCH_NO_MEMBER;
}

/* Sources up to each border are a leaf; shares are even, costs 100 + 1000 us. */
static struct generation *make_generation(size_t leaves, const uint64_t *border)
{
	static const unsigned even[MEMBERS] = {1, 1, 1};
	struct generation *generation;
	struct larch_tree *tree;

	cr_assert_eq(generation_new(&generation, leaves, MEMBERS), 0);
	generation->plan.flags = LARCH_PLAN_LEARNED;
	generation->plan.members = MEMBERS;
	memset(generation->plan.member_of, LARCH_NO_MEMBER, sizeof(generation->plan.member_of));
	for (size_t i = 0; i < MEMBERS; i++) {
		generation->plan.member[i] = (__u16)(FIRST + i);
		generation->plan.member_of[FIRST + i] = (__u8)i;
	}
	tree = &generation->plan.tree;
	tree->leaves = (__u32)leaves;
	tree->depth = (__u32)leaves - 1;
	if (leaves > 1)
		tree->node[0].threshold = border[0];
	if (leaves > 2)
		tree->node[2].threshold = border[1];
	tree->leaf[leaves - 1] = (__u8)(leaves - 1);
	if (leaves == 3)
		memcpy(tree->leaf, (__u8[]){0, 0, 1, 2}, 4);
	for (size_t leaf = 0; leaf < leaves; leaf++) {
		generation->demand[leaf] = 100;
		for (size_t i = 0; i < MEMBERS; i++) {
			generation->share[leaf * MEMBERS + i] = 1.0 / MEMBERS;
			generation->costs[leaf].member[i].net = 100;
			generation->costs[leaf].member[i].service = 1000;
		}
	}
	fill_control(generation, even);
	return generation;
}

static const uint64_t borders[] = {100, 200};

static void change_begin(void)
{
	memset(&change_scene, 0, sizeof(change_scene));
	for (size_t i = 0; i < MEMBERS; i++)
		change_scene.member[i] = (struct learner_member){.backend = (uint16_t)(FIRST + i),
								 .weight = 100,
								 .usable = true,
								 .concurrency = 4};
	for (size_t row = 0; row < ROWS; row++) {
		change_scene.features[row].value[LARCH_FEATURE_SOURCE] = 50 + 100 * row;
		for (size_t i = 0; i < MEMBERS; i++)
			change_scene.tally[row * MEMBERS + i].responses = 100;
	}
	change_scene.table = (struct table){.rows = ROWS,
					    .members = MEMBERS,
					    .features = change_scene.features,
					    .tally = change_scene.tally};
	change_scene.before = make_generation(3, borders);
	change_scene.now = make_generation(3, borders);
}

static void change_end(void)
{
	generation_free(change_scene.before);
	generation_free(change_scene.now);
}

TestSuite(change, .init = change_begin, .fini = change_end);

static void set_shares(struct generation *generation, size_t leaf, double a, double b, double c)
{
	double *share = generation->share + leaf * MEMBERS;

	share[0] = a;
	share[1] = b;
	share[2] = c;
}

static const struct change_move *compare(void)
{
	change_find(change_scene.before, change_scene.now, change_scene.member, &change_scene.table,
		    &change_scene.change);
	cr_assert_gt(change_scene.change.count, 0);
	return &change_scene.change.move[0];
}

static void expect_shares(const struct change_move *move, unsigned backend, double before,
			  double after)
{
	cr_expect_eq(move->share.backend, FIRST + backend, "%u", move->share.backend);
	cr_expect_float_eq(move->share.before, before, 0.01, "%f", move->share.before);
	cr_expect_float_eq(move->share.after, after, 0.01, "%f", move->share.after);
}

static void expect_sources(const struct change_move *move, uint64_t low, uint64_t high)
{
	cr_expect_eq(move->clients.low[LARCH_FEATURE_SOURCE], low);
	cr_expect_eq(move->clients.high[LARCH_FEATURE_SOURCE], high);
}

Test(change, nothing_moved_or_nothing_was_before)
{
	change_find(NULL, change_scene.now, change_scene.member, &change_scene.table,
		    &change_scene.change);
	cr_assert_eq(change_scene.change.count, 0);
	set_shares(change_scene.now, 0, 0.35, 0.32, 0.33);
	change_find(change_scene.before, change_scene.now, change_scene.member, &change_scene.table,
		    &change_scene.change);
	cr_assert_eq(change_scene.change.count, 0);
}

Test(change, a_dearer_server_is_named_with_its_server_time)
{
	const struct change_move *move;

	set_shares(change_scene.before, 1, 0.20, 0.39, 0.41);
	set_shares(change_scene.now, 1, 0.50, 0.44, 0.06);
	change_scene.before->costs[1].member[2].service = 3100;
	change_scene.now->costs[1].member[2].service = 14800;
	move = compare();
	expect_shares(move, 2, 0.41, 0.06);
	expect_sources(move, 101, 200);
	cr_expect_eq(move->opposite.backend, FIRST);
	cr_expect_float_eq(move->opposite.after, 0.50, 1e-9);
	cr_expect_float_eq(move->part, 1.0 / 3, 1e-9);
	cr_expect_eq(move->reason, CHANGE_SERVICE);
	cr_expect_eq(move->cause, FIRST + 2);
	cr_expect_eq(move->before, 3100);
	cr_expect_eq(move->after, 14800);
	cr_expect(isnan(move->samples));
	cr_expect_eq(change_scene.change.count, 1);
}

Test(change, a_backend_may_lose_because_another_came_nearer)
{
	const struct change_move *move;

	set_shares(change_scene.now, 0, 0.80, 0.10, 0.10);
	change_scene.before->costs[0].member[0].net = 25000;
	move = compare();
	expect_shares(move, 0, 0.33, 0.80);
	cr_expect_eq(move->reason, CHANGE_NET);
	cr_expect_eq(move->cause, FIRST);
	cr_expect_eq(move->before, 25000);
	cr_expect_eq(move->after, 100);
}

Test(change, the_costs_of_others_that_did_not_move_are_no_reason)
{
	const struct change_move *move;

	set_shares(change_scene.now, 0, 0.10, 0.57, 0.33);
	change_scene.now->costs[0].member[2].service = 1200;
	change_scene.now->costs[0].member[0].service = 1100;
	move = compare();
	cr_expect_eq(move->reason, CHANGE_SERVICE);
	cr_expect_eq(move->cause, FIRST);
}

Test(change, samples_are_those_of_the_leaf_now)
{
	struct tree *tree;
	struct tree_options options = {.max_leaves = 1,
				       .max_depth = 0,
				       .min_flows = 1,
				       .min_effect = 0.02,
				       .prior = 4,
				       .noise = 1};
	const struct change_move *move;

	generation_free(change_scene.before);
	generation_free(change_scene.now);
	change_scene.before = make_generation(1, borders);
	change_scene.now = make_generation(1, borders);
	cr_assert_eq(tree_train(&change_scene.table, &options, &tree), 0);
	change_scene.now->tree = tree;
	change_scene.now->costs[0].member[1].service = 5000;
	set_shares(change_scene.now, 0, 0.45, 0.10, 0.45);
	move = compare();
	cr_expect_eq(move->samples, 300);
}

Test(change, the_largest_moves_of_flows_come_first)
{
	set_shares(change_scene.now, 0, 0.60, 0.20, 0.20);
	set_shares(change_scene.now, 1, 0.10, 0.50, 0.40);
	set_shares(change_scene.now, 2, 0.90, 0.05, 0.05);
	for (size_t i = 0; i < MEMBERS; i++)
		change_scene.tally[i].responses = 1000; /* of leaf 0 */
	expect_sources(compare(), 0, 100);
	cr_assert_eq(change_scene.change.count, 3);
	expect_sources(&change_scene.change.move[1], 201, UINT64_MAX);
	expect_sources(&change_scene.change.move[2], 101, 200);
}

Test(change, a_split_is_told_of_the_clients_that_it_tells_apart)
{
	const struct change_move *move;

	generation_free(change_scene.before);
	change_scene.before = make_generation(1, borders);
	set_shares(change_scene.now, 2, 0.90, 0.05, 0.05);
	change_scene.now->costs[2].member[0].net = 10;
	move = compare();
	expect_shares(move, 0, 0.33, 0.90);
	expect_sources(move, 201, UINT64_MAX);
	cr_expect_eq(move->reason, CHANGE_SPLIT);
	cr_expect_eq(change_scene.change.count, 1);
}

Test(change, a_split_that_goes_moves_both_of_its_sides)
{
	const struct change_move *move;

	generation_free(change_scene.now);
	change_scene.now = make_generation(1, borders);
	set_shares(change_scene.before, 1, 0.90, 0.05, 0.05);
	set_shares(change_scene.before, 2, 0.05, 0.05, 0.90);
	set_shares(change_scene.now, 0, 0.40, 0.20, 0.40);
	move = compare();
	cr_assert_eq(change_scene.change.count, 3);
	cr_expect_eq(move->reason, CHANGE_MERGED);
	expect_shares(move, 0, 0.90, 0.40);
	expect_sources(move, 101, 200);
	expect_shares(&change_scene.change.move[1], 2, 0.90, 0.40);
	expect_sources(&change_scene.change.move[1], 201, UINT64_MAX);
}

/* Only the names of the leaves differ: the costs are the reason. */
Test(change, a_border_that_moved_a_little_is_no_split)
{
	static const uint64_t moved[] = {110, 190};
	const struct change_move *move;

	generation_free(change_scene.now);
	change_scene.now = make_generation(3, moved);
	set_shares(change_scene.now, 1, 0.05, 0.475, 0.475);
	change_scene.now->costs[1].member[0].service = 4000;
	move = compare();
	cr_expect_eq(move->reason, CHANGE_SERVICE);
	expect_sources(move, 111, 190);
}

Test(change, a_backend_out_of_reach_is_the_reason_for_all)
{
	static const unsigned without[MEMBERS] = {1, 0, 1};
	const struct change_move *move;

	fill_control(change_scene.now, without);
	change_scene.member[1].usable = false;
	for (size_t leaf = 0; leaf < 3; leaf++)
		set_shares(change_scene.now, leaf, 0.5, 0, 0.5);
	move = compare();
	expect_shares(move, 1, 0.33, 0);
	cr_expect_eq(move->reason, CHANGE_LOST);
	cr_expect_eq(move->cause, FIRST + 1);
	/* and back */
	change_scene.member[1].usable = true;
	change_find(change_scene.now, change_scene.before, change_scene.member, NULL,
		    &change_scene.change);
	cr_expect_eq(change_scene.change.count, 3);
	cr_expect_eq(move->reason, CHANGE_FOUND);
	expect_shares(move, 1, 0, 0.33);
}

Test(change, weights_are_told_by_their_parts)
{
	static const unsigned heavy[MEMBERS] = {2, 1, 1}, drained[MEMBERS] = {1, 1, 0};
	const struct change_move *move;

	fill_control(change_scene.now, heavy);
	set_shares(change_scene.now, 0, 0.5, 0.25, 0.25);
	move = compare();
	cr_expect_eq(move->reason, CHANGE_WEIGHT);
	cr_expect_eq(move->cause, FIRST);
	cr_expect_float_eq(move->after, 0.5, 0.01);
	fill_control(change_scene.now, drained);
	change_scene.member[2].weight = 0;
	move = compare();
	cr_expect_eq(move->reason, CHANGE_WEIGHT);
	cr_expect_eq(move->cause, FIRST + 2);
	cr_expect_eq(move->after, 0);
}

/* The third member is replaced by backend 40. */
Test(change, backends_join_and_leave)
{
	struct larch_plan *plan = &change_scene.now->plan;
	const struct change_move *move;

	plan->member[2] = 40;
	plan->member_of[12] = LARCH_NO_MEMBER;
	plan->member_of[40] = 2;
	set_shares(change_scene.now, 0, 0.45, 0.45, 0.10);
	set_shares(change_scene.now, 1, 0.45, 0.45, 0.10);
	set_shares(change_scene.now, 2, 0.45, 0.45, 0.10);
	move = compare();
	expect_shares(move, 2, 0.33, 0);
	cr_expect(move->reason == CHANGE_LEFT || move->reason == CHANGE_JOINED);
	plan->members = 2;
	change_scene.now->members = 2;
	for (size_t leaf = 0; leaf < 3; leaf++) {
		change_scene.now->share[leaf * 2] = 0.5;
		change_scene.now->share[leaf * 2 + 1] = 0.5;
	}
	move = compare();
	cr_expect_eq(move->reason, CHANGE_LEFT);
	cr_expect_eq(move->cause, FIRST + 2);
}

Test(change, switching_learning_off_goes_to_the_control_ring)
{
	const struct change_move *move;

	set_shares(change_scene.before, 0, 0.9, 0.05, 0.05);
	set_shares(change_scene.before, 1, 0.9, 0.05, 0.05);
	change_scene.now->plan.flags = 0;
	move = compare();
	expect_shares(move, 0, 0.9, 0.33);
	cr_expect_eq(move->reason, CHANGE_STEERS_NOT);
	change_find(change_scene.now, change_scene.before, change_scene.member, &change_scene.table,
		    &change_scene.change);
	expect_shares(move, 0, 0.33, 0.9);
	cr_expect_eq(move->reason, CHANGE_STEERS);
}

Test(change, shadow_moves_nothing)
{
	change_scene.before->plan.flags = change_scene.now->plan.flags = 0;
	set_shares(change_scene.now, 0, 0.9, 0.05, 0.05);
	change_find(change_scene.before, change_scene.now, change_scene.member, &change_scene.table,
		    &change_scene.change);
	cr_assert_eq(change_scene.change.count, 0);
}

Test(change, without_other_reasons_it_is_demand_or_what_flows_pay_for)
{
	const struct change_move *move;

	set_shares(change_scene.now, 0, 0.1, 0.45, 0.45);
	change_scene.before->costs[0].member[0].service = 9000;
	change_scene.now->costs[0].member[0].service = 9000;
	move = compare();
	cr_expect_eq(move->reason, CHANGE_PRICE);
	cr_expect_float_eq(move->before, 9100, 500, "%f", move->before);
	cr_expect_float_eq(move->after, 1100, 50, "%f", move->after);
	change_scene.now->demand[2] = 500;
	move = compare();
	cr_expect_eq(move->reason, CHANGE_DEMAND);
	cr_expect_eq(move->before, 300);
	cr_expect_eq(move->after, 700);
}

/* Costs without waits are alike, and stand: the wait where most flows were is what drives them. */
Test(change, a_crowded_backend_is_left_for_its_wait)
{
	const struct change_move *move;

	for (size_t leaf = 0; leaf < 3; leaf++) {
		change_scene.before->demand[leaf] = change_scene.now->demand[leaf] = 1300;
		set_shares(change_scene.before, leaf, 0.9, 0.05, 0.05);
		set_shares(change_scene.now, leaf, 0.7, 0.15, 0.15);
	}
	move = compare();
	expect_shares(move, 0, 0.9, 0.7);
	cr_expect_eq(move->reason, CHANGE_PRICE);
	cr_expect_gt(move->before, 2000, "%f", move->before);
	cr_expect_float_eq(move->after, 1100, 50, "%f", move->after);
}

/* The clients of leaf 1 come to the first backend, whose cost to them fell; those of leaf 0 go. */
Test(change, other_clients_drive_them_away)
{
	const struct change_move *move;

	change_scene.now->costs[1].member[0].net = 10;
	change_scene.before->demand[1] = change_scene.now->demand[1] = 3000;
	set_shares(change_scene.now, 1, 0.9, 0.05, 0.05);
	set_shares(change_scene.now, 0, 0.05, 0.475, 0.475);
	move = compare();
	cr_assert_eq(change_scene.change.count, 2);
	if (move->reason != CHANGE_OTHERS)
		move = &change_scene.change.move[1];
	expect_sources(move, 0, 100);
	cr_expect_eq(move->reason, CHANGE_OTHERS, "%d", move->reason);
	cr_expect_eq(move->cause, FIRST);
	cr_expect_gt(move->after, move->before + 0.1);
}

Test(change, a_small_difference_is_called_small)
{
	const struct change_move *move;

	set_shares(change_scene.now, 0, 0.28, 0.36, 0.36);
	move = compare();
	cr_expect_eq(move->reason, CHANGE_EVEN);
	cr_expect_float_eq(move->before, move->after, 20);
}

/* Nobody told us what they serve at once, or what they cost: nothing is made up. */
Test(change, what_is_not_known_is_not_told)
{
	const struct change_move *move;

	change_scene.before->costs[0].member[0].service = 0;
	change_scene.now->costs[0].member[0].service = 0;
	set_shares(change_scene.now, 0, 0.1, 0.45, 0.45);
	move = compare();
	cr_expect_eq(move->reason, CHANGE_EVEN);
	cr_expect(isnan(move->before));
}

Test(change, without_rows_the_demand_tells_who_they_are)
{
	set_shares(change_scene.now, 0, 0.1, 0.45, 0.45);
	set_shares(change_scene.now, 1, 0.1, 0.45, 0.45);
	change_scene.before->demand[1] = change_scene.now->demand[1] = 800;
	change_find(change_scene.before, change_scene.now, change_scene.member, NULL,
		    &change_scene.change);
	cr_assert_eq(change_scene.change.count, 2);
	expect_sources(&change_scene.change.move[0], 101, 200);
	cr_expect_float_eq(change_scene.change.move[0].part, 0.8, 1e-9);
}

TestSuite(change_words, .init = report_begin, .fini = report_end);

static const char *words_of(enum change_reason reason, double before, double after)
{
	static char text[400];
	struct change change = {
		.count = 1,
		.move = {{
			.part = 0.5,
			.share = {.backend = 12, .before = 0.41, .after = 0.06},
			.opposite = {.backend = 10, .before = 0.20, .after = 0.55},
			.reason = reason,
			.cause = 12,
			.before = before,
			.after = after,
			.samples = 912,
		}},
	};
	json_t *told;

	for (unsigned i = 0; i < LARCH_FEATURE_COUNT; i++)
		change.move[0].clients.high[i] = UINT64_MAX;
	change.move[0].clients.low[LARCH_FEATURE_SOURCE] = 0x0a0200;
	change.move[0].clients.high[LARCH_FEATURE_SOURCE] = 0x0a02ff;
	told = report_change(world.controller, &world.controller->service[3], &change);
	cr_assert_eq(json_array_size(told), 1);
	snprintf(text, sizeof(text), "%s", report_word(json_array_get(told, 0), "text"));
	json_decref(told);
	return text;
}

#define MOVED "b3's share for 10.2.0.0/16 fell from 41 % to 6 %, b1's rose from 20 % to 55 %: "

Test(change_words, say_who_moved_where_and_why)
{
	cr_expect_str_eq(words_of(CHANGE_SERVICE, 3100, 14800),
			 MOVED "b3's server time 3.10 ms -> 14.8 ms, 912 samples");
	cr_expect_str_eq(words_of(CHANGE_NET, 900, 14800),
			 MOVED "b3's connect time 900 us -> 14.8 ms, 912 samples");
	cr_expect_str_eq(words_of(CHANGE_LOST, 0, 0), MOVED "b3 takes no new flows");
	report_stop(2, LIFECYCLE_DRAINING, "ordered");
	cr_expect_str_eq(words_of(CHANGE_LOST, 0, 0), MOVED "b3 is draining");
	report_stop(2, LIFECYCLE_DOWN, "HTTP 503, expected 200-399");
	cr_expect_str_eq(words_of(CHANGE_LOST, 0, 0),
			 MOVED "b3 is down, HTTP 503, expected 200-399");
	cr_expect_str_eq(words_of(CHANGE_WEIGHT, 0.25, 0), MOVED "b3's part by weight 25 % -> 0 %");
	cr_expect_str_eq(words_of(CHANGE_SPLIT, NAN, NAN),
			 MOVED "a split appeared, these clients are told apart now");
	cr_expect_str_eq(words_of(CHANGE_DEMAND, 300, 700),
			 MOVED "demand 300 -> 700 requests a second");
	cr_expect_str_eq(words_of(CHANGE_PRICE, 14800, 3000), MOVED
			 "one more request costs 14.8 ms at b3, waits included, 3.00 ms at b1");
	cr_expect_str_eq(words_of(CHANGE_EVEN, 3100, 3000),
			 MOVED "hardly a difference, one more request costs 3.10 ms at b3, waits "
			       "included, 3.00 ms at b1");
	cr_expect_str_eq(words_of(CHANGE_EVEN, NAN, NAN),
			 MOVED "small differences of what they cost");
	cr_expect_str_eq(words_of(CHANGE_OTHERS, 0.31, 0.52),
			 MOVED "b3's load by other clients 31 % -> 52 %");
}

/* The backends' names of then stay, whoever has their ids now. */
Test(change_words, history_keeps_what_was_told)
{
	struct service *service = &world.controller->service[3];
	const json_t *event;
	json_t *answer;

	service->published = 1;
	service->event[0].changes = json_pack("[{s:s}]", "text", "b9's share fell");
	answer = report_ask("{\"command\":\"history\"}");
	event = report_first(report_first(answer, "services"), "generations");
	cr_expect_str_eq(report_word(report_first(event, "changes"), "text"), "b9's share fell");
	json_decref(answer);
	json_decref(service->event[0].changes);
}
