// SPDX-License-Identifier: BSD-2-Clause
// ICMP messages and answers; see reply.h.
#include "reply.h"

#include <criterion/criterion.h>
#include <string.h>

#define MAC_BYTES  6
#define REPLY_TTL  64
#define TTL_IPV4   8
#define TTL_IPV6   7
#define ETHERTYPES 12 /* where the first one is */

static bool is_ipv6(const struct frame *frame)
{
	return frame->byte[frame->network] >> 4 == 6;
}

static size_t ip_end(const struct frame *frame)
{
	size_t at = frame->network;

	return is_ipv6(frame) ? at + IPV6_BYTES + frame_get16(frame, at + 4)
			      : at + frame_get16(frame, at + 2);
}

uint16_t icmp_checksum(const struct frame *frame)
{
	size_t bytes = ip_end(frame) - frame->transport;
	uint8_t covered[FRAME_MOST + 64] = {};
	size_t size = 0;

	if (is_ipv6(frame)) { /* RFC 8200 8.1: addresses, length, next header */
		memcpy(covered, frame->byte + frame->network + 8, 32);
		covered[34] = (uint8_t)(bytes >> 8);
		covered[35] = (uint8_t)bytes;
		covered[39] = NEXT_ICMPV6;
		size = 40;
	}
	memcpy(covered + size, frame->byte + frame->transport, bytes);
	return internet_checksum(covered, size + bytes);
}

void icmp_set_checksum(struct frame *frame)
{
	frame_set16(frame, frame->transport + 2, 0);
	frame_set16(frame, frame->transport + 2, icmp_checksum(frame));
}

struct frame icmp_frame(const struct spec *spec, uint8_t type, uint8_t code)
{
	struct spec with = *spec;
	struct frame frame;

	with.protocol = spec->ipv6 ? NEXT_ICMPV6 : NEXT_ICMP;
	frame = frame_build(&with);
	frame.byte[frame.transport] = type;
	frame.byte[frame.transport + 1] = code;
	icmp_set_checksum(&frame);
	return frame;
}

struct frame echo_request(const struct spec *spec)
{
	return icmp_frame(spec, spec->ipv6 ? ECHO_REQUEST_V6 : ECHO_REQUEST, 0);
}

/* What the service answered to the client: the packet of `flow`, turned round. */
static struct frame answer_of(const struct spec *flow)
{
	struct frame frame = frame_build(flow), turned = frame;
	size_t at = frame.network + (flow->ipv6 ? 8 : 12), bytes = flow->ipv6 ? 16 : 4;

	memcpy(turned.byte + at, frame.byte + at + bytes, bytes);
	memcpy(turned.byte + at + bytes, frame.byte + at, bytes);
	memcpy(turned.byte + frame.transport, frame.byte + frame.transport + 2, 2);
	memcpy(turned.byte + frame.transport + 2, frame.byte + frame.transport, 2);
	return turned;
}

struct frame icmp_error_about(const struct spec *outer, uint8_t type, uint8_t code,
			      const struct spec *flow, size_t quoted)
{
	struct frame answer = answer_of(flow), frame;
	struct spec with = *outer;

	with.payload = (uint16_t)quoted;
	frame = icmp_frame(&with, type, code);
	cr_assert_leq(quoted, answer.size - answer.network);
	memcpy(frame.byte + frame.transport + ICMP_BYTES, answer.byte + answer.network, quoted);
	icmp_set_checksum(&frame);
	return frame;
}

static const char *wrong_link(const struct frame *in, const struct frame *out)
{
	if (memcmp(out->byte, in->byte + MAC_BYTES, MAC_BYTES) != 0)
		return "it does not go to the MAC that the packet came from";
	if (memcmp(out->byte + MAC_BYTES, in->byte, MAC_BYTES) != 0)
		return "it does not come from the MAC that the packet went to";
	if (memcmp(out->byte + ETHERTYPES, in->byte + ETHERTYPES, in->network - ETHERTYPES) != 0)
		return "its VLAN tags are not those of the packet";
	return NULL;
}

static const char *wrong_addresses(const struct frame *in, const struct frame *out, bool ipv6)
{
	size_t source = in->network + (ipv6 ? 8 : 12), bytes = ipv6 ? 16 : 4;
	size_t destination = source + bytes;

	if (memcmp(out->byte + source, in->byte + destination, bytes) != 0)
		return "it is not from the service's address";
	if (memcmp(out->byte + destination, in->byte + source, bytes) != 0)
		return "it is not to the packet's source";
	return NULL;
}

const char *reply_wrong(const struct frame *in, const struct frame *out)
{
	bool ipv6 = is_ipv6(in);
	size_t header = in->network + (ipv6 ? IPV6_BYTES : IPV4_BYTES);
	const uint8_t *ip = out->byte + in->network;
	const char *wrong;

	if (out->size < header + ICMP_BYTES || ip_end(out) > out->size)
		return "it is longer than its frame";
	wrong = wrong_link(in, out);
	if (!wrong)
		wrong = wrong_addresses(in, out, ipv6);
	if (wrong)
		return wrong;
	if (ipv6 ? ip[0] >> 4 != 6 : ip[0] != 0x45)
		return "its IP header is not plain";
	if (ip[ipv6 ? TTL_IPV6 : TTL_IPV4] != REPLY_TTL)
		return "its TTL is not 64";
	if (!ipv6 && internet_checksum(ip, IPV4_BYTES) != 0)
		return "its IP checksum is wrong";
	return ip[ipv6 ? 6 : 9] == (ipv6 ? NEXT_ICMPV6 : NEXT_ICMP) ? NULL : "it is not ICMP";
}
