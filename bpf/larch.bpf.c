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
#include "classify.h"
#include "steer.h"
#include "sample.h"
#include "link.h"
#include "tunnel.h"
#include "gue.h"
#include "forward.h"
#include "too_big.h"
#include "count.h"

/* Can nothing be sent to the backend that the flow's entry names? */
static __always_inline bool backend_is_lost(const struct packet *packet)
{
	__u32 id = packet->identity.backend;
	const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);

	return !backend || backend->tunnel == LARCH_TUNNEL_NONE || !backend->ready;
}

/* Is this the first packet of a new flow, whatever the flow table remembers? */
static __always_inline bool opens_anew(const struct packet *packet)
{
	if (!packet_of_stream(packet))
		return backend_is_lost(packet) ||
		       larch_stamp_age(packet->identity.stamp, packet->stamp) >=
			       flow_idle_limit(packet);
	return packet->tcp_flags & TCP_SYN &&
	       (packet->identity.state == LARCH_FLOW_CLOSING || backend_is_lost(packet));
}

/* The state of a TCP flow that the table knows, after this packet. */
static __always_inline enum larch_flow_state state_after(const struct packet *packet)
{
	if (packet->tcp_flags & (TCP_FIN | TCP_RST))
		return LARCH_FLOW_CLOSING;
	if (packet->identity.state == LARCH_FLOW_SYN && !(packet->tcp_flags & TCP_SYN))
		return LARCH_FLOW_OPEN;
	return packet->identity.state;
}

/* A flow that the table knows: its backend, and its clock. */
static __always_inline int balance_known(struct packet *packet, struct larch_flow *flow)
{
	bool tcp = packet_of_stream(packet);
	struct measurement found = {};

	packet->backend = packet->identity.backend;
	if (tcp && packet->policy.signal != LARCH_SIGNAL_NONE)
		sample_flow(packet, flow, &found);
	flow_touch(packet, flow, tcp ? state_after(packet) : packet->identity.state);
	if ((found.connect_us || found.response_us) &&
	    classify(packet, packet->identity.size) == GO) {
		packet->cell.backend = packet->backend;
		sample_record(packet, &found);
	}
	return LARCH_FORWARD_FLOW;
}

/* A flow that the table does not know: steer it, and remember where. */
static __always_inline int balance_new(struct packet *packet, int place)
{
	bool tcp = packet_of_stream(packet);
	bool syn = tcp && packet->tcp_flags & TCP_SYN;
	bool ends = tcp && packet->tcp_flags & (TCP_FIN | TCP_RST);
	enum larch_flow_state state = syn ? LARCH_FLOW_SYN : LARCH_FLOW_OPEN;
	struct larch_flow *flow;
	int go;

	go = classify(packet, classify_size(packet));
	if (go != GO)
		return go;
	if (place == NO_PLACE && !ends)
		place = flow_room(packet->hash, packet->bucket_mask, state, packet->stamp);
	packet->by_ring = place == NO_PLACE || (tcp && !syn);
	go = steer(packet);
	if (go != GO)
		return go;
	flow = ends || place == NO_PLACE ? NULL : flow_insert(packet, place, state);
	if (!flow)
		return LARCH_FORWARD_UNTRACKED;
	if (tcp && !syn)
		return LARCH_FORWARD_UNKNOWN;
	if (syn && packet->policy.signal != LARCH_SIGNAL_NONE)
		sample_syn(packet, flow);
	return LARCH_FORWARD_NEW;
}

static __always_inline int balance_flow(struct packet *packet)
{
	bool syn = packet->tcp_flags & TCP_SYN && packet_of_stream(packet);
	int place = syn ? flow_find_new(packet->hash, packet->bucket_mask)
			: flow_find(packet->hash, packet->bucket_mask);
	bool found = place != NO_PLACE && !(place & VACANT);
	struct larch_flow *flow = found ? flow_at(place) : NULL;

	if (flow)
		packet->identity.word = READ_ONCE(flow->identity.word);
	if (flow && !opens_anew(packet))
		return balance_known(packet, flow);
	return balance_new(packet, place == NO_PLACE ? place : place & ~VACANT);
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
	go = classify(packet, classify_size(packet));
	if (go == GO)
		go = steer(packet);
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

static __always_inline int balance(struct xdp_md *context, struct packet *packet)
{
	const struct larch_settings *settings;
	int parsed, go, outcome;

	parsed = parse(context, packet);
	if (parsed == LARCH_PASS_NOT_IP || parsed == LARCH_PASS_MALFORMED)
		return parsed;
	settings = service_settings();
	if (!settings || !service_maybe(settings, packet))
		return LARCH_PASS_NOT_OURS;
	if (parsed == GO)
		go = service_find(settings, packet);
	else
		go = balance_other(context, packet, parsed);
	outcome = go == GO ? balance_flow(packet) : go;
	if (outcome > LARCH_FORWARD_ICMP)
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

SEC("xdp")
int larch(struct xdp_md *context)
{
	struct packet packet = {.action = XDP_ABORTED};
	int outcome = balance(context, &packet);

	return count_exit(&packet, outcome);
}

char _license[] SEC("license") = "GPL";
