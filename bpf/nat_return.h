/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What NAT's backends answer: which flow is it of, and what is its way to the client, by the
 * kernel's routes and neighbours? From here on packet->tuple is the flow's, as its client sends:
 * an answer is known by what it answers.
 */
#pragma once

#include "checksum.h"
#include "cursor.h"
#include "maps.h"
#include "packet.h"

/* A backend of any port has other business, too. */
#define NAT_IF_KNOWN (-2)

#define ROUTE_INET  2 /* AF_INET */
#define ROUTE_INET6 10
#define ROUTE_FOUND 0

/* May it be an answer? ICMP errors about a backend may come from any router. */
static __always_inline bool nat_return_maybe(const struct larch_settings *settings,
					     const struct packet *packet, int parsed)
{
	if (parsed == LARCH_PASS_NOT_TRANSPORT)
		return true;
	return larch_filter_test(settings->filter, larch_filter_hash(packet->tuple.source));
}

/* The packet comes from this backend of the service: it becomes one of its flow. */
static __always_inline int nat_return_enter(const struct larch_settings *settings,
					    struct packet *packet, __u32 id, __u32 backend)
{
	const struct larch_service *service = bpf_map_lookup_elem(&larch_services, &id);
	struct larch_tuple *tuple = &packet->tuple;
	__be16 port = tuple->source_port;

	if (!service || service->policy.mode != LARCH_MODE_NAT)
		return GO;
	packet->service = id;
	packet->policy = service->policy;
	packet->backend = backend;
	/* To the service itself: a backend has answered itself, which it took for the service. */
	if (!nat_same(tuple->destination, service->address))
		__builtin_memcpy(tuple->source, tuple->destination, sizeof(tuple->source));
	__builtin_memcpy(tuple->destination, service->address, sizeof(tuple->destination));
	tuple->source_port = tuple->destination_port;
	tuple->destination_port = service->address_port ?: port;
	service_begin(settings, packet);
	return LARCH_RETURN_NAT;
}

/* By the port, if NAT has all that comes from it; of any other, if its flow is known. */
STAGE int nat_return_find(struct packet *packet)
{
	const struct larch_settings *settings = service_settings();
	struct larch_vip vip = {.kind = LARCH_VIP_RETURN};
	const struct larch_vip_slot *slot;
	bool any = false;
	int go;

	if (!packet || !settings)
		return GO;
	vip.port = packet->tuple.source_port;
	vip.protocol = packet->tuple.protocol;
	__builtin_memcpy(vip.address, packet->tuple.source, sizeof(vip.address));
	slot = service_look_up(settings, &vip);
	if (!slot) {
		any = true;
		vip.port = 0;
		slot = service_look_up(settings, &vip);
	}
	if (!slot)
		return GO;
	go = nat_return_enter(settings, packet, slot->service, slot->backend);
	return go == LARCH_RETURN_NAT && any ? NAT_IF_KNOWN : go;
}

/* A later fragment of an answer whose first one has been seen. */
STAGE int nat_return_later(struct packet *packet)
{
	const struct larch_settings *settings = service_settings();
	const struct larch_fragment_way *way;

	if (!packet || !settings)
		return GO;
	packet->stamp = service_stamp(settings);
	way = fragment_way(packet);
	if (!way || !way->answer)
		return GO;
	return nat_return_enter(settings, packet, way->service, way->backend);
}

/*
 * RETURN_NAT: the packet is an answer; packet->tuple is its flow's. GO: it is not, and everything
 * is as before.
 */
STAGE int nat_return_parse(struct xdp_md *context, struct packet *packet, int parsed)
{
	struct larch_tuple before;
	int go = GO;
	__u8 kind;

	if (!packet)
		return LARCH_DROP_INTERNAL;
	before = packet->tuple;
	kind = packet->kind;
	if (parsed == LARCH_PASS_NOT_TRANSPORT)
		icmp_parse(context, packet);
	if (parsed == GO || packet->kind == PACKET_ERROR)
		go = nat_return_find(packet);
	else if (packet->kind == PACKET_LATER)
		go = nat_return_later(packet);
	if (go == NAT_IF_KNOWN)
		go = flow_find(packet->hash, packet->bucket_mask) == NO_PLACE ? GO
									      : LARCH_RETURN_NAT;
	if (go == GO) {
		packet->tuple = before;
		packet->kind = kind;
	}
	return go;
}

