// SPDX-License-Identifier: BSD-2-Clause
/* Cumulative sums that notice who has recovered. See renew.h. */
#include "renew.h"

#include <math.h>
#include <string.h>

static unsigned group_of(uint64_t source)
{
	return (unsigned)(source * 0x9e3779b97f4a7c15ull >> 60) % RENEW_GROUPS;
}

void renew_add(struct renew *renew, size_t member, uint64_t source, double count, double us,
	       double mean)
{
	struct renew_member *at = &renew->member[member];
	unsigned group = group_of(source);

	if (!(count > 0 && mean > 0))
		return;
	at->count[group] += count;
	at->times[group] += us / mean;
}

static double says(const struct renew_member *member, unsigned group)
{
	return member->count[group] * -log(RENEW_RATIO) -
	       member->times[group] * (1 / RENEW_RATIO - 1);
}

/* What all say together; *loudest: who says most. */
static double sum_up(const struct renew_member *member, unsigned *loudest)
{
	double all = 0, most = -INFINITY;

	for (unsigned g = 0; g < RENEW_GROUPS; g++) {
		double here = says(member, g);

		all += here;
		if (here > most) {
			most = here;
			*loudest = g;
		}
	}
	return all;
}

double renew_factor(struct renew *renew, size_t member)
{
	struct renew_member *at = &renew->member[member];
	double count = 0, times = 0, factor;
	unsigned loudest = 0;
	double all = sum_up(at, &loudest);

	if (all - fmax(says(at, loudest), 0) < RENEW_SURE) {
		if (all <= 0)
			memset(at, 0, sizeof(*at));
		return 1;
	}
	for (unsigned g = 0; g < RENEW_GROUPS; g++) {
		if (g == loudest)
			continue;
		count += at->count[g];
		times += at->times[g];
	}
	memset(at, 0, sizeof(*at));
	factor = times / count;
	return factor < RENEW_LEAST ? RENEW_LEAST : fmin(factor, 1);
}
