// SPDX-License-Identifier: BSD-2-Clause
// Builds frames; see builder.h.
#include "builder.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "endpoint.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ICMP_BYTES     8
#define AH_WORDS       4 /* of an authentication header with 12 bytes of digest, less 2 */

static void put(struct frame *frame, const void *bytes, size_t size)
{
	cr_assert_leq(frame->size + size, FRAME_MOST);
	memcpy(frame->byte + frame->size, bytes, size);
	frame->size += size;
}

static void put_number(struct frame *frame, uint64_t value, size_t bytes)
{
	for (size_t i = bytes; i-- > 0;) {
		uint8_t byte = (uint8_t)(value >> 8 * i);

		put(frame, &byte, 1);
	}
}

/* Bytes that are unlike each other and unlike zero, so that one that moved or changed shows. */
static void put_pattern(struct frame *frame, size_t bytes, uint32_t key)
{
	for (size_t i = 0; i < bytes; i++)
		put_number(frame, (key + 31 * i) % 251 + 1, 1);
}

void frame_set16(struct frame *frame, size_t at, uint16_t value)
{
	frame->byte[at] = (uint8_t)(value >> 8);
	frame->byte[at + 1] = (uint8_t)value;
}

uint16_t frame_get16(const struct frame *frame, size_t at)
{
	return (uint16_t)(frame->byte[at] << 8 | frame->byte[at + 1]);
}

