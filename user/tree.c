// SPDX-License-Identifier: BSD-2-Clause
/*
 * Growth of the decision tree, best split first, and its packing for the kernel. In: a table of
 * decayed samples; out: nodes with tallies and costs. The rows are prepared in tree_rows.c, the
 * criterion is in tree_split.c.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tree.h"
#include "tree_rows.h"
#include "tree_split.h"
#include "trust.h"

#define MAX_NODES (2 * LARCH_MAX_LEAVES - 1)

struct growth {
	const struct tree_options *options;
	struct tree *tree;
	struct tree_rows rows;
	struct tree_search *search;
	uint32_t *row;		 /* rows of all leaves, each leaf's together */
	uint32_t *scratch;	 /* [rows] */
	size_t start[MAX_NODES]; /* of a node's rows in row */
	size_t count[MAX_NODES];
	struct tree_split split[MAX_NODES]; /* best of each leaf */
};

static bool options_valid(const struct tree_options *options)
{
	return options->max_leaves >= 1 && options->max_leaves <= LARCH_MAX_LEAVES &&
	       options->max_depth <= LARCH_MAX_DEPTH && isfinite(options->min_flows) &&
	       options->min_flows >= 0 && isfinite(options->min_effect) &&
	       options->min_effect >= 0 && isfinite(options->prior) && options->prior > 0 &&
	       isfinite(options->noise) && options->noise >= 0 &&
	       (options->criterion == TREE_INTERACTION || options->criterion == TREE_VARIANCE);
}

void tree_free(struct tree *tree)
{
	if (!tree)
		return;
	free(tree->node);
	free(tree->tally);
	free(tree->cost);
	free(tree->leaf_node);
	free(tree);
}

static struct tree *tree_new(size_t members, size_t max_leaves)
{
	struct tree *tree = calloc(1, sizeof(*tree));
	size_t nodes = 2 * max_leaves - 1;

	if (!tree)
		return NULL;
	tree->members = members;
	tree->node = calloc(nodes, sizeof(*tree->node));
	tree->tally = calloc(nodes * members + 1, sizeof(*tree->tally));
	tree->cost = calloc(nodes * members + 1, sizeof(*tree->cost));
	tree->leaf_node = calloc(max_leaves, sizeof(*tree->leaf_node));
	if (tree->node && tree->tally && tree->cost && tree->leaf_node)
		return tree;
	tree_free(tree);
	return NULL;
}

/* Mean cost over the members, those with few samples counting less; 0 without any. */
static struct cost mean_cost(const struct tally *tally, size_t members, double prior)
{
	double net = 0, net_weight = 0, service = 0, service_weight = 0;

	for (size_t j = 0; j < members; j++) {
		net += tally[j].connect_us / (tally[j].connects + prior);
		net_weight += tally[j].connects / (tally[j].connects + prior);
		service += tally[j].work_us / (tally[j].responses + prior);
		service_weight += tally[j].responses / (tally[j].responses + prior);
	}
	return (struct cost){
		.net = net_weight > 0 ? net / net_weight : 0,
		.service = service_weight > 0 ? service / service_weight : 0,
	};
}

static struct cost shrunk_cost(const struct tally *tally, struct cost towards, double prior)
{
	return (struct cost){
		.net = (tally->connect_us + prior * towards.net) / (tally->connects + prior),
		.service = (tally->work_us + prior * towards.service) / (tally->responses + prior),
	};
}

void tree_node_cost(struct tree *tree, size_t node, const struct tally *tally, double prior)
{
	size_t members = tree->members;
	struct cost *cost = &tree->cost[node * members];
	struct cost root = mean_cost(tally, members, prior);
	int parent = tree->node[node].parent;

	for (size_t j = 0; j < members; j++)
		cost[j] = shrunk_cost(&tally[j],
				      parent < 0 ? root : tree->cost[(size_t)parent * members + j],
				      prior);
}

/* Fills a new node from its rows and its parent, and looks for its best split. */
static void node_fill(struct growth *growth, int at, int parent)
{
	struct tree *tree = growth->tree;
	size_t members = tree->members;
	struct tree_node *node = &tree->node[at];
	struct tally *tally = &tree->tally[at * members];
	const uint32_t *row = &growth->row[growth->start[at]];

	*node = (struct tree_node){.parent = parent, .left = -1, .right = -1, .leaf = -1};
	if (parent >= 0)
		node->depth = tree->node[parent].depth + 1;
	for (size_t i = 0; i < growth->count[at]; i++)
		tree_rows_add(tally, &growth->rows.tally[row[i] * members], members);
	node->flows = tree_split_flows(tally, members);
	tree_node_cost(tree, (size_t)at, tally, growth->options->prior);
}

static void node_search(struct growth *growth, int at)
{
	const struct tree *tree = growth->tree;
	struct tree_part part = {
		.row = &growth->row[growth->start[at]],
		.rows = growth->count[at],
		.tally = &tree->tally[at * tree->members],
		.cost = &tree->cost[at * tree->members],
	};

	growth->split[at] = (struct tree_split){0};
	if (growth->options->criterion == TREE_INTERACTION && tree->members < 2)
		return;
	if (tree->node[at].depth < growth->options->max_depth)
		tree_search_best(growth->search, &part, &growth->split[at]);
}

