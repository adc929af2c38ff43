// SPDX-License-Identifier: BSD-2-Clause
/*
 * The controller: owns the configuration in force, the kernel part, the next hops and the services
 * with what was learned; runs the tick. One thread. Only its own files change this struct; the
 * reports read it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "checks.h"
#include "config.h"
#include "datapath.h"
#include "entries.h"
#include "flows.h"
#include "naming.h"
#include "netlink.h"
#include "netlink_routes.h"
#include "nodes.h"
#include "registry.h"
#include "returns.h"
#include "routes.h"
#include "service.h"
#include "state.h"

#define CONTROLLER_CONCURRENCY 4 /* of a backend of which nobody has said anything */

struct controller_options {
	const char *config_file;
	const char *pin_directory;
	struct config_interface *interfaces; /* from the command line; instead of the file's */
	size_t interface_count;
	const char *state_file; /* NULL: nothing is kept on the disk */
	bool strict;		/* a start with a bad file is refused: no last good one instead */
};

/* What a tick spends its time on; the services' parts are added up. */
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

/* What it cost in the last tick, in the dearest one, and in all of them; wall-clock time. */
struct stage_time {
	uint64_t last_ns, most_ns, sum_ns;
};

/* What became of an interface, at the last look. */
struct interface_state {
	unsigned index; /* 0: it is not there */
	bool up;	/* it has a link */
	struct datapath_found found;
	int error;	/* of the last try to attach the program; 0 */
	uint64_t tried; /* the tick in which that was, from 1; 0: at the beginning */
};

/* The routes that announce the services' addresses. Services by bits, as in routes.h. */
struct announce {
	struct netlink_routes *kernel;
	struct netlink_place place; /* where they stand now; table 0: nowhere */
	struct routes routes;
	uint64_t services;     /* of the last configuration */
	uint64_t ordered;      /* those that the operator has withdrawn */
	bool ordered_all;      /* so are those that begin later */
	json_t *remembered;    /* orders of an earlier daemon; NULL: none */
	bool doubtful;	       /* the kernel may not hold what it should */
	uint64_t synced_ticks; /* when it was last asked */
};

struct controller {
	struct controller_options options;
	struct larch_config *config;
	struct datapath *datapath;
	struct netlink *netlink;
	struct registry registry;
	struct concurrency evidence[LARCH_MAX_BACKENDS]; /* of the backends' concurrency */
	struct service service[LARCH_MAX_SERVICES];	 /* at their ids */
	struct stage_time stage[STAGES];
	struct checks *checks;		  /* active health checks */
	struct entries *entries;	  /* what larch_vips holds; NULL: not written yet */
	bool verdicts;			  /* of health checks, that have not taken effect yet */
	bool addresses_changed;		  /* of tunnels or backends, since they were written */
	struct nodes nodes;		  /* leader and followers */
	struct flows_count flows;	  /* of the last walk */
	int64_t leak[LARCH_MAX_BACKENDS]; /* live count less counted, at the last walk */
	int64_t connects_leak[LARCH_MAX_BACKENDS]; /* the same of connects alone */
	struct interface_state *interface;	   /* of those that the program was attached to */
	size_t interface_count;
	struct announce announce;
	struct returns returns; /* answers that the kernel drops */
	uint64_t ticks;
	uint64_t ticked_ns;  /* when the last tick of this interval began; 0: not yet */
	uint64_t cells;	     /* entries of larch_cells, at the last tick */
	bool fresh;	     /* cells first seen now count from zero */
	uint64_t warm_ticks; /* ticks before learning begins: samples gather after an adoption */
	uint64_t started_ns;
	time_t reloaded;
	struct naming naming;
	bool reload_failed; /* the last reload was refused; the configuration before it is in force
			     */
	char reload_error[512];
	uint64_t members_news; /* counts what is new of the members' states and orders */
	uint64_t members_kept; /* of this, what is kept on the disk */
	uint64_t fitted_news;  /* counts what is new of the backends' fitted concurrency */
	uint64_t fitted_kept;  /* the same */
	struct state *state;   /* what is kept on the disk; NULL: nothing */
	char last_good[512];   /* why the last good configuration is in force; "": the file's is */
};

/*
 * Reads the configuration, opens the kernel part, publishes first generations and attaches last.
 * What cannot be read or applied gives way to the last good configuration. Errors have been logged.
 * -EINVAL: the configuration is refused.
 */
int controller_open(struct controller **out, const struct controller_options *options);

/* Leaves the kernel part running; detach: removes program and pins. */
void controller_close(struct controller *controller, bool detach);

/* Reads the configuration again. All of it is applied, or nothing. */
int controller_reload(struct controller *controller, struct config_errors *errors);

/* Handles what netlink has to say. */
void controller_network(struct controller *controller);

/* Handles what name servers have to say; for epoll, the descriptor that tells when. */
void controller_names(struct controller *controller);
int controller_names_fd(const struct controller *controller);

/* One tick: read, train, shares, rings, publish if it is worth it, judge. */
void controller_tick(struct controller *controller);

/* Where the program is to run: the interfaces of the command line, or else of the file. */
const struct config_interface *controller_interfaces(const struct controller *controller,
						     size_t *count);

/* Attaches the program wherever that is possible. 0 or the first -errno. Errors have been logged.
 */
