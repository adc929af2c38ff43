/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stages know of one packet. Each stage reads what earlier ones found and adds its own.
 * The larger stages are functions that the verifier checks on their own (global, STAGE), so that
 * their paths do not multiply; therefore this struct holds values only, no pointers.
 */
#pragma once

#include "larch/backend.h"
#include "larch/cell.h"
#include "larch/outcome.h"
#include "larch/plan.h"
#include "larch/service.h"
#include "larch/tuple.h"

#define ETH_P_IP       0x0800
#define ETH_P_IPV6     0x86dd
#define ETH_P_8021Q    0x8100
#define ETH_P_8021AD   0x88a8
#define IPPROTO_ICMP   1
#define IPPROTO_IPIP   4
#define IPPROTO_TCP    6
#define IPPROTO_UDP    17
#define IPPROTO_IPV6   41
#define IPPROTO_ICMPV6 58

/* Of an IPv4 header's frag_off. */
#define IPV4_OFFSET   0x1fff
#define IPV4_FRAGMENT 0x3fff /* more fragments, or an offset */

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* A stage returns GO for the next one to go on, or the packet's enum larch_outcome. */
#define GO (-1)

/* A function that is verified alone. Its pointers may be NULL for all that the verifier knows. */
#define STAGE __attribute__((noinline))

/* Of enum larch_mode, for this packet alone: a question to the backend's agent. */
#define MODE_ASK 0xff

/* Bytes of an Ethernet header with as many VLAN tags as are parsed. */
#define PACKET_LINK_MOST 22

/* TTL or hop limit of what we say ourselves. */
#define REPLY_TTL 64

/* What kind of packet it is, as far as that decides its way. */
enum packet_kind {
	PACKET_WHOLE = 0, /* TCP or UDP, not a fragment */
	PACKET_FIRST = 1, /* the first fragment of one: has the ports */
	PACKET_LATER = 2, /* a later fragment: no ports */
	PACKET_ERROR = 3, /* ICMP error: `tuple` is of the flow that it is about */
	PACKET_ECHO = 4,  /* ICMP echo request */
};

struct packet {
	/* parse */
	struct larch_tuple tuple;
	__u32 frame_bytes;
	__u16 link_bytes; /* Ethernet header and VLAN tags */
	__u16 bytes;	  /* of the IP packet */
	__u16 payload;	  /* bytes behind the transport header */
	__u8 traffic_class;
	__u8 ttl;
	__u8 tcp_flags;
	__u8 kind;	       /* enum packet_kind */
	__u16 transport_bytes; /* IP header with options and extensions; behind it, the transport's
				*/
	__u32 fragment;	       /* FIRST, LATER: the identification, as on the wire */
	__u32 sequence;
	__u32 acknowledged;
	__u32 ingress; /* interface index */

	/* service */
	__u32 service;
	struct larch_policy policy;
	__u32 flags;	   /* enum larch_settings_flag; of every packet */
	__u32 bucket_mask; /* of the flow table */
	__u32 stamp;	   /* now, as the flow table counts it */
	__u64 hash;
	__u64 now; /* ns of the monotonic clock; 0: nobody has read it yet */

	/* flow */
	union larch_identity identity; /* of the flow's entry, as read */

	/* classify */
	struct larch_cell cell;
	__u8 bank;
	__u8 leaf;
	__u8 by_ring; /* flow: no live scores; its first packet, or its next, goes unremembered */
	__u8 hop;     /* chance: the candidate that is asked */

	/* steer, or the flow's entry */
	__u32 backend;

	/* chance: the question that the packet carries */
	__u64 token;
	__u32 epoch;

	/* forward */
	__u16 action; /* enum xdp_action */
	__u16 room;   /* DROP_TOO_BIG: bytes of an IP packet that would have fitted */
};

/* Have the service's flows no ports? */
static __always_inline bool packet_by_source(const struct packet *packet)
{
	return packet->policy.flags & LARCH_SERVICE_BY_SOURCE;
}

/* Has the flow a beginning and an end that its packets show? All others are datagram flows. */
static __always_inline bool packet_of_stream(const struct packet *packet)
{
	return packet->tuple.protocol == IPPROTO_TCP && !packet_by_source(packet);
}

/* Is it the SYN of a stream? What opens a datagram flow, the flow table alone can tell. */
static __always_inline bool packet_opens(const struct packet *packet)
{
	return packet->tcp_flags & TCP_SYN && packet_of_stream(packet);
}

/* The clock is dear: read once a packet, and only for those that need it. */
static __always_inline __u64 packet_now(struct packet *packet)
{
	if (!packet->now)
		packet->now = bpf_ktime_get_ns();
	return packet->now;
}

#define READ_ONCE(x)	     (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))
