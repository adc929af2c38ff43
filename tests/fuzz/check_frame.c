// SPDX-License-Identifier: BSD-2-Clause
/* What must be true of the frame that a program leaves behind. See check.h. */
#include "passage.h"

#include <string.h>

#include "../packet/builder.h"
#include "../packet/reply.h"
#include "../packet/verify_rewritten.h"
#include "larch/chance.h"
#include "maps.h"
#include "outcomes.h"

/* Does the list promise this verdict? */
static bool promises(uint32_t outcome, const char *verdict)
{
	size_t count;
	const struct packet_outcome *all = outcomes_all(&count);

	for (size_t i = 0; i < count; i++) {
		if (all[i].number == outcome)
			return strcmp(all[i].verdict, verdict) == 0;
	}
	return false;
}

static size_t get16(const uint8_t *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

static bool is_untouched(const struct passage *passage)
{
	return passage_out_size(passage) == passage->in_size &&
	       memcmp(passage_out(passage), passage->in, passage->in_size) == 0;
}

/* The host itself, or the backend whose next hop the frame is for; LARCH_NO_BACKEND: none. */
static uint32_t backend_reached(const struct passage *passage)
{
	if (passage->verdict == XDP_PASS)
		return world.local;
	for (uint32_t id = 0; id < world.backends; id++) {
		const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);

		if (backend->tunnel != LARCH_TUNNEL_NONE &&
		    memcmp(passage_out(passage), backend->destination_mac, 6) == 0)
			return id;
	}
	return LARCH_NO_BACKEND;
}

/* A frame of the packet tests, of which only bytes and network are told. */
static struct frame frame_of(const uint8_t *bytes, size_t size)
{
	struct frame frame = {.size = size < FRAME_MOST ? size : FRAME_MOST};

	memcpy(frame.byte, bytes, frame.size);
	frame.network = ETHERNET_BYTES;
	for (int i = 0; i < 2; i++) {
		size_t ethertype = get16(bytes + frame.network - 2);

		if (ethertype == 0x8100 || ethertype == 0x88a8)
			frame.network += VLAN_BYTES;
	}
	return frame;
}

/* Of an agent's answer, what it carries came in its Ethernet header. */
static struct frame carried_frame(const struct passage *passage)
{
	size_t at = verify_answered(passage->in, passage->in_size);
	uint8_t bytes[FRAME_MOST];
	bool ipv6;

	if (!at)
		return frame_of(passage->in, passage->in_size);
	ipv6 = passage->in[at] >> 4 == 6;
	memcpy(bytes, passage->in, 12);
	bytes[12] = ipv6 ? 0x86 : 0x08;
	bytes[13] = ipv6 ? 0xdd : 0x00;
	memcpy(bytes + ETHERNET_BYTES, passage->in + at, passage->in_size - at);
	return frame_of(bytes, ETHERNET_BYTES + passage->in_size - at);
}

static void check_reply(const struct passage *passage)
{
	bool echo = passage->outcome == LARCH_REPLY_ECHO;
	struct frame in = echo ? frame_of(passage->in, passage->in_size) : carried_frame(passage),
		     out = frame_of(passage_out(passage), passage_out_size(passage));
	const uint8_t *ip = in.byte + in.network;
	const char *wrong;

	/* An echo reply's checksum follows from the request's: right or wrong. */
	if (echo && ip[0] >> 4 == 4 && internet_checksum(ip, IPV4_BYTES) != 0)
		return;
	wrong = reply_wrong(&in, &out);
	if (wrong)
		passage_fail(passage, wrong);
}

static void check_outer(const struct passage *passage, const struct larch_backend *backend)
{
	const uint8_t *out = passage_out(passage), *outer = out + ETHERNET_BYTES;
	bool ipv6 = backend->tunnel == LARCH_TUNNEL_IPV6;
	size_t address = ipv6 ? 16 : 4, addresses = ipv6 ? 8 : 12;

	require(passage, memcmp(out + 12, &backend->ethertype, 2) == 0, "wrong ethertype");
	require(passage, memcmp(outer + addresses, backend->outer_source, address) == 0,
		"wrong outer source");
	require(passage,
		memcmp(outer + addresses + address, backend->outer_destination, address) == 0,
		"wrong outer destination");
}

static void check_direction(const struct passage *passage, uint32_t ifindex)
{
	if (passage->verdict == XDP_TX)
		require(passage, ifindex == passage->context.ingress_ifindex,
			"sent out of the wrong interface");
	else
		require(passage, ifindex == stub.redirected, "wrong redirection");
}

static void check_to_backend(const struct passage *passage)
{
	uint32_t id = passage->reached;
	const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);
	const uint8_t *out = passage_out(passage), *ip = out + ETHERNET_BYTES;
	size_t bytes = ip[0] >> 4 == 6 ? IPV6_BYTES + get16(ip + 4) : get16(ip + 2);

	require(passage,
		passage->way == VERIFY_BARE ? backend->ready == LARCH_READY_DIRECT : backend->ready,
		"sent to a backend that is not ready");
	require(passage, memcmp(out + 6, backend->source_mac, 6) == 0, "wrong source MAC");
	require(passage, bytes <= backend->mtu, "larger than the MTU");
	check_direction(passage, backend->ifindex);
	if (passage->way == VERIFY_TUNNELLED || passage->way == VERIFY_QUESTIONED)
		check_outer(passage, backend);
}

