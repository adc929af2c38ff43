// SPDX-License-Identifier: BSD-2-Clause
/*
 * A balancer in the kernel, unpinned and unattached, with its maps filled as larchd would fill
 * them: services, backends and a published generation. Gone when the process ends.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"
#include "larch/outcome.h"
#include "larch/service.h"

#define WORLD_MEMBERS BENCH_MEMBERS

struct bpf_object;

/* Where backends are, as seen from their service. */
enum world_way {
	WORLD_AWAY,  /* on the network, of the service's family */
	WORLD_CROSS, /* of the other family */
	WORLD_LOCAL, /* on this host */
};

struct world {
	struct bpf_object *object;
	int program;
	int outcomes;
	struct larch_bucket *flows;
	struct larch_live *live;
	struct larch_settings *settings;
	struct larch_vip_slot *vips;
	struct larch_service *services;
	struct larch_plan *plans;
	uint32_t buckets;
};

/* Loads the object file. -errno, after saying on stderr what is wrong. */
int world_open(struct world *world, const char *file, uint32_t buckets);
void world_close(struct world *world);

/* Forgets all flows, and what the backends owe. */
void world_clear(struct world *world);

/* All services are forwarded so from now on, to backends that are there. 0 or -errno. */
int world_set_way(struct world *world, enum larch_mode mode, enum world_way way);

/* Fills the flow table with open flows of nobody's. */
void world_fill(struct world *world);

/* Are new flows steered by what was learned, or all by the control ring? */
void world_learned(struct world *world, bool learned);

/* Are flows timed? */
void world_timed(struct world *world, bool timed);

/* All services have these flags (enum larch_service_flag) from now on, and what belongs to them. */
int world_set_flags(struct world *world, uint16_t flags);

/* Some seconds pass for the SYNs in the flow table. */
void world_wait(struct world *world);

/* Packets counted under an outcome so far, and under all of them. */
uint64_t world_outcome(const struct world *world, uint32_t outcome);
uint64_t world_packets(const struct world *world);