int controller_attach(struct controller *controller);

/*
 * Attaches it to interfaces that have come back, or have come at last, and where somebody has taken
 * it off. Another program that stands there stays.
 */
void controller_watch_interfaces(struct controller *controller);

/*
 * Why no packet comes to the program on any interface: a static string; NULL: some may, or there is
 * no way to know since no interface is configured.
 */
const char *controller_cut_off(const struct controller *controller);

/* --- announcing (announce.c) --- */

/*
 * Makes the routes follow the configuration in force, those of an earlier daemon included. Errors
 * have been logged, and are in struct route.
 */
void controller_set_routes(struct controller *controller);

/* Decides again about each address, and makes the kernel follow. */
void controller_follow_routes(struct controller *controller);

/* Looks at interfaces, if they may have changed, and routes. */
void controller_look_around(struct controller *controller, bool interfaces);

/*
 * Withdraws or announces a service's addresses, or those of all services, by order of the operator.
 * -ENOENT: no routes are configured.
 */
int controller_order_routes(struct controller *controller, const struct service *service,
			    bool announced);

/*
 * What the operator has withdrawn: {"all":bool,"services":["..."]}, to be kept beyond the daemon's
 * end; NULL: nothing, or no memory. And back, before controller_set_routes(): orders that make no
 * sense are ignored.
 */
json_t *controller_withdrawn(const struct controller *controller);
void controller_remember_withdrawn(struct controller *controller, const json_t *withdrawn);

/* Removes all routes, saying why. */
void controller_remove_routes(struct controller *controller, const char *why);

/* The service of that name; NULL: none. */
struct service *controller_service(struct controller *controller, const char *name);

/* Does the flow table that runs hash by another seed than the configured one? */
bool controller_seed_differs(const struct controller *controller);

/* --- between the controller's own files --- */

/*
 * Makes services and registry follow the configuration and takes it over. -ENOSPC: more services or
 * backends than there are ids left. Nothing in force is changed then.
 */
int controller_apply(struct controller *controller, struct larch_config *config);

/* A file, and what it says. */
struct loaded {
	struct larch_config *config;
	char *text;
	size_t length;
};

/* Reads the configuration's file. 0 or -errno, which has been logged; *out is empty then. */
int controller_load(const struct controller *controller, struct loaded *out,
		    struct config_errors *errors);

/*
 * The same at the start, when a bad file gives way to the last good one, if there is one. If the
 * reason is in controller->last_good already, the file is not tried again.
 */
int controller_load_first(struct controller *controller, struct loaded *out);

/* Is there a last good configuration to try, and another one, if this one cannot be applied? */
bool controller_has_other(const struct controller *controller, const struct loaded *loaded);

/*
 * What was loaded is in force: if it is good for a start, the next one may need it. Releases the
 * text, the configuration is the controller's.
 */
void controller_loaded(struct controller *controller, struct loaded *loaded, bool good);

/* It is not in force. */
void controller_unload(struct loaded *loaded);

/* The file that the configuration in force comes from. */
const char *controller_config_file(const struct controller *controller);

/* What the walk has found of a backend. An id is free when its server has left, and all its flows.
 */
void controller_leaving(struct controller *controller, uint32_t id);

/*
 * Makes sure that all backends of the configuration can have ids: if need be, those that have left
 * and have only silent flows lose theirs, the longest silent ones first. -ENOSPC: too few
 * (and those have lost theirs all the same).
 */
int controller_make_room(struct controller *controller, const struct larch_config *config);

/* Writes what the packet path does with the packets of each service, and then to whom they go. */
int controller_write_services(struct controller *controller);

/* Asks no agents any more where none answers, and tries again later: see agents.h. */
void controller_follow_agents(struct controller *controller);

/* Writes what every packet of one service needs to know. */
void controller_write_policy(struct controller *controller, const struct service *service);

/* Keeps larch_quic as the configuration says. */
int controller_write_quic(struct controller *controller);

/* Makes larch_vips follow services, backends and tunnels. Without a change it writes nothing. */
int controller_write_addresses(struct controller *controller);

/*
 * The same, and for connection ids, if addresses of tunnels have changed or a backend is forgotten.
 * Errors have been logged.
 */
void controller_follow_addresses(struct controller *controller);

/* netlink's callback: a next hop has changed. */
void controller_nexthop_changed(void *context, const struct in6_addr *address,
				const struct nexthop *nexthop);

/*
 * Why a service that forwards so cannot use the backend: a static string; NULL: it can. A router
 * passes on what is addressed to itself alone.
 */
const char *controller_unreachable(const struct controller *controller, uint32_t backend,
				   enum larch_mode mode);

/* Where a tunnel to this backend leaves from; unspecified: not known. */
const struct in6_addr *controller_tunnel_source(const struct controller *controller,
						const struct registry_backend *backend);

/* Writes the entries of all backends again: the tunnels' source addresses have changed. */
void controller_write_backends(struct controller *controller);

/* Next hops that were lost at the last tick and have not come back. */
void controller_drop_faded(struct controller *controller);

/* Publishes for all services whose members have changed. */
void controller_follow_members(struct controller *controller, const char *why);

/* Adds the time since *since to a stage, and moves *since to now. */
void controller_clock(struct controller *controller, enum stage stage, uint64_t *since);
