// SPDX-License-Identifier: BSD-2-Clause
/*
 * The backend's agent and packets in UDP (GUE): what comes out, byte for byte; what is not for it
 * passes untouched; what is broken is dropped. Alone, and behind the balancer itself.
 */
#include <string.h>

#include "arrange.h"
#include "outer.h"

#define GUE_PORT   6080
#define UDP_LENGTH 4 /* where it is in a UDP header */
#define OVERHEAD   (UDP_BYTES + GUE_BYTES)

TestSuite(agent_gue, .init = agent_open, .fini = agent_close);

/* The frame's packet in UDP, over either family. */
static struct frame wrap(const struct spec *spec, bool outer_ipv6)
{
	struct frame inner = frame_build(spec);
	size_t bytes = inner.size - inner.network;
	struct frame outer = FRAME(.ipv6 = outer_ipv6, .protocol = NEXT_UDP, .port = GUE_PORT,
				   .payload = (uint16_t)(GUE_BYTES + bytes - spec->trailer),
				   .trailer = spec->trailer);
	size_t at = outer.transport + UDP_BYTES;

	memset(outer.byte + at, 0, GUE_BYTES);
	outer.byte[at + 1] = spec->ipv6 ? NEXT_IPV6 : NEXT_IPIP;
	memcpy(outer.byte + at + GUE_BYTES, inner.byte + inner.network, bytes);
	return outer;
}

static void check_decapsulated(const struct spec *spec, bool outer_ipv6)
{
	struct frame inner = frame_build(spec), outer = wrap(spec, outer_ipv6);
	struct result result = agent_send(&outer);

	EXPECT_AGENT(result, DECAPSULATED);
	frame_expect(&result.frame, &inner);
}

Test(agent_gue, all_families_come_out_byte_for_byte)
{
	for (unsigned i = 0; i < 64; i++) {
		struct spec spec = {
			.ipv6 = i & 1,
			.payload = (uint16_t)(i * 21),
			.trailer = (uint8_t)(i & 4),
			.traffic_class = 3,
		};

		check_decapsulated(&spec, i & 2);
	}
}

/* Our balancer's checksum is 0 or right, but the packet's own is what counts. */
Test(agent_gue, any_checksum_is_taken)
{
	struct frame frame = wrap(&(struct spec){}, true);

	for (unsigned sum = 0; sum <= 0xffff; sum += 0x1111) {
		frame_set16(&frame, frame.transport + 6, (uint16_t)sum);
		EXPECT_AGENT(agent_send(&frame), DECAPSULATED);
	}
}

static void check_untouched(const struct frame *frame)
{
	struct result result = agent_send(frame);

	EXPECT_AGENT(result, NOT_TUNNELLED);
	frame_expect(&result.frame, frame);
}

Test(agent_gue, datagrams_to_other_ports_pass_untouched)
{
	struct frame frame = wrap(&(struct spec){}, false);

	for (unsigned port = 0; port <= 0xffff; port += port == GUE_PORT - 2 ? 1 : 17) {
		frame_set16(&frame, frame.transport + 2, (uint16_t)port);
		if (port == GUE_PORT)
			continue;
		check_untouched(&frame);
	}
	frame_set16(&frame, frame.transport, GUE_PORT); /* from it is not to it */
	frame_set16(&frame, frame.transport + 2, GUE_PORT + 1);
	check_untouched(&frame);
}

/* Version, control bit and length; the protocol; the flags: one value of each is ours. */
Test(agent_gue, every_value_of_every_byte_of_the_header)
{
	for (size_t at = 0; at < GUE_BYTES; at++) {
		for (unsigned value = 0; value <= 0xff; value++) {
			struct frame frame = wrap(&(struct spec){.payload = 30}, at % 2);
			bool good = value == (at == 1 ? NEXT_IPIP : 0);

			frame.byte[frame.transport + UDP_BYTES + at] = (uint8_t)value;
			if (good)
				EXPECT_AGENT(agent_send(&frame), DECAPSULATED);
			else
				EXPECT_AGENT(agent_send(&frame), MALFORMED);
		}
	}
}

