// SPDX-License-Identifier: BSD-2-Clause
/*
 * Packets of which NAT has rewritten an end; see verify_rewritten.h. Whatever a checksum covers
 * sums up to the same number before and after, if what covers it has been seen to: so the checksum
 * is right if it was right.
 */
#include "verify_rewritten.h"

#include <stdbool.h>
#include <string.h>

#include "builder.h"

#define PORTS_AND_SUM 6	 /* bytes that may differ behind the IP header */
#define ERRORS	      46 /* the same of an ICMP error: addresses, ports and sums of what it quotes */

/* Ones' complement sum, with one representation of zero. */
static uint16_t sum_of(const uint8_t *bytes, size_t size)
{
	uint16_t sum = (uint16_t)~internet_checksum(bytes, size);

	return sum == 0xffff ? 0 : sum;
}

static uint16_t add(uint16_t a, uint16_t b)
{
	uint32_t sum = (uint32_t)a + b;

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum == 0xffff ? 0 : sum);
}

struct packet {
	const uint8_t *ip;
	size_t header, bytes; /* by itself */
	uint8_t protocol;
	bool ipv6;
};

static struct packet packet_of(const uint8_t *ip)
{
	bool ipv6 = ip[0] >> 4 == 6;

	return (struct packet){
		.ip = ip,
		.header = ipv6 ? IPV6_BYTES : 4u * (ip[0] & 15),
		.bytes = ipv6 ? IPV6_BYTES + (size_t)(ip[4] << 8 | ip[5])
			      : (size_t)(ip[2] << 8 | ip[3]),
		.protocol = ip[ipv6 ? 6 : 9],
		.ipv6 = ipv6,
	};
}

/* What the transport's checksum covers, but for lengths and protocol, which stay. */
static uint16_t covered(const struct packet *packet)
{
	uint16_t sum = sum_of(packet->ip + packet->header, packet->bytes - packet->header);

	if (packet->protocol == NEXT_ICMP)
		return sum;
	return packet->ipv6 ? add(sum, sum_of(packet->ip + 8, 32))
			    : add(sum, sum_of(packet->ip + 12, 8));
}

static bool has_checksum(const struct packet *packet)
{
	const uint8_t *transport = packet->ip + packet->header;

	if (!packet->ipv6 && (packet->ip[6] << 8 | packet->ip[7]) & 0x1fff)
		return false; /* a later fragment */
	switch (packet->protocol) {
	case NEXT_TCP:
		return true;
	case NEXT_UDP:
		return transport[6] || transport[7];
	case NEXT_ICMP:
		return !packet->ipv6;
	case NEXT_ICMPV6:
		return packet->ipv6;
	default:
		return false; /* behind extension headers: not looked for */
	}
}

static size_t differences(const uint8_t *a, const uint8_t *b, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += a[i] != b[i];
	return count;
}

const char *verify_rewritten(const uint8_t *in, const uint8_t *out, size_t size)
{
	struct packet before = packet_of(in), after = packet_of(out);
	bool icmp = before.protocol == NEXT_ICMP || before.protocol == NEXT_ICMPV6;
	size_t ttl = before.ipv6 ? 7 : 8;

	if (before.header != after.header || before.bytes != after.bytes || after.bytes > size ||
	    before.protocol != after.protocol || after.header > after.bytes)
		return "the rewritten packet is of another kind";
	if (differences(in, out, ttl) != 0 || (out[ttl] != in[ttl] && out[ttl] + 1 != in[ttl]))
		return "more of the IP header was changed than addresses and TTL";
	if (!before.ipv6 && sum_of(in, before.header) != sum_of(out, after.header))
		return "the IP checksum does not follow";
	if (has_checksum(&before) && covered(&before) != covered(&after))
		return "the transport's checksum does not follow";
	if (differences(in + before.header, out + after.header, size - before.header) >
	    (icmp ? ERRORS : PORTS_AND_SUM))
		return "more was changed than ports and checksums";
	return NULL;
}
