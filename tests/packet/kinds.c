// SPDX-License-Identifier: BSD-2-Clause
// Kinds of packets; see kinds.h.
#include "kinds.h"

#include <arpa/inet.h>
#include <string.h>

#include "larch/backend.h"
#include "larch/chance.h"
#include "reply.h"

static const struct spec plain[] = {
	/* a connection: its beginning, a request, an answer's acknowledgement, its end */
	{.flags = SYN},
	{.flags = ACK, .sequence = 1, .acknowledged = 1},
	{.flags = ACK | PSH, .sequence = 1, .acknowledged = 1, .payload = 20},
	{.flags = ACK, .sequence = 21, .acknowledged = 5001},
	{.flags = ACK | FIN, .sequence = 21, .acknowledged = 5001},
	{.flags = RST, .sequence = 22},
	{.ipv6 = true, .flags = SYN},
	{.ipv6 = true, .sequence = 1, .acknowledged = 1},
	{.ipv6 = true, .flags = ACK | PSH, .sequence = 1, .acknowledged = 1, .payload = 20},
	{.ipv6 = true, .sequence = 21, .acknowledged = 5001},
	{.ipv6 = true, .flags = ACK | FIN, .sequence = 21, .acknowledged = 5001},
	/* other services, and none */
	{.to = "192.0.2.2", .port = 443, .flags = SYN},
	{.to = "192.0.2.2", .port = 443, .sequence = 1, .acknowledged = 1, .payload = 9},
	{.to = "192.0.2.3", .flags = SYN},
	{.to = "192.0.2.1", .port = 81, .flags = SYN},
	{.to = "198.51.100.1"},
	/* by NAT to a backend, and back; the backend as its own client */
	{.to = "192.0.2.4", .flags = SYN},
	{.to = "192.0.2.4", .flags = ACK | PSH, .sequence = 1, .acknowledged = 1, .payload = 20},
	{.from = "10.255.0.2", .source_port = 8080, .to = "10.0.0.0", .port = 40000},
	{.from = "10.255.0.2", .source_port = 8080, .to = "192.0.2.4", .port = 40000},
	{.from = "10.255.0.2", .to = "192.0.2.4", .flags = SYN, .vlans = 1},
	{.ipv6 = true, .to = "2001:db8::2"},
	{.protocol = NEXT_UDP, .port = 53, .payload = 30},
	{.ipv6 = true, .protocol = NEXT_UDP, .port = 53, .payload = 30},
	{.protocol = NEXT_UDP, .payload = 9},
	/* link and network headers of every length */
	{.vlans = 1, .flags = SYN},
	{.vlans = 2, .payload = 3, .trailer = 5},
	{.ipv6 = true, .vlans = 2, .protocol = NEXT_UDP, .port = 53, .payload = 3},
	{.ipv4_options = 10, .tcp_options = 10, .traffic_class = 0xb8},
	{.ipv4_options = 1, .protocol = NEXT_UDP, .port = 53},
	{.ipv6 = true, .extensions = 1, .extension = {NEXT_DESTINATION}, .flags = SYN},
	{.ipv6 = true,
	 .extensions = 6,
	 .extension = {NEXT_HOP_BY_HOP, NEXT_ROUTING, NEXT_DESTINATION, NEXT_AUTHENTICATION,
		       NEXT_ROUTING, NEXT_DESTINATION}},
	{.payload = 1460},
	{.ipv6 = true, .payload = 1440, .traffic_class = 3, .ttl = 1},
	{.ethertype = 0x0806},
	/* fragments */
	{.more_fragments = true, .payload = 20},
	{.fragment_offset = 5, .payload = 20},
	{.more_fragments = true, .protocol = NEXT_UDP, .port = 53, .payload = 20},
	{.ipv6 = true, .extensions = 1, .extension = {NEXT_FRAGMENT}, .more_fragments = true},
	{.ipv6 = true, .extensions = 1, .extension = {NEXT_FRAGMENT}, .fragment_offset = 6},
	{.ipv6 = true, .extensions = 1, .extension = {NEXT_FRAGMENT}},
	/* neither TCP nor UDP */
	{.protocol = 47},
};

/* ICMP to the service: requests, and errors about what it answered to `flow`. */
static const struct {
	struct spec outer;
	uint8_t type;
	uint8_t code;
	uint16_t quoted; /* bytes of the answer; 0: no error */
	struct spec flow;
} icmp[] = {
	{.outer = {.payload = 40}, .type = ECHO_REQUEST},
	{.outer = {.ipv6 = true, .payload = 60, .vlans = 1}, .type = ECHO_REQUEST_V6},
	{.outer = {.from = "203.0.113.1"},
	 .type = UNREACHABLE,
	 .code = FRAGMENTATION,
	 .quoted = 28,
	 .flow = {.payload = 20}},
	{.outer = {.from = "203.0.113.1", .ipv4_options = 1},
	 .type = TIME_EXCEEDED,
	 .quoted = 40,
	 .flow = {.ipv4_options = 2, .protocol = NEXT_UDP, .port = 53, .payload = 20}},
	{.outer = {.ipv6 = true, .from = "2001:db8:f::1"},
	 .type = TOO_BIG_V6,
	 .quoted = 60,
	 .flow = {.ipv6 = true, .payload = 20}},
	{.outer = {.ipv6 = true, .from = "2001:db8:f::1"},
	 .type = TOO_BIG_V6,
	 .quoted = 70,
	 .flow = {.ipv6 = true,
		  .extensions = 1,
		  .extension = {NEXT_DESTINATION},
		  .protocol = NEXT_UDP,
		  .port = 53,
		  .payload = 20}},
};

