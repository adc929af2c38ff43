// SPDX-License-Identifier: BSD-2-Clause
/*
 * Broken packets of every shape: cut at every length, every length field with every value, random
 * damage. The harness checks each one: counted once, never aborted, never forwarded with bytes
 * that are not there, untouched if not forwarded. Shorter frames than 14 bytes cannot be tried:
 * BPF_PROG_TEST_RUN refuses them.
 */
#include <string.h>

#include "arrange.h"
#include "damage.h"

#define MUTATIONS 20000

static const struct spec shapes[] = {
	{.flags = SYN},
	{.payload = 40},
	{.protocol = NEXT_UDP, .payload = 9},
	{.ipv4_options = 10, .tcp_options = 10},
	{.ipv4_options = 1, .protocol = NEXT_UDP},
	{.vlans = 1, .payload = 3},
	{.vlans = 2, .protocol = NEXT_UDP, .trailer = 5},
	{.protocol = 1, .payload = 8},
	{.more_fragments = true, .payload = 8},
	{.ipv6 = true, .flags = SYN},
	{.ipv6 = true, .payload = 40, .tcp_options = 3},
	{.ipv6 = true, .protocol = NEXT_UDP, .payload = 9},
	{.ipv6 = true, .vlans = 2, .payload = 3, .trailer = 5},
	{.ipv6 = true, .protocol = NEXT_ICMPV6, .payload = 8},
	{.ipv6 = true,
	 .extensions = 6,
	 .extension = {NEXT_HOP_BY_HOP, NEXT_ROUTING, NEXT_DESTINATION, NEXT_AUTHENTICATION,
		       NEXT_ROUTING, NEXT_DESTINATION}},
	{.ipv6 = true,
	 .extensions = 2,
	 .extension = {NEXT_FRAGMENT, NEXT_DESTINATION},
	 .more_fragments = true,
	 .protocol = NEXT_UDP},
};

static void arrange_tcp_and_udp(void)
{
	arrange_web();
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
}

TestSuite(malformed, .init = arrange_tcp_and_udp, .fini = balancer_close);

static bool forwarded(const struct result *result)
{
	return result->outcome <= LARCH_FORWARD_UNKNOWN;
}

/* The lengths in the IP header stay: they promise bytes that have been cut off. */
Test(malformed, a_packet_cut_at_any_length_is_never_forwarded)
{
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct frame whole = frame_build(&shapes[i]);

		for (size_t size = SHORTEST_FRAME; size < whole.size - shapes[i].trailer; size++) {
			struct frame cut = frame_cut(&whole, size);
			struct result result = balancer_send(&cut);

			cr_assert_not(forwarded(&result), "shape %zu cut at %zu", i, size);
		}
	}
	cr_assert_eq(balancer_outcome(LARCH_DROP_TRUNCATED).packets, 0);
}

static void set_ip_length(struct frame *frame, bool ipv6)
{
	size_t bytes = frame->size - frame->network;

	if (ipv6)
		frame_set16(frame, frame->network + 4, (uint16_t)(bytes - IPV6_BYTES));
	else
		frame_set16(frame, frame->network + 2, (uint16_t)bytes);
}

static size_t transport_bytes(const struct spec *spec)
{
	return spec->protocol == NEXT_UDP ? UDP_BYTES : TCP_BYTES + 4u * spec->tcp_options;
}

/* Here the IP header tells the truth, so only the transport header can be found wanting. */
Test(malformed, a_transport_header_cut_at_any_length_is_dropped_and_payload_is_not_missed)
{
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct frame whole = frame_build(&shapes[i]);
		size_t enough = whole.transport + transport_bytes(&shapes[i]);

		if (shapes[i].more_fragments || shapes[i].protocol == 1 ||
		    shapes[i].protocol == NEXT_ICMPV6)
			continue;
		for (size_t size = whole.transport; size <= whole.size; size++) {
			struct frame cut = frame_cut(&whole, size);
			struct result result;

			set_ip_length(&cut, shapes[i].ipv6);
			result = balancer_send(&cut);
			cr_assert_eq(forwarded(&result), size >= enough, "shape %zu cut at %zu: %s",
				     i, size, outcomes_name(result.outcome));
			cr_assert(forwarded(&result) || result.outcome == LARCH_DROP_TRUNCATED);
		}
	}
}

/* The bytes are in the frame, but behind the end of the IP packet. */
Test(malformed, a_transport_header_in_the_ethernet_padding_is_not_read)
{
	for (uint8_t missing = 1; missing <= TCP_BYTES; missing++) {
		struct frame ipv4 = FRAME(.flags = SYN), ipv6 = FRAME(.ipv6 = true, .flags = SYN);

		frame_set16(&ipv4, ipv4.network + 2, IPV4_BYTES + TCP_BYTES - missing);
		frame_set16(&ipv6, ipv6.network + 4, TCP_BYTES - missing);
		EXPECT(balancer_send(&ipv4), DROP_TRUNCATED);
		EXPECT(balancer_send(&ipv6), DROP_TRUNCATED);
	}
}

Test(malformed, every_ipv4_version_and_header_length)
{
	struct frame frame = FRAME(.flags = SYN, .payload = 60);

	for (unsigned byte = 0; byte <= 0xff; byte++) {
		struct frame damaged = frame;
		struct result result;

		damaged.byte[damaged.network] = (uint8_t)byte;
		result = balancer_send(&damaged);
		if (byte >> 4 != 4 || (byte & 15) < 5)
			EXPECT(result, PASS_MALFORMED);
	}
}

