// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage forward, packets in UDP (GUE): the frame that leaves, byte for byte, its checksum over
 * IPv6 among them, which is here counted over every byte; and what does not fit.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>

#include "arrange.h"
#include "outer.h"

#define OVERHEAD (UDP_BYTES + GUE_BYTES)
#define CHECKSUM 6 /* where it is in a UDP header */

static void arrange_gue(void)
{
	arrange_web();
	arrange_mode(LARCH_MODE_GUE);
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
}

TestSuite(gue, .init = arrange_gue, .fini = balancer_close);

/* The frame that should leave, with a checksum over IPv6 if `summed`. */
static struct frame expected(const struct spec *spec, const struct frame *in, bool ipv6,
			     bool summed, uint32_t backend)
{
	const struct outer outer = {false, ipv6, NEXT_UDP, OVERHEAD};
	struct frame out = outer_frame(spec, in, &outer, backend);
	size_t bytes = out.size - spec->trailer - out.transport, udp = out.transport;
	uint16_t sum;

	frame_set16(&out, udp, 0xc000 | (hash_of(spec) & 0x3fff));
	frame_set16(&out, udp + 2, 6080);
	frame_set16(&out, udp + 4, (uint16_t)bytes);
	out.byte[udp + UDP_BYTES + 1] = spec->ipv6 ? NEXT_IPV6 : NEXT_IPIP;
	if (ipv6 && summed) {
		sum = outer_udp_checksum(&out);
		frame_set16(&out, udp + CHECKSUM, sum ? sum : 0xffff);
	}
	return out;
}

static void check_sent(const struct spec *spec, const struct frame *in, bool ipv6, bool summed)
{
	struct result result = balancer_send(in);
	struct frame want = expected(spec, in, ipv6, summed, backend_reached(&result));

	cr_assert_eq(result.verdict, XDP_TX);
	frame_expect(&result.frame, &want);
	if (ipv6 && summed)
		cr_assert_eq(outer_udp_checksum(&result.frame), 0);
}

static void check_whole_frame(const struct spec *spec, bool ipv6)
{
	struct frame in = frame_build(spec);

	frame_sum(&in, spec);
	check_sent(spec, &in, ipv6, true);
}

/* With up to two VLAN tags, which go, with padding of short frames, and of any length. */
static void check_family(bool inner_ipv6, enum larch_tunnel tunnel)
{
	arrange_backends(tunnel);
	for (uint16_t i = 0; i < 60; i++) {
		struct spec spec = {
			.ipv6 = inner_ipv6,
			.client = i,
			.vlans = (uint8_t)(i % 3),
			.trailer = (uint8_t)(i % 2 * 7),
			.payload = (uint16_t)(i * 23),
			.traffic_class = 0xb9,
			.flags = i % 2 ? SYN : PSH | ACK,
			.tcp_options = (uint8_t)(i % 11),
			.ttl = (uint8_t)(i + 1),
		};

		check_whole_frame(&spec, tunnel == LARCH_TUNNEL_IPV6);
	}
}

Test(gue, ipv4_in_ipv4_byte_for_byte)
{
	check_family(false, LARCH_TUNNEL_IPV4);
}

Test(gue, ipv6_in_ipv4_byte_for_byte)
{
	check_family(true, LARCH_TUNNEL_IPV4);
}

Test(gue, ipv4_in_ipv6_byte_for_byte)
{
	check_family(false, LARCH_TUNNEL_IPV6);
}

Test(gue, ipv6_in_ipv6_byte_for_byte)
{
	check_family(true, LARCH_TUNNEL_IPV6);
}

Test(gue, datagrams_are_summed_from_their_headers_as_well)
{
	for (unsigned i = 0; i < 120; i++) {
		struct spec spec = {
			.ipv6 = i % 2,
			.protocol = NEXT_UDP,
			.client = i,
			.payload = (uint16_t)(i * 11),
			.traffic_class = (uint8_t)i,
		};

		arrange_backends(i % 4 < 2 ? LARCH_TUNNEL_IPV4 : LARCH_TUNNEL_IPV6);
		check_whole_frame(&spec, i % 4 >= 2);
	}
}

