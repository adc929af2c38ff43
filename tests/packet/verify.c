// SPDX-License-Identifier: BSD-2-Clause
// Frames that were forwarded; see verify.h. Rewritten ones are in verify_rewritten.c.
#include "verify.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "builder.h"
#include "larch/backend.h"
#include "larch/chance.h"
#include "verify_rewritten.h"

/* What is left to look at of a frame. */
struct rest {
	const uint8_t *at;
	size_t bytes;	  /* by the headers before */
	size_t there;	  /* up to the frame's end */
	uint8_t protocol; /* of what is at `at`, by the header before */
	bool question;	  /* there was one */
};

static size_t get16(const uint8_t *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

static void skip(struct rest *rest, size_t bytes, uint8_t protocol)
{
	rest->at += bytes;
	rest->bytes -= bytes;
	rest->there -= bytes;
	rest->protocol = protocol;
}

/* Bytes of an IP packet by its own header. */
static size_t ip_bytes(const uint8_t *ip)
{
	return ip[0] >> 4 == 6 ? IPV6_BYTES + get16(ip + 4) : get16(ip + 2);
}

static const char *skip_outer(struct rest *rest, bool ipv6)
{
	const uint8_t *ip = rest->at;
	size_t header = ipv6 ? IPV6_BYTES : IPV4_BYTES;

	if (rest->there < header)
		return "the outer header is cut off";
	if (ipv6 ? ip[0] >> 4 != 6 : ip[0] != 0x45)
		return "the outer header is of another family than its ethertype";
	if (!ipv6 && internet_checksum(ip, IPV4_BYTES) != 0)
		return "the outer checksum is wrong";
	rest->bytes = ip_bytes(ip);
	if (rest->bytes > rest->there)
		return "the outer header promises more bytes than there are";
	if (rest->bytes < header)
		return "the outer header promises less than itself";
	skip(rest, header, ip[ipv6 ? 6 : 9]);
	return NULL;
}

static const char *skip_question(struct rest *rest)
{
	struct larch_question question;

	if (rest->bytes < sizeof(question))
		return "the question is cut off";
	memcpy(&question, rest->at, sizeof(question));
	if (question.magic != htonl(LARCH_QUESTION_MAGIC))
		return "it is no question";
	skip(rest, sizeof(question), rest->protocol);
	rest->question = true;
	return NULL;
}

static const char *skip_gue(struct rest *rest)
{
	const size_t header = UDP_BYTES + sizeof(struct larch_gue);
	const uint8_t *udp = rest->at, *gue = udp + UDP_BYTES;

	if (rest->bytes < header)
		return "UDP and GUE are cut off";
	if (get16(udp + 2) != LARCH_GUE_PORT || get16(udp) < LARCH_GUE_SOURCE_PORT)
		return "the ports are not GUE's";
	if (get16(udp + 4) != rest->bytes)
		return "UDP is not as long as IP says";
	if (gue[2] || gue[3] || (gue[0] && gue[0] != LARCH_QUESTION_WORDS))
		return "GUE has flags or options";
	skip(rest, header, gue[1]);
	return gue[0] ? skip_question(rest) : NULL;
}

static const char *check_inner(const struct rest *rest)
{
	bool ipv6 = rest->protocol == NEXT_IPV6;

	if (!ipv6 && rest->protocol != NEXT_IPIP)
		return "the outer headers are no tunnel's";
	if (rest->bytes < (ipv6 ? IPV6_BYTES : IPV4_BYTES))
		return "the tunnel holds less than an IP header";
	if (rest->at[0] >> 4 != (ipv6 ? 6 : 4))
		return "the tunnel announces another family than it holds";
	return ip_bytes(rest->at) == rest->bytes ? NULL
						 : "the tunnel is not as long as what it holds";
}

static const char *skip_tunnel(struct rest *rest, bool ipv6)
{
	const char *wrong = skip_outer(rest, ipv6);

	if (!wrong && rest->protocol == NEXT_UDP)
		wrong = skip_gue(rest);
	return wrong ? wrong : check_inner(rest);
}

static struct verified tunnelled(const struct rest *packet, struct rest *out, bool ipv6)
{
	const char *wrong = skip_tunnel(out, ipv6);

	if (!wrong && (out->there != packet->there || memcmp(out->at, packet->at, out->there) != 0))
		wrong = "the inner packet was changed";
	if (wrong)
		return (struct verified){.wrong = wrong};
	return (struct verified){.way = out->question ? VERIFY_QUESTIONED : VERIFY_TUNNELLED};
}

/* `packet` is what came, from its IP header on. */
static struct verified verify(const struct rest *packet, const uint8_t *out, size_t out_size)
{
	struct rest rest = {.at = out, .there = out_size};
	bool ipv6 = get16(out + 12) == 0x86dd;
	const char *wrong = NULL;

	if (!ipv6 && get16(out + 12) != 0x0800)
		return (struct verified){.wrong = "the ethertype is not IP"};
	skip(&rest, ETHERNET_BYTES, 0);
	if (rest.there > packet->there)
		return tunnelled(packet, &rest, ipv6);
	if (rest.there < packet->there)
		wrong = "the packet is shorter than it was";
	else if (rest.at[0] >> 4 != (ipv6 ? 6 : 4))
		wrong = "the packet is of another family than its ethertype";
	else if (memcmp(rest.at, packet->at, rest.there) == 0)
		return (struct verified){.way = VERIFY_BARE};
	if (!wrong)
		wrong = verify_rewritten(packet->at, rest.at, rest.there);
	return (struct verified){.way = wrong ? VERIFY_NO_WAY : VERIFY_REWRITTEN, .wrong = wrong};
}

/* Behind Ethernet and VLAN tags. */
static struct rest packet_of(const uint8_t *frame, size_t size)
{
	struct rest rest = {.at = frame, .there = size};

	skip(&rest, ETHERNET_BYTES, 0);
	for (int i = 0; i < 2; i++) {
		size_t ethertype = get16(rest.at - 2);

		if ((ethertype == 0x8100 || ethertype == 0x88a8) && rest.there >= VLAN_BYTES)
			skip(&rest, VLAN_BYTES, 0);
	}
	return rest;
}

size_t verify_answered(const uint8_t *frame, size_t size)
{
	struct rest rest = packet_of(frame, size);
	bool ipv6 = rest.there && rest.at[0] >> 4 == 6;
	size_t header = ipv6 ? IPV6_BYTES : IPV4_BYTES;

	if (rest.there < header + UDP_BYTES + sizeof(struct larch_gue))
		return 0;
	if (!ipv6)
		header = 4u * (rest.at[0] & 15);
	rest.bytes = rest.there;
	skip(&rest, header, rest.at[ipv6 ? 6 : 9]);
	if (rest.protocol != NEXT_UDP || rest.there > size ||
	    get16(rest.at + 2) != LARCH_GUE_PORT || rest.at[UDP_BYTES] != LARCH_QUESTION_WORDS)
		return 0;
	skip(&rest, UDP_BYTES + sizeof(struct larch_gue), 0);
	return skip_question(&rest) ? 0 : size - rest.there;
}

struct verified verify_forwarded(const uint8_t *in, size_t in_size, const uint8_t *out,
				 size_t out_size)
{
	struct rest packet = packet_of(in, in_size);
	size_t carried = verify_answered(in, in_size);
	struct verified found;

	if (out_size < ETHERNET_BYTES + IPV4_BYTES)
		return (struct verified){.wrong = "there is no IP packet"};
	found = verify(&packet, out, out_size);
	if (!found.wrong || !carried)
		return found;
	packet = (struct rest){.at = in + carried, .there = in_size - carried};
	return verify(&packet, out, out_size);
}
