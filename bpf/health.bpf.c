/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Larch's health checks on their way: a tc program where the loopback interface sends, that sends
 * the packets of marked sockets (larch/health.h) to the backend that the mark names, in the way of
 * its service, as the balancer sends clients' packets. What it writes is what the balancer's own
 * stages write: they read a frame by `data` and `data_end`, which tc's context has, too.
 *
 * The stack leaves checksums to devices: of what is put into a tunnel, the kernel still knows where
 * the inner one is.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "larch/health.h"

#define xdp_md __sk_buff

#include "maps.h"
#include "packet.h"

#include "health_link.h"
#include "tunnel.h"
#include "gue.h"
#include "health_nat.h"

#define TC_ACT_UNSPEC (-1) /* as if the program were not there */
#define TC_ACT_SHOT   2

/* What the stages want to know of a packet, which comes from this host's stack: without options. */
static __always_inline bool health_parse(struct __sk_buff *context, struct packet *packet)
{
	struct cursor cursor = cursor_begin(context);

	if (!cursor_take(&cursor, sizeof(struct ethhdr)))
		return false;
	packet->link_bytes = sizeof(struct ethhdr);
	packet->hash = bpf_get_hash_recalc(context);
	packet->tuple.ipv6 = context->protocol == bpf_htons(ETH_P_IPV6);
	if (packet->tuple.ipv6) {
		struct ipv6hdr *ip = cursor_take(&cursor, sizeof(*ip));

		if (!ip)
			return false;
		packet->bytes = bpf_ntohs(ip->payload_len) + sizeof(*ip);
		packet->tuple.protocol = ip->nexthdr;
	} else {
		struct iphdr *ip = cursor_take(&cursor, sizeof(*ip));

		if (!ip || context->protocol != bpf_htons(ETH_P_IP))
			return false;
		packet->bytes = bpf_ntohs(ip->tot_len);
		packet->tuple.protocol = ip->protocol;
	}
	return true;
}

static __always_inline int health_forward(struct __sk_buff *context, struct packet *packet,
					  const struct larch_backend *backend)
{
	__u16 ethertype = packet->tuple.ipv6 ? ETH_P_IPV6 : ETH_P_IP;
	struct cursor cursor;
	int go;

	switch (packet->policy.mode) {
	case LARCH_MODE_IPIP:
		go = link_write(context, packet, backend, tunnel_bytes(backend), backend->ethertype,
				&cursor);
		if (go != GO)
			return go;
		return tunnel_write(&cursor, packet, backend, tunnel_protocol(packet),
				    packet->bytes);
	case LARCH_MODE_GUE:
		return gue_forward(context, packet, backend);
	case LARCH_MODE_L2:
		if (backend->ready != LARCH_READY_DIRECT)
			return LARCH_DROP_NO_NEXTHOP;
		return link_write(context, packet, backend, 0, bpf_htons(ethertype), &cursor);
	case LARCH_MODE_NAT:
		if (!health_nat(context, packet, backend))
			return LARCH_DROP_INTERNAL;
		return link_write(context, packet, backend, 0, bpf_htons(ethertype), &cursor);
	default:
		return LARCH_DROP_INTERNAL;
	}
}

SEC("tc")
int larch_health(struct __sk_buff *context)
{
	__u32 mark = context->mark, id = larch_health_backend(mark),
	      number = larch_health_service(mark);
	const struct larch_backend *backend;
	const struct larch_service *service;
	struct packet packet = {};

	if ((mark & LARCH_HEALTH_MASK) != LARCH_HEALTH_MARK)
		return TC_ACT_UNSPEC;
	backend = bpf_map_lookup_elem(&larch_backends, &id);
	service = bpf_map_lookup_elem(&larch_services, &number);
	if (!backend || !service || !backend->ready ||
	    (backend->tunnel != LARCH_TUNNEL_IPV4 && backend->tunnel != LARCH_TUNNEL_IPV6))
		return TC_ACT_SHOT;
	if (!health_parse(context, &packet))
		return TC_ACT_SHOT;
	packet.policy = service->policy;
	if (health_forward(context, &packet, backend) != GO)
		return TC_ACT_SHOT;
	return bpf_redirect(backend->ifindex, 0);
}

char _license[] SEC("license") = "GPL";