Test(gue, every_traffic_class_is_copied)
{
	for (unsigned i = 0; i <= 0x3ff; i++) {
		struct spec spec = {.traffic_class = (uint8_t)i, .ipv6 = i & 0x100};

		arrange_backends(i & 0x200 ? LARCH_TUNNEL_IPV6 : LARCH_TUNNEL_IPV4);
		check_whole_frame(&spec, i & 0x200);
	}
}

/* Addresses and lengths move the sums through all of their carries. */
Test(gue, the_checksum_is_valid_for_many_flows)
{
	arrange_backends(LARCH_TUNNEL_IPV6);
	for (uint32_t i = 0; i < 4000; i++) {
		struct spec spec = {
			.ipv6 = i % 2,
			.client = i * 0x10203,
			.payload = (uint16_t)(i % 1300),
			.ttl = (uint8_t)(i % 255 + 1),
		};

		check_whole_frame(&spec, true);
	}
}

/* The flow label is the largest number of the header; it carries into all the others. */
Test(gue, the_checksum_is_valid_for_every_kind_of_flow_label)
{
	struct spec spec = {.ipv6 = true, .traffic_class = 0xff, .ttl = 255};

	arrange_backends(LARCH_TUNNEL_IPV6);
	for (unsigned label = 0; label <= 0xffff; label += 0xff) {
		struct frame in = frame_build(&spec);

		frame_set16(&in, in.network + 2, (uint16_t)label);
		frame_sum(&in, &spec);
		check_sent(&spec, &in, true, true);
	}
}

static uint16_t checksum_of(const struct result *result)
{
	return frame_get16(&result->frame, ETHERNET_BYTES + IPV6_BYTES + CHECKSUM);
}

/* 0 would say that there is none: what comes to 0 is sent as 0xffff (RFC 768). */
Test(gue, a_checksum_of_zero_is_sent_as_its_other_form)
{
	arrange_backends(LARCH_TUNNEL_IPV6);
	for (int ipv6 = 0; ipv6 <= 1; ipv6++) {
		struct spec spec = {.ipv6 = ipv6, .payload = 90};
		struct frame in = frame_build(&spec);
		struct larch_backend backend;
		struct result result;

		frame_sum(&in, &spec);
		result = balancer_send(&in);
		backend = balancer_backend(backend_reached(&result));
		/* What the sum lacks to 0xffff goes into a word of the address that is 0. */
		backend.outer_source[1] = htons(checksum_of(&result));
		backend.checksum = outer_constant_sum(&backend);
		balancer_set_backend(backend_reached(&result), &backend);
		result = balancer_send(&in);
		cr_assert_eq(checksum_of(&result), 0xffff);
		cr_assert_eq(outer_udp_checksum(&result.frame), 0);
	}
}

static void check_unsummed(const struct spec *spec, const struct frame *in)
{
	arrange_backends(LARCH_TUNNEL_IPV6);
	check_sent(spec, in, true, false);
}

Test(gue, a_datagram_without_checksum_leaves_without_one)
{
	for (int ipv6 = 0; ipv6 <= 1; ipv6++) {
		struct spec spec = {.ipv6 = ipv6, .protocol = NEXT_UDP, .payload = 50};
		struct frame in = frame_build(&spec);

		frame_set16(&in, in.transport + CHECKSUM, 0);
		check_unsummed(&spec, &in);
	}
}

/* Bytes of the IP packet behind the datagram are in no checksum. */
Test(gue, a_datagram_shorter_than_its_packet_leaves_without_a_checksum)
{
	for (int ipv6 = 0; ipv6 <= 1; ipv6++) {
		struct spec spec = {.ipv6 = ipv6, .protocol = NEXT_UDP, .payload = 50};
		struct frame in = frame_build(&spec);

		frame_set16(&in, in.transport + 4, UDP_BYTES + 30);
		check_unsummed(&spec, &in);
	}
}

