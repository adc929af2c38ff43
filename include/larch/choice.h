/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The choice among a new flow's candidates. The kernel makes it; explain and the tests make the
 * same. Begin with LARCH_NO_CHOICE, offer each candidate in turn, and read the member.
 */
#pragma once

#include "plan.h"
#include "tuple.h"
#include "types.h"

/* The leaf's primary and secondary, and the global ring's primary. */
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
