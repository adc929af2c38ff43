// SPDX-License-Identifier: BSD-2-Clause
/* See arm.h. */
#include "arm.h"

#include <math.h>
#include <string.h>

#include "larch/tuple.h"

/* A flow's begin and a change of size are noted by different clocks, each up to so wrong, s. */
#define SLACK 2

static void note(struct arm *arm, unsigned halvings, double now)
{
	arm->halvings = halvings;
	arm->ticks = 0;
	arm->flows = 0;
	arm->change[arm->changes++ % ARM_CHANGES] = (struct arm_change){now, halvings};
	arm->least = halvings < arm->least ? halvings : arm->least;
	arm->most = halvings > arm->most ? halvings : arm->most;
}

void arm_begin(struct arm *arm, unsigned halvings, double now)
{
	if (halvings > LARCH_HALVINGS_MOST)
		halvings = LARCH_HALVINGS_MOST;
	memset(arm, 0, sizeof(*arm));
	arm->least = arm->most = halvings;
	note(arm, halvings, now);
}

bool arm_step(struct arm *arm, double flows, double now)
{
	double mean;

	arm->flows += flows;
	if (++arm->ticks < ARM_TICKS)
		return false;
	mean = arm->flows / arm->ticks;
	if (mean >= 2 * ARM_SPARE * ARM_FLOWS && arm->halvings < LARCH_HALVINGS_MOST) {
		note(arm, arm->halvings + 1, now);
		return true;
	}
	if (mean < ARM_FLOWS && arm->halvings > 0) {
		note(arm, arm->halvings - 1, now);
		return true;
	}
	arm->ticks = 0;
	arm->flows = 0;
	return false;
}

unsigned arm_one_in(const struct arm *arm)
{
	return 1u << (LARCH_CONTROL_BITS + arm->halvings);
}

double arm_weight(const struct arm *arm)
{
	return exp2(arm->halvings);
}

/* The fewest and most halvings that were in force around `when`. */
static void sizes_at(const struct arm *arm, double when, unsigned *least, unsigned *most)
{
	size_t first = arm->changes > ARM_CHANGES ? arm->changes - ARM_CHANGES : 0;

	*least = LARCH_HALVINGS_MOST;
	*most = 0;
	if (when + SLACK < arm->change[first % ARM_CHANGES].when) {
		*least = 0;
		*most = LARCH_HALVINGS_MOST;
	}
	for (size_t i = first; i < arm->changes; i++) {
		const struct arm_change *change = &arm->change[i % ARM_CHANGES];
		double end =
			i + 1 < arm->changes ? arm->change[(i + 1) % ARM_CHANGES].when : INFINITY;

		if (when + SLACK < change->when || when - SLACK > end)
			continue;
		*least = change->halvings < *least ? change->halvings : *least;
		*most = change->halvings > *most ? change->halvings : *most;
	}
}

bool arm_find(const struct arm *arm, uint64_t hash, double when, enum larch_arm *out)
{
	unsigned least = arm->least, most = arm->most;

	if (!isnan(when))
		sizes_at(arm, when, &least, &most);
	*out = larch_hash_arm(hash, most);
	return *out == larch_hash_arm(hash, least);
}
