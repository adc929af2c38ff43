/* SPDX-License-Identifier: GPL-2.0-only */
/* The Ethernet header of what leaves, and room for a tunnel's: link.h for packets of the stack. */
#pragma once

#include "cursor.h"
#include "packet.h"

/*
 * As link.h's: room for `bytes` of headers in front of the IP packet, of which what follows the IP
 * header is GUE's, and the cursor at that room, or at the packet.
 */
static __always_inline int link_write(struct __sk_buff *context, struct packet *packet,
				      const struct larch_backend *backend, __u32 bytes,
				      __be16 ethertype, struct cursor *cursor)
{
	bool ipv4 = backend->tunnel == LARCH_TUNNEL_IPV4;
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	struct ethhdr *ethernet;

	flags |= ipv4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	if (bytes > (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)))
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	if (packet->bytes + bytes > backend->mtu)
		return LARCH_DROP_TOO_BIG;
	if (bytes && bpf_skb_adjust_room(context, bytes, BPF_ADJ_ROOM_MAC, flags))
		return LARCH_DROP_NO_HEADROOM;
	*cursor = cursor_begin(context);
	ethernet = cursor_take(cursor, sizeof(*ethernet));
	if (!ethernet)
		return LARCH_DROP_INTERNAL;
	__builtin_memcpy(ethernet->h_dest, backend->destination_mac, sizeof(ethernet->h_dest));
	__builtin_memcpy(ethernet->h_source, backend->source_mac, sizeof(ethernet->h_source));
	ethernet->h_proto = ethertype;
	return GO;
}
