// SPDX-License-Identifier: BSD-2-Clause
/* Weighted Maglev hashing, for comparison; see ringbench.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/prng.h"
#include "ringbench.h"

#define SLOTS LARCH_RING_SLOTS

/* A permutation of the slots: offset, offset + skip, ... With an odd skip it meets all of 2^n. */
struct permutation {
	uint64_t offset, skip;
};

struct maglev {
	size_t members;
	struct permutation of[];
};

int maglev_new(struct maglev **out, const uint64_t *identity, size_t members)
{
	struct maglev *maglev = malloc(sizeof(*maglev) + members * sizeof(maglev->of[0]));

	if (!maglev)
		return -ENOMEM;
	maglev->members = members;
	for (size_t i = 0; i < members; i++) {
		uint64_t hash = prng_mix(identity[i]);

		maglev->of[i] = (struct permutation){hash >> 32, hash | 1};
	}
	*out = maglev;
	return 0;
}

void maglev_free(struct maglev *maglev)
{
	free(maglev);
}

/* The first slot of the permutation, from `at` on, that is free. */
static size_t next_free(const struct permutation *of, uint64_t *at, const struct larch_ring *ring)
{
	size_t slot;

	do
		slot = (of->offset + (*at)++ * of->skip) % SLOTS;
	while (ring->slot[slot].primary != LARCH_NO_MEMBER);
	return slot;
}

void maglev_build(const struct maglev *maglev, const double *weight, struct larch_ring *out)
{
	uint64_t at[LARCH_MAX_MEMBERS] = {};
	double turns[LARCH_MAX_MEMBERS] = {}, most = 0;
	size_t taken = 0;

	memset(out, LARCH_NO_MEMBER, sizeof(*out));
	for (size_t i = 0; i < maglev->members; i++)
		most = weight[i] > most ? weight[i] : most;
	while (most > 0)
		for (size_t i = 0; i < maglev->members; i++) {
			turns[i] += weight[i] / most;
			if (turns[i] < 1)
				continue;
			turns[i] -= 1;
			out->slot[next_free(&maglev->of[i], &at[i], out)].primary = (uint8_t)i;
			if (++taken == SLOTS)
				return;
		}
}
