// SPDX-License-Identifier: BSD-2-Clause
/*
 * Keeps two histograms for each source prefix, as floats: a few thousand prefixes have to be cheap.
 *
 * In: samples of the tick, added by cells.c. Out: prefixes by weight.
 */
#include "prefixes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FORGOTTEN 0.01f
/* Less than this in a bucket is nothing (and would end in slow denormal numbers). */
#define NOTHING 1e-6f

struct ordered {
	double samples;
	uint64_t source;
	size_t prefix;
};

void prefixes_free(struct prefixes *prefixes)
{
	free(prefixes->key);
	free(prefixes->arms);
	lookup_free(&prefixes->lookup);
	*prefixes = (struct prefixes){0};
}

static int grow(struct prefixes *prefixes)
{
	size_t capacity = prefixes->capacity ? 2 * prefixes->capacity : 16;
	struct larch_cell *key = realloc(prefixes->key, capacity * sizeof(*key));
	struct prefix_arms *arms;

	if (!key)
		return -ENOMEM;
	prefixes->key = key;
	arms = realloc(prefixes->arms, capacity * sizeof(*arms));
	if (!arms)
		return -ENOMEM;
	prefixes->arms = arms;
	if (lookup_build(&prefixes->lookup, prefixes->key, prefixes->count, capacity))
		return -ENOMEM;
	prefixes->capacity = capacity;
	return 0;
}

struct prefix_arms *prefixes_get(struct prefixes *prefixes, uint64_t source)
{
	struct larch_cell key = {.source = source};
	size_t at = lookup_find(&prefixes->lookup, prefixes->key, &key);

	if (at != LOOKUP_NONE)
		return &prefixes->arms[at];
	if (source && prefixes->count >= PREFIXES_MOST - 1)
		return prefixes_get(prefixes, 0);
	if (prefixes->count == prefixes->capacity && grow(prefixes))
		return NULL;
	at = prefixes->count++;
	prefixes->key[at] = key;
	prefixes->arms[at] = (struct prefix_arms){0};
	lookup_add(&prefixes->lookup, &key, at);
	return &prefixes->arms[at];
}

/* Returns what is left. */
static float decay_arms(struct prefix_arms *arms, float factor)
{
	float sum = 0;

	for (unsigned arm = 0; arm < JUDGE_ARMS; arm++) {
		for (unsigned i = 0; i < LARCH_LATENCY_BUCKETS; i++) {
			float left = arms->bucket[arm][i] * factor;

			left = left < NOTHING ? 0 : left;
			arms->bucket[arm][i] = left;
			sum += left;
		}
	}
	return sum;
}

void prefixes_decay(struct prefixes *prefixes, double factor)
{
	size_t kept = 0;

	for (size_t i = 0; i < prefixes->count; i++) {
		if (decay_arms(&prefixes->arms[i], (float)factor) < FORGOTTEN)
			continue;
		if (kept != i) {
			prefixes->key[kept] = prefixes->key[i];
			prefixes->arms[kept] = prefixes->arms[i];
		}
		kept++;
	}
	if (kept == prefixes->count)
		return;
	prefixes->count = kept;
	lookup_build(&prefixes->lookup, prefixes->key, kept, prefixes->capacity);
}

static int compare_samples(const void *left, const void *right)
{
	const struct ordered *a = left, *b = right;

	if (a->samples != b->samples)
		return a->samples > b->samples ? -1 : 1;
	return (a->source > b->source) - (a->source < b->source);
}

static double count_samples(const struct prefix_arms *arms)
{
	double samples = 0;

	for (unsigned arm = 0; arm < JUDGE_ARMS; arm++)
		for (unsigned i = 0; i < LARCH_LATENCY_BUCKETS; i++)
			samples += (double)arms->bucket[arm][i];
	return samples;
}

static void copy_prefix(const struct prefixes *prefixes, size_t from, struct cells_prefix *to)
{
	to->source = prefixes->key[from].source;
	for (unsigned arm = 0; arm < JUDGE_ARMS; arm++)
		for (unsigned i = 0; i < LARCH_LATENCY_BUCKETS; i++)
			to->arm[arm].bucket[i] = (double)prefixes->arms[from].bucket[arm][i];
}

size_t prefixes_list(const struct prefixes *prefixes, struct cells_prefix *out, size_t limit)
{
	size_t count = prefixes->count;
	struct ordered *order = malloc(count * sizeof(*order) + 1);

	if (!order)
		return 0;
	for (size_t i = 0; i < count; i++)
		order[i] = (struct ordered){count_samples(&prefixes->arms[i]),
					    prefixes->key[i].source, i};
	qsort(order, count, sizeof(*order), compare_samples);
	if (limit > count)
		limit = count;
	for (size_t i = 0; i < limit; i++)
		copy_prefix(prefixes, order[i].prefix, &out[i]);
	free(order);
	return limit;
}
