// SPDX-License-Identifier: BSD-2-Clause
/*
 * Builds rings by weighted rendezvous hashing. Member i offers slot s the key -ln(u(i, s)) /
 * weight(i), with u uniform in (0, 1): the smallest key of a slot takes it with a probability
 * proportional to its weight, and the second smallest is what would take it if the first were
 * gone. A change of one weight changes the keys of that member alone, so no other slot moves.
 *
 * In: identities and weights. Out: a ring. The draws -ln(u) depend on identities only and are
 * prepared once, by integers alone, so that they are the same on every machine; a build is one
 * IEEE multiplication and a few comparisons for each member and slot.
 */
#include "ring.h"

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SLOTS 512 /* what is built at a time, so that it stays in the first cache */

#define RANK_MASK 0xffull

/* Weights are taken to lie in here, so that no key overflows or vanishes. */
#define WEIGHT_LEAST 1e-200
#define WEIGHT_MOST  1e200

/* Members by rank, the order of their identities: so ties do not depend on the order of members. */
struct ring_builder {
	size_t members;
	uint8_t member[LARCH_MAX_MEMBERS + 1]; /* [rank] */
	double draw[][LARCH_RING_SLOTS];       /* [rank] */
};

struct ranked {
	uint64_t identity;
	size_t member;
};

/* A key, whose lowest bits say whose it is: a comparison of doubles then breaks ties by rank. */
union key {
	double value;
	uint64_t bits;
};

_Static_assert(LARCH_MAX_MEMBERS <= RANK_MASK, "a rank fits the low bits of a key");

/* A bijection that spreads every bit over all others (Steele et al. 2014, "splitmix"). */
static uint64_t mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
	return value ^ (value >> 31);
}

static uint64_t multiply_high(uint64_t a, uint64_t b)
{
	return (uint64_t)((unsigned __int128)a * b >> 64);
}

/* 2^63 by the odd numbers: the series of atanh. 9^-18 is beyond the last bit of a double. */
#define ODD(k) ((1ull << 63) / (2 * (k) + 1))
static const uint64_t odd_inverse[] = {
	ODD(0), ODD(1),	 ODD(2),  ODD(3),  ODD(4),  ODD(5),  ODD(6),  ODD(7),  ODD(8),
	ODD(9), ODD(10), ODD(11), ODD(12), ODD(13), ODD(14), ODD(15), ODD(16), ODD(17),
};
#define TERMS (sizeof(odd_inverse) / sizeof(odd_inverse[0]))

#define LN2 12786308645202655660ull /* ln(2) * 2^64 */

/*
 * -ln(u / 2^64) * 2^58 for u > 0, in integers: u = x * 2^(64 - shift) with x in [1/2, 1), and
 * -ln(x) = 2 atanh(z) with z = (1 - x) / (1 + x), at most 1/3.
 */
static uint64_t minus_log(uint64_t u)
{
	unsigned shift = (unsigned)__builtin_clzll(u);
	uint64_t x = u << shift;
	uint64_t z = (uint64_t)(((unsigned __int128)(0 - x) << 63) / ((1ull << 63) + (x >> 1)));
	uint64_t square = multiply_high(z, z);
	uint64_t series = odd_inverse[TERMS - 1];

	for (size_t k = TERMS - 1; k-- > 0;)
		series = odd_inverse[k] + multiply_high(series, square);
	return shift * (LN2 >> 6) + (multiply_high(z, series) >> 4);
}

static void prepare_draws(uint64_t identity, double draw[LARCH_RING_SLOTS])
{
	uint64_t state = mix(identity);

	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
		state += 0x9e3779b97f4a7c15ull;
		draw[slot] = (double)(minus_log(mix(state) | 1) + 1);
	}
}

static int compare_ranked(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	return (a->identity > b->identity) - (a->identity < b->identity);
}