uint16_t internet_checksum(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

void address_of(const char *text, __be32 out[4])
{
	struct in6_addr address;

	cr_assert(endpoint_address(text, 0, &address), "%s", text);
	memcpy(out, &address, sizeof(address));
}

static void client_address(const struct spec *spec, __be32 out[4])
{
	char text[64];

	if (spec->from) {
		address_of(spec->from, out);
		return;
	}
	if (spec->ipv6)
		snprintf(text, sizeof(text), "fd00:1::%x:%x", spec->client >> 16,
			 spec->client & 0xffff);
	else
		snprintf(text, sizeof(text), "10.%u.%u.%u", spec->client >> 16 & 255,
			 spec->client >> 8 & 255, spec->client & 255);
	address_of(text, out);
}

static void server_address(const struct spec *spec, __be32 out[4])
{
	const char *vip = spec->ipv6 ? VIP_IPV6 : VIP_IPV4;

	address_of(spec->to ? spec->to : vip, out);
}

static uint8_t protocol_of(const struct spec *spec)
{
	return spec->protocol ? spec->protocol : NEXT_TCP;
}

static uint16_t source_port_of(const struct spec *spec)
{
	return spec->source_port ? spec->source_port : 40000;
}

static uint16_t port_of(const struct spec *spec)
{
	return spec->port ? spec->port : VIP_PORT;
}

static void put_ethernet(struct frame *frame, const struct spec *spec)
{
	uint16_t ethertype = spec->ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;

	put_number(frame, GATEWAY_MAC, 6);
	put_number(frame, CLIENT_MAC, 6);
	for (unsigned i = 0; i < spec->vlans; i++) {
		put_number(frame, ETHERTYPE_VLAN, 2);
		put_number(frame, 100 + i, 2);
	}
	put_number(frame, spec->ethertype ? spec->ethertype : ethertype, 2);
	frame->network = frame->size;
}

static void put_ipv4(struct frame *frame, const struct spec *spec)
{
	__be32 from[4], to[4];

	client_address(spec, from);
	server_address(spec, to);
	put_number(frame, 0x45u + spec->ipv4_options, 1);
	put_number(frame, spec->traffic_class, 1);
	put_number(frame, 0, 2); /* length: later */
	put_number(frame, spec->identification ? spec->identification & 0xffff : 0x1234, 2);
	put_number(frame, (spec->more_fragments ? 0x2000u : 0) | spec->fragment_offset, 2);
	put_number(frame, spec->ttl ? spec->ttl : 64, 1);
	put_number(frame, protocol_of(spec), 1);
	put_number(frame, 0, 2); /* checksum: later */
	put(frame, &from[3], 4);
	put(frame, &to[3], 4);
	for (unsigned i = 0; i < 4u * spec->ipv4_options; i++)
		put_number(frame, 1, 1); /* no operation */
}

static void end_ipv4(struct frame *frame, const struct spec *spec)
{
	uint8_t *ip = frame->byte + frame->network;

	frame_set16(frame, frame->network + 2, (uint16_t)(frame->size - frame->network));
	frame_set16(frame, frame->network + 10,
		    internet_checksum(ip, IPV4_BYTES + 4u * spec->ipv4_options));
}

static uint8_t extension_after(const struct spec *spec, unsigned i)
{
	return i < spec->extensions ? spec->extension[i] : protocol_of(spec);
}

static void put_ipv6(struct frame *frame, const struct spec *spec)
{
	__be32 from[4], to[4];

	client_address(spec, from);
	server_address(spec, to);
	put_number(frame, 6u << 28 | (uint32_t)spec->traffic_class << 20 | 0x54321, 4);
	put_number(frame, 0, 2); /* length: later */
	put_number(frame, extension_after(spec, 0), 1);
	put_number(frame, spec->ttl ? spec->ttl : 64, 1);
	put(frame, from, 16);
	put(frame, to, 16);
}

static void end_ipv6(struct frame *frame)
{
	frame_set16(frame, frame->network + 4,
		    (uint16_t)(frame->size - frame->network - IPV6_BYTES));
}

/* Destination options are 16 bytes long, so that not all extension headers have the same size. */
static void put_extension(struct frame *frame, const struct spec *spec, unsigned i)
{
	uint8_t kind = spec->extension[i];

	put_number(frame, extension_after(spec, i + 1), 1);
	if (kind == NEXT_FRAGMENT) {
		put_number(frame, 0, 1);
		put_number(frame, spec->fragment_offset * 8u | spec->more_fragments, 2);
		put_number(frame, spec->identification ? spec->identification : 0x12345678, 4);
	} else if (kind == NEXT_AUTHENTICATION) {
		put_number(frame, AH_WORDS, 1);
		put_pattern(frame, 4 * AH_WORDS + 6, kind);
	} else if (kind == NEXT_DESTINATION) {
		put_number(frame, 1, 1);
		put_pattern(frame, 14, kind);
	} else {
		put_number(frame, 0, 1);
		put_pattern(frame, 6, kind);
	}
}

static void put_tcp(struct frame *frame, const struct spec *spec)
{
	put_number(frame, source_port_of(spec), 2);
	put_number(frame, port_of(spec), 2);
	put_number(frame, spec->sequence, 4);
	put_number(frame, spec->acknowledged, 4);
	put_number(frame, (5u + spec->tcp_options) << 4, 1);
	put_number(frame, spec->flags ? spec->flags : ACK, 1);
	put_pattern(frame, 6 + 4u * spec->tcp_options, 77); /* window, checksum, urgent, options */
}

static void put_udp(struct frame *frame, const struct spec *spec)
{
	put_number(frame, source_port_of(spec), 2);
	put_number(frame, port_of(spec), 2);
	put_number(frame, UDP_BYTES + spec->payload, 2);
	put_pattern(frame, 2, 99);
}

static void put_transport(struct frame *frame, const struct spec *spec)
{
	frame->transport = frame->size;
	switch (protocol_of(spec)) {
	case NEXT_TCP:
		put_tcp(frame, spec);
		break;
	case NEXT_UDP:
		put_udp(frame, spec);
		break;
	default: /* as long as an ICMP header, a whole one of which no test needs */
		put_pattern(frame, ICMP_BYTES, protocol_of(spec));
	}
	put_pattern(frame, spec->payload, spec->client);
}

struct frame frame_build(const struct spec *spec)
{
	struct frame frame = {};

	put_ethernet(&frame, spec);
	if (spec->ipv6)
		put_ipv6(&frame, spec);
	else
		put_ipv4(&frame, spec);
	for (unsigned i = 0; spec->ipv6 && i < spec->extensions; i++)
		put_extension(&frame, spec, i);
	put_transport(&frame, spec);
	if (spec->ipv6)
		end_ipv6(&frame);
	else
		end_ipv4(&frame, spec);
	put_pattern(&frame, spec->trailer, 200);
	return frame;
}

static size_t checksum_at(uint8_t protocol)
{
	return protocol == NEXT_TCP ? 16 : protocol == NEXT_UDP ? 6 : 2;
}

void frame_sum(struct frame *frame, const struct spec *spec)
{
	uint8_t protocol = protocol_of(spec), *field;
	size_t bytes = frame->size - frame->transport - spec->trailer;
	struct larch_tuple tuple = tuple_of(spec);
	const uint8_t pseudo[4] = {0, protocol, (uint8_t)(bytes >> 8), (uint8_t)bytes};
	uint8_t summed[40 + FRAME_MOST] = {};
	uint16_t sum;

	field = frame->byte + frame->transport + checksum_at(protocol);
	field[0] = field[1] = 0;
	if (protocol != NEXT_ICMP) {
		memcpy(summed, pseudo, sizeof(pseudo));
		memcpy(summed + 4, tuple.source + (spec->ipv6 ? 0 : 3), spec->ipv6 ? 16 : 4);
		memcpy(summed + 20, tuple.destination + (spec->ipv6 ? 0 : 3), spec->ipv6 ? 16 : 4);
	}
	memcpy(summed + 36, frame->byte + frame->transport, bytes);
	sum = internet_checksum(summed, 36 + bytes);
	if (protocol == NEXT_UDP && !sum)
		sum = 0xffff;
	field[0] = (uint8_t)(sum >> 8);
	field[1] = (uint8_t)sum;
}

struct frame frame_cut(const struct frame *frame, size_t size)
{
	struct frame cut = *frame;

	cr_assert_leq(size, frame->size);
	memset(cut.byte + size, 0, frame->size - size);
	cut.size = size;
	return cut;
}

struct frame frame_wrap(const struct frame *inner, bool outer_ipv6, uint8_t protocol)
{
	uint16_t bytes = (uint16_t)(inner->size - inner->network);
	struct frame outer = FRAME(.ipv6 = outer_ipv6, .protocol = protocol, .traffic_class = 0x28);

	outer.size = outer.transport;
	put(&outer, inner->byte + inner->network, bytes);
	if (outer_ipv6)
		end_ipv6(&outer);
	else
		end_ipv4(&outer, &(struct spec){});
	return outer;
}

bool frame_equal(const struct frame *a, const struct frame *b)
{
	return a->size == b->size && memcmp(a->byte, b->byte, a->size) == 0;
}

struct larch_tuple tuple_of(const struct spec *spec)
{
	struct larch_tuple tuple = {
		.source_port = htons(source_port_of(spec)),
		.destination_port = htons(port_of(spec)),
		.protocol = protocol_of(spec),
		.ipv6 = spec->ipv6,
	};

	client_address(spec, tuple.source);
	server_address(spec, tuple.destination);
	return tuple;
}
