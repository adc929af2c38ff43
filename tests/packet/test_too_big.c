// SPDX-License-Identifier: BSD-2-Clause
/*
 * What does not fit the way to its backend: its sender is told how much would, and which senders
 * are told nothing.
 */
#include <string.h>

#include "arrange.h"
#include "outer.h"
#include "reply.h"

#define LIMIT	      100000
#define IPV4_CLASS    0xc0
#define TOO_MUCH      1440 /* bytes of payload: fits 1500, but not with a tunnel's header */
#define HEADROOM_STEP 4
#define HEADROOM_MOST 252 /* of metadata */

static void arrange_too_big(void)
{
	arrange_web();
	stay_on_one_cpu();
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	balancer.settings->limit[LARCH_LIMIT_TOO_BIG] = LIMIT;
}

TestSuite(too_big, .init = arrange_too_big, .fini = balancer_close);

static void all_backends(enum larch_tunnel tunnel, uint16_t mtu)
{
	for (uint32_t m = 0; m < MEMBERS; m++) {
		struct larch_backend backend;

		arrange_backend(FIRST_BACKEND + m, tunnel, INGRESS);
		backend = balancer_backend(FIRST_BACKEND + m);
		backend.mtu = mtu;
		balancer_set_backend(FIRST_BACKEND + m, &backend);
	}
}

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* clang-format off */
static void put_ipv4(uint8_t *out, const struct frame *in)
{
	const size_t total = IPV4_BYTES + ICMP_BYTES + TOO_BIG_QUOTED;
	const uint8_t header[12] = {
		0x45, IPV4_CLASS, (uint8_t)(total >> 8), (uint8_t)total,
		0, 0, 0x40, 0,
		64, NEXT_ICMP, 0, 0,
	};
	uint16_t checksum;

	memcpy(out, header, sizeof(header));
	memcpy(out + 12, in->byte + in->network + 16, 4);
	memcpy(out + 16, in->byte + in->network + 12, 4);
	checksum = internet_checksum(out, IPV4_BYTES);
	out[10] = (uint8_t)(checksum >> 8);
	out[11] = (uint8_t)checksum;
}

static void put_ipv6(uint8_t *out, const struct frame *in)
{
	const size_t bytes = ICMP_BYTES + TOO_BIG_QUOTED;
	const uint8_t header[8] = {
		0x60, 0, 0, 0, (uint8_t)(bytes >> 8), (uint8_t)bytes, NEXT_ICMPV6, 64,
	};

	memcpy(out, header, sizeof(header));
	memcpy(out + 8, in->byte + in->network + 24, 16);
	memcpy(out + 24, in->byte + in->network + 8, 16);
}
/* clang-format on */

/* The message, put together from the packet by RFC 1191 and RFC 4443. */
static struct frame message(const struct frame *in, bool ipv6, uint32_t mtu)
{
	size_t header = ipv6 ? IPV6_BYTES : IPV4_BYTES;
	struct frame out = {
		.network = in->network,
		.transport = in->network + header,
		.size = in->network + header + ICMP_BYTES + TOO_BIG_QUOTED,
	};
	uint8_t *icmp = out.byte + out.transport;

	memcpy(out.byte, in->byte + 6, 6);
	memcpy(out.byte + 6, in->byte, 6);
	memcpy(out.byte + 12, in->byte + 12, in->network - 12);
	(ipv6 ? put_ipv6 : put_ipv4)(out.byte + out.network, in);
	icmp[0] = ipv6 ? TOO_BIG_V6 : UNREACHABLE;
	icmp[1] = ipv6 ? 0 : FRAGMENTATION;
	put32(icmp + 4, mtu);
	memcpy(icmp + ICMP_BYTES, in->byte + in->network, TOO_BIG_QUOTED);
	icmp_set_checksum(&out);
	return out;
}

static void check_message(const struct spec *spec, uint32_t mtu)
{
	struct frame in = frame_build(spec), want = message(&in, spec->ipv6, mtu);
	struct result result = balancer_send(&in);

	EXPECT(result, REPLY_TOO_BIG);
	cr_assert_eq(result.frame.size, want.size, "%zu instead of %zu bytes", result.frame.size,
		     want.size);
	for (size_t i = 0; i < want.size; i++)
		cr_assert_eq(result.frame.byte[i], want.byte[i], "byte %zu is %02x instead of %02x",
			     i, result.frame.byte[i], want.byte[i]);
}

