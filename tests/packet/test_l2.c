// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage forward, Ethernet addresses rewritten (L2), and the host itself as a backend: what leaves,
 * byte for byte, what does not, and that flows are followed as in tunnels.
 */
#include <linux/bpf.h>
#include <string.h>

#include "arrange.h"
#include "conversation.h"
#include "outer.h"

#define OTHER_INTERFACE 7

static void arrange_l2(void)
{
	arrange_web();
	arrange_mode(LARCH_MODE_L2);
}

TestSuite(l2, .init = arrange_l2, .fini = balancer_close);
TestSuite(local, .init = arrange_web, .fini = balancer_close);

/* Another Ethernet header, no VLAN tags, and the packet as it came. */
static struct frame expected(const struct spec *spec, const struct frame *in, uint32_t backend)
{
	const struct outer none = {.bare = true};

	return outer_frame(spec, in, &none, backend);
}

static void check_whole_frame(const struct spec *spec)
{
	struct frame in = frame_build(spec), want;
	struct result result = balancer_send(&in);

	want = expected(spec, &in, backend_reached(&result));
	cr_assert_eq(result.verdict, XDP_TX);
	frame_expect(&result.frame, &want);
}

/* The backend's own address may be of either family. */
Test(l2, both_families_byte_for_byte)
{
	for (uint8_t i = 0; i < 48; i++) {
		struct spec spec = {
			.ipv6 = i & 1,
			.client = i,
			.vlans = (uint8_t)(i / 4 % 3),
			.trailer = (uint8_t)(i / 12 % 2 * 6),
			.payload = (uint16_t)(i * 30),
			.traffic_class = i,
		};

		arrange_backends(i & 2 ? LARCH_TUNNEL_IPV6 : LARCH_TUNNEL_IPV4);
		check_whole_frame(&spec);
	}
}

Test(l2, headers_with_options_and_extensions_stay_as_they_are)
{
	check_whole_frame(&(struct spec){.ipv4_options = 10, .tcp_options = 10});
	check_whole_frame(&(struct spec){
		.ipv6 = true, .extensions = 2, .extension = {NEXT_ROUTING, NEXT_DESTINATION}});
}

Test(l2, a_flow_stays_with_its_backend)
{
	struct result first = SEND(.flags = SYN), second = SEND(.payload = 20);

	EXPECT(first, FORWARD_NEW);
	EXPECT(second, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&first), backend_reached(&second));
}

static void set_backends(uint8_t ready, uint32_t ifindex)
{
	for (uint32_t m = 0; m < MEMBERS; m++) {
		struct larch_backend backend = balancer_backend(FIRST_BACKEND + m);

		backend.ready = ready;
		backend.ifindex = ifindex;
		balancer_set_backend(FIRST_BACKEND + m, &backend);
	}
}

/* Its MAC is the router's, who would not know what to do with the packet. */
Test(l2, a_backend_behind_a_router_gets_nothing)
{
	set_backends(LARCH_READY_ROUTED, INGRESS);
	EXPECT(SEND(.client = 1), DROP_NO_NEXTHOP);
	arrange_mode(LARCH_MODE_IPIP);
	EXPECT(SEND(.client = 2), FORWARD_UNKNOWN);
	arrange_mode(LARCH_MODE_GUE);
	EXPECT(SEND(.client = 3), FORWARD_UNKNOWN);
}

Test(l2, a_backend_whose_next_hop_is_not_known_gets_nothing)
{
	set_backends(0, INGRESS);
	EXPECT(SEND(), DROP_NO_NEXTHOP);
}

Test(l2, is_redirected_to_another_interface)
{
	set_backends(LARCH_READY_DIRECT, OTHER_INTERFACE);
	cr_assert_eq(SEND().verdict, XDP_REDIRECT);
}

Test(l2, a_packet_may_fill_the_mtu)
{
	struct spec spec = {.payload = BACKEND_MTU - IPV4_BYTES - TCP_BYTES};

	for (spec.vlans = 0; spec.vlans <= 2; spec.vlans++)
		check_whole_frame(&spec);
	spec.vlans = 0;
	spec.payload++;
	EXPECT(balancer_send_spec(&spec), DROP_TOO_BIG);
}

static const enum larch_mode modes[] = {LARCH_MODE_IPIP, LARCH_MODE_GUE, LARCH_MODE_L2};

/* Whatever the frame, it goes to a first backend that is this host. */
static void only_this_host(void)
{
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	arrange_backend(FIRST_BACKEND, LARCH_TUNNEL_LOCAL, INGRESS);
}

/* That the frame is as it came, the harness sees to. */
Test(local, its_packets_pass_whatever_the_mode)
{
	only_this_host();
	for (uint32_t i = 0; i < 6 * COUNT(modes); i++) {
		struct spec spec = {
			.client = i,
			.ipv6 = i & 1,
			.flags = SYN,
			.vlans = (uint8_t)(i % 3),
			.trailer = 5,
		};
		struct result result;

		arrange_mode(modes[i / 6]);
		result = balancer_send_spec(&spec);
		EXPECT(result, FORWARD_NEW);
		cr_assert_eq(result.verdict, XDP_PASS);
		spec.flags = ACK;
		result = balancer_send_spec(&spec);
		EXPECT(result, FORWARD_FLOW);
		cr_assert_eq(result.verdict, XDP_PASS);
	}
	cr_assert_eq(balancer_backend_traffic(FIRST_BACKEND).packets, 12 * COUNT(modes));
	cr_assert_eq(balancer_backend_traffic(FIRST_BACKEND).flows, 6 * COUNT(modes));
}

/* Its answers would not come by here; and an address that is not this host's would come back. */
Test(local, nat_does_not_send_to_this_host)
{
	arrange_mode(LARCH_MODE_NAT);
	only_this_host();
	EXPECT(SEND(.client = 1, .flags = SYN), DROP_NO_NEXTHOP);
	EXPECT(SEND(.client = 1, .flags = ACK), DROP_NO_NEXTHOP);
	arrange_all_rings(WEB, 0, 0, 1);
	arrange_backend(FIRST_BACKEND + 1, LARCH_TUNNEL_IPV4, INGRESS);
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_NEW);
}

Test(local, any_size_fits)
{
	only_this_host();
	EXPECT(SEND(.payload = 1900), FORWARD_UNKNOWN);
}

Test(local, gets_nothing_when_it_is_not_ready)
{
	only_this_host();
	set_backends(0, INGRESS);
	EXPECT(SEND(), DROP_NO_NEXTHOP);
}

Test(local, takes_its_share_among_others)
{
	unsigned here = 0, elsewhere = 0;

	arrange_backend(FIRST_BACKEND, LARCH_TUNNEL_LOCAL, INGRESS);
	for (uint32_t i = 0; i < 400; i++) {
		struct result result = SEND(.client = i, .flags = SYN);

		here += result.verdict == XDP_PASS;
		elsewhere += result.verdict == XDP_TX;
	}
	cr_assert_eq(here + elsewhere, 400);
	cr_assert(here > 50 && here < 150, "%u of 400 are here", here);
}

TestSuite(local_sample, .init = conversation_begin, .fini = balancer_close);

Test(local_sample, is_timed_as_others_are)
{
	struct larch_samples found;

	arrange_backend(FIRST_BACKEND, LARCH_TUNNEL_LOCAL, INGRESS);
	connect_in(SHORT_US);
	exchange(LONG_US, 100, 3000);
	found = samples();
	cr_assert_eq(found.connects, 1);
	cr_assert_eq(found.responses, 1);
	cr_assert(took(found.response_us, LONG_US));
}
