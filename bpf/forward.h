/* SPDX-License-Identifier: GPL-2.0-only */
/* Stage 7: to the backend, in a tunnel whose outer header is ready in the backend's entry. */
#pragma once

#include "cursor.h"
#include "maps.h"
#include "packet.h"

static __always_inline __u8 forward_protocol(const struct packet *packet)
{
	return packet->tuple.ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

static __always_inline void forward_outer_ipv4(const struct packet *packet,
					       const struct larch_backend *backend,
					       struct iphdr *outer)
{
	__u16 total = packet->bytes + sizeof(*outer);
	__u32 sum = backend->checksum;

	outer->version = 4;
	outer->ihl = sizeof(*outer) / 4;
	outer->tos = packet->traffic_class;
	outer->tot_len = bpf_htons(total);
	outer->id = 0;
	outer->frag_off = bpf_htons(LARCH_OUTER_DONT_FRAGMENT);
	outer->ttl = LARCH_OUTER_TTL;
	outer->protocol = forward_protocol(packet);
	outer->saddr = backend->outer_source[0];
	outer->daddr = backend->outer_destination[0];
	sum += bpf_htons(total) + bpf_htons(packet->traffic_class) + bpf_htons(outer->protocol);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	outer->check = ~sum;
}

/* The flow label spreads flows over paths and queues on the way (RFC 6438). */
static __always_inline void forward_outer_ipv6(const struct packet *packet,
					       const struct larch_backend *backend,
					       struct ipv6hdr *outer)
{
	__u32 label = packet->hash & 0xfffff;

	*(__be32 *)outer = bpf_htonl(6u << 28 | (__u32)packet->traffic_class << 20 | label);
	outer->payload_len = bpf_htons(packet->bytes);
	outer->nexthdr = forward_protocol(packet);
	outer->hop_limit = LARCH_OUTER_TTL;
	__builtin_memcpy(&outer->saddr, backend->outer_source, sizeof(outer->saddr));
	__builtin_memcpy(&outer->daddr, backend->outer_destination, sizeof(outer->daddr));
}

static __always_inline int forward_encapsulate(struct xdp_md *context, const struct packet *packet,
					       const struct larch_backend *backend)
{
	bool ipv4 = backend->tunnel == LARCH_TUNNEL_IPV4;
	__u32 outer = ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct cursor cursor;
	struct ethhdr *ethernet;

	if (packet->bytes + outer > backend->mtu)
		return LARCH_DROP_TOO_BIG;
	if (bpf_xdp_adjust_head(context,
				(int)(packet->link_bytes - sizeof(*ethernet)) - (int)outer))
		return LARCH_DROP_NO_HEADROOM;
	cursor = cursor_begin(context);
	ethernet = cursor_take(&cursor, sizeof(*ethernet));
	if (!ethernet)
		return LARCH_DROP_INTERNAL;
	__builtin_memcpy(ethernet->h_dest, backend->destination_mac, sizeof(ethernet->h_dest));
	__builtin_memcpy(ethernet->h_source, backend->source_mac, sizeof(ethernet->h_source));
	ethernet->h_proto = backend->ethertype;
	if (ipv4) {
		struct iphdr *ip = cursor_take(&cursor, sizeof(*ip));

		if (!ip)
			return LARCH_DROP_INTERNAL;
		forward_outer_ipv4(packet, backend, ip);
	} else {
		struct ipv6hdr *ip = cursor_take(&cursor, sizeof(*ip));

		if (!ip)
			return LARCH_DROP_INTERNAL;
		forward_outer_ipv6(packet, backend, ip);
	}
	return GO;
}

/* On GO, packet->action says how the packet leaves. */
static __always_inline int forward(struct xdp_md *context, struct packet *packet)
{
	__u32 id = packet->backend;
	const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);
	int go;

	if (!backend || backend->tunnel == LARCH_TUNNEL_NONE)
		return LARCH_DROP_NO_BACKEND;
	if (!backend->ready)
		return LARCH_DROP_NO_NEXTHOP;
	go = forward_encapsulate(context, packet, backend);
	if (go != GO)
		return go;
	packet->action = XDP_TX;
	if (backend->ifindex != packet->ingress)
		packet->action = bpf_redirect(backend->ifindex, 0);
	return GO;
}