static void check_families(enum larch_tunnel tunnel, uint32_t overhead)
{
	all_backends(tunnel, BACKEND_MTU);
	for (uint8_t vlans = 0; vlans <= 2; vlans++) {
		for (uint8_t trailer = 0; trailer <= 6; trailer += 6) {
			check_message(&(struct spec){.vlans = vlans,
						     .trailer = trailer,
						     .client = vlans,
						     .payload = TOO_MUCH + 1},
				      BACKEND_MTU - overhead);
			check_message(&(struct spec){.ipv6 = true,
						     .vlans = vlans,
						     .trailer = trailer,
						     .client = vlans,
						     .payload = TOO_MUCH},
				      BACKEND_MTU - overhead);
		}
	}
}

Test(too_big, the_sender_is_told_what_fits_into_an_ipv4_tunnel)
{
	check_families(LARCH_TUNNEL_IPV4, IPV4_BYTES);
}

Test(too_big, the_sender_is_told_what_fits_into_an_ipv6_tunnel)
{
	check_families(LARCH_TUNNEL_IPV6, IPV6_BYTES);
}

Test(too_big, the_sender_is_told_what_fits_into_udp)
{
	arrange_mode(LARCH_MODE_GUE);
	check_families(LARCH_TUNNEL_IPV4, IPV4_BYTES + UDP_BYTES + GUE_BYTES);
	check_families(LARCH_TUNNEL_IPV6, IPV6_BYTES + UDP_BYTES + GUE_BYTES);
}

Test(too_big, the_sender_is_told_what_fits_without_a_tunnel)
{
	arrange_mode(LARCH_MODE_L2);
	all_backends(LARCH_TUNNEL_IPV4, 1400);
	for (uint32_t m = 0; m < MEMBERS; m++) {
		struct larch_backend backend = balancer_backend(FIRST_BACKEND + m);

		backend.ready = LARCH_READY_DIRECT;
		balancer_set_backend(FIRST_BACKEND + m, &backend);
	}
	check_message(&(struct spec){.payload = TOO_MUCH}, 1400);
	check_message(&(struct spec){.ipv6 = true, .vlans = 1, .payload = TOO_MUCH}, 1400);
}

/* Addresses and contents move the sums through their carries. */
Test(too_big, the_checksums_are_right_whatever_is_quoted)
{
	for (uint32_t client = 0; client < 700; client++) {
		check_message(&(struct spec){.client = client,
					     .payload = (uint16_t)(TOO_MUCH + 1 + client % 20),
					     .sequence = client * 0x01010101u},
			      BACKEND_MTU - IPV4_BYTES);
		check_message(&(struct spec){.ipv6 = true,
					     .client = client,
					     .protocol = NEXT_UDP,
					     .payload = TOO_MUCH},
			      BACKEND_MTU - IPV4_BYTES);
	}
}

Test(too_big, options_and_extensions_are_quoted)
{
	check_message(&(struct spec){.ipv4_options = 10, .payload = TOO_MUCH},
		      BACKEND_MTU - IPV4_BYTES);
	check_message(&(struct spec){.ipv6 = true,
				     .extensions = 2,
				     .extension = {NEXT_HOP_BY_HOP, NEXT_DESTINATION},
				     .payload = TOO_MUCH},
		      BACKEND_MTU - IPV4_BYTES);
}

Test(too_big, what_just_fits_is_sent_and_one_byte_more_is_told)
{
	uint16_t fits = BACKEND_MTU - 2 * IPV4_BYTES - TCP_BYTES;

	EXPECT(SEND(.flags = SYN, .payload = fits), FORWARD_NEW);
	check_message(&(struct spec){.payload = fits + 1}, BACKEND_MTU - IPV4_BYTES);
	EXPECT(SEND(.payload = fits), FORWARD_FLOW);
}

/* No sender goes below 1280 (RFC 8200): it is told so, unless it was no bigger than that. */
Test(too_big, less_than_every_link_takes_is_never_told)
{
	uint16_t headers = IPV6_BYTES + TCP_BYTES;

	all_backends(LARCH_TUNNEL_IPV4, 1280);
	check_message(&(struct spec){.ipv6 = true, .payload = TOO_MUCH}, 1280);
	check_message(&(struct spec){.ipv6 = true, .payload = 1281 - headers}, 1280);
	EXPECT(SEND(.ipv6 = true, .payload = 1280 - headers), DROP_TOO_BIG);
	EXPECT(SEND(.ipv6 = true, .payload = 1261 - headers), DROP_TOO_BIG);
	check_message(&(struct spec){.payload = TOO_MUCH}, 1260);
	all_backends(LARCH_TUNNEL_IPV4, 80);
	check_message(&(struct spec){.payload = TOO_MUCH}, 68);
	all_backends(LARCH_TUNNEL_IPV4, 10);
	check_message(&(struct spec){.payload = TOO_MUCH}, 68);
}

