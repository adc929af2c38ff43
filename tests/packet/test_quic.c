// SPDX-License-Identifier: BSD-2-Clause
// QUIC by connection id: an id that a server chose names its backend, whatever the client's
// address.
#include <arpa/inet.h>
#include <string.h>

#include "arrange.h"

#define CONFIG	  5
#define ID_BYTES  4
#define SHORT	  0x40
#define INITIAL	  0xc0
#define HANDSHAKE 0xe0
#define QUIC_V2	  0x6b3343cf
#define OWNER	  (FIRST_BACKEND + 2)

static const uint8_t server_id[ID_BYTES] = {0xc0, 0xff, 0xee, 0x02};

static void arrange_quic(void)
{
	struct larch_quic key = {.service = WEB};

	arrange_web();
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	arrange_all_rings(WEB, 0, 0, 1);
	balancer.services[WEB].policy.flags = LARCH_SERVICE_QUIC;
	balancer.services[WEB].quic_config = CONFIG;
	balancer.services[WEB].quic_bytes = ID_BYTES;
	memcpy(key.id, server_id, sizeof(server_id));
	balancer_put_quic(&key, OWNER);
}

TestSuite(quic, .init = arrange_quic, .fini = balancer_close);

/* A UDP packet whose payload begins like QUIC's; a long header if `first` says so. */
static struct frame quic(const struct spec *spec, uint8_t first, uint32_t version)
{
	struct spec udp = *spec;
	struct frame frame;
	uint8_t *at;

	udp.protocol = NEXT_UDP;
	udp.payload = 60;
	frame = frame_build(&udp);
	at = &frame.byte[frame.transport + UDP_BYTES];
	*at++ = first;
	if (first & 0x80) {
		version = htonl(version);
		memcpy(at, &version, sizeof(version));
		at += sizeof(version);
		*at++ = 20;
	}
	*at++ = CONFIG << 5;
	memcpy(at, server_id, sizeof(server_id));
	return frame;
}

/* The first byte of the connection id. */
static uint8_t *id_of(struct frame *frame)
{
	uint8_t *at = &frame->byte[frame->transport + UDP_BYTES];

	return at + (*at & 0x80 ? 6 : 1);
}

static void expect_owner(const struct frame *frame)
{
	struct result result = balancer_send(frame);

	EXPECT(result, FORWARD_QUIC);
	cr_assert_eq(backend_reached(&result), OWNER);
}

static void expect_ring(const struct frame *frame)
{
	struct result result = balancer_send(frame);

	EXPECT(result, FORWARD_NEW);
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND);
}

Test(quic, a_short_header_goes_to_the_backend_that_its_id_names)
{
	struct spec specs[] = {{.client = 1}, {.client = 2}, {.ipv6 = true}};

	for (size_t i = 0; i < COUNT(specs); i++) {
		struct frame frame = quic(&specs[i], SHORT, 0);

		expect_owner(&frame);
		cr_assert_null(flow_of(&specs[i]));
	}
}

Test(quic, so_does_a_handshake_packet_of_either_version)
{
	struct spec spec = {};
	struct frame first = quic(&spec, HANDSHAKE, 1), second = quic(&spec, 0xf0, QUIC_V2);

	expect_owner(&first);
	expect_owner(&second);
}

/* RFC 9287: peers that agree on it clear the bit in some connections. */
Test(quic, the_fixed_bit_may_be_cleared)
{
	struct spec spec = {};
	struct frame one = quic(&spec, SHORT & ~0x40, 0), other = quic(&spec, HANDSHAKE & ~0x40, 1);

	expect_owner(&one);
	expect_owner(&other);
}

/* Their connection id is the client's own choice. */
Test(quic, initial_packets_go_by_the_hash)
{
	struct spec spec = {.client = 3}, other = {.client = 4};
	struct frame first = quic(&spec, INITIAL, 1), second = quic(&other, 0xd0, QUIC_V2);

	expect_ring(&first);
	expect_ring(&second);
}

Test(quic, an_unknown_version_goes_by_the_hash)
{
	struct spec spec = {};
	struct frame frame = quic(&spec, HANDSHAKE, 0xff00001d);

	expect_ring(&frame);
}

Test(quic, an_id_of_another_kind_or_of_nobody_goes_by_the_hash)
{
	struct spec spec = {.client = 5}, other = {.client = 6};
	struct frame frame = quic(&spec, SHORT, 0);

	*id_of(&frame) = 7 << 5;
	expect_ring(&frame);
	frame = quic(&other, SHORT, 0);
	id_of(&frame)[ID_BYTES] ^= 1;
	expect_ring(&frame);
}

Test(quic, a_backend_that_is_gone_leaves_the_hash)
{
	struct spec spec = {};
	struct frame frame = quic(&spec, SHORT, 0);
	struct larch_backend none = {};

	balancer_set_backend(OWNER, &none);
	expect_ring(&frame);
}

Test(quic, a_packet_too_short_for_an_id_goes_by_the_hash)
{
	struct frame frame = FRAME(.protocol = NEXT_UDP, .payload = 5);

	frame.byte[frame.transport + UDP_BYTES] = SHORT;
	expect_ring(&frame);
}

Test(quic, a_service_without_it_goes_by_the_hash)
{
	struct spec spec = {};
	struct frame frame = quic(&spec, SHORT, 0);

	balancer.services[WEB].policy.flags = 0;
	expect_ring(&frame);
}
