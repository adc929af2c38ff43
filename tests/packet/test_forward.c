// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage forward: the frame that leaves, byte for byte against one that is put together here from
 * the RFCs (791, 2003, 2473, 4213), and what does not leave.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>

#include "arrange.h"
#include "outer.h"

#define OTHER_INTERFACE 7

TestSuite(forward, .init = arrange_web, .fini = balancer_close);

/* Whatever the frame, it goes to the first backend. */
static void only_one_backend(enum larch_tunnel tunnel, uint32_t ifindex)
{
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	arrange_backend(FIRST_BACKEND, tunnel, ifindex);
}

static void change_backend(void (*change)(struct larch_backend *backend))
{
	struct larch_backend backend = balancer_backend(FIRST_BACKEND);

	change(&backend);
	balancer_set_backend(FIRST_BACKEND, &backend);
}

static void check_whole_frame(const struct spec *spec, bool ipv6)
{
	const struct outer outer = {false, ipv6, spec->ipv6 ? NEXT_IPV6 : NEXT_IPIP, 0};
	struct frame in = frame_build(spec);
	struct result result = balancer_send(&in);
	struct frame want = outer_frame(spec, &in, &outer, backend_reached(&result));

	cr_assert_eq(result.verdict, XDP_TX);
	frame_expect(&result.frame, &want);
}

/* With up to two VLAN tags, which go, and with and without the padding of short frames. */
static void check_family(bool inner_ipv6, enum larch_tunnel tunnel)
{
	arrange_backends(tunnel);
	for (uint8_t vlans = 0; vlans <= 2; vlans++) {
		for (uint8_t trailer = 0; trailer <= 6; trailer += 6) {
			struct spec spec = {
				.ipv6 = inner_ipv6,
				.client = vlans,
				.vlans = vlans,
				.trailer = trailer,
				.payload = 200,
				.traffic_class = 0xb9,
			};

			check_whole_frame(&spec, tunnel == LARCH_TUNNEL_IPV6);
		}
	}
}

Test(forward, ipv4_in_ipv4_byte_for_byte)
{
	check_family(false, LARCH_TUNNEL_IPV4);
}

Test(forward, ipv6_in_ipv4_byte_for_byte)
{
	check_family(true, LARCH_TUNNEL_IPV4);
}

Test(forward, ipv4_in_ipv6_byte_for_byte)
{
	check_family(false, LARCH_TUNNEL_IPV6);
}

Test(forward, ipv6_in_ipv6_byte_for_byte)
{
	check_family(true, LARCH_TUNNEL_IPV6);
}

Test(forward, headers_with_options_and_extensions_travel_inside)
{
	check_whole_frame(&(struct spec){.ipv4_options = 10, .tcp_options = 10}, false);
	check_whole_frame(&(struct spec){.ipv6 = true,
					 .extensions = 2,
					 .extension = {NEXT_ROUTING, NEXT_DESTINATION}},
			  false);
}

Test(forward, every_traffic_class_is_copied)
{
	for (unsigned class = 0; class <= 0xff; class ++) {
		struct spec spec = {.traffic_class = (uint8_t) class, .ipv6 = class % 2};

		check_whole_frame(&spec, false);
	}
	arrange_backends(LARCH_TUNNEL_IPV6);
	for (unsigned class = 0; class <= 0xff; class ++) {
		struct spec spec = {.traffic_class = (uint8_t) class, .ipv6 = class % 2};

		check_whole_frame(&spec, true);
	}
}

/* Sizes and addresses move the sum through all of its carries. */
Test(forward, the_outer_checksum_is_valid)
{
	for (uint16_t i = 0; i < 1400; i++) {
		struct result result = SEND(.client = i, .payload = i, .traffic_class = (uint8_t)i);

		backend_reached(&result);
		cr_assert_eq(internet_checksum(result.frame.byte + ETHERNET_BYTES, IPV4_BYTES), 0);
	}
}

/*
 * Sum and variable words (length 0x003c, class 0xff, protocol 4, all in network byte order) make
 * 0x1ffff: the carry of the first folding carries again.
 */
Test(forward, the_outer_checksum_is_valid_when_its_carry_carries)
{
	uint32_t variable = htons(0x003c) + htons(0x00ff) + htons(0x0004), address = 0x0aff0000;
	struct larch_backend backend;
	struct result result;

	only_one_backend(LARCH_TUNNEL_IPV4, INGRESS);
	backend = balancer_backend(FIRST_BACKEND);
	while (outer_constant_sum(&backend) + variable != 0x1ffff) {
		cr_assert_leq(address, 0x0affffff);
		backend.outer_destination[0] = htonl(address++);
	}
	backend.checksum = outer_constant_sum(&backend);
	balancer_set_backend(FIRST_BACKEND, &backend);
	result = SEND(.traffic_class = 0xff);
	backend_reached(&result);
	cr_assert_eq(internet_checksum(result.frame.byte + ETHERNET_BYTES, IPV4_BYTES), 0);
}

