// SPDX-License-Identifier: BSD-2-Clause
/*
 * Jumbo frames, of which the driver puts all but the begin into other buffers: they are forwarded,
 * judged by their whole length, and taken out of tunnels like others. That the rest of the tests
 * holds for this program too, a second run of them sees to (LARCH_TEST_FRAGS, see lent.h).
 */
#include <linux/bpf.h>
#include <string.h>

#include "arrange.h"
#include "outer.h"
#include "reply.h"

#define FIRST_BUFFER 3520 /* bytes of a frame that BPF_PROG_TEST_RUN leaves in one buffer */
#define LARGE	     8000
#define LIMIT	     100000

static void arrange_frags(void)
{
	arrange_jumbo();
	balancer.settings->limit[LARCH_LIMIT_ECHO] = LIMIT;
	balancer.settings->limit[LARCH_LIMIT_TOO_BIG] = LIMIT;
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
}

TestSuite(frags, .init = arrange_frags, .fini = balancer_close);
TestSuite(agent_frags, .init = agent_open_frags, .fini = agent_close);

/* As IP in IP; the payload, most of which is in other buffers, as it came. */
static void check_sent(const struct spec *spec, enum larch_tunnel tunnel)
{
	const struct outer outer = {
		.ipv6 = tunnel == LARCH_TUNNEL_IPV6,
		.protocol = spec->ipv6 ? NEXT_IPV6 : NEXT_IPIP,
	};
	struct frame in = frame_build(spec), want;
	struct result result = balancer_send(&in);

	want = outer_frame(spec, &in, &outer, backend_reached(&result));
	frame_expect(&result.frame, &want);
}

Test(frags, all_families_byte_for_byte)
{
	for (unsigned i = 0; i < 48; i++) {
		enum larch_tunnel tunnel = i & 2 ? LARCH_TUNNEL_IPV6 : LARCH_TUNNEL_IPV4;
		struct spec spec = {
			.ipv6 = i & 1,
			.protocol = i & 4 ? NEXT_UDP : NEXT_TCP,
			.client = i,
			.vlans = (uint8_t)(i % 3),
			.trailer = (uint8_t)(i & 8),
			.payload = (uint16_t)(3000 + 120 * i),
		};

		arrange_backends(tunnel);
		check_sent(&spec, tunnel);
	}
}

/* Around the sizes at which the first and the second buffer are full. */
Test(frags, any_size_byte_for_byte)
{
	for (uint16_t payload = FIRST_BUFFER - 100; payload < FIRST_BUFFER + 20; payload++)
		check_sent(&(struct spec){.payload = payload}, LARCH_TUNNEL_IPV4);
	for (uint16_t payload = FIRST_BUFFER + 4000; payload < FIRST_BUFFER + 4120; payload++)
		check_sent(&(struct spec){.payload = payload}, LARCH_TUNNEL_IPV4);
}

/* The checksum follows from headers: the payload in other buffers is not read. */
Test(frags, gue_has_a_valid_checksum)
{
	arrange_mode(LARCH_MODE_GUE);
	arrange_backends(LARCH_TUNNEL_IPV6);
	for (unsigned i = 0; i < 40; i++) {
		struct spec spec = {
			.ipv6 = i & 1,
			.protocol = i & 2 ? NEXT_UDP : NEXT_TCP,
			.payload = (uint16_t)(FIRST_BUFFER + 123 * i),
		};
		struct frame in = frame_build(&spec);
		struct result result;

		frame_sum(&in, &spec);
		result = balancer_send(&in);
		backend_reached(&result);
		cr_assert_eq(outer_udp_checksum(&result.frame), 0);
	}
}

