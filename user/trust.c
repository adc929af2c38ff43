// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bounds what one source can do to the costs; see trust.h. In: the table and its tree. The rows of
 * each node, added up by source; per member two kinds of samples (connects, responses), each with a
 * weight (its count, capped) and a mean (not above what the others make plausible).
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "trust.h"

#define OTHERS 3 /* times as much as one source the others have to weigh */
#define ROUNDS 64

/* One kind of samples of one source at a member: weight and mean. */
struct voice {
	double count, sum;
};

struct trust {
	const struct table *table;
	struct tree *tree;
	uint32_t *source;	 /* [rows]: number of the row's source */
	uint8_t *leaf;		 /* [rows] */
	uint32_t *met;		 /* [rows]: sources of the node */
	bool *is_met;		 /* [rows] */
	struct tally *by_source; /* [sources][members] */
	struct voice *voice;	 /* [rows] */
	struct tally *bounded;	 /* [members]: of the node */
};

static void trust_free(struct trust *trust)
{
	free(trust->source);
	free(trust->leaf);
	free(trust->met);
	free(trust->is_met);
	free(trust->by_source);
	free(trust->voice);
	free(trust->bounded);
}

static int trust_make(struct trust *trust)
{
	const struct table *table = trust->table;
	size_t rows = table->rows, sources = 0;
	struct larch_tree packed = {};

	trust->source = calloc(rows, sizeof(*trust->source));
	trust->leaf = calloc(rows, sizeof(*trust->leaf));
	trust->met = calloc(rows, sizeof(*trust->met));
	trust->is_met = calloc(rows, sizeof(*trust->is_met));
	trust->voice = calloc(rows, sizeof(*trust->voice));
	trust->bounded = calloc(table->members, sizeof(*trust->bounded));
	if (!trust->source || !trust->leaf || !trust->met || !trust->is_met || !trust->voice ||
	    !trust->bounded)
		return -ENOMEM;
	tree_pack(trust->tree, &packed);
	for (size_t i = 0; i < rows; i++) {
		const __u64 *value = table->features[i].value;

		sources += i && value[LARCH_FEATURE_SOURCE] !=
					table->features[i - 1].value[LARCH_FEATURE_SOURCE];
		trust->source[i] = (uint32_t)sources;
		trust->leaf[i] = (uint8_t)larch_tree_walk(&packed, &table->features[i]);
	}
	trust->by_source = calloc((sources + 1) * table->members, sizeof(*trust->by_source));
	return trust->by_source ? 0 : -ENOMEM;
}

/* The leaves below a node: first to last, since they are numbered from left to right. */
static void leaves_below(const struct tree *tree, size_t node, int *first, int *last)
{
	size_t left = node, right = node;

	while (tree->node[left].leaf < 0)
		left = (size_t)tree->node[left].left;
	while (tree->node[right].leaf < 0)
		right = (size_t)tree->node[right].right;
	*first = tree->node[left].leaf;
	*last = tree->node[right].leaf;
}

static void add_row(const struct tally *from, size_t members, struct tally *to)
{
	for (size_t j = 0; j < members; j++) {
		to[j].connects += from[j].connects;
		to[j].connect_us += from[j].connect_us;
		to[j].responses += from[j].responses;
		to[j].work_us += from[j].work_us;
	}
}

/* Adds up a node's rows by source; returns how many sources there are. */
static size_t gather(struct trust *trust, size_t node)
{
	size_t members = trust->table->members, met = 0;
	int first, last;

	leaves_below(trust->tree, node, &first, &last);
	for (size_t i = 0; i < trust->table->rows; i++) {
		uint32_t source = trust->source[i];

		if (trust->leaf[i] < first || trust->leaf[i] > last)
			continue;
		if (!trust->is_met[source]) {
			trust->is_met[source] = true;
			trust->met[met++] = source;
			memset(&trust->by_source[source * members], 0,
			       members * sizeof(*trust->by_source));
		}
		add_row(&trust->table->tally[i * members], members,
			&trust->by_source[source * members]);
	}
	for (size_t i = 0; i < met; i++)
		trust->is_met[trust->met[i]] = false;
	return met;
}