int ring_builder_new(struct ring_builder **out, const uint64_t *identity, size_t members)
{
	struct ranked order[LARCH_MAX_MEMBERS];
	struct ring_builder *builder;

	if (members > LARCH_MAX_MEMBERS)
		return -EINVAL;
	for (size_t i = 0; i < members; i++)
		order[i] = (struct ranked){identity[i], i};
	qsort(order, members, sizeof(order[0]), compare_ranked);
	for (size_t rank = 1; rank < members; rank++)
		if (order[rank].identity == order[rank - 1].identity)
			return -EEXIST;
	builder = malloc(sizeof(*builder) + members * sizeof(builder->draw[0]));
	if (!builder)
		return -ENOMEM;
	builder->members = members;
	memset(builder->member, LARCH_NO_MEMBER, sizeof(builder->member));
	for (size_t rank = 0; rank < members; rank++) {
		builder->member[rank] = (uint8_t)order[rank].member;
		prepare_draws(order[rank].identity, builder->draw[rank]);
	}
	*out = builder;
	return 0;
}

void ring_builder_free(struct ring_builder *builder)
{
	free(builder);
}

/* What a member's draws are multiplied by; 0: it takes no part. */
static double inverse_weight(double weight)
{
	if (!(weight > 0 && weight <= DBL_MAX))
		return 0;
	if (weight < WEIGHT_LEAST)
		weight = WEIGHT_LEAST;
	if (weight > WEIGHT_MOST)
		weight = WEIGHT_MOST;
	return 1 / weight;
}

/* One member bids for a block of slots. The shape of this loop lets the compiler vectorise it. */
static void bid(const double *restrict draw, double inverse, uint64_t rank, double *restrict best,
		double *restrict second)
{
	for (size_t slot = 0; slot < BLOCK_SLOTS; slot++) {
		union key key = {.value = draw[slot] * inverse};
		double worse;

		key.bits = (key.bits & ~RANK_MASK) | rank;
		worse = key.value > best[slot] ? key.value : best[slot];
		best[slot] = key.value < best[slot] ? key.value : best[slot];
		second[slot] = worse < second[slot] ? worse : second[slot];
	}
}

/* Whose key it is. The lowest bits of DBL_MAX, the key of nobody, are no rank. */
static uint8_t key_member(const struct ring_builder *builder, double value)
{
	union key key = {.value = value};

	return builder->member[key.bits & RANK_MASK];
}

static void build_block(const struct ring_builder *builder, const double *inverse, size_t first,
			struct larch_slot *out)
{
	double best[BLOCK_SLOTS], second[BLOCK_SLOTS];

	for (size_t slot = 0; slot < BLOCK_SLOTS; slot++)
		best[slot] = second[slot] = DBL_MAX;
	for (size_t rank = 0; rank < builder->members; rank++)
		if (inverse[rank] > 0)
			bid(&builder->draw[rank][first], inverse[rank], rank, best, second);
	for (size_t slot = 0; slot < BLOCK_SLOTS; slot++) {
		out[slot].primary = key_member(builder, best[slot]);
		out[slot].secondary = key_member(builder, second[slot]);
	}
}

/* The member of a fallback slot that is not `primary`. */
static uint8_t other_member(struct larch_slot slot, uint8_t primary)
{
	return slot.primary == primary ? slot.secondary : slot.primary;
}

void ring_build(const struct ring_builder *builder, const double *weight,
		const struct larch_ring *fallback, struct larch_ring *out)
{
	double inverse[LARCH_MAX_MEMBERS];
	size_t weighty = 0;

	for (size_t rank = 0; rank < builder->members; rank++) {
		inverse[rank] = inverse_weight(weight[builder->member[rank]]);
		weighty += inverse[rank] > 0;
	}
	for (size_t first = 0; first < LARCH_RING_SLOTS; first += BLOCK_SLOTS)
		build_block(builder, inverse, first, &out->slot[first]);
	if (weighty != 1 || !fallback)
		return;
	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++)
		out->slot[slot].secondary =
			other_member(fallback->slot[slot], out->slot[slot].primary);
}

size_t ring_moved(const struct larch_ring *before, const struct larch_ring *after)
{
	size_t moved = 0;

	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++)
		moved += before->slot[slot].primary != after->slot[slot].primary;
	return moved;
}

uint64_t ring_identity(const void *address, size_t length)
{
	const unsigned char *byte = address;
	uint64_t identity = length;

	for (size_t i = 0; i < length; i++)
		identity = mix((identity << 8 | identity >> 56) ^ byte[i]);
	return identity;
}
