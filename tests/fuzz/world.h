// SPDX-License-Identifier: BSD-2-Clause
/*
 * The world in which packets arrive: services, backends and generations as the daemon makes them
 * from tests/fuzz/world.yaml, and what may be different from input to input.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controller.h"
#include "generation.h"
#include "scenario.h"
#include "stub.h"

#define WORLD_BUCKETS  8 /* of the flow table, at most */
#define WORLD_BACKENDS 8
#define WORLD_BEGIN_NS 1000000000000ull

struct world {
	struct controller *controller;
	struct datapath *datapath;
	/* what was published first, by weights, and what was learned */
	struct generation *first[LARCH_MAX_SERVICES], *learned[LARCH_MAX_SERVICES];
	uint32_t backends; /* ids below are known to the daemon */
	uint32_t local;	   /* the one that is this host, or LARCH_NO_BACKEND */
	uint32_t buckets;  /* of the flow table, in this input */
	size_t room;	   /* bytes before each packet, in this input */
};

extern struct world world;

/* The programs under test. */
int larch(struct xdp_md *context);
int larch_agent_xdp(struct xdp_md *context);

/* Once: begins a daemon, and lets it learn from a few conversations. */
void world_open(void);

/* Makes the world of one input; stub_rewind() undoes it. */
void world_arrange(const uint8_t state[SCENARIO_STATE]);

/* What the daemon does between two packets. */
void world_act(uint8_t action, uint8_t operand);

/* Requests that a backend owes by the flow table's entries. */
int32_t world_owed(uint32_t backend);
