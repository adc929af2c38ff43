// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bounds what one source can do to the costs; see trust.h. In: a tree and its rows. The rows of
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
	const struct tree_rows *rows;
	struct tree *tree;
	const uint8_t *source;	 /* [rows]: bin of the row's source */
	size_t first, end;	 /* of the bins of the node */
	struct tally *by_source; /* [bins][members]: of the node */
	struct tally *bounded;	 /* [members]: of the node */
	struct outline *outline; /* [members][2]: connects, responses */
	struct voice voice[TREE_BINS];
};

/* Adds up a node's rows by source. Deep nodes have few sources, and those mostly in a row. */
static void gather(struct trust *trust, const uint32_t *row, size_t count)
{
	size_t members = trust->rows->members;

	trust->first = TREE_BINS;
	trust->end = 0;
	for (size_t i = 0; i < count; i++) {
		size_t source = trust->source[row[i]];

		trust->first = source < trust->first ? source : trust->first;
		trust->end = source >= trust->end ? source + 1 : trust->end;
	}
	if (!count)
		return;
	memset(&trust->by_source[trust->first * members], 0,
	       (trust->end - trust->first) * members * sizeof(*trust->by_source));
	for (size_t i = 0; i < count; i++)
		tree_rows_add(&trust->by_source[trust->source[row[i]] * members],
			      &trust->rows->tally[row[i] * members], members);
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

/* What the sources together say of one kind of samples: enough to see that nothing is to be cut. */
struct outline {
	double count, sum;		   /* of all */
	double most_count, most_sum, mean; /* the largest of one source */
};

static void outline_add(struct outline *outline, double count, double sum)
{
	outline->count += count;
	outline->sum += sum;
	outline->most_count = count > outline->most_count ? count : outline->most_count;
	outline->most_sum = sum > outline->most_sum ? sum : outline->most_sum;
	if (sum > outline->mean * count)
		outline->mean = sum / count;
}

static bool may_be_cut(const struct outline *outline)
{
	double others = outline->count - outline->most_count;

	return (outline->most_count > TRUST_FLOWS && outline->most_count > others / OTHERS) ||
	       outline->mean * outline->count > TRUST_SLOW * (outline->sum - outline->most_sum);
}

/* One member's sums of one kind; a source without any has no voice. */
static bool bound(struct trust *trust, size_t member, bool connects, double count, double *sum)
{
	size_t voices = 0;
	double mean;

	for (size_t i = trust->first; i < trust->end; i++) {
		const struct tally *at = &trust->by_source[i * trust->rows->members + member];
		struct voice voice = connects ? (struct voice){at->connects, at->connect_us}
					      : (struct voice){at->responses, at->work_us};

		if (voice.count > 0)
			trust->voice[voices++] = voice;
	}
	if (!bounded_mean(trust->voice, voices, &mean))
		return false;
	*sum = count * mean;
	return true;
}

/* Source by source, as they stand in memory: most of the time this is all there is to do. */
static void outline_all(struct trust *trust)
{
	size_t members = trust->rows->members;

	memset(trust->outline, 0, 2 * members * sizeof(*trust->outline));
	for (size_t i = trust->first; i < trust->end; i++) {
		for (size_t j = 0; j < members; j++) {
			const struct tally *at = &trust->by_source[i * members + j];

			outline_add(&trust->outline[2 * j], at->connects, at->connect_us);
			outline_add(&trust->outline[2 * j + 1], at->responses, at->work_us);
		}
	}
}

static bool bound_members(struct trust *trust, struct tally *tally)
{
	bool cut = false;

	outline_all(trust);
	for (size_t j = 0; j < trust->rows->members; j++) {
		if (may_be_cut(&trust->outline[2 * j]))
			cut |= bound(trust, j, true, tally[j].connects, &tally[j].connect_us);
		if (may_be_cut(&trust->outline[2 * j + 1]))
			cut |= bound(trust, j, false, tally[j].responses, &tally[j].work_us);
	}
	return cut;
}

/* Parents come before their children, which shrink towards them. */
static void bound_nodes(struct trust *trust, const struct trust_nodes *nodes, double prior)
{
	struct tree *tree = trust->tree;
	bool any = false;

	for (size_t node = 0; node < tree->nodes; node++) {
		gather(trust, &nodes->row[nodes->start[node]], nodes->count[node]);
		memcpy(trust->bounded, &tree->tally[node * tree->members],
		       tree->members * sizeof(*trust->bounded));
		any |= bound_members(trust, trust->bounded);
		if (any)
			tree_node_cost(tree, node, trust->bounded, prior);
	}
}

static const struct tree_column *source_column(const struct tree_rows *rows)
{
	for (size_t c = 0; c < rows->columns; c++) {
		if (rows->column[c].feature == LARCH_FEATURE_SOURCE)
			return &rows->column[c];
	}
	return NULL;
}

int trust_costs(const struct tree_rows *rows, const struct trust_nodes *nodes, double prior,
		struct tree *tree)
{
	const struct tree_column *column = source_column(rows);
	struct trust *trust;
	int error = -ENOMEM;

	if (!column)
		return 0;
	trust = calloc(1, sizeof(*trust));
	if (!trust)
		return -ENOMEM;
	trust->rows = rows;
	trust->tree = tree;
	trust->source = column->bin;
	trust->by_source = calloc(column->bins * rows->members + 1, sizeof(*trust->by_source));
	trust->bounded = calloc(rows->members + 1, sizeof(*trust->bounded));
	trust->outline = calloc(2 * rows->members + 1, sizeof(*trust->outline));
	if (trust->by_source && trust->bounded && trust->outline) {
		bound_nodes(trust, nodes, prior);
		error = 0;
	}
	free(trust->by_source);
	free(trust->bounded);
	free(trust->outline);
	free(trust);
	return error;
}
