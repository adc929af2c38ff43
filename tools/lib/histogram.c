// SPDX-License-Identifier: BSD-2-Clause
// Counts values in buckets and reads quantiles from them. No I/O, no allocation.
#include "histogram.h"

#include <math.h>
#include <string.h>

#define SUB_BITS 7
#define MAX_BITS 42

// A value keeps its SUB_BITS + 1 leading bits; how far it was shifted selects the row.
static unsigned int bucket_of(uint64_t value)
{
	unsigned int bits, shift;

	if (value >= 1ULL << MAX_BITS)
		return HISTOGRAM_BUCKETS - 1;
	if (value < 1U << SUB_BITS)
		return (unsigned int)value;
	bits = 64 - (unsigned int)__builtin_clzll(value);
	shift = bits - 1 - SUB_BITS;
	return (shift << SUB_BITS) + (unsigned int)(value >> shift);
}

static uint64_t bucket_middle(unsigned int bucket)
{
	unsigned int shift;
	uint64_t start;

	if (bucket < 2U << SUB_BITS)
		return bucket;
	shift = (bucket >> SUB_BITS) - 1;
	start = (uint64_t)(bucket - (shift << SUB_BITS)) << shift;
	return start + (1ULL << shift) / 2;
}

void histogram_reset(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->count++;
	h->sum += value;
	if (value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->buckets[bucket_of(value)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->count += from->count;
	into->sum += from->sum;
	if (from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
	uint64_t rank = clamp((uint64_t)ceil(q * (double)h->count), 1, h->count);
	uint64_t seen = 0;

	if (!h->count)
		return 0;
	if (rank == 1)
		return h->min;
	if (rank == h->count)
		return h->max;
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen >= rank)
			return clamp(bucket_middle(i), h->min, h->max);
	}
	return h->max;
}

double histogram_mean(const struct histogram *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}
