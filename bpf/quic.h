/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QUIC by connection id: a server writes into the ids that it chooses which backend it is, in plain
 * (draft-ietf-quic-load-balancers, without encryption), so that a connection keeps its backend when
 * its client's address changes. Ids that clients chose, in Initial and 0-RTT packets, mean nothing.
 * Nor does the "fixed" bit: peers that agree on it set it as they like (RFC 9287).
 */
#pragma once

#include "cursor.h"
#include "maps.h"
#include "packet.h"

#define QUIC_LONG	  0x80 /* header form */
#define QUIC_VERSION_1	  0x00000001
#define QUIC_VERSION_2	  0x6b3343cf
#define QUIC_TYPE_SHIFT	  4
#define QUIC_TYPE_MASK	  3
#define QUIC_HANDSHAKE_V1 2
#define QUIC_HANDSHAKE_V2 3
#define QUIC_CONFIG_SHIFT 5 /* of a connection id's first byte */
#define QUIC_SHORTEST_IDS (1 + LARCH_QUIC_BYTES)

/* A long header up to the destination connection id. */
struct quic_long {
	__u8 first;
	__u8 version[4];
	__u8 id_bytes;
};

/* Does a packet with a long header carry an id that a server chose? */
static __always_inline bool quic_is_handshake(const struct quic_long *header)
{
	__u32 version = (__u32)header->version[0] << 24 | header->version[1] << 16 |
			header->version[2] << 8 | header->version[3];
	__u32 type = header->first >> QUIC_TYPE_SHIFT & QUIC_TYPE_MASK;

	if (version == QUIC_VERSION_1)
		return type == QUIC_HANDSHAKE_V1;
	return version == QUIC_VERSION_2 && type == QUIC_HANDSHAKE_V2;
}

/* Moves the cursor to the destination connection id, if a server chose it. */
static __always_inline bool quic_find_id(struct cursor *cursor, __u32 bytes)
{
	struct cursor start = *cursor;
	__u8 *first = cursor_take(cursor, 1);
	struct quic_long *header;

	if (!first)
		return false;
	if (!(*first & QUIC_LONG))
		return true;
	*cursor = start;
	header = cursor_take(cursor, sizeof(*header));
	return header && header->id_bytes > bytes && quic_is_handshake(header);
}

/* GO: the id names no backend of ours, the packet goes the way of its flow. */
STAGE int quic_forward(struct xdp_md *context, struct packet *packet)
{
	struct larch_quic key = {};
	const struct larch_service *service;
	struct cursor cursor;
	const __u32 *backend;
	__u32 number;
	__u8 *id;

	if (!packet || packet->kind != PACKET_WHOLE || packet->tuple.protocol != IPPROTO_UDP ||
	    packet->service >= LARCH_MAX_SERVICES)
		return GO;
	number = packet->service; /* Linux 6.1 takes keys from the stack alone */
	service = bpf_map_lookup_elem(&larch_services, &number);
	if (!service || !parse_skip(context, &cursor, packet) ||
	    !quic_find_id(&cursor, service->quic_bytes))
		return GO;
	id = cursor_take(&cursor, QUIC_SHORTEST_IDS);
	if (!id || *id >> QUIC_CONFIG_SHIFT != service->quic_config)
		return GO;
	key.service = packet->service;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < LARCH_QUIC_BYTES; i++)
		key.id[i] = i < service->quic_bytes ? id[1 + i] : 0;
	backend = bpf_map_lookup_elem(&larch_quic, &key);
	if (!backend || !steer_usable(packet, *backend))
		return GO;
	packet->backend = *backend;
	return LARCH_FORWARD_QUIC;
}
