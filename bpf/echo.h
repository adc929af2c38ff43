/* SPDX-License-Identifier: GPL-2.0-only */
/* Echo requests to a service's address are answered on the spot: who pings it, asks for Larch. */
#pragma once

#include "checksum.h"
#include "cursor.h"
#include "maps.h"
#include "packet.h"

#define ICMP_ECHO_REPLY	  0
#define ICMPV6_ECHO_REPLY 129

static __always_inline void echo_swap_macs(struct ethhdr *ethernet)
{
	struct ethhdr before = *ethernet;

	__builtin_memcpy(ethernet->h_dest, before.h_source, sizeof(before.h_source));
	__builtin_memcpy(ethernet->h_source, before.h_dest, sizeof(before.h_dest));
}

/* The sum of the addresses stays as it is. */
static __always_inline bool echo_return_ipv4(struct cursor *cursor)
{
	struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	__be16 *ttl_and_protocol, before;
	__be32 source;

	if (!ip)
		return false;
	ttl_and_protocol = (__be16 *)&ip->ttl;
	before = *ttl_and_protocol;
	source = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = source;
	ip->ttl = REPLY_TTL;
	ip->check = checksum_change(ip->check, before, *ttl_and_protocol);
	return true;
}

static __always_inline bool echo_return_ipv6(struct cursor *cursor)
{
	struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));
	struct in6_addr source;

	if (!ip)
		return false;
	source = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = source;
	ip->hop_limit = REPLY_TTL;
	return true;
}

static __always_inline bool echo_return_icmp(struct cursor *cursor, __u8 type)
{
	struct icmp *icmp = cursor_take(cursor, sizeof(*icmp));
	__be16 *type_and_code, before;

	if (!icmp)
		return false;
	type_and_code = (__be16 *)&icmp->type;
	before = *type_and_code;
	icmp->type = type;
	/* An answer of zeros alone sums up to 0; of all others 0 and 0xffff are the same. */
	icmp->checksum = checksum_change(icmp->checksum, before, *type_and_code) ?: 0xffff;
	return true;
}

/* Answers an echo request, by turning it round. With options or extensions it is the host's. */
STAGE int echo(struct xdp_md *context, struct packet *packet)
{
	const struct larch_settings *settings = service_settings();
	bool ipv6 = packet && packet->tuple.ipv6;
	struct ethhdr *ethernet;
	struct cursor cursor;

	if (!packet || !settings || packet->link_bytes > PACKET_LINK_MOST)
		return LARCH_DROP_INTERNAL;
	cursor = cursor_begin(context);
	ethernet = cursor_take(&cursor, sizeof(*ethernet));
	if (!ethernet || !cursor_take(&cursor, packet->link_bytes - sizeof(*ethernet)))
		return LARCH_DROP_INTERNAL;
	if (!settings->limit[LARCH_LIMIT_ECHO] || settings->flags & LARCH_NO_ECHO ||
	    packet->transport_bytes != (ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) ||
	    !icmp_may_answer(packet, ethernet))
		return LARCH_PASS_NOT_TRANSPORT;
	if (!limit_allows(settings, LARCH_LIMIT_ECHO))
		return LARCH_DROP_ECHO_RATE;
	if (ipv6 ? !echo_return_ipv6(&cursor) : !echo_return_ipv4(&cursor))
		return LARCH_DROP_INTERNAL;
	if (!echo_return_icmp(&cursor, ipv6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY))
		return LARCH_DROP_INTERNAL;
	echo_swap_macs(ethernet);
	return LARCH_REPLY_ECHO;
}
