// SPDX-License-Identifier: BSD-2-Clause
/* From the packed tree to the clients of each leaf. See region.h. */
#include "region.h"

struct walk {
	const struct larch_tree *tree;
	struct region *out;
	size_t limit, count;
};

static unsigned depth_of(const struct larch_tree *tree)
{
	return tree->depth <= LARCH_MAX_DEPTH ? tree->depth : 0;
}

static unsigned level_of(size_t node)
{
	unsigned level = 0;

	for (; node; node = (node - 1) / 2)
		level++;
	return level;
}

bool region_leaf(const struct larch_tree *tree, size_t node, unsigned *leaf)
{
	unsigned depth = depth_of(tree), level = level_of(node);
	size_t width, first;

	*leaf = 0;
	if (level > depth) /* below the last level: nothing is there */
		return true;
	width = (size_t)1 << (depth - level);
	first = (node + 1) * width - ((size_t)1 << depth);
	*leaf = tree->leaf[first] & (LARCH_MAX_LEAVES - 1);
	for (size_t i = 1; i < width; i++) {
		if ((tree->leaf[first + i] & (LARCH_MAX_LEAVES - 1)) != *leaf)
			return false;
	}
	return true;
}

static bool is_empty(const struct region *region)
{
	for (unsigned i = 0; i < LARCH_FEATURE_COUNT; i++) {
		if (region->low[i] > region->high[i])
			return true;
	}
	return false;
}

/* The part of the box on one side of a node's test. False: nothing is there. */
static bool narrow(const struct larch_node *node, bool right, struct region *box)
{
	unsigned feature = node->feature & (LARCH_FEATURE_SLOTS - 1);

	if (feature >= LARCH_FEATURE_COUNT) /* such a feature is always 0 */
		return !right;
	if (right && node->threshold == UINT64_MAX)
		return false;
	if (right && box->low[feature] <= node->threshold)
		box->low[feature] = node->threshold + 1;
	if (!right && box->high[feature] > node->threshold)
		box->high[feature] = node->threshold;
	return !is_empty(box);
}

static void visit(struct walk *walk, size_t node, struct region box)
{
	struct region left = box, right = box;

	if (region_leaf(walk->tree, node, &box.leaf)) {
		if (walk->count < walk->limit)
			walk->out[walk->count] = box;
		walk->count++;
		return;
	}
	if (narrow(&walk->tree->node[node], false, &left))
		visit(walk, 2 * node + 1, left);
	if (narrow(&walk->tree->node[node], true, &right))
		visit(walk, 2 * node + 2, right);
}

size_t region_list(const struct larch_tree *tree, struct region *out, size_t limit)
{
	struct walk walk = {.tree = tree, .out = out, .limit = limit};
	struct region all = {};

	for (unsigned i = 0; i < LARCH_FEATURE_COUNT; i++)
		all.high[i] = UINT64_MAX;
	visit(&walk, 0, all);
	return walk.count;
}

bool region_tests(const struct region *region, unsigned feature)
{
	return region->low[feature] != 0 || region->high[feature] != UINT64_MAX;
}
