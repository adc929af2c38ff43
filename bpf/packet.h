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

#define ETH_P_IP     0x0800
#define ETH_P_IPV6   0x86dd
#define ETH_P_8021Q  0x8100
#define ETH_P_8021AD 0x88a8
#define IPPROTO_IPIP 4
#define IPPROTO_TCP  6
#define IPPROTO_UDP  17
#define IPPROTO_IPV6 41

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* A stage returns GO for the next one to go on, or the packet's enum larch_outcome. */
#define GO (-1)

/* A function that is verified alone. Its pointers may be NULL for all that the verifier knows. */
#define STAGE __attribute__((noinline))

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
	__u8 fragment; /* is part of a fragmented packet */
	__u32 sequence;
	__u32 acknowledged;
	__u32 ingress; /* interface index */

	/* service */
	struct larch_service service;
	__u32 flags;	   /* enum larch_settings_flag */
	__u32 bucket_mask; /* of the flow table */
	__u64 hash;

	/* flow */
	union larch_identity identity; /* of the flow's entry, as read */
	__u32 by_ring; /* no live scores: the flow's first packet, or its next, goes unremembered */

	/* classify */
	struct larch_cell cell;
	__u32 bank;
	__u32 leaf;

	/* steer, or the flow's entry */
	__u32 backend;
};

#define READ_ONCE(x)	     (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))
