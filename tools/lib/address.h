// SPDX-License-Identifier: BSD-2-Clause
// Addresses, prefixes and endpoints of both families, as text and as numbers.
#ifndef TOOLS_LIB_ADDRESS_H
#define TOOLS_LIB_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_SIZE 64 // enough for a prefix and for "[address]:port"

struct address {
	unsigned __int128 bits; // host byte order; an IPv4 address in the low 32
	int family;		// AF_INET or AF_INET6
};

struct prefix {
	struct address base;
	unsigned int length;
};

struct endpoint {
	struct address address;
	uint16_t port; // host byte order
};

// The parsers return 0 or -EINVAL. A prefix without "/length" is one address; one with bits set
// beyond its length is refused. An endpoint is "1.2.3.4:80" or "[::1]:80".
int address_parse(const char *text, struct address *out);
int prefix_parse(const char *text, struct prefix *out);
int endpoint_parse(const char *text, struct endpoint *out);

// Each writes at most ADDRESS_TEXT_SIZE bytes and returns its buffer.
const char *address_text(const struct address *address, char *text);
const char *prefix_text(const struct prefix *prefix, char *text);
const char *endpoint_text(const struct endpoint *endpoint, char *text);

bool prefix_contains(const struct prefix *prefix, const struct address *address);
bool prefix_equal(const struct prefix *a, const struct prefix *b);

// How many addresses a client may have there, at most UINT32_MAX: without the first and, of IPv4,
// the last one, unless the prefix has only one or two.
uint32_t prefix_hosts(const struct prefix *prefix);

// Host number index of count (at most prefix_hosts()), spread evenly over the prefix.
struct address prefix_host(const struct prefix *prefix, uint32_t index, uint32_t count);

// Returns the length of the socket address written.
socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *out);
struct endpoint endpoint_from_sockaddr(const struct sockaddr_storage *from);

#endif
