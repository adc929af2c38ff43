// SPDX-License-Identifier: BSD-2-Clause
/* Open addressing with a bound on the probes, kept by the choice of a salt. See vips.h. */
#include "vips.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "larch/tuple.h"

/* A quarter of the slots is taken at most: one salt in two does. */
#define SALTS 256

static bool same(const struct larch_vip *one, const struct larch_vip *other)
{
	return memcmp(one, other, sizeof(*one)) == 0;
}

/* The slot that holds this key, or the free one where it would stand; SIZE_MAX: neither is near. */
static size_t place(const struct larch_vip_slot *slots, uint32_t vips, const struct larch_vip *vip)
{
	uint32_t first = larch_vip_place(larch_filter_hash(vip->address), vip, vips);

	for (uint32_t probe = 0; probe < LARCH_VIP_PROBES; probe++) {
		size_t at = larch_vip_index(first, probe, vips);

		if (!slots[at].vip.kind || same(&slots[at].vip, vip))
			return at;
	}
	return SIZE_MAX;
}

int vips_put(struct larch_vip_slot *slots, uint32_t vips, const struct larch_vip_slot *entry)
{
	size_t at = place(slots, vips, &entry->vip);

	if (at == SIZE_MAX)
		return -ENOSPC;
	slots[at] = *entry;
	return 0;
}

static int fill(struct larch_vip_slot *slots, uint32_t vips, const struct larch_vip_slot *entry,
		size_t count)
{
	int error = 0;

	memset(&slots[larch_vip_index(0, 0, vips)], 0, LARCH_VIP_SLOTS * sizeof(*slots));
	for (size_t i = 0; !error && i < count; i++)
		error = vips_put(slots, vips, &entry[i]);
	return error;
}

int64_t vips_build(struct larch_vip_slot *slots, uint32_t vips, const struct larch_vip_slot *entry,
		   size_t count)
{
	if (count > LARCH_MAX_VIPS)
		return -ENOSPC;
	for (uint32_t salt = 0; salt < SALTS; salt++) {
		uint32_t next = salt << 1 | (~vips & 1);

		if (fill(slots, next, entry, count) == 0)
			return next;
	}
	return -ENOSPC;
}

const struct larch_vip_slot *vips_find(const struct larch_vip_slot *slots, uint32_t vips,
				       const struct larch_vip *vip)
{
	size_t at = place(slots, vips, vip);

	return at != SIZE_MAX && slots[at].vip.kind ? &slots[at] : NULL;
}
