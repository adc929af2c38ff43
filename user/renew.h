// SPDX-License-Identifier: BSD-2-Clause
/*
 * Finds backends that have become much faster than what is remembered of them: they have few flows,
 * for who is slow gets few, and so few samples to say that they have recovered; the many of before
 * would speak for several half-lives. (Who becomes slower is the fast loop's, and has samples.)
 * Pure.
 *
 * A cumulative sum for each member (Page 1954): of a sample that took x times what is remembered of
 * its kind of clients, x distributed like an exponential, ln(1 / RENEW_RATIO) - x (1 / RENEW_RATIO
 * - 1) says by how much likelier RENEW_RATIO times the time is than what is remembered. Clients are
 * put into groups by their source, and the one that says most is not believed: no single prefix can
 * make a backend look fast.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "larch/types.h"

#define RENEW_RATIO	0.5
#define RENEW_SURE	12.0	     /* e^12: so much likelier */
#define RENEW_LEAST	(1.0 / 16.0) /* of what is remembered stays */
#define RENEW_GROUPS	16
#define RENEW_LEAST_ROW 1.0 /* samples that a kind of clients must have to be compared */

/* Since the sum was last 0; times as multiples of what is remembered. */
struct renew_member {
	double count[RENEW_GROUPS];
	double times[RENEW_GROUPS];
};

struct renew {
	struct renew_member member[LARCH_MAX_MEMBERS];
};

/* New samples of one kind of clients at a member, of whom `mean` us are remembered. */
void renew_add(struct renew *renew, size_t member, uint64_t source, double count, double us,
	       double mean);

/*
 * A tick is over: what the times that are remembered of the member are to be multiplied by. 1: they
 * stand. Less: begins anew.
 */
double renew_factor(struct renew *renew, size_t member);
