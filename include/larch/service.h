/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the program looks up about a packet's addresses, and the settings of the whole program. */
#pragma once

#include "types.h"

/* What an address stands for. */
enum larch_vip_kind {
	LARCH_VIP_SERVICE = 1, /* destination: a service; port 0: any port */
	LARCH_VIP_ADDRESS = 2, /* destination, port and protocol 0: some service has the address */
	LARCH_VIP_RETURN = 3,  /* source: a backend whose answers NAT turns back; port 0: any */
	LARCH_VIP_SELF = 4,    /* destination: our own end of the tunnels, UDP */
	LARCH_VIP_LATER = 5,   /* destination, port 0: the BY_SOURCE service of later fragments */
};

/* Key of larch_vips. IPv4 as ::ffff:a.b.c.d. */
struct larch_vip {
	__be32 address[4];
	__be16 port;
	__u8 protocol;
	__u8 kind; /* enum larch_vip_kind; 0: the slot is free */
};

/* A slot of larch_vips. */
struct larch_vip_slot {
	struct larch_vip vip;
	__u16 service; /* SERVICE, RETURN, LATER: index in larch_services */
	__u16 backend; /* RETURN: id in larch_backends */
	__u32 padding[2];
};

/*
 * larch_vips holds two tables of slots, of which larch_settings.vips names the one in force:
 * bit 0 is its number, the others are the salt of its hash. Open addressing with linear probing;
 * the daemon chooses a salt by which no entry is further than LARCH_VIP_PROBES from its place.
 */
#define LARCH_VIP_SLOTS	 32768
#define LARCH_VIP_PROBES 16
#define LARCH_MAX_VIPS	 8192

/* How packets get to a service's backends. */
enum larch_mode {
	LARCH_MODE_IPIP = 0, /* IP in IP, all four combinations of families */
	LARCH_MODE_GUE = 1,  /* IP in UDP; the source port spreads flows over receive queues */
	LARCH_MODE_L2 = 2,   /* the Ethernet addresses alone are rewritten */
	LARCH_MODE_NAT = 3,  /* the destination is rewritten, and in answers the source */
};

/* What a service's flows are timed by. */
enum larch_signal {
	LARCH_SIGNAL_NONE = 0,	   /* not at all */
	LARCH_SIGNAL_CONNECT = 1,  /* connects only */
	LARCH_SIGNAL_RESPONSE = 2, /* connects, and requests with their answers */
	LARCH_SIGNAL_WATCH = 3,	   /* connects; of requests, only the evidence is counted */
};

/*
 * Per-CPU entry of larch_evidence: whether a service's flows can be timed. Only flows whose SYN was
 * seen are counted.
 */
struct larch_evidence {
	__u64 opened;	    /* connections that came to stand */
	__u64 unclear;	    /* of them, those whose SYN was sent more than once */
	__u64 sessions;	    /* of them, those that sent a request */
	__u64 server_first; /* of them, those in which the server had spoken before */
	__u64 requests;
	__u64 overlapping; /* requests that others followed before there was an answer */
	__u64 answered;	   /* requests whose answer was seen, timed or not */
	__u64 early;	   /* of them, those answered sooner than the way there and back allows */
	__u64 timed;	   /* of them, those whose answer could be timed */
};

enum larch_service_flag {
	LARCH_SERVICE_LISTED = 1 << 0,	  /* has an access list */
	LARCH_SERVICE_CLOSED = 1 << 1,	  /* who is not on the list is denied */
	LARCH_SERVICE_STATELESS = 1 << 2, /* no flow is remembered */
	LARCH_SERVICE_BY_SOURCE = 1 << 3, /* a flow is (source, destination, protocol), no ports */
	LARCH_SERVICE_AGENTS = 1 << 4,	  /* the backends run the agent: second chance */
	LARCH_SERVICE_QUIC = 1 << 5,	  /* connection ids name the backend */
	LARCH_SERVICE_FLOOD = 1 << 6,	  /* new_flows limits what is remembered */
	LARCH_SERVICE_SOURCES = 1 << 7,	  /* source_flows limits each source */
	LARCH_SERVICE_DOUBTS = 1 << 8,	  /* AGENTS, and other nodes have its packets, too: what is
					     remembered of a silent flow may be out of date */
};

/* What every packet of a service needs to know. */
struct larch_policy {
	__u16 flags;	   /* enum larch_service_flag */
	__u8 mode;	   /* enum larch_mode */
	__u8 signal : 4;   /* enum larch_signal */
	__u8 halvings : 4; /* of the control arm: it has 1 flow in 2^(LARCH_CONTROL_BITS + this) */
	__u16 idle;  /* stamp units: a datagram flow that was silent for so long is a new one */
	__be16 port; /* NAT: the backends' port; 0: as the packet has it */
};

