/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage 2: whose packet is it? Most packets of an edge host are not ours: one bit of a small
 * filter tells that for nearly all of them, without a hash look-up.
 */
#pragma once

#include "maps.h"
#include "packet.h"

static __always_inline const struct larch_settings *service_settings(void)
{
	__u32 zero = 0;
	const struct larch_settings *settings = bpf_map_lookup_elem(&larch_settings, &zero);

	return settings && settings->abi == LARCH_ABI ? settings : NULL;
}

static __always_inline bool service_maybe(const struct larch_settings *settings,
					  const struct packet *packet)
{
	return larch_filter_test(settings->filter, larch_filter_hash(packet->tuple.destination));
}

static __always_inline bool service_same(const struct larch_vip *one, const struct larch_vip *other)
{
	const __u64 *a = (const __u64 *)one, *b = (const __u64 *)other;

	return a[0] == b[0] && a[1] == b[1] && *(const __u32 *)(a + 2) == *(const __u32 *)(b + 2);
}

/* The slot of an address, port, protocol and kind, or NULL. */
static __always_inline const struct larch_vip_slot *
service_look_up(const struct larch_settings *settings, const struct larch_vip *vip)
{
	__u32 table = READ_ONCE(settings->vips);
	__u32 place = larch_vip_place(larch_filter_hash(vip->address), vip, table);

	for (__u32 probe = 0; probe < LARCH_VIP_PROBES; probe++) {
		__u32 index = larch_vip_index(place, probe, table);
		const struct larch_vip_slot *slot = bpf_map_lookup_elem(&larch_vips, &index);

		if (!slot || !slot->vip.kind)
			return NULL;
		if (service_same(&slot->vip, vip))
			return slot;
	}
	return NULL;
}

/* Is the packet's address really a service's (and not just alike in the filter)? */
static __always_inline bool service_has_address(const struct larch_settings *settings,
						const struct packet *packet)
{
	struct larch_vip vip = {.kind = LARCH_VIP_ADDRESS};

	__builtin_memcpy(vip.address, packet->tuple.destination, sizeof(vip.address));
	return service_look_up(settings, &vip);
}

/* Is it for our own end of the tunnels? That is no service. */
static __always_inline bool service_is_self(const struct larch_settings *settings,
					    const struct packet *packet)
{
	struct larch_vip vip = {
		.port = bpf_htons(LARCH_GUE_PORT),
		.protocol = IPPROTO_UDP,
		.kind = LARCH_VIP_SELF,
	};

	if (packet->tuple.protocol != IPPROTO_UDP || packet->tuple.destination_port != vip.port ||
	    packet->kind != PACKET_WHOLE)
		return false;
	__builtin_memcpy(vip.address, packet->tuple.destination, sizeof(vip.address));
	return service_look_up(settings, &vip);
}

static __always_inline __u32 service_stamp(const struct larch_settings *settings)
{
	return bpf_jiffies64() >> (settings->stamp_shift & 31) & LARCH_STAMP_MASK;
}

/* What the following stages need of the settings, and the flow's hash. */
static __always_inline void service_begin(const struct larch_settings *settings,
					  struct packet *packet)
{
	bool by_source = packet->policy.flags & LARCH_SERVICE_BY_SOURCE;

	packet->bucket_mask = settings->bucket_mask;
	packet->stamp = service_stamp(settings);
	packet->hash = larch_hash(&packet->tuple, by_source, settings->seed);
}

/* The packet is this service's. */
static __always_inline int service_enter(const struct larch_settings *settings,
					 struct packet *packet, __u32 id)
{
	const struct larch_service *service = bpf_map_lookup_elem(&larch_services, &id);

	if (!service)
		return LARCH_DROP_NO_PLAN;
	packet->service = id;
	packet->policy = service->policy;
	service_begin(settings, packet);
	return GO;
}

/* The service of a later fragment, if it is one whose flows have no ports. */
static __always_inline int service_find_later(const struct larch_settings *settings,
					      struct packet *packet)
{
	struct larch_vip vip = {.protocol = packet->tuple.protocol, .kind = LARCH_VIP_LATER};
	const struct larch_vip_slot *slot;
	int go;

	__builtin_memcpy(vip.address, packet->tuple.destination, sizeof(vip.address));
	slot = service_look_up(settings, &vip);
	go = slot ? service_enter(settings, packet, slot->service) : LARCH_DROP_FRAGMENT;
	return go != GO || packet_by_source(packet) ? go : LARCH_DROP_FRAGMENT;
}

static __always_inline int service_find(const struct larch_settings *settings,
					struct packet *packet)
{
	struct larch_vip vip = {
		.port = packet->tuple.destination_port,
		.protocol = packet->tuple.protocol,
		.kind = LARCH_VIP_SERVICE,
	};
	const struct larch_vip_slot *slot;

	__builtin_memcpy(vip.address, packet->tuple.destination, sizeof(vip.address));
	slot = service_look_up(settings, &vip);
	if (!slot) {
		vip.port = 0;
		slot = service_look_up(settings, &vip);
	}
	return slot ? service_enter(settings, packet, slot->service) : LARCH_PASS_NOT_OURS;
}
