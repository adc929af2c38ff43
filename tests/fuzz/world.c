// SPDX-License-Identifier: BSD-2-Clause
/* What stays from input to input: what a daemon made and learned. See world.h. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../packet/builder.h"
#include "datapath_ticks.h"
#include "log.h"
#include "maps.h"
#include "publisher.h"

#define CONFIG	      "tests/fuzz/world.yaml"
#define MS	      1000000ull
#define CLIENTS	      32
#define CONVERSATIONS 1600

struct world world;

static void need(bool truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "fuzz: the world cannot be made: %s\n", what);
		abort();
	}
}

static uint8_t arrive(const struct spec *spec)
{
	struct frame frame = frame_build(spec);
	struct xdp_md context = stub_packet(frame.byte, frame.size, STUB_ROOM_MOST, 1);

	larch(&context);
	return stub_data(&context)[5]; /* of the next hop's MAC; see stub_netlink.c */
}

/* A connection with one request. Half of the clients are near b1 and b2, the others near b3, b4. */
static void converse(uint32_t client)
{
	struct spec spec = {.client = client % CLIENTS << 8 | 1, .ipv6 = client & 1, .flags = SYN};
	bool near_first = client % CLIENTS < CLIENTS / 2;
	uint8_t server = arrive(&spec);
	uint64_t net = near_first == (server <= 2) ? 2 * MS : 30 * MS;

	stub.now += net;
	spec.flags = ACK;
	spec.sequence = spec.acknowledged = 1;
	arrive(&spec);
	spec.payload = 100;
	arrive(&spec);
	stub.now += net + server * MS;
	spec.payload = 0;
	spec.sequence += 100;
	spec.acknowledged += 5000;
	arrive(&spec);
	spec.flags = RST;
	arrive(&spec);
}

static struct generation *in_force(uint32_t service)
{
	struct generation *generation = NULL;

	publisher_read(world.datapath, service, &generation);
	return generation;
}

/* The next packets begin anew. */
static void forget(void)
{
	struct larch_cell cell;

	memset(world.datapath->flows, 0, world.datapath->buckets * sizeof(struct larch_bucket));
	for (uint32_t id = 0; id < world.backends; id++)
		world.datapath->live[id].in_flight = 0;
	while (stub_next(STUB_MAP(&larch_cells), NULL, &cell))
		datapath_remove_cell(world.datapath, &cell);
}

/* The secret is known here, so that every run is the same. */
static void set_seed(void)
{
	uint32_t zero = 0;
	struct larch_settings *settings = bpf_map_lookup_elem(&larch_settings, &zero);

	settings->seed[0] = 0x0123456789abcdefull;
	settings->seed[1] = 0xfedcba9876543210ull;
	settings->hz = STUB_HZ;
	settings->stamp_shift = datapath_ticks_shift(STUB_HZ);
	settings->abi = LARCH_ABI; /* so that the daemon keeps all that */
}

void world_open(void)
{
	struct controller_options options = {.config_file = CONFIG, .pin_directory = "none"};

	log_set_level(LOG_LEVEL_ERROR);
	stub.now = WORLD_BEGIN_NS;
	set_seed();
	need(controller_open(&world.controller, &options) == 0, CONFIG);
	world.datapath = world.controller->datapath;
	world.local = LARCH_NO_BACKEND;
	while (world.controller->registry.backend[world.backends].used) {
		if (world.controller->registry.backend[world.backends].nexthop.local)
			world.local = world.backends;
		world.backends++;
	}
	need(world.backends <= WORLD_BACKENDS, "more backends than the state has bytes for");
	for (uint32_t i = 0; i < LARCH_MAX_SERVICES; i++)
		world.first[i] = in_force(i);
	for (uint32_t i = 0; i < CONVERSATIONS; i++) {
		converse(i);
		if (i % 400 == 399)
			controller_tick(world.controller);
	}
	for (uint32_t i = 0; i < LARCH_MAX_SERVICES; i++)
		world.learned[i] = in_force(i);
	need(world.learned[0] && world.learned[0]->plan.flags & LARCH_PLAN_LEARNED &&
		     world.learned[0]->leaves > 1,
	     "nothing was learned");
	forget();
	/* as at one of several nodes */
	for (uint32_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		if (world.datapath->services[i].policy.flags & LARCH_SERVICE_AGENTS)
			world.datapath->services[i].policy.flags |= LARCH_SERVICE_DOUBTS;
	}
	stub_freeze();
}
