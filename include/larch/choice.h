/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The choice among a new flow's candidates. The kernel makes it; explain and the tests make the
 * same. Begin with LARCH_NO_CHOICE, offer each candidate in turn, and read the member.
 */
#pragma once

#include "plan.h"
#include "tuple.h"
#include "types.h"

/* The leaf's primary and secondary (but see larch_doubt()), and the global ring's primary. */
#define LARCH_CANDIDATES 3

struct larch_choice {
	__u64 rank;  /* of the best so far; the smallest takes the flow, the first of equals */
	__u8 member; /* LARCH_NO_MEMBER: there is none */
};

#define LARCH_NO_CHOICE                                                                            \
	{                                                                                          \
		.rank = ~0ull, .member = LARCH_NO_MEMBER                                           \
	}

LARCH_INLINE void larch_candidates(const struct larch_slot *leaf, const struct larch_slot *global,
				   __u8 member[LARCH_CANDIDATES])
{
	member[0] = leaf->primary;
	member[1] = leaf->secondary;
	member[2] = global->primary;
}

/* What a request of the leaf costs where nobody waits, us; nothing is dearer than nobody. */
LARCH_INLINE __u64 larch_at_rest(const struct larch_costs *costs, __u8 member)
{
	const struct larch_cost *cost = &costs->member[member];

	return member == LARCH_NO_MEMBER ? ~0ull : (__u64)cost->net + cost->service;
}

/*
 * Is the leaf's ring wrong? Where both that it names are dearer at rest, by a third, than the
 * cheapest that the global ring names besides its candidate, that one takes the second's place.
 * Shares that are right hardly ever name two such; the first stays, for it is what flows that go by
 * the rings alone take. pair: the two slots of the global ring of which `slot` is one.
 */
LARCH_INLINE void larch_doubt(const struct larch_costs *costs, const struct larch_slot *pair,
			      __u32 slot, __u8 member[LARCH_CANDIDATES])
{
	const struct larch_slot *own = &pair[slot & 1], *beside = &pair[~slot & 1];
	__u64 first = larch_at_rest(costs, member[0]), second = larch_at_rest(costs, member[1]);
	__u64 least = larch_at_rest(costs, own->secondary), cost;
	__u8 cheapest = own->secondary;

	cost = larch_at_rest(costs, beside->primary);
	if (cost < least && beside->primary != own->primary) {
		least = cost;
		cheapest = beside->primary;
	}
	cost = larch_at_rest(costs, beside->secondary);
	if (cost < least && beside->secondary != own->primary) {
		least = cost;
		cheapest = beside->secondary;
	}
	if (cheapest != LARCH_NO_MEMBER && first > least + least / 3 && second > least + least / 3)
		member[1] = cheapest;
}

/*
 * Candidate number `at`, with its live score. A flow that explores asks for no scores: it takes the
 * first candidate from its own choice on.
 */
LARCH_INLINE void larch_offer(struct larch_choice *choice, __u64 hash, __u32 at, __u8 member,
			      __u64 score)
{
	__u64 rank = score;

	if (larch_hash_explores(hash))
		rank = at >= larch_hash_choice(hash) ? at : LARCH_CANDIDATES + at;
	if (rank >= choice->rank)
		return;
	choice->rank = rank;
	choice->member = member;
}