/* Entry of larch_services. */
struct larch_service {
	struct larch_policy policy;
	__u32 new_flows;     /* a second; beyond it flows are not remembered */
	__u32 source_flows;  /* new flows a second from one source (IPv4 /32, IPv6 /64) */
	__u32 source_burst;  /* and as many at once */
	__be32 address[4];   /* NAT: where answers come from, */
	__be16 address_port; /* and from which port; 0: as the packet has it */
	__u8 quic_config;    /* QUIC: the config rotation bits of our connection ids */
	__u8 quic_bytes;     /* QUIC: length of the server id in them, 1 to LARCH_QUIC_BYTES */
	__u32 padding[6];
} __attribute__((aligned(64)));

/* Key of larch_quic: which backend is it that a server id names? The value is a backend's id. */
#define LARCH_QUIC_BYTES 8
#define LARCH_MAX_QUIC	 (LARCH_MAX_SERVICES * (LARCH_MAX_MEMBERS + 1))

struct larch_quic {
	__u16 service;
	__u8 padding[6];
	__u8 id[LARCH_QUIC_BYTES]; /* unused ones are 0 */
};

/* Key of larch_access, a longest-prefix-match trie. */
struct larch_access {
	__u32 prefix; /* bits: 32 of the service, and those of the address */
	__be32 service;
	__be32 address[4]; /* IPv4 as ::ffff:a.b.c.d */
};

/* Value of larch_access. */
enum larch_access_verdict {
	LARCH_ACCESS_ALLOW = 1,
	LARCH_ACCESS_DENY = 2,
};

#define LARCH_MAX_ACCESS 65536

/*
 * A filter of one bit for each service's address lets packets that are not ours pass cheaply: a
 * Bloom filter with one hash function.
 */
#define LARCH_FILTER_WORDS 64

enum larch_settings_flag {
	LARCH_COUNT_SYNS = 1 << 0, /* connects not yet answered count as in flight */
	LARCH_RETURNS = 1 << 1,	   /* larch_vips has backends whose answers NAT turns back */
	LARCH_CAPTURE = 1 << 2,	   /* larch_capture says what is copied to larch_captured */
	LARCH_NO_ECHO = 1 << 3,	   /* ICMP echo requests are left to the host */
};

/* What is limited to so many a second, on each CPU. */
enum larch_limit {
	LARCH_LIMIT_ECHO = 0,	 /* answers to ICMP echo */
	LARCH_LIMIT_TOO_BIG = 1, /* messages that a packet does not fit */
	LARCH_LIMIT_CHANCE = 2,	 /* mid-flow packets that ask backends around */
	LARCH_LIMIT_COUNT = 4,
};

/* Entry of larch_limits, per CPU, by enum larch_limit. */
struct larch_tokens {
	__u64 updated; /* tick of the kernel (jiffies) */
	__u64 credit;  /* one time costs larch_settings.hz; each tick adds the limit */
};

/*
 * The one value of larch_settings. Written by the daemon; zero until then: every packet passes. In
 * every version it begins with the ABI, so that each knows maps that are not for it.
 */
struct larch_settings {
	__u32 abi;	   /* LARCH_ABI */
	__u32 flags;	   /* enum larch_settings_flag */
	__u64 seed[2];	   /* secret key of the flow hash; never changes while flows live */
	__u32 bucket_mask; /* buckets of the flow table, less one */
	__u32 vips;	   /* the table of larch_vips in force */
	__u32 stamp_shift; /* a flow's stamp counts 2^stamp_shift ticks of the kernel (jiffies) */
	__u32 hz;	   /* ticks a second */
	__u64 token[2];	   /* secret key of the second chance's tokens */
	__u32 limit[LARCH_LIMIT_COUNT]; /* a second and CPU, by enum larch_limit; 0: none at all */
	__u32 padding[14];
	__u64 filter[LARCH_FILTER_WORDS];
};

_Static_assert(sizeof(struct larch_vip) == 20, "no hidden padding");
_Static_assert(sizeof(struct larch_vip_slot) == 32, "two slots a cache line");
_Static_assert(sizeof(struct larch_policy) == 8, "copied as one word");
_Static_assert(sizeof(struct larch_service) == 64, "one cache line");
_Static_assert(sizeof(struct larch_quic) == 16, "no hidden padding");
_Static_assert(sizeof(struct larch_access) == 24, "no hidden padding");
_Static_assert(__builtin_offsetof(struct larch_settings, abi) == 0, "what all versions read");
_Static_assert(sizeof(struct larch_settings) == 128 + 8 * LARCH_FILTER_WORDS, "no hidden padding");

/* What one unit of a flow's stamp lasts, ns; 0: not known. */
LARCH_INLINE __u64 larch_stamp_ns(const struct larch_settings *settings)
{
	return settings->hz ? (1000000000ull << (settings->stamp_shift & 31)) / settings->hz : 0;
}
