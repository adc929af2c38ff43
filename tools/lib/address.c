// SPDX-License-Identifier: BSD-2-Clause
// Converts addresses, prefixes and endpoints between text, numbers and socket addresses. No I/O.
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

static unsigned int family_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

static unsigned __int128 low_bits(unsigned int count)
{
	return count >= 128 ? ~(unsigned __int128)0 : ((unsigned __int128)1 << count) - 1;
}

static unsigned int host_bits(const struct prefix *prefix)
{
	return family_bits(prefix->base.family) - prefix->length;
}

static unsigned __int128 bits_from_bytes(const unsigned char *bytes, size_t count)
{
	unsigned __int128 bits = 0;

	for (size_t i = 0; i < count; i++)
		bits = bits << 8 | bytes[i];
	return bits;
}

static void bits_to_bytes(unsigned __int128 bits, unsigned char *bytes, size_t count)
{
	for (size_t i = count; i-- > 0; bits >>= 8)
		bytes[i] = (unsigned char)bits;
}

int address_parse(const char *text, struct address *out)
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		*out = (struct address){bits_from_bytes(bytes, 4), AF_INET};
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		*out = (struct address){bits_from_bytes(bytes, 16), AF_INET6};
	else
		return -EINVAL;
	return 0;
}

int prefix_parse(const char *text, struct prefix *out)
{
	const char *slash = strchr(text, '/');
	char copy[ADDRESS_TEXT_SIZE];
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t bits;

	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (address_parse(copy, &out->base))
		return -EINVAL;
	bits = family_bits(out->base.family);
	if (slash && number_parse_count(slash + 1, 0, bits, &bits))
		return -EINVAL;
	out->length = (unsigned int)bits;
	return out->base.bits & low_bits(host_bits(out)) ? -EINVAL : 0;
}

int endpoint_parse(const char *text, struct endpoint *out)
{
	bool bracket = text[0] == '[';
	const char *colon = bracket ? strstr(text, "]:") : strchr(text, ':');
	char copy[ADDRESS_TEXT_SIZE];
	size_t length;
	uint64_t port;

	if (!colon)
		return -EINVAL;
	length = (size_t)(colon - text) - bracket;
	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text + bracket, length);
	copy[length] = '\0';
	if (address_parse(copy, &out->address) || (out->address.family == AF_INET6) != bracket ||
	    number_parse_count(colon + 1 + bracket, 0, UINT16_MAX, &port))
		return -EINVAL;
	out->port = (uint16_t)port;
	return 0;
}

const char *address_text(const struct address *address, char *text)
{
	unsigned char bytes[16];

	bits_to_bytes(address->bits, bytes, family_bits(address->family) / 8);
	return inet_ntop(address->family, bytes, text, ADDRESS_TEXT_SIZE);
}

const char *prefix_text(const struct prefix *prefix, char *text)
{
	size_t used;

	address_text(&prefix->base, text);
	used = strlen(text);
	snprintf(text + used, ADDRESS_TEXT_SIZE - used, "/%u", prefix->length);
	return text;
}

const char *endpoint_text(const struct endpoint *endpoint, char *text)
{
	bool six = endpoint->address.family == AF_INET6;
	char address[ADDRESS_TEXT_SIZE];

	address_text(&endpoint->address, address);
	snprintf(text, ADDRESS_TEXT_SIZE, "%s%.46s%s:%u", six ? "[" : "", address, six ? "]" : "",
		 endpoint->port);
	return text;
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
	unsigned __int128 different = prefix->base.bits ^ address->bits;

	return prefix->base.family == address->family &&
	       !(different & ~low_bits(host_bits(prefix)));
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->base.family == b->base.family && a->base.bits == b->base.bits &&
	       a->length == b->length;
}

// Every host of a prefix, without the cap of prefix_hosts().
static unsigned __int128 host_space(const struct prefix *prefix)
{
	unsigned int bits = host_bits(prefix);

	if (bits <= 1)
		return bits + 1;
	return low_bits(bits) - (prefix->base.family == AF_INET);
}

uint32_t prefix_hosts(const struct prefix *prefix)
{
	unsigned __int128 space = host_space(prefix);

	return space > UINT32_MAX ? UINT32_MAX : (uint32_t)space;
}

struct address prefix_host(const struct prefix *prefix, uint32_t index, uint32_t count)
{
	unsigned __int128 space = host_space(prefix);
	// (space + 1) / count, which may not overflow: round steps, and the last host still fits.
	unsigned __int128 step = space / count + (space % count == count - 1);
	struct address host = prefix->base;

	host.bits += (host_bits(prefix) > 1) + index * step;
	return host;
}

socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (endpoint->address.family == AF_INET) {
		struct sockaddr_in *four = (void *)out;

		four->sin_family = AF_INET;
		four->sin_port = htons(endpoint->port);
		bits_to_bytes(endpoint->address.bits, (void *)&four->sin_addr, 4);
		return sizeof(*four);
	} else {
		struct sockaddr_in6 *six = (void *)out;

		six->sin6_family = AF_INET6;
		six->sin6_port = htons(endpoint->port);
		bits_to_bytes(endpoint->address.bits, (void *)&six->sin6_addr, 16);
		return sizeof(*six);
	}
}

struct endpoint endpoint_from_sockaddr(const struct sockaddr_storage *from)
{
	const struct sockaddr_in *four = (const void *)from;
	const struct sockaddr_in6 *six = (const void *)from;
	struct endpoint out = {.address.family = from->ss_family};

	if (from->ss_family == AF_INET) {
		out.address.bits = bits_from_bytes((const void *)&four->sin_addr, 4);
		out.port = ntohs(four->sin_port);
	} else {
		out.address.bits = bits_from_bytes((const void *)&six->sin6_addr, 16);
		out.port = ntohs(six->sin6_port);
	}
	return out;
}
