// SPDX-License-Identifier: BSD-2-Clause
/* Reading addresses and ports. See endpoint.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
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

/* 4, 6, or 0: no address. */
static int take_address(const char *text, __be32 out[4])
{
	memset(out, 0, 4 * sizeof(*out));
	if (inet_pton(AF_INET, text, &out[3]) == 1) {
		out[2] = htonl(0xffff);
		return 4;
	}
	return inet_pton(AF_INET6, text, out) == 1 ? 6 : 0;
}

int endpoint_tuple(const char *source, uint16_t source_port, const char *destination,
		   uint16_t destination_port, uint8_t protocol, struct larch_tuple *out)
{
	int from, to;

	memset(out, 0, sizeof(*out));
	from = take_address(source, out->source);
	to = take_address(destination, out->destination);
	if (!from || !to)
		return -EINVAL;
	if (from != to)
		return -EAFNOSUPPORT;
	out->ipv6 = from == 6;
	out->source_port = htons(source_port);
	out->destination_port = htons(destination_port);
	out->protocol = protocol;
	return 0;
}
