// SPDX-License-Identifier: BSD-2-Clause
/*
 * The controller: owns the configuration in force, the kernel part, the next hops and the services
 * with what was learned; runs the tick. One thread. The reports read this struct, nobody else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "cells.h"
#include "config.h"
#include "datapath.h"
#include "flows.h"
#include "generation.h"
#include "judge.h"
#include "learner.h"
#include "netlink.h"
#include "registry.h"
#include "ring.h"

#define CONTROLLER_CONCURRENCY 4  /* of a backend whose concurrency is not configured */
#define CONTROLLER_HISTORY     32 /* generations of a service that are remembered */

struct controller_options {
	const char *config_file;
	const char *pin_directory;
	struct config_interface *interfaces; /* from the command line; instead of the file's */
	size_t interface_count;
};

/* What the learner of a service is doing. */
enum service_state {
	SERVICE_OFF,	 /* learning: off, or nothing can be timed */
	SERVICE_WAITING, /* not enough samples yet, or none fresh: the last generation stays */
	SERVICE_SHADOW,	 /* learns, but all flows go by the control ring */
	SERVICE_LEARNED, /* the learned arm is steered by what was learned */
	SERVICE_JUDGED,	 /* learned was worse than control: switched off for a while */
};

/* One generation that was published, for the record. */
struct service_event {
	uint32_t generation;
	uint64_t digest;
	time_t when;
	char why[120];
	size_t leaves;
	double expected_gain; /* relative */
	double moved_share;   /* largest move of a share */
	size_t moved_slots;   /* of the global ring */
};

struct service {
	bool used;
	uint16_t id;
	const struct config_service *config; /* in controller.config */
	struct learner_member member[LARCH_MAX_MEMBERS];
	size_t members;
	bool members_changed; /* since the last publication */
	struct ring_builder *builder;
	struct cells *cells;
	struct judge *judge;
	struct judge_report report;	 /* after the last tick */
	struct cells_statistics counted; /* of the last tick */
	struct generation *current;	 /* what the kernel steers by; NULL before the first */
	struct generation *shadow;	 /* the last one trained, published or not; NULL: none */
	enum service_state state;
	const char *reason; /* why the state is not SERVICE_LEARNED; NULL */
	unsigned age;	    /* ticks since the last publication */
	struct service_event event[CONTROLLER_HISTORY]; /* ring buffer, at published % size */
	uint64_t published;				/* generations, since the daemon began */
};

/* What the last tick cost, and the dearest one so far, ns of CPU-independent time. */
enum stage {
	STAGE_READ,
	STAGE_TRAIN,
	STAGE_SHARES,
	STAGE_RINGS,
	STAGE_PUBLISH,
	STAGE_JUDGE,
	STAGES
};

extern const char *const stage_names[STAGES];

struct stage_time {
	uint64_t last_ns, most_ns, sum_ns;
};

struct controller {
	struct controller_options options;
	struct larch_config *config;
	struct datapath *datapath;
	struct netlink *netlink;
	struct registry registry;
	struct service service[LARCH_MAX_SERVICES]; /* at their ids */
	struct stage_time stage[STAGES];
	struct flows_count flows;	  /* of the last walk */
	int32_t leak[LARCH_MAX_BACKENDS]; /* live count less counted, at the last walk */
	uint64_t ticks;
	uint64_t cells;	     /* entries of larch_cells, at the last tick */
	bool fresh;	     /* cells first seen now count from zero */
	uint64_t warm_ticks; /* ticks before learning begins: samples gather after an adoption */
	time_t started, reloaded;
	bool reload_failed; /* the last reload was refused; the configuration before it is in force
			     */
	char reload_error[512];
};

/*
 * Reads the configuration, opens the kernel part, publishes first generations and attaches last.
 * Errors have been logged. -EINVAL: the configuration is refused.
 */
int controller_open(struct controller **out, const struct controller_options *options);

/* Leaves the kernel part running; detach: removes program and pins. */
void controller_close(struct controller *controller, bool detach);

/* Reads the configuration again. All of it is applied, or nothing. */
int controller_reload(struct controller *controller, struct config_errors *errors);

/* Handles what netlink has to say. */
void controller_network(struct controller *controller);

/* One tick: read, train, shares, rings, publish if it is worth it, judge. */
void controller_tick(struct controller *controller);

/* The service of that name; NULL: none. */
struct service *controller_service(struct controller *controller, const char *name);

/* --- between the controller's own files --- */

/* Publishes a generation, takes it over as current and records why. */
int service_publish(struct controller *controller, struct service *service,
		    struct generation *generation, const char *why);

/* What the learner needs of a service; the table stays empty. */
void service_input(const struct controller *controller, const struct service *service,
		   struct learner_input *input);

/* Brings members (usable, weight, concurrency) up to date; true if something changed. */
bool service_refresh_members(struct controller *controller, struct service *service);

/* Publishes for members that have changed, without new learning. */
void service_republish(struct controller *controller, struct service *service, const char *why);

/* The service's part of a tick, after the samples have been read. */
void service_tick(struct controller *controller, struct service *service);

void service_close(struct service *service);

/*
 * Makes services and registry follow the configuration and takes it over. -ENOSPC: more services or
 * backends than there are ids left. Nothing is changed then.
 */
int controller_apply(struct controller *controller, struct larch_config *config);

/* netlink's callback: a next hop has changed. */
void controller_nexthop_changed(void *context, const struct in6_addr *address,
				const struct nexthop *nexthop);

/* Next hops that were lost at the last tick and have not come back. */
void controller_drop_faded(struct controller *controller);

/* Publishes for all services whose members have changed. */
void controller_follow_members(struct controller *controller, const char *why);

/* Adds the time since *since to a stage, and moves *since to now. */
void controller_clock(struct controller *controller, enum stage stage, uint64_t *since);

uint64_t controller_now_ns(void);
