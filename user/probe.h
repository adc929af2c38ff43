// SPDX-License-Identifier: BSD-2-Clause
/*
 * What larchd and its prober say to one another, over a socket that keeps messages apart: orders
 * with at most one socket each, and answers. Both are built together; an order of another size is
 * another version's.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "config.h"
#include "config_health.h"
#include "health.h"

#define PROBE_FD	  3 /* where the prober finds the socket */
#define PROBE_REASON_SIZE 96
#define PROBE_MOST	  512 /* that run at once */
#define PROBE_PROGRAM	  "larch-prober"

union probe_address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

/* One check. With it goes its socket, not connected yet (none for a command). */
struct probe_order {
	uint64_t id; /* of the answer */
	union probe_address to;
	struct config_health health;
	char service[CONFIG_NAME_MAX], backend[CONFIG_NAME_MAX]; /* names */
	char vip[INET6_ADDRSTRLEN], address[INET6_ADDRSTRLEN]; /* of the service, of the backend */
	uint16_t port;					       /* that is asked */
};

struct probe_answer {
	uint64_t id;
	uint32_t us;	  /* that it took */
	uint32_t verdict; /* enum health_verdict */
	char reason[PROBE_REASON_SIZE];
};

socklen_t probe_address_size(const union probe_address *address);
