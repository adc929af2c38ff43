/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Larch's balancer: an XDP program that sends each packet of a service to a backend. Read it from
 * balance() down; each stage is one header, and what they know of a packet is struct packet.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"
#include "packet.h"

#include "parse.h"
#include "service.h"
#include "limit.h"
#include "fragment.h"
#include "icmp.h"
#include "echo.h"
#include "flow.h"
#include "guard.h"
#include "classify.h"
#include "steer.h"
#include "quic.h"
#include "sample.h"
#include "again.h"
#include "chance.h"
#include "link.h"
#include "tunnel.h"
#include "gue.h"
#include "ask.h"
#include "nat.h"
#include "nat_return.h"
#include "forward.h"
#include "too_big.h"
#include "count.h"
#include "capture.h"

/* Has the flow that the table remembers come to its end, so that the packet begins another? */
static __always_inline bool has_ended(const struct packet *packet)
{
	if (packet_of_stream(packet))
		return packet->identity.state == LARCH_FLOW_CLOSING;
	return larch_stamp_age(packet->identity.stamp, packet->stamp) >= flow_idle_limit(packet);
}

/* Is this the first packet of a new flow, whatever the flow table remembers? */
static __always_inline bool opens_anew(const struct packet *packet)
{
	if (packet_of_stream(packet) && !(packet->tcp_flags & TCP_SYN))
		return false;
	return has_ended(packet) || !steer_usable(packet, packet->identity.backend);
}

/*
 * Is it the SYN of a flow that is nothing but a SYN? That of an open one stays with it, even where
 * the backend seems dead and its client has begun anew: whoever knows the ports can send SYNs
 * twice, and make a backend that few others ask look silent, while the client of a flow that rests
 * says nothing against it.
 */
static __always_inline bool comes_again(const struct packet *packet)
{
	return (packet->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) == TCP_SYN &&
	       packet->identity.state == LARCH_FLOW_SYN;
}

/* A flow that the table knows: its backend, and its clock. */
static __always_inline int balance_known(struct packet *packet, int place, struct larch_flow *flow)
{
	bool stream = packet_of_stream(packet);
	struct larch_measurement found = {};

	if (comes_again(packet))
		return again(packet, place);
	packet->backend = packet->identity.backend;
	if (stream && packet->policy.signal != LARCH_SIGNAL_NONE)
		sample_flow(packet, flow, &found);
	flow_touch(packet, flow, stream ? flow_state_after(packet, flow) : packet->identity.state);
	if (stream && packet->identity.state == LARCH_FLOW_CLOSING)
		flow_note_end(packet, flow);
	if ((found.connect_us || found.response_us) && classify_known(packet) == GO) {
		packet->cell.backend = packet->backend;
		sample_record(packet, &found);
	}
	return LARCH_FORWARD_FLOW;
}

/* By its leaf. By the ring alone, all packets of a flow must come to the same leaf. */
static __always_inline int balance_steer(struct packet *packet)
{
	int go = classify(packet, classify_size(packet));

	if (go == GO && packet->policy.mode == LARCH_MODE_NAT && steer_own(packet) == GO)
		return GO;
	return go == GO ? steer(packet) : go;
}

/*
 * A flow whose entry may be in doubt: its backend is asked. GO: it is believed, or has been asked,
 * or too many are.
 */
static __always_inline int balance_doubt(struct packet *packet)
{
	if (packet->hop == LARCH_HOP_TABLE || !chance_doubts(packet) || !chance_allows() ||
	    classify(packet, packet->identity.size) != GO)
		return GO;
	packet->backend = packet->identity.backend;
	packet->hop = LARCH_HOP_TABLE;
	return chance_put(packet, LARCH_CHANCE_ASKED);
}

/*
 * A mid-flow packet of a flow that the table does not know, whose backends can be asked. Unless one
 * claims it nothing is remembered: a guess would last.
 */
static __always_inline int balance_ask(struct packet *packet)
{
	int go = classify(packet, classify_size(packet));

	packet->by_ring = true;
	if (go != GO)
		return go;
	if (chance_allows()) {
		packet->hop = 0;
		return chance_put(packet, LARCH_CHANCE_ASKED);
	}
	go = steer(packet);
	return go == GO ? LARCH_FORWARD_UNKNOWN : go;
}

/*
 * An agent's answer: its flow's packet goes on its way, perhaps to the next backend. Where the flow
 * is remembered by now, and not in doubt, another packet of it was faster. GO: what is remembered
 * of it is true.
 */
