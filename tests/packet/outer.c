// SPDX-License-Identifier: BSD-2-Clause
// What should leave for a backend; see outer.h.
#include "outer.h"

#include <criterion/criterion.h>
#include <string.h>

#include "arrange.h"

/* clang-format off */
static void write_ipv4(const struct spec *spec, size_t bytes, uint8_t protocol, uint32_t backend,
		       uint8_t *out)
{
	size_t total = bytes + IPV4_BYTES;
	const uint8_t header[IPV4_BYTES] = {
		0x45, spec->traffic_class, (uint8_t)(total >> 8), (uint8_t)total,
		0, 0, 0x40, 0,
		64, protocol, 0, 0,
		10, 254, 0, 1,
		10, 255, (uint8_t)(backend >> 8), (uint8_t)backend,
	};
	uint16_t checksum = internet_checksum(header, sizeof(header));

	memcpy(out, header, sizeof(header));
	out[10] = (uint8_t)(checksum >> 8);
	out[11] = (uint8_t)checksum;
}

static void write_ipv6(const struct spec *spec, size_t bytes, uint8_t protocol, uint32_t backend,
		       uint8_t *out)
{
	uint32_t label = hash_of(spec) & 0xfffff;
	const uint8_t header[IPV6_BYTES] = {
		(uint8_t)(0x60 | spec->traffic_class >> 4),
		(uint8_t)(spec->traffic_class << 4 | label >> 16),
		(uint8_t)(label >> 8), (uint8_t)label,
		(uint8_t)(bytes >> 8), (uint8_t)bytes, protocol, 64,
		0xfd, 0, 2, 0x54, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0xfd, 0, 2, 0x55, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)(backend >> 8), (uint8_t)backend,
	};

	memcpy(out, header, sizeof(header));
}

static void write_ethernet(bool ipv6, uint32_t backend, uint8_t *out)
{
	const uint8_t header[ETHERNET_BYTES] = {
		2, 0, 0, 1, (uint8_t)(backend >> 8), (uint8_t)backend,
		2, 0, 0, 2, 0, 1,
		ipv6 ? 0x86 : 0x08, ipv6 ? 0xdd : 0x00,
	};

	memcpy(out, header, sizeof(header));
}
/* clang-format on */

struct frame outer_frame(const struct spec *spec, const struct frame *in, const struct outer *outer,
			 uint32_t backend)
{
	size_t inner = in->size - in->network, bytes = outer->shim + inner - spec->trailer;
	size_t header = outer->bare ? 0 : outer->ipv6 ? IPV6_BYTES : IPV4_BYTES;
	struct frame out = {
		.size = ETHERNET_BYTES + header + outer->shim + inner,
		.network = ETHERNET_BYTES,
		.transport = ETHERNET_BYTES + header,
	};

	write_ethernet(outer->bare ? spec->ipv6 : outer->ipv6, backend, out.byte);
	if (!outer->bare)
		(outer->ipv6 ? write_ipv6 : write_ipv4)(spec, bytes, outer->protocol, backend,
							out.byte + out.network);
	memcpy(out.byte + out.transport + outer->shim, in->byte + in->network, inner);
	return out;
}

uint16_t outer_udp_checksum(const struct frame *frame)
{
	bool ipv6 = frame->byte[12] == 0x86;
	size_t network = ETHERNET_BYTES, transport = network + (ipv6 ? IPV6_BYTES : IPV4_BYTES);
	size_t addresses = ipv6 ? 32 : 8, bytes = frame_get16(frame, transport + 4);
	uint8_t summed[FRAME_MOST + 48] = {};

	memcpy(summed, frame->byte + transport - addresses, addresses);
	summed[addresses + 1] = NEXT_UDP;
	summed[addresses + 2] = (uint8_t)(bytes >> 8);
	summed[addresses + 3] = (uint8_t)bytes;
	memcpy(summed + addresses + 4, frame->byte + transport, bytes);
	return internet_checksum(summed, addresses + 4 + bytes);
}

void frame_expect(const struct frame *got, const struct frame *want)
{
	cr_assert_eq(got->size, want->size, "%zu instead of %zu bytes", got->size, want->size);
	for (size_t i = 0; i < want->size; i++)
		cr_assert_eq(got->byte[i], want->byte[i], "byte %zu is %02x instead of %02x", i,
			     got->byte[i], want->byte[i]);
}
