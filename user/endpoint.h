// SPDX-License-Identifier: BSD-2-Clause
/* Addresses and ports of flows, from text to the packet path's tuple. Pure. */
#pragma once

#include <stdint.h>

#include "larch/tuple.h"

#define ENDPOINT_TEXT 64

struct endpoint_text {
	char address[ENDPOINT_TEXT];
	uint16_t port;
};

/* "198.51.100.7:4711" or "[2001:db8::1]:80". 0 or -EINVAL. The address itself is not checked. */
int endpoint_split(const char *text, struct endpoint_text *out);

/* A number from 0 to 65535 and nothing else. 0 or -EINVAL. */
int endpoint_port(const char *text, uint16_t *out);

/* "tcp" or "udp". 0 or -EINVAL. */
int endpoint_protocol(const char *text, uint8_t *out);

/* -EINVAL: an address is none; -EAFNOSUPPORT: IPv4 and IPv6 are mixed. Sets all but the rest. */
int endpoint_tuple(const char *source, uint16_t source_port, const char *destination,
		   uint16_t destination_port, uint8_t protocol, struct larch_tuple *out);
