// SPDX-License-Identifier: BSD-2-Clause
/* Reading addresses and ports. See endpoint.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "endpoint.h"

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