/* All values of the IP length field; only those that fit what is there are forwarded. */
static void check_ip_lengths(const struct spec *spec, size_t field, size_t least)
{
	struct frame frame = frame_build(spec);
	size_t most = frame.size - frame.network - (spec->ipv6 ? IPV6_BYTES : 0);

	for (size_t value = 0; value <= 0xffff; value += value < 200 || value > 65500 ? 1 : 97) {
		struct frame damaged = frame;
		struct result result;

		frame_set16(&damaged, damaged.network + field, (uint16_t)value);
		result = balancer_send(&damaged);
		cr_assert_eq(forwarded(&result), value >= least && value <= most, "%zu: %s", value,
			     outcomes_name(result.outcome));
	}
}

Test(malformed, every_ipv4_length)
{
	check_ip_lengths(&(struct spec){.payload = 50}, 2, IPV4_BYTES + TCP_BYTES);
	check_ip_lengths(&(struct spec){.protocol = NEXT_UDP}, 2, IPV4_BYTES + UDP_BYTES);
	check_ip_lengths(&(struct spec){.ipv4_options = 3, .payload = 1}, 2, 32 + TCP_BYTES);
}

Test(malformed, every_ipv6_length)
{
	check_ip_lengths(&(struct spec){.ipv6 = true, .payload = 50}, 4, TCP_BYTES);
	check_ip_lengths(&(struct spec){.ipv6 = true, .protocol = NEXT_UDP}, 4, UDP_BYTES);
	check_ip_lengths(
		&(struct spec){.ipv6 = true, .extensions = 1, .extension = {NEXT_DESTINATION}}, 4,
		16 + TCP_BYTES);
}

Test(malformed, every_tcp_header_length)
{
	struct frame frame = FRAME(.payload = 12);

	for (unsigned words = 0; words <= 15; words++) {
		struct frame damaged = frame;
		struct result result;

		damaged.byte[damaged.transport + 12] = (uint8_t)(words << 4);
		result = balancer_send(&damaged);
		cr_assert_eq(forwarded(&result), words >= 5 && words <= 8, "%u words", words);
	}
}

/* Larch does not use it, so it is the server's to judge; but it must do no harm. */
Test(malformed, every_udp_length)
{
	struct frame frame = FRAME(.protocol = NEXT_UDP, .payload = 12);

	for (unsigned value = 0; value <= 0xffff; value += 31) {
		frame_set16(&frame, frame.transport + 4, (uint16_t)value);
		cr_assert_leq(balancer_send(&frame).outcome, LARCH_FORWARD_UNKNOWN);
	}
}

static void check_extension_lengths(uint8_t kind)
{
	struct frame frame =
		FRAME(.ipv6 = true, .extensions = 1, .extension = {kind}, .payload = 90);

	for (unsigned length = 0; length <= 0xff; length++) {
		struct frame damaged = frame;
		struct result result;
		size_t bytes = kind == NEXT_AUTHENTICATION ? 8 + 4 * length : 8 + 8 * length;

		damaged.byte[damaged.network + IPV6_BYTES + 1] = (uint8_t)length;
		result = balancer_send(&damaged);
		cr_assert(result.outcome == LARCH_PASS_MALFORMED || kind == NEXT_FRAGMENT ||
				  damaged.network + IPV6_BYTES + bytes <= damaged.size,
			  "kind %u length %u: %s", kind, length, outcomes_name(result.outcome));
	}
}

Test(malformed, every_length_of_every_extension_header)
{
	static const uint8_t kinds[] = {NEXT_HOP_BY_HOP, NEXT_ROUTING, NEXT_FRAGMENT,
					NEXT_AUTHENTICATION, NEXT_DESTINATION};

	for (size_t i = 0; i < COUNT(kinds); i++)
		check_extension_lengths(kinds[i]);
}

Test(malformed, every_next_header_and_protocol)
{
	for (unsigned protocol = 0; protocol <= 0xff; protocol++) {
		struct frame ipv4 = FRAME(.payload = 90), ipv6 = FRAME(.ipv6 = true, .payload = 90);

		ipv4.byte[ipv4.network + 9] = (uint8_t)protocol;
		ipv6.byte[ipv6.network + 6] = (uint8_t)protocol;
		balancer_send(&ipv4);
		balancer_send(&ipv6);
	}
	cr_assert_eq(balancer_received(), 512);
}

/* By every way to the backends. */
Test(malformed, random_damage_is_always_counted_once)
{
	static const enum larch_mode modes[] = {LARCH_MODE_IPIP, LARCH_MODE_GUE, LARCH_MODE_L2};
	struct prng prng = prng_seed(7, 0);

	for (size_t i = 0; i < MUTATIONS; i++) {
		struct frame frame = frame_build(&shapes[i % COUNT(shapes)]);

		if (i % 1000 == 0)
			arrange_backends(i % 2000 ? LARCH_TUNNEL_IPV4 : LARCH_TUNNEL_IPV6);
		arrange_mode(modes[prng_below(&prng, COUNT(modes))]);
		damage(frame.byte, &frame.size, FRAME_MOST, &prng);
		balancer_send(&frame);
	}
	cr_assert_eq(balancer_received(), MUTATIONS);
	cr_assert_gt(balancer_outcome(LARCH_FORWARD_FLOW).packets, 0);
	cr_assert_gt(balancer_outcome(LARCH_PASS_MALFORMED).packets, 0);
}
