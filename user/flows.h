// SPDX-License-Identifier: BSD-2-Clause
/*
 * The daemon's walk over the flow table, which it has mapped: counts flows for each backend,
 * clears what is dead and keeps old stamps from wrapping. Pure but for the table it is given.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "larch/flow.h"
#include "larch/types.h"

/*
 * The largest age that a stamp can tell, after which a flow counts as silent: about an hour (51 to
 * 77 minutes, by the kernel's tick). Older stamps are moved up to it, so that they never look young
 * again.
 */
#define FLOWS_SILENT_STAMPS (LARCH_STAMP_MASK - 64)

struct flows_count {
	uint32_t flows[LARCH_MAX_BACKENDS];	 /* that need their backend */
	uint32_t silent[LARCH_MAX_BACKENDS];	 /* of these, for about an hour or longer */
	uint32_t waiting[LARCH_MAX_BACKENDS];	 /* requests and connects not answered */
	uint32_t connecting[LARCH_MAX_BACKENDS]; /* of these, connects */
	uint32_t given_up[LARCH_MAX_BACKENDS];	 /* SYNs that counted as waiting until this walk */
	uint32_t open, syn, closing;		 /* over all backends */
	uint32_t cleared;			 /* dead ones removed by this walk */
};

/*
 * now: a stamp; now_ns: of the monotonic clock. count_syns: connects not answered count as waiting,
 * until they are given up: then the packet path will not count them out.
 */
void flows_walk(struct larch_bucket *bucket, size_t buckets, uint32_t now, uint64_t now_ns,
		int count_syns, struct flows_count *out);

/*
 * Removes the silent flows of a backend, whose clients have vanished; an open stream does not end
 * otherwise. Returns how many of its other flows there are.
 */
uint32_t flows_clear(struct larch_bucket *bucket, size_t buckets, uint32_t now, uint32_t backend);
