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

static __always_inline struct larch_service *service_look_up(const struct packet *packet,
							     __be16 port, __u8 protocol)
{
	struct larch_vip vip = {.port = port, .protocol = protocol};

	__builtin_memcpy(vip.address, packet->tuple.destination, sizeof(vip.address));
	return bpf_map_lookup_elem(&larch_services, &vip);
}

/*
 * The outcome of a packet that cannot be parsed further: only if its address is really a
 * service's (and not just alike in the filter) is it ours to drop.
 */
static __always_inline int service_refuse(const struct packet *packet, int outcome)
{
	return service_look_up(packet, 0, 0) ? outcome : LARCH_PASS_NOT_OURS;
}

static __always_inline int service_find(const struct larch_settings *settings,
					struct packet *packet)
{
	struct larch_service *service;

	service = service_look_up(packet, packet->tuple.destination_port, packet->tuple.protocol);
	if (!service)
		service = service_look_up(packet, 0, packet->tuple.protocol);
	if (!service)
		return LARCH_PASS_NOT_OURS;
	packet->service = *service;
	packet->flags = settings->flags;
	packet->bucket_mask = settings->bucket_mask;
	packet->hash = larch_hash(&packet->tuple, settings->seed);
	return GO;
}
