/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where samples are added up: per service, backend, arm and client cell. */
#pragma once

#include "minifloat.h"
#include "types.h"

/*
 * Share of flows, by hash, that is steered by the control ring: 1 in 2^4, halved as often as
 * larch_policy.halvings says. A smaller arm lies within each larger one.
 */
#define LARCH_CONTROL_BITS  4
#define LARCH_HALVINGS_MOST 4
/* Share of learned flows that take any candidate without comparing: 1 in 2^9. */
#define LARCH_EXPLORE_BITS 9
/* Share of the control arm whose flows find out whether a sick backend still is: 1 in 2^5. */
#define LARCH_PROBE_BITS 5

/* Cells that larch_cells holds; further ones are added up in a cell of source 0. */
#define LARCH_MAX_CELLS 16384

enum larch_arm {
	LARCH_ARM_LEARNED = 0,
	LARCH_ARM_CONTROL = 1,
};

/* Key of larch_cells: the quantised features of a client, the backend and the arm. */
struct larch_cell {
	__u64 source; /* larch_source_ipv4() or _ipv6(); 0 in the cell that takes what has no other
		       */
	__u32 ingress;
	__u16 service;
	__u16 backend;
	__u16 port; /* host byte order */
	__u8 protocol;
	__u8 hops;
	__u8 size;
	__u8 arm; /* enum larch_arm */
	__u16 padding;
};

/* Value of larch_cells. Sums only grow. */
struct larch_samples {
	__u64 connects;
	__u64 connect_us;
	__u64 responses;
	__u64 response_us; /* server and network together */
	__u64 server_us;   /* response less the flow's own connect, each at least 1 us */
	__u64 work_us;	   /* server_us, each divided by the load of the backend at that moment */
	__u32 latency[LARCH_LATENCY_BUCKETS]; /* of responses, by larch_latency_bucket() */
};

/* Entry of larch_connects: connect times of one arm of a service. Counts only grow. */
struct larch_connects {
	__u32 latency[LARCH_LATENCY_BUCKETS]; /* by larch_latency_bucket() */
};

#define LARCH_ARMS 2

LARCH_INLINE __u32 larch_connects_index(__u32 service, __u32 arm)
{
	return service * LARCH_ARMS + arm;
}

_Static_assert(sizeof(struct larch_cell) == 24, "no hidden padding");

#define LARCH_SOURCE_IPV6 (1ull << 48)

/* Client prefix as one ordered number: IPv4 /24, or IPv6 /48 with LARCH_SOURCE_IPV6 set. */
LARCH_INLINE __u64 larch_source_ipv4(__u32 address)
{
	return address >> 8;
}

LARCH_INLINE __u64 larch_source_ipv6(__u32 high, __u32 low)
{
	return LARCH_SOURCE_IPV6 | (__u64)high << 16 | low >> 16;
}

/* Size class of a flow's first packet; bytes of the IP packet. */
LARCH_INLINE __u32 larch_size_class(__u32 bytes)
{
	return bytes < 64 ? 0 : bytes < 128 ? 1 : bytes < 512 ? 2 : 3;
}

/* The size class of a flow whose first packet nobody has seen: that of a SYN with the usual
 * options.
 */
LARCH_INLINE __u32 larch_usual_size_class(int ipv6)
{
	return larch_size_class(ipv6 ? 80 : 60);
}

/* Hops that a packet has come, from what is left of the usual initial TTLs 64, 128 and 255. */
LARCH_INLINE __u32 larch_hops(__u32 ttl)
{
	return (ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255) - ttl;
}
