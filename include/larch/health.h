/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets of active health checks. A socket of theirs has this mark, which says to which backend of
 * which service its packets go. A rule sends what is marked so to the loopback interface, whatever
 * the host's routes say; the program there sends it on as the balancer does clients' packets.
 */
#pragma once

#include "types.h"

#define LARCH_HEALTH_MARK	  0x4c480000u
#define LARCH_HEALTH_MASK	  0xffff0000u
#define LARCH_HEALTH_BACKEND_BITS 10

/* Number of the routing table, and priority of the rule. */
#define LARCH_HEALTH_TABLE 0x4c48u

/* Bytes that an IP packet of a check may have: with any tunnel's headers it fits any link. */
#define LARCH_HEALTH_MTU 1280u

_Static_assert(LARCH_MAX_BACKENDS <= 1 << LARCH_HEALTH_BACKEND_BITS, "a mark has any backend");
_Static_assert(LARCH_MAX_SERVICES << LARCH_HEALTH_BACKEND_BITS <= 0x10000, "and any service");

LARCH_INLINE __u32 larch_health_mark(__u32 service, __u32 backend)
{
	return LARCH_HEALTH_MARK | service << LARCH_HEALTH_BACKEND_BITS | backend;
}

LARCH_INLINE __u32 larch_health_service(__u32 mark)
{
	return (mark & ~LARCH_HEALTH_MASK) >> LARCH_HEALTH_BACKEND_BITS;
}

LARCH_INLINE __u32 larch_health_backend(__u32 mark)
{
	return mark & ((1u << LARCH_HEALTH_BACKEND_BITS) - 1);
}
