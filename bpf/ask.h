/* SPDX-License-Identifier: GPL-2.0-only */
/* A question to a backend's agent: the packet in GUE, with the question behind the GUE header. */
#pragma once

#include "cursor.h"
#include "larch/chance.h"
#include "packet.h"

#define ASK_BYTES (GUE_BYTES + sizeof(struct larch_question))

static __always_inline int ask_write(struct cursor *cursor, const struct packet *packet)
{
	struct udphdr *udp = cursor_take(cursor, sizeof(*udp));
	struct larch_gue *gue = cursor_take(cursor, sizeof(*gue));
	struct larch_question *question = cursor_take(cursor, sizeof(*question));

	if (!udp || !gue || !question)
		return LARCH_DROP_INTERNAL;
	udp->source = gue_source_port(packet);
	udp->dest = bpf_htons(LARCH_GUE_PORT);
	udp->len = bpf_htons(packet->bytes + ASK_BYTES);
	udp->check = 0; /* over IPv6, too: RFC 6935 */
	*gue = (struct larch_gue){
		.version = LARCH_QUESTION_WORDS,
		.protocol = tunnel_protocol(packet),
	};
	*question = (struct larch_question){
		.magic = bpf_htonl(LARCH_QUESTION_MAGIC),
		.hop = packet->hop,
		.backend = bpf_htons(packet->backend),
		.epoch = bpf_htonl(packet->epoch),
		.token = {bpf_htonl(packet->token >> 32), bpf_htonl((__u32)packet->token)},
	};
	return GO;
}

STAGE int ask_forward(struct xdp_md *context, struct packet *packet,
		      const struct larch_backend *backend)
{
	struct cursor cursor;
	int go;

	if (!packet || !backend)
		return LARCH_DROP_INTERNAL;
	go = link_write(context, packet, backend, tunnel_bytes(backend) + ASK_BYTES,
			backend->ethertype, &cursor);
	if (go == GO)
		go = tunnel_write(&cursor, packet, backend, IPPROTO_UDP, packet->bytes + ASK_BYTES);
	return go == GO ? ask_write(&cursor, packet) : go;
}
