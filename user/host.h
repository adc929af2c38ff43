// SPDX-License-Identifier: BSD-2-Clause
/* This host's own addresses: which are there, and which one to speak from. IPv4 as IPv4-mapped. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host_address {
	struct in6_addr address;
	unsigned interface; /* index */
};

struct host {
	struct host_address *address;
	size_t count;
	uint64_t read_ns; /* when; 0: never */
};

/* Reads the addresses, unless that was less than `age_ns` ago. */
void host_refresh(struct host *host, uint64_t now_ns, uint64_t age_ns);
void host_free(struct host *host);

/* Is the address one of this host's? */
bool host_has(const struct host *host, const struct in6_addr *address);

/*
 * An address of the family that others can answer to: of this interface, or else of any other, and
 * not one that `refuses` refuses. False: there is none.
 */
bool host_source(const struct host *host, bool ipv4, unsigned interface,
		 bool (*refuses)(const void *context, const struct in6_addr *address),
		 const void *context, struct in6_addr *out);

/* Does the interface take packets that come from an IPv4 address of this host? */
bool host_accepts_own(unsigned interface);

/* Does it look at where packets come from (rp_filter), strictly or loosely? */
bool host_filters(unsigned interface);