/* The count beyond which a source weighs no more: the others weigh OTHERS times that. */
static double cap(const struct voice *voice, size_t voices)
{
	double cap = 0;

	for (size_t i = 0; i < voices; i++)
		cap = fmax(cap, voice[i].count);
	for (int round = 0; round < ROUNDS && cap > TRUST_FLOWS; round++) {
		double all = 0, next;

		for (size_t i = 0; i < voices; i++)
			all += fmin(voice[i].count, cap);
		next = fmax((all - cap) / OTHERS, TRUST_FLOWS);
		if (next >= cap)
			break;
		cap = next;
	}
	return cap;
}

/* The mean over sources, each believed as far as the others allow. False: nothing was cut. */
static bool bounded_mean(struct voice *voice, size_t voices, double *out)
{
	double most = cap(voice, voices), weight = 0, sum = 0, kept = 0;
	bool cut = false;

	for (size_t i = 0; i < voices; i++) {
		struct voice *at = &voice[i];

		if (at->count > most) {
			at->sum *= most / at->count;
			at->count = most;
			cut = true;
		}
		weight += at->count;
		sum += at->sum;
	}
	for (size_t i = 0; i < voices; i++) {
		const struct voice *at = &voice[i];
		double others = weight - at->count, mean, limit;

		kept += at->sum;
		if (!(at->count > 0) || others < OTHERS * TRUST_FLOWS)
			continue;
		mean = (sum - at->sum) / others;
		limit = TRUST_SLOW * mean * fmax(sqrt(TRUST_FLOWS / at->count), 1) * at->count;
		if (at->sum > limit) {
			kept += limit - at->sum;
			cut = true;
		}
	}
	*out = weight > 0 ? kept / weight : 0;
	return cut;
}

/* Bounds the sums of one member of a node; the counts stay what they were. */
static bool bound_member(struct trust *trust, size_t sources, size_t member, struct tally *tally)
{
	size_t members = trust->table->members;
	bool cut = false;
	double mean;

	for (size_t i = 0; i < sources; i++) {
		const struct tally *at = &trust->by_source[trust->met[i] * members + member];

		trust->voice[i] = (struct voice){at->connects, at->connect_us};
	}
	if (bounded_mean(trust->voice, sources, &mean)) {
		tally->connect_us = tally->connects * mean;
		cut = true;
	}
	for (size_t i = 0; i < sources; i++) {
		const struct tally *at = &trust->by_source[trust->met[i] * members + member];

		trust->voice[i] = (struct voice){at->responses, at->work_us};
	}
	if (bounded_mean(trust->voice, sources, &mean)) {
		tally->work_us = tally->responses * mean;
		cut = true;
	}
	return cut;
}

/* Parents come before their children, which shrink towards them. */
static void bound_nodes(struct trust *trust, double prior)
{
	struct tree *tree = trust->tree;
	bool any = false;

	for (size_t node = 0; node < tree->nodes; node++) {
		size_t sources = gather(trust, node);

		memcpy(trust->bounded, &tree->tally[node * tree->members],
		       tree->members * sizeof(*trust->bounded));
		for (size_t j = 0; j < tree->members; j++)
			any |= bound_member(trust, sources, j, &trust->bounded[j]);
		if (any)
			tree_node_cost(tree, node, trust->bounded, prior);
	}
}

int trust_costs(const struct table *table, double prior, struct tree *tree)
{
	struct trust trust = {.table = table, .tree = tree};
	int error = 0;

	if (!table->rows || !table->members)
		return 0;
	error = trust_make(&trust);
	if (!error)
		bound_nodes(&trust, prior);
	trust_free(&trust);
	return error;
}
