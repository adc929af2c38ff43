// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is asked of each backend of a service, so that what its clients use is known to answer:
 * every address at the port that the check is for, and the service's other ports. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define CHECK_ASKS 16 /* at most, of one backend in one service */

struct check_ask {
	struct in6_addr address; /* of the service; IPv4 as ::ffff:a.b.c.d */
	uint16_t port;		 /* at the backend */
	bool connect; /* a connection alone: what the check asks for belongs to another port */
};

/*
 * Returns how many there are, at least one. Those at the check's port come first; none is twice
 * there. A service with health has an address.
 */
size_t check_asks(const struct config_service *service, struct check_ask out[CHECK_ASKS]);

bool check_ask_same(const struct check_ask *one, const struct check_ask *other);
