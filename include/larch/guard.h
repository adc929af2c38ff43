/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the guard keeps: the allowance of each source, and what presses on a service: new flows, and
 * flows that nobody knows.
 */
#pragma once

#include "types.h"

#define LARCH_MAX_SOURCES 65536

/* Key of larch_sources: a source of new flows, of one service. */
struct larch_source {
	__be32 address[4]; /* IPv4 as ::ffff:a.b.c.d; IPv6: the /64, all behind it 0 */
	__u32 service;
};

/*
 * Value of larch_sources: a bucket of tokens, of which each new flow takes one, as the one time at
 * which it is full again (the generic cell rate algorithm, ITU-T I.371).
 */
struct larch_allowance {
	__u64 full; /* ns of the monotonic clock */
};

/* A service's new flows are counted in windows of 2^-6 stamp units: 0.11 to 0.16 s. */
#define LARCH_WINDOW_SHIFT 6

union larch_window {
	struct {
		__u32 count;
		__u32 number; /* of the window: the kernel's ticks >> larch_window_shift() */
	};
	__u64 word;
};

/*
 * Entry of larch_pressure, one cache line: new flows, where they are limited, and the questions of
 * the second chance.
 */
struct larch_pressure {
	union larch_window flows;   /* new flows that asked for a place in the flow table */
	union larch_window unknown; /* mid-flow packets of flows nobody knew that did */
	__u32 flooded;		    /* 1: more came than new_flows, and not yet clearly fewer */
	__u32 floods;		    /* how often that began */
	__u64 since;		    /* when it last began, and */
	__u64 until;		    /* ended: ticks of the kernel */
	__u64 lasted;		    /* ticks altogether, without a present flood */
	__u64 total;		    /* new flows before the present window */
	__u32 asked;		    /* packets that asked agents: CHANCE_ASKED */
	__u32 answered;		    /* answers of agents to our questions */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct larch_source) == 20, "no hidden padding");
_Static_assert(sizeof(union larch_window) == 8, "a window is one word");
_Static_assert(sizeof(struct larch_pressure) == 64, "one cache line");

/* A window lasts 2^this ticks of the kernel. */
LARCH_INLINE __u32 larch_window_shift(__u32 stamp_shift)
{
	return stamp_shift > LARCH_WINDOW_SHIFT ? (stamp_shift - LARCH_WINDOW_SHIFT) & 31 : 0;
}

/* What a service may have in one window, in parts of which a flow has as many as ticks a second. */
LARCH_INLINE __u64 larch_window_most(__u32 new_flows, __u32 shift)
{
	return (__u64)new_flows << shift;
}

/* May a window have so many flows? One it always may. hz: ticks a second. */
LARCH_INLINE int larch_window_within(__u32 count, __u64 most, __u32 hz)
{
	return count <= 1 || (__u64)(count - 1) * hz <= most;
}

/* The flood is over once a window has had no more than three quarters. */
LARCH_INLINE int larch_window_calm(__u32 count, __u64 most, __u32 hz)
{
	return larch_window_within(count, most - most / 4, hz);
}

/*
 * Is it flooded at `ticks`? Of a flood that ended with all traffic nobody told the entry: it is
 * over when the window after its last flow is.
 */
LARCH_INLINE int larch_pressure_flooded(const struct larch_pressure *pressure, __u32 shift,
					__u64 ticks)
{
	return pressure->flooded && (__u32)(ticks >> shift) - pressure->flows.number <= 1;
}
