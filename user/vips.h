// SPDX-License-Identifier: BSD-2-Clause
/*
 * The tables of larch_vips: what an address, port and protocol stand for (see larch/service.h).
 * There are two, so that a new one is built while the other is in force. Pure but for the memory
 * that it is given: 2 * LARCH_VIP_SLOTS slots.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "larch/service.h"

/*
 * Builds a table of these entries, which must differ in .vip, in the half of `slots` that is not in
 * force by `vips`. Returns what larch_settings.vips must become for it to be in force. 0 entries
 * are allowed. -ENOSPC: more than LARCH_MAX_VIPS.
 */
int64_t vips_build(struct larch_vip_slot *slots, uint32_t vips, const struct larch_vip_slot *entry,
		   size_t count);

/* Adds or replaces one entry of the table in force. -ENOSPC: no free slot is near enough. */
int vips_put(struct larch_vip_slot *slots, uint32_t vips, const struct larch_vip_slot *entry);

/* The entry of this key in the table in force, as the packet path finds it; NULL: none. */
const struct larch_vip_slot *vips_find(const struct larch_vip_slot *slots, uint32_t vips,
				       const struct larch_vip *vip);
