/* SPDX-License-Identifier: GPL-2.0-only */
/* Stage 7: to the backend, in the way that the service's mode says. */
#pragma once

#include "cursor.h"
#include "maps.h"
#include "packet.h"

static __always_inline int forward_ipip(struct xdp_md *context, struct packet *packet,
					const struct larch_backend *backend)
{
	struct cursor cursor;
	int go = link_write(context, packet, backend, tunnel_bytes(backend), backend->ethertype,
			    &cursor);

	if (go != GO)
		return go;
	return tunnel_write(&cursor, packet, backend, tunnel_protocol(packet), packet->bytes);
}

/* The backend must be on the link: behind a router, its MAC is the router's. */
static __always_inline int forward_l2(struct xdp_md *context, struct packet *packet,
				      const struct larch_backend *backend)
{
	__u16 ethertype = packet->tuple.ipv6 ? ETH_P_IPV6 : ETH_P_IP;
	struct cursor cursor;

	if (backend->ready != LARCH_READY_DIRECT)
		return LARCH_DROP_NO_NEXTHOP;
	return link_write(context, packet, backend, 0, bpf_htons(ethertype), &cursor);
}

static __always_inline int forward_by_mode(struct xdp_md *context, struct packet *packet,
					   const struct larch_backend *backend)
{
	switch (packet->policy.mode) {
	case LARCH_MODE_IPIP:
		return forward_ipip(context, packet, backend);
	case LARCH_MODE_GUE:
		return gue_forward(context, packet, backend);
	case LARCH_MODE_L2:
		return forward_l2(context, packet, backend);
	case LARCH_MODE_NAT:
		return nat_forward(context, packet, backend);
	case MODE_ASK:
		return ask_forward(context, packet, backend);
	default:
		return LARCH_DROP_INTERNAL;
	}
}

/* On GO, packet->action says how the packet leaves; to this host as a backend it goes untouched. */
static __always_inline int forward(struct xdp_md *context, struct packet *packet)
{
	__u32 id = packet->backend;
	const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);
	int go;

	if (!backend || backend->tunnel == LARCH_TUNNEL_NONE)
		return LARCH_DROP_NO_BACKEND;
	if (!backend->ready)
		return LARCH_DROP_NO_NEXTHOP;
	packet->action = XDP_PASS;
	if (backend->tunnel == LARCH_TUNNEL_LOCAL) /* by NAT: its answers would not come by here */
		return packet->policy.mode == LARCH_MODE_NAT ? LARCH_DROP_NO_NEXTHOP : GO;
	go = forward_by_mode(context, packet, backend);
	if (go != GO)
		return go;
	packet->action = XDP_TX;
	if (backend->ifindex != packet->ingress)
		packet->action = bpf_redirect(backend->ifindex, 0);
	return GO;
}
