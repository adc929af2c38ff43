// SPDX-License-Identifier: BSD-2-Clause
/*
 * Grows trees by the plain variance criterion and prints them, for tests/oracle/run to compare with
 * what another implementation makes of the same data.
 *
 * In: data sets, one behind the other, as numbers in text: rows, members, features, max_leaves,
 * max_depth, min_flows; then for each row its features, its flows (the same at each member), and
 * for each member network and server time, us. Out: for each data set the number of nodes; then a
 * line per node: left, right (-1: a leaf), feature, threshold, gain, flows, and each member's mean
 * cost.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "tree.h"

/* Gains that are rounding errors: 1e-12 of the sum of squares. */
#define LEAST_EFFECT 1e-6

static bool read_row(size_t members, unsigned features, struct larch_features *row,
		     struct tally *tally)
{
	double flows, net, service;

	for (unsigned f = 0; f < features; f++)
		if (scanf("%" SCNu64, (uint64_t *)&row->value[f]) != 1)
			return false;
	if (scanf("%lf", &flows) != 1)
		return false;
	for (size_t j = 0; j < members; j++) {
		if (scanf("%lf %lf", &net, &service) != 2)
			return false;
		tally[j] = (struct tally){flows, flows * net, flows, flows * service};
	}
	return true;
}

static void print_node(const struct tree *tree, size_t at)
{
	const struct tree_node *node = &tree->node[at];

	printf("%d %d %u %" PRIu64 " %.17g %.17g", node->left, node->right, node->feature,
	       node->threshold, node->gain, node->flows);
	for (size_t j = 0; j < tree->members; j++) {
		const struct tally *tally = &tree->tally[at * tree->members + j];

		printf(" %.17g", (tally->connect_us + tally->work_us) / tally->connects);
	}
	printf("\n");
}

static int print_tree(const struct table *table, const struct tree_options *options)
{
	struct tree *tree;
	int error = tree_train(table, options, &tree);

	if (error)
		return error;
	printf("%zu\n", tree->nodes);
	for (size_t i = 0; i < tree->nodes; i++)
		print_node(tree, i);
	tree_free(tree);
	return 0;
}

/* 1: a tree was printed; 0: no more data; -1: something is wrong. */
static int next(void)
{
	struct tree_options options = {
		.prior = 4, .min_effect = LEAST_EFFECT, .criterion = TREE_VARIANCE};
	struct larch_features *row = NULL;
	struct tally *tally = NULL;
	size_t rows, members;
	unsigned features;
	int found = scanf("%zu %zu %u %u %u %lf", &rows, &members, &features, &options.max_leaves,
			  &options.max_depth, &options.min_flows);
	int result = -1;

	if (found == EOF)
		return 0;
	if (found != 6 || features > LARCH_FEATURE_COUNT)
		return -1;
	row = calloc(rows + 1, sizeof(*row));
	tally = calloc(rows * members + 1, sizeof(*tally));
	if (!row || !tally)
		goto out;
	for (size_t i = 0; i < rows; i++)
		if (!read_row(members, features, &row[i], &tally[i * members]))
			goto out;
	if (!print_tree(&(struct table){rows, members, row, tally, 0}, &options))
		result = 1;
out:
	free(row);
	free(tally);
	return result;
}

int main(void)
{
	int result;

	do
		result = next();
	while (result > 0);
	if (result)
		fprintf(stderr, "print_tree: what comes in is no data set\n");
	return result ? 1 : 0;
}
