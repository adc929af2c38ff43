/* SPDX-License-Identifier: GPL-2.0-only */
/* The outer IP header of tunnels, from what stands ready in the backend's entry. */
#pragma once

#include "checksum.h"
#include "cursor.h"
#include "packet.h"

/* What a tunnel's header calls the packet in it. */
static __always_inline __u8 tunnel_protocol(const struct packet *packet)
{
	return packet->tuple.ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

/* Of the outer IP header. */
static __always_inline __u32 tunnel_bytes(const struct larch_backend *backend)
{
	return backend->tunnel == LARCH_TUNNEL_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

static __always_inline void tunnel_ipv4(const struct packet *packet,
					const struct larch_backend *backend, __u8 protocol,
					__u16 bytes, struct iphdr *outer)
{
	__u16 total = bytes + sizeof(*outer);

	outer->version = 4;
	outer->ihl = sizeof(*outer) / 4;
	outer->tos = packet->traffic_class;
	outer->tot_len = bpf_htons(total);
	outer->id = 0;
	outer->frag_off = bpf_htons(LARCH_OUTER_DONT_FRAGMENT);
	outer->ttl = LARCH_OUTER_TTL;
	outer->protocol = protocol;
	outer->saddr = backend->outer_source[0];
	outer->daddr = backend->outer_destination[0];
	outer->check = checksum_fold(backend->checksum + bpf_htons(total) +
				     bpf_htons(packet->traffic_class) + bpf_htons(protocol));
}

/* The flow label spreads flows over paths and queues on the way (RFC 6438). */
static __always_inline void tunnel_ipv6(const struct packet *packet,
					const struct larch_backend *backend, __u8 protocol,
					__u16 bytes, struct ipv6hdr *outer)
{
	__u32 label = packet->hash & 0xfffff;

	*(__be32 *)outer = bpf_htonl(6u << 28 | (__u32)packet->traffic_class << 20 | label);
	outer->payload_len = bpf_htons(bytes);
	outer->nexthdr = protocol;
	outer->hop_limit = LARCH_OUTER_TTL;
	__builtin_memcpy(&outer->saddr, backend->outer_source, sizeof(outer->saddr));
	__builtin_memcpy(&outer->daddr, backend->outer_destination, sizeof(outer->daddr));
}

/* The header of either family, in front of `bytes` of `protocol`. */
static __always_inline int tunnel_write(struct cursor *cursor, const struct packet *packet,
					const struct larch_backend *backend, __u8 protocol,
					__u16 bytes)
{
	if (backend->tunnel == LARCH_TUNNEL_IPV4) {
		struct iphdr *ip = cursor_take(cursor, sizeof(*ip));

		if (!ip)
			return LARCH_DROP_INTERNAL;
		tunnel_ipv4(packet, backend, protocol, bytes, ip);
	} else {
		struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));

		if (!ip)
			return LARCH_DROP_INTERNAL;
		tunnel_ipv6(packet, backend, protocol, bytes, ip);
	}
	return GO;
}
