/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The agent's part of the second chance: is the flow's socket here? The balancer's question goes
 * back to it with the answer, and with the packet that it is about, whole.
 */
#pragma once

#include "cursor.h"
#include "frame.h"
#include "larch/chance.h"
#include "packet.h"

#define SOCKET_LISTENS	10 /* TCP_LISTEN: takes new connections, has none */
#define SOCKET_HERE_NET -1 /* in the network namespace of the interface */

/* Has this kernel a socket of the flow: established, on its way to be, or just closed? */
static __always_inline bool answer_has_socket(struct xdp_md *context,
					      const struct larch_tuple *tuple)
{
	struct bpf_sock_tuple key = {};
	struct bpf_sock *socket;
	__u32 size = tuple->ipv6 ? sizeof(key.ipv6) : sizeof(key.ipv4);
	bool here;

	if (tuple->ipv6) {
		__builtin_memcpy(key.ipv6.saddr, tuple->source, sizeof(key.ipv6.saddr));
		__builtin_memcpy(key.ipv6.daddr, tuple->destination, sizeof(key.ipv6.daddr));
		key.ipv6.sport = tuple->source_port;
		key.ipv6.dport = tuple->destination_port;
	} else {
		key.ipv4.saddr = tuple->source[3];
		key.ipv4.daddr = tuple->destination[3];
		key.ipv4.sport = tuple->source_port;
		key.ipv4.dport = tuple->destination_port;
	}
	socket = bpf_skc_lookup_tcp(context, &key, size, SOCKET_HERE_NET, 0);
	if (!socket)
		return false;
	here = socket->state != SOCKET_LISTENS;
	bpf_sk_release(socket);
	return here;
}

/* The packet that begins where the frame does: not even an Ethernet header is before it. */
STAGE int answer_is_mine(struct xdp_md *context, bool ipv6)
{
	struct cursor cursor = cursor_begin(context);
	struct packet packet = {.frame_bytes = frame_bytes(context)};
	int go = ipv6 ? parse_ipv6(context, &cursor, &packet) : parse_ipv4(&cursor, &packet);

	return go == GO && packet.kind <= PACKET_FIRST && packet.tuple.protocol == IPPROTO_TCP &&
	       parse_tcp(&cursor, &packet) == GO && answer_has_socket(context, &packet.tuple);
}

/* Writes the answer, and turns the frame round. The sum over the addresses stays the same. */
static __always_inline bool answer_write(struct xdp_md *context, __u32 before,
					 enum larch_answer answer, bool ipv4)
{
	struct cursor cursor = cursor_begin(context), outer;
	struct ethhdr *ethernet = cursor_take(&cursor, sizeof(*ethernet)), old;
	struct larch_question *question;

	outer = cursor;
	cursor = cursor_begin(context);
	if (!ethernet || before > 256 || !cursor_take(&cursor, before))
		return false;
	question = cursor_take(&cursor, sizeof(*question));
	if (!question)
		return false;
	question->answer = answer;
	old = *ethernet;
	__builtin_memcpy(ethernet->h_dest, old.h_source, sizeof(old.h_source));
	__builtin_memcpy(ethernet->h_source, old.h_dest, sizeof(old.h_dest));
	if (ipv4) {
		struct iphdr *ip = cursor_take(&outer, sizeof(*ip));
		__be32 source;

		if (!ip)
			return false;
		source = ip->saddr;
		ip->saddr = ip->daddr;
		ip->daddr = source;
	} else {
		struct ipv6hdr *ip = cursor_take(&outer, sizeof(*ip));
		struct in6_addr source;

		if (!ip)
			return false;
		source = ip->saddr;
		ip->saddr = ip->daddr;
		ip->daddr = source;
	}
	return true;
}

/*
 * Answers a question that lies `before` bytes into the frame. While the packet is looked at, the
 * headers before it are out of the frame; what they were stays where it was.
 */
static __always_inline int answer(struct xdp_md *context, __u32 before, bool outer_ipv4,
				  bool inner_ipv6)
{
	int head = (int)(before + sizeof(struct larch_question));
	bool mine;

	if (bpf_xdp_adjust_head(context, head))
		return LARCH_AGENT_NO_ROOM;
	mine = answer_is_mine(context, inner_ipv6);
	if (bpf_xdp_adjust_head(context, -head))
		return LARCH_AGENT_NO_ROOM;
	if (!answer_write(context, before, mine ? LARCH_ANSWER_MINE : LARCH_ANSWER_OTHERS,
			  outer_ipv4))
		return LARCH_AGENT_NO_ROOM;
	return mine ? LARCH_AGENT_ANSWERED_MINE : LARCH_AGENT_ANSWERED_OTHERS;
}