Test(too_big, what_is_too_small_to_be_quoted_is_dropped)
{
	uint16_t least = TOO_BIG_QUOTED - IPV4_BYTES - TCP_BYTES;

	all_backends(LARCH_TUNNEL_IPV4, 100);
	EXPECT(SEND(.payload = least - 1), DROP_TOO_BIG);
	EXPECT(SEND(.payload = least - 1, .trailer = 6), DROP_TOO_BIG);
	check_message(&(struct spec){.payload = least}, 80);
}

Test(too_big, of_fragments_only_the_first_is_answered)
{
	struct spec first = {
		.more_fragments = true, .protocol = NEXT_UDP, .payload = TOO_MUCH + 16};
	struct spec first6 = {.ipv6 = true,
			      .more_fragments = true,
			      .extensions = 1,
			      .extension = {NEXT_FRAGMENT},
			      .payload = TOO_MUCH};

	check_message(&first, BACKEND_MTU - IPV4_BYTES);
	check_message(&first6, BACKEND_MTU - IPV4_BYTES);
	EXPECT(SEND(.fragment_offset = 180, .protocol = NEXT_UDP), DROP_FRAGMENT);
	first.payload = 800;
	EXPECT(balancer_send_spec(&first), FORWARD_FLOW);
	EXPECT(SEND(.fragment_offset = 100, .protocol = NEXT_UDP, .payload = TOO_MUCH + 20),
	       DROP_TOO_BIG);
}

Test(too_big, an_icmp_error_is_not_answered)
{
	struct spec flow = {.payload = TOO_MUCH}, outer = {.from = "198.51.100.99"};
	struct frame frame = icmp_error_about(&outer, UNREACHABLE, 0, &flow, TOO_MUCH + 40);

	frame.size = frame.network + IPV4_BYTES + ICMP_BYTES + TOO_MUCH + 40;
	all_backends(LARCH_TUNNEL_IPV4, 1000);
	EXPECT(balancer_send(&frame), DROP_TOO_BIG);
}

Test(too_big, a_source_that_is_no_single_host_is_not_answered)
{
	struct frame group = FRAME(.payload = TOO_MUCH + 1);

	EXPECT(SEND(.payload = TOO_MUCH + 1, .from = "0.0.0.0"), DROP_TOO_BIG);
	EXPECT(SEND(.payload = TOO_MUCH + 1, .from = "224.0.0.9"), DROP_TOO_BIG);
	EXPECT(SEND(.payload = TOO_MUCH + 1, .from = "255.255.255.255"), DROP_TOO_BIG);
	EXPECT(SEND(.ipv6 = true, .payload = TOO_MUCH, .from = "::"), DROP_TOO_BIG);
	EXPECT(SEND(.ipv6 = true, .payload = TOO_MUCH, .from = "ff0e::1"), DROP_TOO_BIG);
	group.byte[0] |= 1;
	EXPECT(balancer_send(&group), DROP_TOO_BIG);
}

Test(too_big, beyond_the_limit_it_is_dropped)
{
	balancer.settings->limit[LARCH_LIMIT_TOO_BIG] = 1;
	EXPECT(SEND(.payload = TOO_MUCH + 1), REPLY_TOO_BIG);
	EXPECT(SEND(.payload = TOO_MUCH + 1), DROP_TOO_BIG);
	balancer_age_limit(LARCH_LIMIT_TOO_BIG, 1);
	EXPECT(SEND(.ipv6 = true, .payload = TOO_MUCH), REPLY_TOO_BIG);
	balancer.settings->limit[LARCH_LIMIT_TOO_BIG] = 0;
	balancer_age_limit(LARCH_LIMIT_TOO_BIG, 1);
	EXPECT(SEND(.payload = TOO_MUCH + 1), DROP_TOO_BIG);
}

Test(too_big, what_is_answered_is_no_traffic)
{
	EXPECT(SEND(.payload = TOO_MUCH + 1), REPLY_TOO_BIG);
	cr_assert_eq(balancer_service_traffic(WEB).packets, 0);
}

/* Metadata takes up headroom; older kernels may allow too little of it to use it up. */
Test(too_big, without_headroom_it_is_dropped)
{
	struct frame frame = FRAME(.ipv6 = true, .payload = TOO_MUCH);
	struct result result = {};

	for (uint32_t taken = 0; taken <= HEADROOM_MOST; taken += HEADROOM_STEP) {
		if (!balancer_send_with_less_room(&frame, taken, &result))
			break;
		cr_assert(result.outcome == LARCH_REPLY_TOO_BIG ||
			  result.outcome == LARCH_DROP_NO_HEADROOM);
	}
}
