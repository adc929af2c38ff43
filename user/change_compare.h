// SPDX-License-Identifier: BSD-2-Clause
/* Two generations side by side, and the clients that both steer. Internal to change*.c. */
#pragma once

#include "change.h"

#define LEAVES	 LARCH_MAX_LEAVES
#define BACKENDS (2 * LARCH_MAX_MEMBERS)

/* One of both generations. */
struct side {
	const struct generation *generation;
	bool learned;
	size_t leaves;
	struct region region[LEAVES];
	double control[LARCH_MAX_MEMBERS]; /* shares of the control ring */
	double flows[LEAVES];
	double demand;
};

struct comparison {
	struct side before, now;
	const struct learner_member *member;
	double flows[LEAVES][LEAVES]; /* from a leaf before to a leaf now */
	double all;
	uint16_t backend[BACKENDS]; /* of either */
	size_t backends;
};

static inline double change_moved(const struct change_share *share)
{
	return share->after - share->before;
}

/* False: the backend is no member. */
bool change_find_member(const struct side *side, uint16_t backend, size_t *member);

/* Its part of the control ring; 0 if it is no member. */
double change_control_of(const struct side *side, uint16_t backend);

/* Its part of the leaf's new flows; 0 if it is no member. */
double change_share_of(const struct side *side, size_t leaf, uint16_t backend);

/* Why the clients that were in leaf `from` and are in leaf `to` now go where they go. */
void change_reason(const struct comparison *all, size_t from, size_t to, struct change_move *move);