static uint32_t label_of(const struct result *result)
{
	uint32_t high = result->frame.byte[ETHERNET_BYTES + 1] & 0xf;

	return high << 16 | frame_get16(&result->frame, ETHERNET_BYTES + 2);
}

Test(forward, the_flow_label_is_the_same_for_a_flow_and_differs_between_flows)
{
	struct result first, second, other;

	arrange_backends(LARCH_TUNNEL_IPV6);
	first = SEND(.client = 1, .flags = SYN);
	second = SEND(.client = 1, .payload = 50);
	other = SEND(.client = 2);
	cr_assert_eq(label_of(&first), label_of(&second));
	cr_assert_neq(label_of(&first), label_of(&other));
}

Test(forward, goes_back_by_the_interface_it_came_from)
{
	only_one_backend(LARCH_TUNNEL_IPV4, INGRESS);
	cr_assert_eq(SEND().verdict, XDP_TX);
}

Test(forward, is_redirected_to_another_interface)
{
	only_one_backend(LARCH_TUNNEL_IPV4, OTHER_INTERFACE);
	cr_assert_eq(SEND().verdict, XDP_REDIRECT);
}

static void check_mtu(bool ipv6, enum larch_tunnel tunnel)
{
	size_t headers = (ipv6 ? IPV6_BYTES : IPV4_BYTES) + TCP_BYTES +
			 (tunnel == LARCH_TUNNEL_IPV6 ? IPV6_BYTES : IPV4_BYTES);
	uint16_t fits = (uint16_t)(BACKEND_MTU - headers);
	struct spec spec = {.ipv6 = ipv6, .client = tunnel, .payload = fits};

	only_one_backend(tunnel, INGRESS);
	EXPECT(balancer_send_spec(&spec), FORWARD_UNKNOWN);
	spec.vlans = 2;
	spec.trailer = 9;
	EXPECT(balancer_send_spec(&spec), FORWARD_FLOW);
	spec.payload = fits + 1;
	EXPECT(balancer_send_spec(&spec), DROP_TOO_BIG);
}

Test(forward, what_does_not_fit_the_way_with_its_tunnel_is_dropped)
{
	check_mtu(false, LARCH_TUNNEL_IPV4);
	check_mtu(true, LARCH_TUNNEL_IPV4);
	check_mtu(false, LARCH_TUNNEL_IPV6);
	check_mtu(true, LARCH_TUNNEL_IPV6);
}

static void make_not_ready(struct larch_backend *backend)
{
	backend->ready = 0;
}

static void make_unused(struct larch_backend *backend)
{
	backend->tunnel = LARCH_TUNNEL_NONE;
}

Test(forward, a_backend_without_next_hop_gets_nothing)
{
	only_one_backend(LARCH_TUNNEL_IPV4, INGRESS);
	change_backend(make_not_ready);
	EXPECT(SEND(), DROP_NO_NEXTHOP);
}

Test(forward, a_flow_goes_on_when_the_next_hop_is_known_again)
{
	only_one_backend(LARCH_TUNNEL_IPV4, INGRESS);
	EXPECT(SEND(.flags = SYN), FORWARD_NEW);
	change_backend(make_not_ready);
	EXPECT(SEND(), DROP_NO_NEXTHOP);
	arrange_backend(FIRST_BACKEND, LARCH_TUNNEL_IPV4, INGRESS);
	EXPECT(SEND(), FORWARD_FLOW);
}

Test(forward, a_backend_entry_not_in_use_gets_nothing)
{
	only_one_backend(LARCH_TUNNEL_IPV4, INGRESS);
	change_backend(make_unused);
	EXPECT(SEND(), DROP_NO_BACKEND);
}

Test(forward, a_flow_follows_its_backend_to_a_new_tunnel)
{
	only_one_backend(LARCH_TUNNEL_IPV4, INGRESS);
	EXPECT(SEND(.flags = SYN), FORWARD_NEW);
	arrange_backend(FIRST_BACKEND, LARCH_TUNNEL_IPV6, INGRESS);
	check_whole_frame(&(struct spec){.payload = 10}, true);
}
