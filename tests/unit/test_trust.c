// SPDX-License-Identifier: BSD-2-Clause
/* Rogue clients: what one source sends moves the costs of the others within stated bounds. */
#include "tree_scene.h"

#include <stdio.h>

#include "trust.h"

#define MEMBERS 3
#define NET	1000.0
#define WORK	2000.0
#define ROGUE	500 /* number of its prefix */

/* Honest prefixes 100 to 119, alike; each with so many flows at each member. */
static void add_honest(double flows)
{
	begin_rows(MEMBERS);
	for (uint64_t i = 0; i < 20; i++) {
		struct tally *tally = add_row(LARCH_FEATURE_SOURCE, 100 + i);

		for (size_t j = 0; j < MEMBERS; j++)
			tally[j] = exact_tally(flows, NET, WORK);
	}
}

static void add_rogue(uint8_t hops, double flows, double net, double work)
{
	struct tally *tally = add_row(LARCH_FEATURE_SOURCE, ROGUE);

	row_features[rows_of_test.rows - 1].value[LARCH_FEATURE_HOPS] = hops;
	tally[0] = exact_tally(flows, net, work);
}

/* One leaf, so that the rogue is in the same one as everybody. */
static struct tree *one_leaf(void)
{
	struct tree_options options = usual_tree;

	options.max_leaves = 1;
	options.trust = true;
	return grow_tree(&options);
}

static void check_bounds(const char *what)
{
	struct tree *tree = one_leaf();
	double net = tree->cost[0].net / NET, work = tree->cost[0].service / WORK;

	cr_assert(net >= TRUST_LEAST * 0.99 && net <= TRUST_MOST * 1.01, "%s: net x %g", what, net);
	cr_assert(work >= TRUST_LEAST * 0.99 && work <= TRUST_MOST * 1.01, "%s: work x %g", what,
		  work);
	cr_assert_float_eq(tree->cost[1].net, NET, 0.02 * NET, "%s: others", what);
	tree_free(tree);
}

Test(trust, honest_costs_stay_bit_for_bit)
{
	struct tree_options options = usual_tree;
	struct tree *plain, *bounded;

	add_honest(100);
	row_tally[3] = exact_tally(190, 2000, 5000);
	plain = grow_tree(&usual_tree);
	options.trust = true;
	bounded = grow_tree(&options);
	cr_assert_arr_eq(plain->cost, bounded->cost, plain->nodes * MEMBERS * sizeof(*plain->cost));
	tree_free(plain);
	tree_free(bounded);
}

/* A million acknowledgements that came early, or late: the same to each number of flows. */
Test(trust, a_rogue_moves_a_cost_within_the_bounds)
{
	static const double flows[] = {1, 10, 100, 250, 1000, 1e6, 1e9};
	static const double lies[] = {1, 10, 3e6, 60e6};

	for (size_t i = 0; i < sizeof(flows) / sizeof(*flows); i++) {
		for (size_t k = 0; k < sizeof(lies) / sizeof(*lies); k++) {
			char what[80];

			add_honest(3 * TRUST_FLOWS / 20);
			add_rogue(9, flows[i], lies[k], lies[k]);
			snprintf(what, sizeof(what), "%g flows of %g us", flows[i], lies[k]);
			check_bounds(what);
		}
	}
}

/* It has one address, and 255 distances: its TTL is its own. */
Test(trust, a_rogue_that_shows_many_features_is_one_source)
{
	add_honest(3 * TRUST_FLOWS / 20);
	for (int hops = 0; hops < 256; hops++)
		add_rogue((uint8_t)hops, 1000, 1, 1);
	check_bounds("many hops");
}

/* Unbounded, the same would have moved it to next to nothing. */
Test(trust, without_bounds_it_would_be_believed)
{
	struct tree_options options = usual_tree;
	struct tree *tree;

	add_honest(3 * TRUST_FLOWS / 20);
	add_rogue(9, 1e6, 1, 1);
	options.max_leaves = 1;
	tree = grow_tree(&options);
	cr_assert_lt(tree->cost[0].net, 0.01 * NET);
	tree_free(tree);
}

/* What it says of itself is believed: its leaf is its own. */
Test(trust, a_class_of_its_own_keeps_its_costs)
{
	struct larch_features rogue = {.value = {[LARCH_FEATURE_SOURCE] = ROGUE}};
	struct tree_options options = usual_tree;
	struct larch_tree packed = {};
	struct tree *tree;
	size_t node;

	add_honest(100);
	add_rogue(9, 1e5, 9000, 2000);
	row_tally[20 * MEMBERS + 1] = exact_tally(1e5, 10, 2000);
	rogue.value[LARCH_FEATURE_PROTOCOL] = 6;
	rogue.value[LARCH_FEATURE_HOPS] = 9;
	options.trust = true;
	tree = grow_tree(&options);
	tree_pack(tree, &packed);
	node = (size_t)tree->leaf_node[larch_tree_walk(&packed, &rogue)];
	cr_assert_gt(tree->leaves, 1);
	cr_assert_float_eq(tree->cost[node * MEMBERS].net, 9000, 90);
	cr_assert_float_eq(tree->cost[node * MEMBERS + 1].net, 10, 5);
	tree_free(tree);
}

/* The service has one customer: there is nobody else to believe. */
Test(trust, a_single_source_is_believed)
{
	struct tree *tree;

	begin_rows(MEMBERS);
	add_rogue(9, 1e5, 9000, 2000);
	tree = one_leaf();
	cr_assert_float_eq(tree->cost[0].net, 9000, 9);
	tree_free(tree);
}

Test(trust, an_empty_table_is_no_trouble)
{
	begin_rows(MEMBERS);
	tree_free(one_leaf());
}
