// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which backend id stands for which server, and how to reach it. An id belongs to an address for
 * as long as a flow may name it: a server that leaves the configuration keeps its id, its flows go
 * on, and the id is free only when none is left. Ids survive a restart, since the kernel's table
 * of backends holds the addresses. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "concurrency.h"
#include "config.h"
#include "larch/types.h"
#include "netlink.h"

struct registry_backend {
	bool used;	 /* the id belongs to the address */
	bool configured; /* the configuration in force names it */
	char name[CONFIG_NAME_MAX];
	struct in6_addr address;
	uint32_t concurrency;		/* requests served at once; 0: nobody has asked yet */
	enum concurrency_origin origin; /* of the concurrency */
	struct nexthop nexthop;		/* what the kernel part uses */
	bool fading;	     /* netlink says not ready; believed if it still does at the tick */
	uint32_t flows;	     /* that the last walk found in the flow table */
	uint32_t silent;     /* of these, for about an hour or longer */
	unsigned idle_walks; /* walks in a row that found none */
	uint64_t silent_ns;  /* since when all of them were, and nothing new could come; 0 */
};

struct registry {
	struct registry_backend backend[LARCH_MAX_BACKENDS];
};

/* The id of an address, or LARCH_NO_BACKEND. */
uint16_t registry_find(const struct registry *registry, const struct in6_addr *address);

/* The same, giving it an id if it has none. LARCH_NO_BACKEND: all ids are taken. */
uint16_t registry_take(struct registry *registry, const struct in6_addr *address);

/* Silent flows of a backend that has left are given up after so long again: keepalive needs 2 h. */
#define REGISTRY_SILENT_NS (90 * 60 * 1000000000ull)

/*
 * What a walk has found of a backend; in_force: new flows may still come to it. True: it has left,
 * and all its flows have been silent for so long that their clients must have vanished.
 */
bool registry_counted(struct registry_backend *backend, uint32_t flows, uint32_t silent,
		      bool in_force, uint64_t now_ns);

/*
 * Of those that have left and are none of these, the one whose flows have all been silent longest;
 * LARCH_NO_BACKEND: none has only silent ones.
 */
uint16_t registry_silent(const struct registry *registry, const struct config_backend *backend,
			 size_t count);

/* Can every one of these have an id? */
bool registry_has_room(const struct registry *registry, const struct config_backend *backend,
		       size_t count);
