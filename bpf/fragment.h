/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Later fragments have no ports: they go where the first one went, if it has been seen. Where a
 * service's flows have no ports either, every fragment finds its flow by itself.
 */
#pragma once

#include "maps.h"
#include "packet.h"

static __always_inline void fragment_key(const struct packet *packet, struct larch_fragment *key)
{
	__builtin_memcpy(key->source, packet->tuple.source, sizeof(key->source));
	__builtin_memcpy(key->destination, packet->tuple.destination, sizeof(key->destination));
	key->identification = packet->fragment;
	key->protocol = packet->tuple.ipv6 ? 0 : packet->tuple.protocol;
}

/* The first fragment goes to packet->backend. A new packet with an old identification overwrites.
 */
STAGE int fragment_remember(const struct packet *packet)
{
	struct larch_fragment key = {};
	struct larch_fragment_way way = {};

	if (!packet)
		return 0;
	fragment_key(packet, &key);
	way.hash = packet->hash;
	way.service = packet->service;
	way.backend = packet->backend;
	way.stamp = packet->stamp;
	bpf_map_update_elem(&larch_fragments, &key, &way, BPF_ANY);
	return 0;
}

/* Where the first fragment of this packet went, or NULL. */
static __always_inline const struct larch_fragment_way *fragment_way(const struct packet *packet)
{
	struct larch_fragment key = {};
	const struct larch_fragment_way *way;

	fragment_key(packet, &key);
	way = bpf_map_lookup_elem(&larch_fragments, &key);
	if (!way || larch_stamp_age(way->stamp, packet->stamp) >= LARCH_FRAGMENT_STAMPS)
		return NULL;
	return way;
}