/*
 * QUIC packets, up to behind the connection id: with a short header, and a handshake of versions 1
 * and 2. The id is of config 1, and names server 0a.
 */
static const uint8_t quic[][16] = {
	{0x40, 0x20, 0x0a, 1, 2, 3, 4, 5, 6},
	{0xe0, 0, 0, 0, 1, 8, 0x20, 0x0a, 1, 2, 3, 4, 5, 6},
	{0xf0, 0x6b, 0x33, 0x43, 0xcf, 8, 0x20, 0x0a, 1, 2, 3, 4, 5, 6},
};

/* What a backend receives, in a tunnel of either family. */
static const struct spec tunnelled[] = {
	{.payload = 20},
	{.ipv6 = true, .payload = 20},
	{.flags = SYN, .trailer = 6},
	{.ipv4_options = 2, .protocol = NEXT_UDP, .port = 53},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TUNNELS	     6 /* IP in IP, GUE, GUE with a question; over either family */

/* The inner frame's packet in GUE, behind a question unless that is NULL. */
static struct frame in_gue(const struct frame *inner, const struct spec *outer, uint8_t protocol,
			   const struct larch_question *question)
{
	size_t bytes = inner->size - inner->network, more = question ? sizeof(*question) : 0;
	struct larch_gue gue = {.protocol = protocol, .version = (uint8_t)(more / 4)};
	struct spec spec = *outer;
	struct frame frame;
	uint8_t *at;

	spec.protocol = NEXT_UDP;
	spec.port = LARCH_GUE_PORT;
	spec.payload = (uint16_t)(sizeof(gue) + more + bytes);
	frame = frame_build(&spec);
	at = frame.byte + frame.transport + UDP_BYTES;
	memcpy(at, &gue, sizeof(gue));
	if (question)
		memcpy(at + sizeof(gue), question, more);
	memcpy(at + sizeof(gue) + more, inner->byte + inner->network, bytes);
	return frame;
}

/* An agent's answer to a question that nobody has asked, to our end of the tunnels. */
static struct frame build_answer(uint32_t client)
{
	const struct larch_question question = {
		.magic = htonl(LARCH_QUESTION_MAGIC),
		.answer = LARCH_ANSWER_MINE,
	};
	struct frame inner = FRAME(.client = client, .payload = 20);

	return in_gue(&inner, &(struct spec){.to = "10.254.0.1"}, NEXT_IPIP, &question);
}

static struct frame build_quic(size_t number, uint32_t client)
{
	struct frame frame = FRAME(.client = client, .protocol = NEXT_UDP, .port = 53,
				   .ipv6 = client & 1, .payload = 40);

	memcpy(frame.byte + frame.transport + UDP_BYTES, quic[number], sizeof(quic[number]));
	return frame;
}

/* Where in the numbers of kinds each group begins. */
#define FIRST_ICMP	COUNT(plain)
#define FIRST_QUIC	(FIRST_ICMP + COUNT(icmp))
#define ANSWER		(FIRST_QUIC + COUNT(quic))
#define FIRST_TUNNELLED (ANSWER + 1)

size_t kinds_count(void)
{
	return FIRST_TUNNELLED + TUNNELS * COUNT(tunnelled);
}

bool kinds_is_tunnelled(size_t number)
{
	return number >= FIRST_TUNNELLED;
}

static struct frame build_icmp(size_t number, uint32_t client)
{
	struct spec outer = icmp[number].outer, flow = icmp[number].flow;

	outer.client = flow.client = client;
	if (!icmp[number].quoted)
		return icmp_frame(&outer, icmp[number].type, icmp[number].code);
	return icmp_error_about(&outer, icmp[number].type, icmp[number].code, &flow,
				icmp[number].quoted);
}

static struct frame build_tunnelled(size_t number, uint32_t client)
{
	const struct larch_question question = {.magic = htonl(LARCH_QUESTION_MAGIC)};
	struct spec spec = tunnelled[number / TUNNELS], outer = {.ipv6 = number & 1};
	uint8_t protocol = spec.ipv6 ? NEXT_IPV6 : NEXT_IPIP;
	size_t way = number % TUNNELS / 2;
	struct frame inner;

	spec.client = client;
	inner = frame_build(&spec);
	if (way == 0)
		return frame_wrap(&inner, outer.ipv6, protocol);
	return in_gue(&inner, &outer, protocol, way == 1 ? NULL : &question);
}

struct frame kinds_build(size_t number, uint32_t client)
{
	struct spec spec;

	if (kinds_is_tunnelled(number))
		return build_tunnelled(number - FIRST_TUNNELLED, client);
	if (number == ANSWER)
		return build_answer(client);
	if (number >= FIRST_QUIC)
		return build_quic(number - FIRST_QUIC, client);
	if (number >= FIRST_ICMP)
		return build_icmp(number - FIRST_ICMP, client);
	spec = plain[number];
	spec.client = client;
	return frame_build(&spec);
}