Test(agent_gue, an_inner_packet_of_another_family_than_announced_is_dropped)
{
	for (int ipv6 = 0; ipv6 <= 1; ipv6++) {
		struct frame frame = wrap(&(struct spec){.ipv6 = ipv6, .payload = 60}, false);

		frame.byte[frame.transport + UDP_BYTES + 1] = ipv6 ? NEXT_IPIP : NEXT_IPV6;
		EXPECT_AGENT(agent_send(&frame), MALFORMED);
	}
}

/* At least headers and an IP header, and no more than the outer packet has. */
Test(agent_gue, every_length_of_udp)
{
	for (unsigned i = 0; i < 4; i++) {
		struct spec spec = {.ipv6 = i & 1, .payload = 30};
		struct frame frame = wrap(&spec, i & 2);
		size_t least = OVERHEAD + (spec.ipv6 ? IPV6_BYTES : IPV4_BYTES);
		size_t most = frame.size - frame.transport;

		for (size_t value = 0; value < 400; value++) {
			bool fits = value >= least && value <= most;

			frame_set16(&frame, frame.transport + UDP_LENGTH, (uint16_t)value);
			if (fits)
				EXPECT_AGENT(agent_send(&frame), DECAPSULATED);
			else
				EXPECT_AGENT(agent_send(&frame), MALFORMED);
		}
	}
}

Test(agent_gue, a_packet_cut_at_any_length_never_comes_out)
{
	for (unsigned i = 0; i < 4; i++) {
		struct spec spec = {.ipv6 = i & 1, .payload = 30};
		struct frame whole = wrap(&spec, i & 2);

		for (size_t size = SHORTEST_FRAME; size < whole.size; size++) {
			struct frame cut = frame_cut(&whole, size);
			struct result result = agent_send(&cut);

			if (size < whole.transport + UDP_BYTES)
				EXPECT_AGENT(result, NOT_TUNNELLED);
			else
				EXPECT_AGENT(result, MALFORMED);
			frame_expect(&result.frame, &cut);
		}
	}
}

/* Only the first fragment has the port; the others are the host's, who will not miss them. */
Test(agent_gue, a_first_fragment_is_dropped_and_later_ones_pass)
{
	struct frame first = wrap(&(struct spec){}, false), later = first;

	frame_set16(&first, first.network + 6, 0x2000);
	frame_set16(&later, later.network + 6, 0x2005);
	EXPECT_AGENT(agent_send(&first), FRAGMENTED);
	check_untouched(&later);
}

/* What the balancer sends, the agent restores; only the MACs are those of the last hop. */
static void check_round_trip(const struct spec *spec, enum larch_tunnel tunnel)
{
	struct frame in = frame_build(spec);
	struct result sent, received;

	arrange_backends(tunnel);
	sent = balancer_send(&in);
	received = agent_send(&sent.frame);
	EXPECT_AGENT(received, DECAPSULATED);
	cr_assert_eq(received.frame.size, in.size - VLAN_BYTES * spec->vlans);
	cr_assert_arr_eq(received.frame.byte, sent.frame.byte, 12);
	cr_assert_arr_eq(received.frame.byte + 12, in.byte + in.network - 2,
			 in.size - in.network + 2);
}

Test(agent_gue, restores_what_the_balancer_was_given)
{
	arrange_web();
	arrange_mode(LARCH_MODE_GUE);
	for (unsigned i = 0; i < 12; i++) {
		struct spec spec = {
			.ipv6 = i & 1,
			.payload = 333,
			.vlans = (uint8_t)(i / 4),
			.trailer = 3,
		};

		check_round_trip(&spec, i & 2 ? LARCH_TUNNEL_IPV6 : LARCH_TUNNEL_IPV4);
	}
	balancer_close();
}
