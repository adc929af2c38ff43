/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells the sender of a packet that does not fit the way to its backend how much would: ICMP
 * "fragmentation needed" (RFC 1191), ICMPv6 "packet too big" (RFC 4443). The packet itself becomes
 * the message: it is cut off, and what it begins with is quoted.
 */
#pragma once

#include "checksum.h"
#include "cursor.h"
#include "maps.h"
#include "packet.h"

#define ICMP_FRAGMENTATION_NEEDED 4 /* code of ICMP_UNREACHABLE */
#define ICMPV6_TOO_BIG		  2
#define IPV4_LEAST_MTU		  68
#define IPV6_LEAST_MTU		  1280
#define INTERNET_CONTROL	  0xc0 /* class of what keeps networks going (RFC 791) */

/* ICMP header and quotation: the most that bpf_csum_diff() takes at once. */
#define TOO_BIG_BYTES  512
#define TOO_BIG_QUOTED (TOO_BIG_BYTES - sizeof(struct icmp))

/* In 16-bit words, since it is copied by them. */
struct too_big_link {
	__u16 destination[3];
	__u16 source[3];
	__u16 rest[PACKET_LINK_MOST / 2 - 6]; /* VLAN tags, ethertype; then what comes behind */
};

/* What the sender is told: never less than every link takes. */
static __always_inline __u32 too_big_mtu(const struct packet *packet)
{
	__u32 least = packet->tuple.ipv6 ? IPV6_LEAST_MTU : IPV4_LEAST_MTU;

	return packet->room > least ? packet->room : least;
}

/* Is it worth telling, and of a kind that is answered (RFC 1122 3.2.2)? */
static __always_inline bool too_big_is_told(struct xdp_md *context, const struct packet *packet)
{
	struct cursor cursor = cursor_begin(context);
	struct ethhdr *ethernet = cursor_take(&cursor, sizeof(*ethernet));

	if (packet->kind != PACKET_WHOLE && packet->kind != PACKET_FIRST)
		return false;
	return packet->bytes > too_big_mtu(packet) && packet->bytes >= TOO_BIG_QUOTED && ethernet &&
	       icmp_may_answer(packet, ethernet);
}

/* The frame's new begin, `added` bytes before the old one: the same tags, back to the sender. */
static __always_inline bool too_big_link(struct cursor *cursor, __u32 added)
{
	struct cursor old = *cursor;
	struct too_big_link *to = cursor->at, *from, kept;

	if (!cursor_take(&old, added))
		return false;
	from = cursor_take(&old, sizeof(*from));
	if (!from)
		return false;
	kept = *from;
	__builtin_memcpy(to->destination, kept.source, sizeof(kept.source));
	__builtin_memcpy(to->source, kept.destination, sizeof(kept.destination));
	__builtin_memcpy(to->rest, kept.rest, sizeof(kept.rest));
	return true;
}

static __always_inline bool too_big_ipv4(struct cursor *cursor, const struct packet *packet)
{
	struct iphdr *ip = cursor_take(cursor, sizeof(*ip));
	struct icmp *icmp = cursor->at;

	if (!ip || !cursor_take(cursor, TOO_BIG_BYTES))
		return false;
	*ip = (struct iphdr){
		.version = 4,
		.ihl = sizeof(*ip) / 4,
		.tos = INTERNET_CONTROL,
		.tot_len = bpf_htons(sizeof(*ip) + TOO_BIG_BYTES),
		.frag_off = bpf_htons(LARCH_OUTER_DONT_FRAGMENT),
		.ttl = REPLY_TTL,
		.protocol = IPPROTO_ICMP,
		.saddr = packet->tuple.destination[3],
		.daddr = packet->tuple.source[3],
	};
	ip->check = checksum_fold(bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0));
	*icmp = (struct icmp){
		.type = ICMP_UNREACHABLE,
		.code = ICMP_FRAGMENTATION_NEEDED,
		.rest = bpf_htonl(too_big_mtu(packet)),
	};
	icmp->checksum = checksum_fold(bpf_csum_diff(NULL, 0, (__be32 *)icmp, TOO_BIG_BYTES, 0));
	return true;
}

static __always_inline bool too_big_ipv6(struct cursor *cursor, const struct packet *packet)
{
	__u32 pseudo = bpf_htons(TOO_BIG_BYTES) + bpf_htons(IPPROTO_ICMPV6);
	struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));
	struct icmp *icmp = cursor->at;

	if (!ip || !cursor_take(cursor, TOO_BIG_BYTES))
		return false;
	*(__be32 *)ip = bpf_htonl(6u << 28);
	ip->payload_len = bpf_htons(TOO_BIG_BYTES);
	ip->nexthdr = IPPROTO_ICMPV6;
	ip->hop_limit = REPLY_TTL;
	__builtin_memcpy(&ip->saddr, packet->tuple.destination, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, packet->tuple.source, sizeof(ip->daddr));
	*icmp = (struct icmp){
		.type = ICMPV6_TOO_BIG,
		.rest = bpf_htonl(too_big_mtu(packet)),
	};
	pseudo = bpf_csum_diff(NULL, 0, (__be32 *)&ip->saddr, 2 * sizeof(ip->saddr), pseudo);
	icmp->checksum =
		checksum_fold(bpf_csum_diff(NULL, 0, (__be32 *)icmp, TOO_BIG_BYTES, pseudo));
	return true;
}

/* The outcome of a packet of which packet->room bytes would fit. */
STAGE int too_big(struct xdp_md *context, struct packet *packet)
{
	const struct larch_settings *settings = service_settings();
	__u32 link = packet ? packet->link_bytes : 0, added, bytes;
	struct cursor cursor;

	if (!packet || !settings || link > PACKET_LINK_MOST)
		return LARCH_DROP_INTERNAL;
	if (!too_big_is_told(context, packet) || !limit_allows(settings, LARCH_LIMIT_TOO_BIG))
		return LARCH_DROP_TOO_BIG;
	added = sizeof(struct icmp) +
		(packet->tuple.ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	if (bpf_xdp_adjust_head(context, -(int)added))
		return LARCH_DROP_NO_HEADROOM;
	bytes = added + link + TOO_BIG_QUOTED;
	if (bpf_xdp_adjust_tail(context, (int)bytes - (int)bpf_xdp_get_buff_len(context)))
		return LARCH_DROP_INTERNAL;
	cursor = cursor_begin(context);
	if (!too_big_link(&cursor, added) || !cursor_take(&cursor, link))
		return LARCH_DROP_INTERNAL;
	if (packet->tuple.ipv6 ? !too_big_ipv6(&cursor, packet) : !too_big_ipv4(&cursor, packet))
		return LARCH_DROP_INTERNAL;
	return LARCH_REPLY_TOO_BIG;
}
