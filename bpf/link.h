/* SPDX-License-Identifier: GPL-2.0-only */
/* The Ethernet header of what leaves. VLAN tags of what came do not go on. */
#pragma once

#include "cursor.h"
#include "packet.h"

/*
 * Makes room for `bytes` of headers in front of the IP packet, and writes an Ethernet header to
 * the backend's next hop before them. The cursor then stands at that room, or at the packet.
 */
static __always_inline int link_write(struct xdp_md *context, struct packet *packet,
				      const struct larch_backend *backend, __u32 bytes,
				      __be16 ethertype, struct cursor *cursor)
{
	int move = (int)(packet->link_bytes - sizeof(struct ethhdr)) - (int)bytes;
	struct ethhdr *ethernet;

	if (packet->bytes + bytes > backend->mtu) {
		packet->room = backend->mtu > bytes ? backend->mtu - bytes : 0;
		return LARCH_DROP_TOO_BIG;
	}
	if (move && bpf_xdp_adjust_head(context, move))
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
