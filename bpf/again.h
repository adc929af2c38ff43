/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A SYN that its client sends once more, because nobody has answered it: the flow moves on to
 * another candidate, unless it is more likely that the network has lost a packet.
 */
#pragma once

#include "maps.h"
#include "packet.h"

/*
 * A client sends its SYN again 1 s after the first one, and then not before 2 s (RFC 6298; Linux
 * 6.5). Sooner than in half a second it is a copy that the network has made. Units of 2^10 ns.
 */
#define COPY   (500000000u >> LARCH_START_SHIFT)
#define SECOND (1500000000u >> LARCH_START_SHIFT)

/* Does somebody wait for the backend, and has nobody been answered since the flow's first SYN? */
static __always_inline bool again_is_silent(struct packet *packet, __u32 age)
{
	__u32 backend = packet->identity.backend, wait;
	const struct larch_live *live = bpf_map_lookup_elem(&larch_live, &backend);

	if (!live || live->in_flight <= 0)
		return false;
	wait = packet->flags & LARCH_COUNT_SYNS ? live->connects.word : live->requests.word;
	return larch_waited(wait, 1, packet_now(packet)) >> LARCH_START_SHIFT >= age;
}

/*
 * Should it move? If the backend is alive, its SYN/ACK may be under way still: the client's ACK
 * would end at another one, which answers with a reset. So once, it has the benefit of the doubt.
 */
static __always_inline bool again_moves(struct packet *packet, union larch_timing timing)
{
	__u32 age = larch_start_age(timing.start, packet_now(packet));

	return age >= SECOND || (age >= COPY && again_is_silent(packet, age));
}

/* Gives the flow's entry another backend. False: there is none, or another CPU was faster. */
static __always_inline bool again_move(struct packet *packet, struct larch_flow *flow,
				       union larch_timing timing)
{
	union larch_identity before = packet->identity, after = before;

	if (classify_known(packet) != GO || !steer_on(packet))
		return false;
	after.backend = packet->backend;
	after.stamp = packet->stamp;
	if (!flow_set(packet, flow, after)) {
		packet->backend = before.backend;
		return false;
	}
	flow_forget(packet, before, timing);
	sample_syn(packet);
	return true;
}

/* The SYN of the flow at `place`, of which nothing but SYNs has been seen. */
STAGE int again(struct packet *packet, int place)
{
	union larch_timing timing, after;
	struct larch_flow *flow;
	bool moved;

	if (!packet)
		return LARCH_DROP_INTERNAL;
	flow = flow_at(place);
	if (!flow)
		return LARCH_DROP_INTERNAL;
	packet->backend = packet->identity.backend;
	timing.word = after.word = READ_ONCE(flow->timing.word);
	moved = again_moves(packet, timing) && again_move(packet, flow, timing);
	if (!moved)
		flow_touch(packet, flow, LARCH_FLOW_SYN);
	if (timing.phase == LARCH_PHASE_CONNECT ||
	    (moved && packet->policy.signal != LARCH_SIGNAL_NONE))
		after.phase = LARCH_PHASE_CONNECT_AGAIN;
	if (after.word != timing.word)
		WRITE_ONCE(flow->timing.word, after.word);
	return moved ? LARCH_FORWARD_AGAIN : LARCH_FORWARD_FLOW;
}
