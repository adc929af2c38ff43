// SPDX-License-Identifier: BSD-2-Clause
/*
 * Builds the frames of the packet tests from a few facts, of which most have a default: FRAME() is
 * a plain TCP segment over IPv4 from the first client to the service. Also says, on its own, what
 * the balancer should make of them: the flow's tuple, and an Internet checksum.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larch/tuple.h"

#define VIP_IPV4 "192.0.2.1"
#define VIP_IPV6 "2001:db8::1"
#define VIP_PORT 80

#define CLIENT_MAC  0x0200000000c1ull
#define GATEWAY_MAC 0x0200000000b1ull

#define ETHERNET_BYTES	14
#define VLAN_BYTES	4
#define IPV4_BYTES	20
#define IPV6_BYTES	40
#define TCP_BYTES	20
#define UDP_BYTES	8
#define FRAME_MOST	9400 /* a jumbo frame, and what tunnels add */
#define EXTENSIONS_MOST 8

enum tcp_flag { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };

enum next_header {
	NEXT_HOP_BY_HOP = 0,
	NEXT_ICMP = 1,
	NEXT_IPIP = 4,
	NEXT_TCP = 6,
	NEXT_UDP = 17,
	NEXT_IPV6 = 41,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_AUTHENTICATION = 51,
	NEXT_ICMPV6 = 58,
	NEXT_DESTINATION = 60,
	NEXT_MOBILITY = 135,
};

/* All that a test says of a frame. Zero stands for the default where one is given. */
struct spec {
	bool ipv6;
	uint8_t vlans;
	uint16_t ethertype; /* 0: that of the IP version */
	const char *from;   /* NULL: the address of `client` */
	const char *to;	    /* NULL: the service's address */
	uint32_t client;
	uint8_t protocol;     /* 0: TCP */
	uint16_t source_port; /* 0: 40000 */
	uint16_t port;	      /* 0: VIP_PORT */
	uint8_t flags;	      /* 0: ACK */
	uint32_t sequence;
	uint32_t acknowledged;
	uint16_t payload; /* bytes */
	uint8_t traffic_class;
	uint8_t ttl;	      /* 0: 64 */
	uint8_t ipv4_options; /* words of 4 bytes */
	uint8_t tcp_options;  /* words of 4 bytes */
	uint8_t extensions;
	uint8_t extension[EXTENSIONS_MOST]; /* enum next_header */
	uint16_t fragment_offset;	    /* units of 8 bytes */
	bool more_fragments;
	uint32_t identification; /* 0: any */
	uint8_t trailer;	 /* bytes behind the IP packet, as Ethernet pads short frames */
};

struct frame {
	size_t size;
	size_t network;	  /* where the IP header is */
	size_t transport; /* where the transport header is */
	uint8_t byte[FRAME_MOST];
};

#define FRAME(...) frame_build(&(struct spec){__VA_ARGS__})

struct frame frame_build(const struct spec *spec);

/* Makes the checksum of TCP, UDP, ICMP or ICMPv6 in a frame built from `spec` valid. */
void frame_sum(struct frame *frame, const struct spec *spec);

/* The frame's first `size` bytes. */
struct frame frame_cut(const struct frame *frame, size_t size);

/* The frame's packet in a tunnel of either family, as the balancer sends it to a backend. */
struct frame frame_wrap(const struct frame *inner, bool outer_ipv6, uint8_t protocol);

bool frame_equal(const struct frame *a, const struct frame *b);

/* Changes one 16-bit field, in network byte order. */
void frame_set16(struct frame *frame, size_t at, uint16_t value);
uint16_t frame_get16(const struct frame *frame, size_t at);

struct larch_tuple tuple_of(const struct spec *spec);

/* Any textual address; IPv4 as ::ffff:a.b.c.d. */
void address_of(const char *text, __be32 out[4]);

/* RFC 1071, byte by byte; over a header with a valid checksum it is 0. */
uint16_t internet_checksum(const uint8_t *bytes, size_t size);