/* An answer by NAT that the host is to route: rewritten, behind the same link header. */
static void check_left_to_host(const struct passage *passage)
{
	struct frame in = frame_of(passage->in, passage->in_size);
	const uint8_t *out = passage_out(passage);
	size_t network = in.network;
	const char *wrong;

	require(passage, passage_out_size(passage) == in.size && memcmp(out, in.byte, network) == 0,
		"the link header was changed");
	wrong = verify_rewritten(in.byte + network, out + network, in.size - network);
	if (wrong)
		passage_fail(passage, wrong);
}

/* The packet of an agent's answer, without what was around it, behind a link header. */
static bool is_what_was_asked_about(const struct passage *passage)
{
	size_t size = passage_out_size(passage), inner = size - ETHERNET_BYTES;

	return size > ETHERNET_BYTES && size < passage->in_size &&
	       memcmp(passage_out(passage) + ETHERNET_BYTES, passage->in + passage->in_size - inner,
		      inner) == 0;
}

/* The packet goes on to a backend, or back to a client. */
static void check_forwarded(struct passage *passage)
{
	struct verified found = verify_forwarded(passage->in, passage->in_size,
						 passage_out(passage), passage_out_size(passage));

	if (found.wrong)
		passage_fail(passage, found.wrong);
	passage->way = found.way;
	if (passage->outcome == LARCH_RETURN_NAT) {
		require(passage, found.way == VERIFY_BARE || found.way == VERIFY_REWRITTEN,
			"an answer goes on in a tunnel");
		return;
	}
	require(passage, passage->reached != LARCH_NO_BACKEND, "sent to nobody");
	check_to_backend(passage);
}

void check_balancer_frame(struct passage *passage)
{
	passage->way = VERIFY_NO_WAY;
	passage->reached = LARCH_NO_BACKEND;
	if (promises(passage->outcome, "FORWARD"))
		passage->reached = backend_reached(passage);
	if (promises(passage->outcome, "REPLY"))
		check_reply(passage);
	else if (passage->verdict != XDP_PASS && passage->verdict != XDP_DROP)
		check_forwarded(passage);
	else if (passage->outcome == LARCH_RETURN_HOST)
		check_left_to_host(passage);
	else if (passage->verdict == XDP_PASS)
		require(passage,
			is_untouched(passage) || (passage->outcome == LARCH_PASS_TTL_ENDS &&
						  is_what_was_asked_about(passage)),
			"the packet was changed");
}

/* --- the agent ------------------------------------------------------------------------------- */

/* The header right before the packet promised no more than is there, and than the one before it. */
static void check_promises(const struct passage *passage, size_t outer, bool in_udp)
{
	const uint8_t *ip = passage->in + ETHERNET_BYTES;
	size_t bytes = outer == IPV6_BYTES ? outer + get16(ip + 4) : get16(ip + 2);
	size_t by_udp = outer + get16(ip + outer + 4);

	require(passage, !in_udp || by_udp <= bytes, "UDP that was cut off was opened");
	require(passage, (in_udp ? by_udp : bytes) + ETHERNET_BYTES <= passage->in_size,
		"a tunnel that was cut off was opened");
}

static void check_decapsulated(const struct passage *passage)
{
	const uint8_t *out = passage_out(passage), *in = passage->in;
	size_t size = passage_out_size(passage), outer = in[12] == 0x86 ? IPV6_BYTES : IPV4_BYTES;
	size_t removed = passage->in_size - size;
	bool ipv6 = out[ETHERNET_BYTES] >> 4 == 6;

	require(passage,
		removed == outer || removed == outer + UDP_BYTES + sizeof(struct larch_gue),
		"not the tunnel's header was removed");
	check_promises(passage, outer, removed != outer);
	require(passage, memcmp(out, in, 12) == 0, "the MACs were changed");
	require(passage, out[12] == (ipv6 ? 0x86 : 0x08) && out[13] == (ipv6 ? 0xdd : 0),
		"the ethertype is not the inner packet's");
	require(passage,
		memcmp(out + ETHERNET_BYTES, in + ETHERNET_BYTES + removed,
		       size - ETHERNET_BYTES) == 0,
		"the inner packet was changed");
}

/* What was asked comes back as it was, with the answer, to where it came from. */
static void check_answered(const struct passage *passage, enum larch_answer answer)
{
	static uint8_t expected[STUB_FRAME_MOST];
	const uint8_t *in = passage->in;
	bool ipv6 = in[12] == 0x86;
	size_t address = ipv6 ? 16 : 4, from = ETHERNET_BYTES + (ipv6 ? 8 : 12);

	memcpy(expected, in, passage->in_size);
	memcpy(expected, in + 6, 6);
	memcpy(expected + 6, in, 6);
	memcpy(expected + from, in + from + address, address);
	memcpy(expected + from + address, in + from, address);
	expected[verify_answered(in, passage->in_size) - sizeof(struct larch_question) +
		 offsetof(struct larch_question, answer)] = (uint8_t)answer;
	require(passage,
		passage_out_size(passage) == passage->in_size &&
			memcmp(passage_out(passage), expected, passage->in_size) == 0,
		"the answer is not the question and the answer");
}

void check_agent_frame(const struct passage *passage)
{
	switch (passage->outcome) {
	case LARCH_AGENT_DECAPSULATED:
		check_decapsulated(passage);
		break;
	case LARCH_AGENT_ANSWERED_MINE:
		check_answered(passage, LARCH_ANSWER_MINE);
		break;
	case LARCH_AGENT_ANSWERED_OTHERS:
		check_answered(passage, LARCH_ANSWER_OTHERS);
		break;
	default:
		require(passage, is_untouched(passage), "the packet was changed");
	}
}