/* The first fragment of an answer: by its addresses, which the flow's tuple has no more. */
STAGE int nat_return_remember(struct xdp_md *context, const struct packet *packet)
{
	struct larch_fragment key = {};
	struct larch_fragment_way way = {};
	struct cursor cursor;

	if (!packet || packet->link_bytes > PACKET_LINK_MOST)
		return 0;
	cursor = cursor_begin(context);
	if (!cursor_take(&cursor, packet->link_bytes))
		return 0;
	if (packet->tuple.ipv6) {
		struct ipv6hdr *ip = cursor_take(&cursor, sizeof(*ip));

		if (!ip)
			return 0;
		__builtin_memcpy(key.source, &ip->saddr, sizeof(key.source));
		__builtin_memcpy(key.destination, &ip->daddr, sizeof(key.destination));
	} else {
		struct iphdr *ip = cursor_take(&cursor, sizeof(*ip));

		if (!ip)
			return 0;
		key.source[2] = key.destination[2] = bpf_htonl(0xffff);
		key.source[3] = ip->saddr;
		key.destination[3] = ip->daddr;
		key.protocol = packet->tuple.protocol;
	}
	key.identification = packet->fragment;
	way.hash = packet->hash;
	way.service = packet->service;
	way.backend = packet->backend;
	way.stamp = packet->stamp;
	way.answer = 1;
	bpf_map_update_elem(&larch_fragments, &key, &way, BPF_ANY);
	return 0;
}

/* The kernel's way to the client, for a packet that comes from the service. */
static __always_inline bool nat_return_look_up(struct xdp_md *context, const struct packet *packet,
					       struct bpf_fib_lookup *route)
{
	const struct larch_tuple *tuple = &packet->tuple;

	if (packet->ttl <= NAT_LAST_LIFE)
		return false;
	route->l4_protocol = tuple->protocol;
	route->sport = tuple->destination_port;
	route->dport = tuple->source_port;
	route->tot_len = packet->bytes;
	route->ifindex = packet->ingress;
	if (tuple->ipv6) {
		route->family = ROUTE_INET6;
		__builtin_memcpy(route->ipv6_src, tuple->destination, sizeof(route->ipv6_src));
		__builtin_memcpy(route->ipv6_dst, tuple->source, sizeof(route->ipv6_dst));
	} else {
		route->family = ROUTE_INET;
		route->tos = packet->traffic_class;
		route->ipv4_src = tuple->destination[3];
		route->ipv4_dst = tuple->source[3];
	}
	return bpf_fib_lookup(context, route, sizeof(*route), 0) == ROUTE_FOUND;
}

/* Puts the packet on its way to the client. What has none, or does not fit, the host may have. */
STAGE int nat_return_route(struct xdp_md *context, struct packet *packet)
{
	struct bpf_fib_lookup route = {};
	struct ethhdr *ethernet;
	struct cursor cursor;
	int move;

	if (!packet)
		return LARCH_DROP_INTERNAL;
	if (!nat_return_look_up(context, packet, &route))
		return LARCH_RETURN_HOST;
	move = (int)(packet->link_bytes - sizeof(*ethernet));
	if (move && bpf_xdp_adjust_head(context, move))
		return LARCH_DROP_NO_HEADROOM;
	packet->link_bytes = sizeof(*ethernet);
	cursor = cursor_begin(context);
	ethernet = cursor_take(&cursor, sizeof(*ethernet));
	if (!ethernet || !nat_live(context, packet))
		return LARCH_DROP_INTERNAL;
	__builtin_memcpy(ethernet->h_dest, route.dmac, sizeof(ethernet->h_dest));
	__builtin_memcpy(ethernet->h_source, route.smac, sizeof(ethernet->h_source));
	ethernet->h_proto = bpf_htons(packet->tuple.ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	packet->action = XDP_TX;
	if (route.ifindex != packet->ingress)
		packet->action = bpf_redirect(route.ifindex, 0);
	return LARCH_RETURN_NAT;
}

/* To a backend that is its own client: the other way round, too. */
static __always_inline int nat_return_own(struct xdp_md *context, struct packet *packet,
					  const struct larch_backend *backend, struct nat_end *own)
{
	int go;

	if (!backend->ready)
		return LARCH_DROP_NO_NEXTHOP;
	if (packet->ttl <= NAT_LAST_LIFE)
		return LARCH_PASS_TTL_ENDS;
	go = nat_link(context, packet, backend);
	if (go == GO)
		go = nat_change(context, packet, own);
	packet->action = XDP_TX;
	if (backend->ifindex != packet->ingress)
		packet->action = bpf_redirect(backend->ifindex, 0);
	return go == GO ? LARCH_RETURN_NAT : go;
}

/* Makes the answer one of the service, and sends it. */
STAGE int nat_return(struct xdp_md *context, struct packet *packet)
{
	const struct larch_backend *backend;
	struct nat_end end = {};
	__u32 id;
	int outcome;

	if (!packet)
		return LARCH_DROP_INTERNAL;
	id = packet->backend;
	backend = bpf_map_lookup_elem(&larch_backends, &id);
	if (!backend)
		return LARCH_DROP_NO_BACKEND;
	nat_address(packet, backend, end.address);
	outcome = nat_same(packet->tuple.source, end.address)
			  ? nat_return_own(context, packet, backend, &end)
			  : nat_return_route(context, packet);
	if (outcome != LARCH_RETURN_NAT && outcome != LARCH_RETURN_HOST)
		return outcome;
	__builtin_memcpy(end.address, packet->tuple.destination, sizeof(end.address));
	end.port = packet->policy.port ? packet->tuple.destination_port : 0;
	end.source = true;
	return nat_change(context, packet, &end) == GO ? outcome : LARCH_DROP_INTERNAL;
}
