/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A backend as the packet path needs it: the ready outer header, and its live state. */
#pragma once

#include "minifloat.h"
#include "types.h"

enum larch_tunnel {
	LARCH_TUNNEL_NONE = 0,	/* the entry is not in use */
	LARCH_TUNNEL_IPV4 = 1,	/* outer header IPv4: IPIP, or IPv6 in IPv4 */
	LARCH_TUNNEL_IPV6 = 2,	/* outer header IPv6: IPv6 in IPv6, or IPv4 in IPv6 */
	LARCH_TUNNEL_LOCAL = 3, /* this host: no tunnel, its own network stack has the packet */
};

/* The outer IPv4 header: what the program writes and what `checksum` is counted over must agree. */
#define LARCH_OUTER_TTL		  64
#define LARCH_OUTER_DONT_FRAGMENT 0x4000

/*
 * Generic UDP encapsulation (GUE): behind the outer IP header UDP to this port, and this header,
 * behind which the packet follows. The UDP source port is from the dynamic range and differs
 * between flows, so that routers and receive queues spread them.
 */
#define LARCH_GUE_PORT	      6080
#define LARCH_GUE_SOURCE_PORT 0xc000
#define LARCH_GUE_SOURCE_BITS 14

struct larch_gue {
	__u8 version; /* 2 bits of version (0), control bit (0), 5 of length in words beyond this */
	__u8 protocol; /* IPPROTO_IPIP or IPPROTO_IPV6 */
	__be16 flags;
};

enum larch_ready {
	LARCH_READY_ROUTED = 1, /* by a gateway: tunnels and NAT get there */
	LARCH_READY_DIRECT = 3, /* a neighbour: L2 rewriting does, too */
};

/*
 * Entry of larch_backends. The daemon keeps it by netlink: addresses, MACs and interface are what
 * the kernel's routes and neighbours say, so that no packet needs a look-up.
 */
struct larch_backend {
	__u8 tunnel; /* enum larch_tunnel */
	__u8 ready;  /* enum larch_ready; 0: the next hop is not known */
	__u16 mtu;   /* bytes that one outer packet may have */
	__u32 ifindex;
	__u8 destination_mac[6];
	__u8 source_mac[6];
	__be16 ethertype; /* of the outer header */
	__u16 checksum;	  /* ones' complement sum: IPv4: of the outer header's constant words; IPv6:
			     of the two addresses */
	__be32 outer_source[4];	     /* IPv4: the first word */
	__be32 outer_destination[4]; /* IPv4: the first word */
	__u32 padding;
} __attribute__((aligned(64)));

/* `slowdown` is a fixed-point number with this many fraction bits. */
#define LARCH_SLOWDOWN_BITS 10
#define LARCH_SLOWDOWN_ONE  (1u << LARCH_SLOWDOWN_BITS)

/*
 * Who waits for a backend: those who have asked for something since it last gave that to anybody.
 * One word, so that it is read and written whole.
 */
union larch_wait {
	struct {
		__u32 since : 24; /* when the first of them asked; units of 2^20 ns, wraps after 4.9
				     h */
		__u32 count : 8;  /* how many they are; LARCH_WAIT_MOST: or more; 0: nobody */
	};
	__u32 word;
};

#define LARCH_WAIT_BITS 24 /* of `since`, in the word the lower ones */
#define LARCH_WAIT_MASK ((1u << LARCH_WAIT_BITS) - 1)
#define LARCH_WAIT_MOST 255

/* Entry of larch_live, one cache line: what the fast loop knows of a backend. */
struct larch_live {
	/* written by the packet path */
	__s32 in_flight; /* requests, and connects, not yet answered */
	__u32 slowdown;	 /* EWMA of response over prediction */
	__u64 updated;	 /* when, ns of the monotonic clock */
	__u32 asked;	 /* last request or connect; units of 2^20 ns */
	__u32 uploads;	 /* of requests that still arrive, 16 KiB each, since the last answer */
	__u32 spoken;	 /* when it last answered after a silence; units of 2^20 ns */
	union larch_wait requests; /* for an answer, where answers are what is timed */
	__u32 failures;		   /* since the last answer */
	/* written by the daemon */
	__u32 concurrency; /* requests in flight that keep it just busy: served at once, and on
			      their way; at least 1 */
	__u32 share;	   /* 2^16 / requests served at once */
	__u32 service_us;  /* mean service time over all services and classes */
	__u32 patience_us; /* for so long it may owe answers and be silent; 0: for ever */
	/* written by the packet path */
	__u32 slow_since; /* slowed since then, units of 2^20 ns; 0: it is not */
	__s32 connecting; /* of those in flight: connects. A flood of SYNs is nothing else */
	union larch_wait connects; /* for a connection, where SYNs count */
} __attribute__((aligned(64)));

/*
 * How long requests took by how many others they met: what tells how many the backend serves at
 * once. Half an octave of them to a band: 0, 1, 2, 3, 4 and 5, 6 and 7, 8 to 11, and so on; the
 * last one has all that is longer. Sums only grow.
 */
#define LARCH_BANDS	    16
#define LARCH_BAND_MANTISSA 1

struct larch_band {
	__u64 requests;
	__u64 server_us;
	__u64 response_us; /* server and network together */
};

/* Entry of larch_bands. */
struct larch_bands {
	struct larch_band band[LARCH_BANDS];
};

LARCH_INLINE __u32 larch_band(__u32 queue)
{
	__u32 code = larch_pack(queue, LARCH_BAND_MANTISSA);

	return code < LARCH_BANDS ? code : LARCH_BANDS - 1;
}

_Static_assert(sizeof(union larch_wait) == 4, "one word");
_Static_assert(sizeof(struct larch_gue) == 4, "as on the wire");
_Static_assert(sizeof(struct larch_backend) == 64, "one cache line");
_Static_assert(sizeof(struct larch_live) == 64, "one cache line");
_Static_assert(sizeof(struct larch_bands) == 384, "no hidden padding");
