/* SPDX-License-Identifier: GPL-2.0-only */
/* So many a second on each CPU, and as many at once: a token bucket for each enum larch_limit. */
#pragma once

#include "maps.h"

/* May one more happen? 0 in the settings: none at all. */
static __always_inline bool limit_allows(const struct larch_settings *settings,
					 enum larch_limit limit)
{
	__u32 index = limit;
	struct larch_tokens *tokens = bpf_map_lookup_elem(&larch_limits, &index);
	__u64 now = bpf_jiffies64(), ticks, most;

	if (!tokens || !settings->hz)
		return false;
	most = (__u64)settings->limit[limit] * settings->hz;
	ticks = now - tokens->updated;
	if (ticks > settings->hz)
		ticks = settings->hz;
	tokens->updated = now;
	tokens->credit += ticks * settings->limit[limit];
	if (tokens->credit > most)
		tokens->credit = most;
	if (!most || tokens->credit < settings->hz)
		return false;
	tokens->credit -= settings->hz;
	return true;
}
