// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which of the services' addresses are announced to the network, and why not. Pure.
 *
 * An address stays announced unless there is proof that no packet gets through, or the operator
 * says so. That nothing is known is no proof: a daemon that begins adopts what it finds.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So long may no backend serve before that counts; and before it is waited for no more. */
#define ROUTES_PATIENCE_NS 3000000000ull

/* One address; sorted by it (memcmp). */
struct route {
	struct in6_addr address;
	uint64_t services;    /* bits: the ids of those that have it */
	bool announced;	      /* it is to be */
	char reason[160];     /* why not; or what is to be said of it all the same; "": nothing */
	uint64_t unserved_ns; /* since when no backend can serve it; 0: one can */
	/* For the owner, who makes the kernel follow: */
	bool held;     /* the kernel holds its route */
	int error;     /* why the kernel's route is not as it is to be; 0 */
	int64_t since; /* when `held` changed, s since 1970 */
};

struct routes {
	struct route *route;
	size_t count;
};

/* An address of a service. */
struct routes_vip {
	struct in6_addr address;
	uint16_t service;
};

/*
 * Makes the list of these, in any order (they are sorted); addresses that were known are as they
 * were. 0 or -ENOMEM: *out is empty.
 */
int routes_make(struct routes *out, const struct routes *before, struct routes_vip *vip,
		size_t count);

void routes_free(struct routes *routes);

/* The entry of an address; NULL: none. */
struct route *routes_find(const struct routes *routes, const struct in6_addr *address);

/* What is known at some moment. Services by bits, as in struct route. */
struct routes_facts {
	uint64_t ordered;    /* those that the operator has withdrawn */
	uint64_t served;     /* those with a backend that packets get to */
	bool needs_backends; /* what no backend serves is withdrawn */
	const char *dead;    /* why no packet reaches Larch's program; NULL: they do */
	uint64_t now_ns;     /* monotonic, not 0 */
};

/*
 * Decides about one address. An address is withdrawn if none of its services is to be reached.
 * True: announced, or the reason, has changed.
 */
bool routes_decide(struct route *route, const struct routes_facts *facts);
