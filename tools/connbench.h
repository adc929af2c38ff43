// SPDX-License-Identifier: BSD-2-Clause
/* What connbench's client processes are to do, and what they count. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"

#define TARGETS 4
#define ROUNDS	100

struct target {
	char name[32];
	struct sockaddr_storage address;
	socklen_t length;
	double rate[ROUNDS]; /* connections a second */
};

/* What one client process counts. Round 0 is for caches and pools to fill. */
struct tally {
	uint64_t done[TARGETS][ROUNDS + 1], failed[TARGETS];
};

struct plan {
	struct target target[TARGETS];
	size_t targets;
	struct prefix sources;
	uint64_t parallel, clients, rounds;
	double turn_s;
	uint64_t start_ns;
	struct tally *tally; /* of each client; in memory that all of them share */
};

/* All turns, as client `number` of plan->clients; its counts are in its tally. 0 or -errno. */
int client_run(const struct plan *plan, size_t number);
