// SPDX-License-Identifier: BSD-2-Clause
/* Reading addresses and ports. See endpoint.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "endpoint.h"

#define IPV4_BITS   32
#define IPV6_BITS   128
#define MAPPED_BITS (IPV6_BITS - IPV4_BITS) /* in front of an IPv4 address */

int endpoint_port(const char *text, uint16_t *out)
{
	uint32_t value = 0;

	if (!*text || strlen(text) > 5)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (uint32_t)(*text - '0');
	}
	if (value > UINT16_MAX)
		return -EINVAL;
	*out = (uint16_t)value;
	return 0;
}

int endpoint_protocol(const char *text, uint8_t *out)
{
	if (strcmp(text, "tcp") == 0)
		*out = IPPROTO_TCP;
	else if (strcmp(text, "udp") == 0)
		*out = IPPROTO_UDP;
	else
		return -EINVAL;
	return 0;
}

int endpoint_split(const char *text, struct endpoint_text *out)
{
	bool bracket = *text == '[';
	const char *begin = text + bracket;
	const char *end = bracket ? strchr(begin, ']') : strchr(begin, ':');
	const char *port = end ? end + bracket : NULL;
	size_t length = end ? (size_t)(end - begin) : 0;

	if (!end || *port != ':' || length == 0 || length >= sizeof(out->address))
		return -EINVAL;
	memcpy(out->address, begin, length);
	out->address[length] = '\0';
	return endpoint_port(port + 1, &out->port);
}

bool endpoint_address(const char *text, int family, struct in6_addr *out)
{
	*out = (struct in6_addr){.s6_addr32 = {0, 0, htonl(0xffff), 0}};
	if (family != AF_INET6 && inet_pton(AF_INET, text, &out->s6_addr32[3]) == 1)
		return true;
	return family != AF_INET && inet_pton(AF_INET6, text, out) == 1;
}

/* "24", without signs, leading zeros or anything else. -1: it is no number up to `most`. */
static int read_bits(const char *text, int most)
{
	int bits = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		bits = 10 * bits + (*text - '0');
		if (bits > most)
			return -1;
	}
	return bits;
}

bool endpoint_network(const char *text, struct in6_addr *address, int *bits)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	bool ipv6 = strchr(text, ':') != NULL;
	int most = ipv6 ? IPV6_BITS : IPV4_BITS;
	char host[INET6_ADDRSTRLEN] = "";

	if (length >= sizeof(host))
		return false;
	memcpy(host, text, length);
	if (!endpoint_address(host, 0, address))
		return false;
	*bits = slash ? read_bits(slash + 1, most) : most;
	if (*bits < 0)
		return false;
	*bits += ipv6 ? 0 : MAPPED_BITS;
	return !(ipv6 && IN6_IS_ADDR_V4MAPPED(address));
}

const char *endpoint_address_text(const struct in6_addr *address, char out[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		inet_ntop(AF_INET, &address->s6_addr32[3], out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN);
	return out;
}

uint64_t endpoint_source(const struct larch_tuple *tuple)
{
	if (tuple->ipv6)
		return larch_source_ipv6(ntohl(tuple->source[0]), ntohl(tuple->source[1]));
	return larch_source_ipv4(ntohl(tuple->source[3]));
}

int endpoint_tuple(const char *source, uint16_t source_port, const char *destination,
		   uint16_t destination_port, uint8_t protocol, struct larch_tuple *out)
{
	bool ipv6 = strchr(source, ':') != NULL;
	struct in6_addr from, to;

	if (!endpoint_address(source, 0, &from) || !endpoint_address(destination, 0, &to))
		return -EINVAL;
	if (ipv6 != (strchr(destination, ':') != NULL))
		return -EAFNOSUPPORT;
	*out = (struct larch_tuple){.ipv6 = ipv6};
	memcpy(out->source, &from, sizeof(out->source));
	memcpy(out->destination, &to, sizeof(out->destination));
	out->source_port = htons(source_port);
	out->destination_port = htons(destination_port);
	out->protocol = protocol;
	return 0;
}
