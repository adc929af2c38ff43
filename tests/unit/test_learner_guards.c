// SPDX-License-Identifier: BSD-2-Clause
/* When the learner has nothing to say, so that the last generation stays, and when it is worth it.
 */
#include <errno.h>
#include <math.h>

#include "tree_scene.h"

#include "learner.h"
#include "trust.h"

#define MEMBERS 2

static struct learner_member member[MEMBERS] = {
	{.backend = 7, .weight = 100, .usable = true, .concurrency = 4},
	{.backend = 9, .weight = 100, .usable = true, .concurrency = 4},
};

static struct learner_input input_of(void)
{
	return (struct learner_input){
		.member = member,
		.members = MEMBERS,
		.table = &rows_of_test,
		.tree = usual_tree,
		.shares = {.steps = 150, .rate = 0.3, .floor = 0.002, .limit = 0.2},
		.demand_factor = 0.1,
		.learned = true,
	};
}

/* One prefix that has been everywhere. */
static void add_flows(double flows, double net, double work)
{
	struct tally *tally;

	begin_rows(MEMBERS);
	tally = add_row(LARCH_FEATURE_SOURCE, 100);
	for (size_t j = 0; j < MEMBERS; j++)
		tally[j] = exact_tally(flows, net, work);
}

static int trained(struct generation **out)
{
	struct learner_input input = input_of();

	*out = NULL;
	return learner_train(&input, out);
}

static void check_refused(int why)
{
	struct generation *none;

	cr_assert_eq(trained(&none), why);
	cr_assert_null(none);
}

Test(learner_guards, too_few_samples_teach_nothing)
{
	struct generation *some;

	add_flows(usual_tree.min_flows / MEMBERS - 1, 1000, 1000);
	check_refused(-ENODATA);
	begin_rows(MEMBERS);
	check_refused(-ENODATA);
	add_flows(usual_tree.min_flows / MEMBERS, 1000, 1000);
	cr_assert_eq(trained(&some), 0);
	generation_free(some);
}

Test(learner_guards, what_is_no_number_teaches_nothing)
{
	static const double wrong[] = {NAN, INFINITY, -INFINITY, -1, 1e300};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		for (size_t k = 0; k < 4; k++) {
			add_flows(1000, 1000, 1000);
			((double *)&row_tally[1])[k] = wrong[i];
			check_refused(-ERANGE);
		}
	}
}

Test(learner_guards, costs_beyond_belief_teach_nothing)
{
	struct generation *some;

	add_flows(1000, 0.4, 0.4);
	check_refused(-ERANGE);
	add_flows(1000, 40e6, 21e6);
	check_refused(-ERANGE);
	add_flows(1000, 0.5, 0.6);
	cr_assert_eq(trained(&some), 0);
	generation_free(some);
	add_flows(1000, 30e6, 29e6);
	cr_assert_eq(trained(&some), 0);
	generation_free(some);
}

/* Two generations that say the same. */
static void two(struct generation *pair[2])
{
	add_flows(1000, 1000, 1000);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(trained(&pair[i]), 0);
		pair[i]->expected_gain = 0.01;
		pair[i]->moved_share = 0.02;
	}
}

static void free_two(struct generation *pair[2])
{
	generation_free(pair[0]);
	generation_free(pair[1]);
}

Test(learner_guards, what_changes_next_to_nothing_is_not_worth_it)
{
	struct generation *pair[2];

	two(pair);
	cr_assert(learner_worth(NULL, pair[1]));
	cr_assert(!learner_worth(pair[0], pair[1]));
	pair[1]->expected_gain = -1;
	pair[1]->costs[0].member[0].net += 50;
	cr_assert(!learner_worth(pair[0], pair[1]));
	free_two(pair);
}

Test(learner_guards, a_gain_or_a_move_is_worth_it)
{
	struct generation *pair[2];

	two(pair);
	pair[1]->expected_gain = 0.0101;
	cr_assert(learner_worth(pair[0], pair[1]));
	pair[1]->expected_gain = 0;
	pair[1]->moved_share = 0.0201;
	cr_assert(learner_worth(pair[0], pair[1]));
	pair[1]->moved_share = 0;
	pair[1]->costs[0].member[1].service += 110;
	cr_assert(learner_worth(pair[0], pair[1]));
	free_two(pair);
}

Test(learner_guards, a_verdict_or_another_member_is_worth_it)
{
	struct generation *pair[2];

	two(pair);
	pair[1]->plan.flags = 0;
	cr_assert(learner_worth(pair[0], pair[1]));
	pair[1]->plan.flags = pair[0]->plan.flags;
	pair[1]->plan.member[0] = 8;
	cr_assert(learner_worth(pair[0], pair[1]));
	free_two(pair);
}

/* A million lies, fast or slow, beside two honest classes of 32 prefixes each. */
Test(learner_guards, a_rogue_moves_what_is_published_within_bounds)
{
	static const double lies[] = {0, 1, 60e6};
	double honest = 0;

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct learner_input input = input_of();
		struct generation *next;
		double cost;

		input.tree.max_leaves = 1;
		input.tree.trust = true;
		add_two_classes(LARCH_FEATURE_SOURCE, 200, 100);
		if (lies[i] > 0)
			add_row(LARCH_FEATURE_SOURCE, 500)[0] = exact_tally(1e6, lies[i], lies[i]);
		cr_assert_eq(learner_train(&input, &next), 0);
		cost = next->costs[0].member[0].net + next->costs[0].member[0].service;
		honest = i ? honest : cost;
		cr_assert(cost >= TRUST_LEAST * 0.99 * honest && cost <= TRUST_MOST * 1.01 * honest,
			  "%g us: x %g", lies[i], cost / honest);
		generation_free(next);
	}
}
