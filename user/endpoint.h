// SPDX-License-Identifier: BSD-2-Clause
/* Addresses and ports as people write them, and as the packet path's tuple has them. Pure. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "larch/tuple.h"

#define ENDPOINT_TEXT 64

struct endpoint_text {
	char address[ENDPOINT_TEXT];
	uint16_t port;
};

/*
 * The address in text, "198.51.100.7" or "2001:db8::1"; IPv4 becomes ::ffff:a.b.c.d. `family`:
 * AF_INET, AF_INET6, or 0 for either. false, and *out is not to be used: it is no such address.
 */
bool endpoint_address(const char *text, int family, struct in6_addr *out);

/*
 * The network in text, "192.0.2.0/24" or "2001:db8::/32", or an address, which is a network of one.
 * *bits: of the prefix, of IPv4 96 and more. Bits behind the prefix stay. false: it is none.
 */
bool endpoint_network(const char *text, struct in6_addr *address, int *bits);

/* The text of such an address, IPv4 as a.b.c.d; returns out. */
const char *endpoint_address_text(const struct in6_addr *address, char out[INET6_ADDRSTRLEN]);

/* "198.51.100.7:4711" or "[2001:db8::1]:80". 0 or -EINVAL. The address itself is not checked. */
int endpoint_split(const char *text, struct endpoint_text *out);

/* A number from 0 to 65535 and nothing else. 0 or -EINVAL. */
int endpoint_port(const char *text, uint16_t *out);

/* "tcp" or "udp". 0 or -EINVAL. */
int endpoint_protocol(const char *text, uint8_t *out);

/* The source feature (larch/cell.h) of a tuple. */
uint64_t endpoint_source(const struct larch_tuple *tuple);

/* -EINVAL: an address is none; -EAFNOSUPPORT: IPv4 and IPv6 are mixed. *out is set on 0 alone. */
int endpoint_tuple(const char *source, uint16_t source_port, const char *destination,
		   uint16_t destination_port, uint8_t protocol, struct larch_tuple *out);