Test(gue, packets_with_options_and_extensions_leave_without_a_checksum)
{
	static const struct spec specs[] = {
		{.ipv4_options = 1},
		{.ipv4_options = 10, .protocol = NEXT_UDP},
		{.ipv6 = true, .extensions = 1, .extension = {NEXT_ROUTING}},
		{.ipv6 = true, .extensions = 2, .extension = {NEXT_HOP_BY_HOP, NEXT_DESTINATION}},
	};

	for (size_t i = 0; i < COUNT(specs); i++) {
		struct frame in = frame_build(&specs[i]);

		frame_sum(&in, &specs[i]);
		check_unsummed(&specs[i], &in);
	}
}

/* The receiver must not take for good what the client's own checksum says is broken. */
Test(gue, a_damaged_packet_has_a_checksum_that_tells)
{
	struct spec spec = {.payload = 100};
	struct frame in = frame_build(&spec);
	struct result result;

	arrange_backends(LARCH_TUNNEL_IPV6);
	frame_sum(&in, &spec);
	in.byte[in.transport + TCP_BYTES + 50] ^= 4;
	result = balancer_send(&in);
	cr_assert_neq(checksum_of(&result), 0);
	cr_assert_neq(outer_udp_checksum(&result.frame), 0);
}

static uint16_t source_port(const struct result *result)
{
	return frame_get16(&result->frame, ETHERNET_BYTES + IPV4_BYTES);
}

Test(gue, the_source_port_is_the_same_for_a_flow_and_spreads_flows_over_the_dynamic_range)
{
	static bool met[0x10000];
	unsigned ports = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		struct result first = SEND(.client = i, .flags = SYN);
		struct result second = SEND(.client = i, .payload = 50);
		uint16_t port = source_port(&first);

		cr_assert_eq(port, source_port(&second));
		cr_assert_geq(port, 0xc000);
		ports += !met[port];
		met[port] = true;
	}
	/* 1000 of 16384 at random: 970 on average, with a deviation of 5. */
	cr_assert_gt(ports, 940, "%u", ports);
}

static void check_mtu(bool ipv6, enum larch_tunnel tunnel)
{
	size_t headers = (ipv6 ? IPV6_BYTES : IPV4_BYTES) + TCP_BYTES + OVERHEAD +
			 (tunnel == LARCH_TUNNEL_IPV6 ? IPV6_BYTES : IPV4_BYTES);
	uint16_t fits = (uint16_t)(BACKEND_MTU - headers);
	struct spec spec = {.ipv6 = ipv6, .client = tunnel, .payload = fits, .vlans = 1};

	arrange_backends(tunnel);
	EXPECT(balancer_send_spec(&spec), FORWARD_UNKNOWN);
	spec.payload = fits + 1;
	EXPECT(balancer_send_spec(&spec), DROP_TOO_BIG);
}

Test(gue, what_does_not_fit_the_way_with_its_larger_tunnel_is_dropped)
{
	check_mtu(false, LARCH_TUNNEL_IPV4);
	check_mtu(true, LARCH_TUNNEL_IPV4);
	check_mtu(false, LARCH_TUNNEL_IPV6);
	check_mtu(true, LARCH_TUNNEL_IPV6);
}

Test(gue, a_flow_stays_where_it_is_when_its_service_changes_over_to_gue)
{
	struct result before, after;

	arrange_mode(LARCH_MODE_IPIP);
	before = SEND(.flags = SYN);
	arrange_mode(LARCH_MODE_GUE);
	after = SEND(.payload = 30);
	EXPECT(after, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&after), backend_reached(&before));
	cr_assert_eq(after.frame.byte[ETHERNET_BYTES + 9], NEXT_UDP);
}