static __always_inline int balance_answer(struct xdp_md *context, struct packet *packet)
{
	int outcome = chance_answer(context, packet), place, go;
	struct larch_flow *flow;

	if (outcome != LARCH_CHANCE_NEXT && outcome != LARCH_CHANCE_CLAIMED)
		return outcome;
	place = flow_find(packet->hash, packet->bucket_mask);
	flow = place == NO_PLACE ? NULL : flow_at(place);
	if (flow) {
		packet->identity.word = READ_ONCE(flow->identity.word);
		if (!chance_doubts(packet)) {
			packet->backend = packet->identity.backend;
			return LARCH_FORWARD_FLOW;
		}
		if (outcome == LARCH_CHANCE_CLAIMED &&
		    packet->backend == packet->identity.backend) {
			packet->hop = LARCH_HOP_TABLE; /* it has been asked */
			return GO;
		}
	}
	if (outcome == LARCH_CHANCE_CLAIMED) {
		chance_claim(packet, place);
		return outcome;
	}
	go = classify(packet, classify_size(packet));
	return go == GO ? chance_put(packet, outcome) : go;
}

/*
 * Another CPU has taken the flow's place since it was found. By its live scores the flow may have
 * been steered to another backend than the ring's, to which all that follows would go.
 */
static __always_inline int balance_unplaced(struct packet *packet)
{
	int go = GO;

	if (!packet->by_ring) {
		packet->by_ring = true;
		go = balance_steer(packet);
	}
	return go == GO ? LARCH_FORWARD_UNTRACKED : go;
}

/*
 * A flow that the table does not know (or that begins anew in its own place, perhaps with the
 * backend that it had): steer it, and remember where.
 */
static __always_inline int balance_new(struct packet *packet, int place, bool stays)
{
	__u32 before = packet->identity.backend;
	bool own = place != NO_PLACE && !(place & VACANT);
	bool stream = packet_of_stream(packet), opens = packet_opens(packet);
	bool ends = stream && packet->tcp_flags & (TCP_FIN | TCP_RST);
	enum larch_flow_state state = opens ? LARCH_FLOW_SYN : LARCH_FLOW_OPEN;
	int kept = GO, go;

	if (stream && !opens && !own && packet->policy.flags & LARCH_SERVICE_AGENTS)
		return balance_ask(packet);
	packet->by_ring = stream && !opens;
	if (place == NO_PLACE && !ends)
		place = flow_room(packet, state);
	if (packet->policy.flags & (LARCH_SERVICE_SOURCES | LARCH_SERVICE_FLOOD) && !ends &&
	    (!own || has_ended(packet)))
		kept = guard_new(packet, own, place != NO_PLACE);
	if (kept == LARCH_DROP_SOURCE_RATE)
		return kept;
	packet->by_ring |= place == NO_PLACE || kept != GO;
	go = balance_steer(packet);
	if (go != GO)
		return go;
	if (ends)
		return LARCH_FORWARD_UNKNOWN;
	if (kept != GO)
		return kept;
	if (stays)
		packet->backend = before;
	if (place == NO_PLACE)
		return LARCH_FORWARD_UNTRACKED;
	if (!flow_insert(packet, place, state))
		return balance_unplaced(packet);
	if (stream && !opens)
		return LARCH_FORWARD_UNKNOWN;
	if (opens)
		sample_syn(packet);
	return LARCH_FORWARD_NEW;
}

/* Nothing is remembered of the service's flows. */
static __always_inline int balance_stateless(struct packet *packet)
{
	int go;

	packet->by_ring = 1;
	if (packet->policy.flags & LARCH_SERVICE_SOURCES && packet_opens(packet)) {
		go = guard_new(packet, false, false);
		if (go != GO)
			return go;
	}
	go = balance_steer(packet);
	return go == GO ? LARCH_FORWARD_STATELESS : go;
}

static __always_inline int balance_flow(struct packet *packet)
{
	struct larch_flow *flow;
	bool found, stays;
	int place, doubt;

	if (packet->policy.flags & LARCH_SERVICE_STATELESS)
		return balance_stateless(packet);
	place = packet_opens(packet) ? flow_find_new(packet->hash, packet->bucket_mask)
				     : flow_find(packet->hash, packet->bucket_mask);
	found = place != NO_PLACE && !(place & VACANT);
	flow = found ? flow_at(place) : NULL;
	if (flow)
		packet->identity.word = READ_ONCE(flow->identity.word);
	if (flow && !opens_anew(packet)) {
		doubt = balance_doubt(packet);
		return doubt == GO ? balance_known(packet, place, flow) : doubt;
	}
	stays = flow && packet_of_stream(packet) && flow_lingers(packet, flow) &&
		steer_usable(packet, packet->identity.backend);
	return balance_new(packet, place, stays);
}

/* Has the packet a way to go, rather than an end here? */
static __always_inline bool is_on_its_way(int outcome)
{
	return outcome <= LARCH_FORWARD_ICMP || outcome >= LARCH_CHANCE_ASKED;
}

/* A later fragment: to where the first one went, or to its flow, if that has no ports. */
static __always_inline int balance_later(const struct larch_settings *settings,
					 struct packet *packet)
{
	const struct larch_fragment_way *way;

