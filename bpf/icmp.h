/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP and ICMPv6 to a service's address: what kind of message is it? An error belongs to the flow
 * that it is about: its inner packet is one that a backend sent, as the service, to a client.
 */
#pragma once

#include "cursor.h"
#include "maps.h"
#include "packet.h"

#define ICMP_UNREACHABLE   3
#define ICMP_ECHO	   8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER	   12
#define ICMPV6_FIRST_ERROR 1 /* unreachable; then too big, time exceeded, parameter problem */
#define ICMPV6_LAST_ERROR  4
#define ICMPV6_ECHO	   128
#define ICMP_QUOTES	   8   /* bytes of the transport header that every error has (RFC 792) */
#define IPV4_FIRST_NO_HOST 224 /* addresses from here on: multicast, reserved, broadcast */
#define IPV4_LOOPBACK	   127
#define ETHERNET_GROUP	   0x01 /* in an address's first byte: not of one host */

struct icmp {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 rest;
};

/*
 * Errors that hosts act upon. Not source quench, which they ignore (RFC 6633), and not redirects,
 * which are about the way and not the flow.
 */
static __always_inline bool icmp_is_error(const struct packet *packet, const struct icmp *icmp)
{
	if (packet->tuple.ipv6)
		return icmp->type >= ICMPV6_FIRST_ERROR && icmp->type <= ICMPV6_LAST_ERROR;
	return icmp->type == ICMP_UNREACHABLE || icmp->type == ICMP_TIME_EXCEEDED ||
	       icmp->type == ICMP_PARAMETER;
}

static __always_inline bool icmp_is_echo(const struct packet *packet, const struct icmp *icmp)
{
	return icmp->type == (packet->tuple.ipv6 ? ICMPV6_ECHO : ICMP_ECHO) && icmp->code == 0;
}

/* The flow of an error's inner packet, which may be cut off; *bytes: its headers before the ports.
 */
static __always_inline bool icmp_inner_ipv4(struct cursor *cursor, struct larch_tuple *flow,
					    __u32 *bytes)
{
	struct iphdr *ip = cursor_take(cursor, sizeof(*ip));

	if (!ip || ip->version != 4 || ip->frag_off & bpf_htons(IPV4_OFFSET))
		return false;
	*bytes = ip->ihl * 4;
	if (*bytes < sizeof(*ip) || !cursor_take(cursor, *bytes - sizeof(*ip)))
		return false;
	flow->source[2] = flow->destination[2] = bpf_htonl(0xffff);
	flow->source[3] = ip->daddr;
	flow->destination[3] = ip->saddr;
	flow->protocol = ip->protocol;
	return true;
}

static __always_inline bool icmp_inner_ipv6(struct cursor *cursor, struct larch_tuple *flow,
					    __u32 *bytes)
{
	struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));
	struct extensions found = {};

	if (!ip || ip->version != 6)
		return false;
	__builtin_memcpy(flow->source, &ip->daddr, sizeof(flow->source));
	__builtin_memcpy(flow->destination, &ip->saddr, sizeof(flow->destination));
	found.next = ip->nexthdr;
	if (!parse_extensions(cursor, &found) || found.kind == PACKET_LATER)
		return false;
	*bytes = sizeof(*ip) + found.bytes;
	flow->protocol = found.next;
	flow->ipv6 = 1;
	return true;
}

static __always_inline bool icmp_same_address(const __be32 one[4], const __be32 other[4])
{
	return one[0] == other[0] && one[1] == other[1] && one[2] == other[2] && one[3] == other[3];
}

/* Makes packet->tuple that of the flow that the error is about. False: of none that can be ours. */
static __always_inline bool icmp_error(struct cursor *cursor, struct packet *packet)
{
	struct larch_tuple flow = {};
	__u32 bytes;
	__be16 *ports;

	if (packet->tuple.ipv6 ? !icmp_inner_ipv6(cursor, &flow, &bytes)
			       : !icmp_inner_ipv4(cursor, &flow, &bytes))
		return false;
	ports = cursor_take(cursor, ICMP_QUOTES);
	if (!ports || sizeof(struct icmp) + bytes + ICMP_QUOTES > packet->payload)
		return false;
	if (flow.protocol != IPPROTO_TCP && flow.protocol != IPPROTO_UDP)
		return false;
	if (!icmp_same_address(flow.destination, packet->tuple.destination))
		return false;
	flow.source_port = ports[1];
	flow.destination_port = ports[0];
	packet->tuple = flow;
	return true;
}

/* Finds packet->kind of an ICMP message: ERROR with its flow's tuple, ECHO, or WHOLE: any other. */
STAGE int icmp_parse(struct xdp_md *context, struct packet *packet)
{
	struct cursor cursor;
	struct icmp *icmp;

	if (!packet || packet->kind != PACKET_WHOLE ||
	    packet->tuple.protocol != (packet->tuple.ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) ||
	    packet->payload < sizeof(*icmp) || !parse_skip(context, &cursor, packet))
		return 0;
	icmp = cursor_take(&cursor, sizeof(*icmp));
	if (!icmp)
		return 0;
	if (icmp_is_echo(packet, icmp))
		packet->kind = PACKET_ECHO;
	else if (icmp_is_error(packet, icmp) && icmp_error(&cursor, packet))
		packet->kind = PACKET_ERROR;
	return 0;
}

/* May the packet's source be sent an answer: is it one host's (RFC 1122 3.2.2, RFC 4443 2.4)? */
static __always_inline bool icmp_may_answer(const struct packet *packet,
					    const struct ethhdr *ethernet)
{
	const __be32 *source = packet->tuple.source;
	__u8 first = bpf_ntohl(source[3]) >> 24;

	if (ethernet->h_dest[0] & ETHERNET_GROUP || ethernet->h_source[0] & ETHERNET_GROUP)
		return false;
	/* ff00::/8 is multicast; ::, ::1 and all that has IPv4 in it is in ::/64. */
	if (packet->tuple.ipv6)
		return bpf_ntohl(source[0]) >> 24 != 0xff && (source[0] || source[1]);
	return first != 0 && first != IPV4_LOOPBACK && first < IPV4_FIRST_NO_HOST;
}