Test(frags, l2_and_this_host_get_them_as_they_are)
{
	arrange_mode(LARCH_MODE_L2);
	cr_assert_eq(SEND(.payload = LARGE).verdict, XDP_TX);
	cr_assert_eq(SEND(.payload = LARGE, .vlans = 2, .ipv6 = true).verdict, XDP_TX);
	arrange_backends(LARCH_TUNNEL_LOCAL);
	cr_assert_eq(SEND(.payload = LARGE).verdict, XDP_PASS);
}

Test(frags, bytes_are_counted_in_all_buffers)
{
	struct frame frame = FRAME(.payload = LARGE, .flags = SYN);

	balancer_send(&frame);
	cr_assert_eq(balancer_service_traffic(WEB).bytes, frame.size);
}

Test(frags, the_sender_of_what_does_not_fit_the_way_is_told)
{
	struct spec spec = {.payload = JUMBO_MTU - 2 * IPV4_BYTES - TCP_BYTES};
	struct result result;
	struct frame in;

	EXPECT(balancer_send_spec(&spec), FORWARD_UNKNOWN);
	spec.payload++;
	in = frame_build(&spec);
	result = balancer_send(&in);
	EXPECT(result, REPLY_TOO_BIG);
	cr_assert_eq(result.frame.size, ETHERNET_BYTES + IPV4_BYTES + ICMP_BYTES + TOO_BIG_QUOTED);
	cr_assert_null(reply_wrong(&in, &result.frame), "%s", reply_wrong(&in, &result.frame));
}

/* Lengths that promise more than all buffers have, by a byte and by a lot. */
Test(frags, what_is_cut_off_is_not_forwarded)
{
	struct frame whole[] = {
		FRAME(.payload = LARGE),
		FRAME(.payload = LARGE, .ipv6 = true),
	};

	for (size_t i = 0; i < COUNT(whole); i++) {
		for (size_t size = whole[i].size - 1; size > 100; size -= size / 7) {
			struct frame cut = frame_cut(&whole[i], size);

			EXPECT(balancer_send(&cut), PASS_MALFORMED);
		}
	}
}

Test(frags, an_echo_request_is_answered)
{
	struct frame in = ECHO(.payload = LARGE);
	struct result result;

	result = balancer_send(&in);
	EXPECT(result, REPLY_ECHO);
	cr_assert_eq(result.frame.size, in.size);
	cr_assert_null(reply_wrong(&in, &result.frame), "%s", reply_wrong(&in, &result.frame));
}

/* What the balancer sends, the agent restores, in either kind of tunnel. */
static void check_round_trip(const struct spec *spec, enum larch_mode mode,
			     enum larch_tunnel tunnel)
{
	struct frame in = frame_build(spec);
	struct result sent, received;

	arrange_mode(mode);
	arrange_backends(tunnel);
	sent = balancer_send(&in);
	received = agent_send(&sent.frame);
	EXPECT_AGENT(received, DECAPSULATED);
	cr_assert_eq(received.frame.size, in.size);
	cr_assert_arr_eq(received.frame.byte + 12, in.byte + 12, in.size - 12);
}

Test(agent_frags, restores_what_the_balancer_was_given)
{
	arrange_jumbo();
	for (unsigned i = 0; i < 80; i++) {
		struct spec spec = {.ipv6 = i & 1, .payload = (uint16_t)(3200 + 70 * i)};

		check_round_trip(&spec, i & 4 ? LARCH_MODE_GUE : LARCH_MODE_IPIP,
				 i & 2 ? LARCH_TUNNEL_IPV6 : LARCH_TUNNEL_IPV4);
	}
	balancer_close();
}

Test(agent_frags, a_tunnel_that_promises_more_than_all_buffers_have_is_dropped)
{
	struct frame in = FRAME(.payload = LARGE);
	struct result sent;

	arrange_jumbo();
	sent = balancer_send(&in);
	balancer_close();
	for (size_t size = sent.frame.size - 1; size > 100; size -= size / 7) {
		struct frame cut = frame_cut(&sent.frame, size);

		EXPECT_AGENT(agent_send(&cut), MALFORMED);
	}
}