	packet->stamp = service_stamp(settings);
	way = fragment_way(packet);
	if (!way)
		return service_find_later(settings, packet);
	if (service_enter(settings, packet, way->service) != GO)
		return LARCH_DROP_FRAGMENT;
	packet->hash = way->hash;
	packet->backend = way->backend;
	return LARCH_FORWARD_FRAGMENT;
}

/*
 * An ICMP error: to the backend of its flow. Of a flow that is not known here, the ring tells, as
 * it does on any other node. Nothing is remembered, and the flow's clock does not notice.
 */
static __always_inline int balance_error(const struct larch_settings *settings,
					 struct packet *packet)
{
	struct larch_flow *flow;
	int go, place;

	if (service_find(settings, packet) != GO)
		return LARCH_PASS_NOT_TRANSPORT;
	place = flow_find(packet->hash, packet->bucket_mask);
	flow = place == NO_PLACE ? NULL : flow_at(place);
	if (flow) {
		packet->identity.word = READ_ONCE(flow->identity.word);
		packet->backend = packet->identity.backend;
		return LARCH_FORWARD_ICMP;
	}
	packet->by_ring = true;
	go = balance_steer(packet);
	return go == GO ? LARCH_FORWARD_ICMP : go;
}

/*
 * What is neither whole nor a first fragment of TCP or UDP: of a later fragment or an ICMP error,
 * FORWARD_... and its backend, or GO if it goes the way of its flow; else its outcome.
 */
STAGE int balance_other(struct xdp_md *context, struct packet *packet, int parsed)
{
	const struct larch_settings *settings = service_settings();

	if (!packet || !settings)
		return LARCH_DROP_INTERNAL;
	if (!service_has_address(settings, packet))
		return LARCH_PASS_NOT_OURS;
	if (parsed == LARCH_DROP_FRAGMENT && packet->kind == PACKET_LATER)
		return balance_later(settings, packet);
	if (parsed != LARCH_PASS_NOT_TRANSPORT)
		return parsed;
	icmp_parse(context, packet);
	if (packet->kind == PACKET_ECHO)
		return echo(context, packet);
	if (packet->kind == PACKET_ERROR)
		return balance_error(settings, packet);
	return parsed;
}

/* What is not let in ends here; all others go on as they would. */
static __always_inline int balance_guard(struct packet *packet, int go)
{
	int denied = packet->policy.flags & LARCH_SERVICE_LISTED ? guard_access(packet) : GO;

	return denied == GO ? go : denied;
}

/* What comes from, or is about, a backend by NAT: its outcome, or GO if it is no such thing. */
static __always_inline int balance_return(struct xdp_md *context, struct packet *packet, int parsed)
{
	int go = nat_return_parse(context, packet, parsed);

	if (go != LARCH_RETURN_NAT)
		return go;
	if (packet->kind == PACKET_FIRST)
		nat_return_remember(context, packet);
	if (packet->kind <= PACKET_FIRST && sample_wants_answer(packet))
		sample_answer(packet);
	return nat_return(context, packet);
}

static __always_inline int balance(struct xdp_md *context, struct packet *packet)
{
	const struct larch_settings *settings;
	int parsed, go, outcome;

	parsed = parse(context, packet);
	settings = service_settings();
	if (settings)
		packet->flags = settings->flags;
	if (parsed == LARCH_PASS_NOT_IP || parsed == LARCH_PASS_MALFORMED)
		return parsed;
	if (!settings)
		return LARCH_PASS_NOT_OURS;
	if (settings->flags & LARCH_RETURNS && nat_return_maybe(settings, packet, parsed)) {
		outcome = balance_return(context, packet, parsed);
		if (outcome != GO)
			return outcome;
	}
	if (!service_maybe(settings, packet))
		return LARCH_PASS_NOT_OURS;
	if (parsed == GO) {
		go = service_find(settings, packet);
		if (go == LARCH_PASS_NOT_OURS && service_is_self(settings, packet))
			go = balance_answer(context, packet);
	} else {
		go = balance_other(context, packet, parsed);
	}
	if (go == GO || go == LARCH_FORWARD_FRAGMENT)
		go = balance_guard(packet, go);
	if (go == GO && packet->policy.flags & LARCH_SERVICE_QUIC)
		go = quic_forward(context, packet);
	outcome = go == GO ? balance_flow(packet) : go;
	if (!is_on_its_way(outcome))
		return outcome;
	go = forward(context, packet);
	if (go == LARCH_DROP_TOO_BIG)
		return too_big(context, packet);
	if (go != GO)
		return go;
	if (packet->kind == PACKET_FIRST)
		fragment_remember(packet);
	count_forwarded(packet, outcome);
	return outcome;
}

SEC(FRAME_SECTION)
int larch(struct xdp_md *context)
{
	struct packet packet = {.action = XDP_ABORTED};
	int outcome = balance(context, &packet);

	if (packet.flags & LARCH_CAPTURE)
		capture(context, &packet, outcome);
	return count_exit(&packet, outcome);
}

char _license[] SEC("license") = "GPL";
