// SPDX-License-Identifier: BSD-2-Clause
/*
 * Answers that the kernel drops before anybody sees them: those to health checks, and those by NAT
 * that the host sends on, come from a service's address by the interface behind which its backends
 * are. rp_filter takes them for forgeries if the host's own way to that address is another one.
 */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETURNS_MOST 8
#define RETURNS_TEXT 512

struct controller;

/* One interface by which answers of a service are dropped. */
struct returns_trouble {
	uint16_t service; /* id */
	char interface[IF_NAMESIZE];
	struct in6_addr from; /* the service's address */
	bool way;	      /* the host has one to it: loose filtering would do */
};

struct returns {
	struct returns_trouble trouble[RETURNS_MOST]; /* of each interface and service, the first */
	size_t count;
	uint64_t looked_ns;
};

/* Looks now and then; says once what begins, and when it is over. */
void returns_look(struct controller *controller);

/* What is wrong, and the remedy. */
const char *returns_text(const struct controller *controller, const struct returns_trouble *trouble,
			 char out[RETURNS_TEXT]);