/* Orders a node's rows: those of the left child first. Returns how many these are. */
static size_t partition(struct growth *growth, int at)
{
	const struct tree_split *split = &growth->split[at];
	const uint8_t *bin = growth->rows.column[split->column].bin;
	uint32_t *row = &growth->row[growth->start[at]];
	size_t left = 0, right = 0;

	for (size_t i = 0; i < growth->count[at]; i++) {
		if (bin[row[i]] <= split->bin)
			row[left++] = row[i];
		else
			growth->scratch[right++] = row[i];
	}
	if (right)
		memcpy(&row[left], growth->scratch, right * sizeof(*row));
	return left;
}

static void node_split(struct growth *growth, int at)
{
	struct tree *tree = growth->tree;
	struct tree_node *node = &tree->node[at];
	const struct tree_split *split = &growth->split[at];
	size_t left = partition(growth, at);

	node->feature = growth->rows.column[split->column].feature;
	node->threshold = split->threshold;
	node->gain = split->gain;
	node->left = (int)tree->nodes;
	node->right = node->left + 1;
	growth->start[node->left] = growth->start[at];
	growth->count[node->left] = left;
	growth->start[node->right] = growth->start[at] + left;
	growth->count[node->right] = growth->count[at] - left;
	tree->nodes += 2;
	tree->leaves++;
	node_fill(growth, node->left, at);
	node_fill(growth, node->right, at);
	if (tree->depth < node->depth + 1)
		tree->depth = node->depth + 1;
}

/* The leaf with the best split; ties: the one that grew first. -1: no split is worth it. */
static int best_leaf(const struct growth *growth)
{
	double gain = 0;
	int best = -1;

	for (size_t i = 0; i < growth->tree->nodes; i++) {
		if (growth->tree->node[i].left >= 0 || growth->split[i].gain <= gain)
			continue;
		gain = growth->split[i].gain;
		best = (int)i;
	}
	return best;
}

static void grow(struct growth *growth)
{
	struct tree *tree = growth->tree;
	unsigned max_leaves = growth->options->max_leaves;

	for (size_t i = 0; i < growth->rows.rows; i++)
		growth->row[i] = (uint32_t)i;
	growth->count[0] = growth->rows.rows;
	tree->nodes = 1;
	tree->leaves = 1;
	node_fill(growth, 0, -1);
	if (max_leaves > 1)
		node_search(growth, 0);
	while (tree->leaves < max_leaves) {
		int at = best_leaf(growth);

		if (at < 0)
			break;
		node_split(growth, at);
		if (tree->leaves == max_leaves)
			break;
		node_search(growth, tree->node[at].left);
		node_search(growth, tree->node[at].right);
	}
}

/* Numbers the leaves below a node from left to right. */
static void number_leaves(struct tree *tree, int at, int *next)
{
	struct tree_node *node = &tree->node[at];

	if (node->left >= 0) {
		number_leaves(tree, node->left, next);
		number_leaves(tree, node->right, next);
		return;
	}
	tree->leaf_node[*next] = at;
	node->leaf = (*next)++;
}

static int bound_costs(struct growth *growth)
{
	struct trust_nodes nodes = {growth->row, growth->start, growth->count};

	return trust_costs(&growth->rows, &nodes, growth->options->prior, growth->tree);
}

static int train(struct growth *growth)
{
	int error, leaves = 0;

	growth->row = calloc(growth->rows.rows + 1, sizeof(*growth->row));
	growth->scratch = calloc(growth->rows.rows + 1, sizeof(*growth->scratch));
	growth->tree = tree_new(growth->rows.members, growth->options->max_leaves);
	if (!growth->row || !growth->scratch || !growth->tree)
		return -ENOMEM;
	error = tree_search_new(&growth->search, &growth->rows, growth->options);
	if (error)
		return error;
	grow(growth);
	number_leaves(growth->tree, 0, &leaves);
	return growth->options->trust ? bound_costs(growth) : 0;
}

int tree_train(const struct table *table, const struct tree_options *options, struct tree **out)
{
	struct growth *growth;
	int error;

	if (!options_valid(options))
		return -EINVAL;
	growth = calloc(1, sizeof(*growth));
	if (!growth)
		return -ENOMEM;
	growth->options = options;
	error = tree_rows_make(table, &growth->rows);
	if (!error)
		error = train(growth);
	if (error)
		tree_free(growth->tree);
	else
		*out = growth->tree;
	tree_search_free(growth->search);
	tree_rows_free(&growth->rows);
	free(growth->row);
	free(growth->scratch);
	free(growth);
	return error;
}

/* Writes what is below heap index `heap` at `depth`; a leaf fills all the places below itself. */
static void pack_node(const struct tree *tree, int at, size_t heap, unsigned depth,
		      struct larch_tree *out)
{
	const struct tree_node *node = &tree->node[at];
	bool leaf = node->left < 0;

	if (depth == tree->depth) {
		out->leaf[heap - ((1u << depth) - 1)] = (uint8_t)node->leaf;
		return;
	}
	if (!leaf) {
		out->node[heap].feature = node->feature;
		out->node[heap].threshold = node->threshold;
	}
	pack_node(tree, leaf ? at : node->left, 2 * heap + 1, depth + 1, out);
	pack_node(tree, leaf ? at : node->right, 2 * heap + 2, depth + 1, out);
}

void tree_pack(const struct tree *tree, struct larch_tree *out)
{
	memset(out, 0, sizeof(*out));
	out->depth = tree->depth;
	out->leaves = (__u32)tree->leaves;
	pack_node(tree, 0, 0, 0, out);
}
