// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel part, seen from user space: finds or loads the program, adopts or creates its maps,
 * pins and attaches. Holds the maps' descriptors; the mapped ones can be read directly.
 * Only modules of this name include libbpf. Owner: the controller. Writers: see publisher.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "larch/backend.h"
#include "larch/cell.h"
#include "larch/flow.h"
#include "larch/guard.h"
#include "larch/outcome.h"
#include "larch/plan.h"
#include "larch/service.h"

struct datapath {
	/* mapped */
	struct larch_settings *settings;
	struct larch_active *active;	 /* [LARCH_MAX_SERVICES] */
	struct larch_live *live;	 /* [LARCH_MAX_BACKENDS] */
	struct larch_vip_slot *vips;	 /* [2 * LARCH_VIP_SLOTS] */
	struct larch_service *services;	 /* [LARCH_MAX_SERVICES] */
	struct larch_pressure *pressure; /* [LARCH_MAX_SERVICES] */
	struct larch_bands *bands;	 /* [LARCH_MAX_BACKENDS] */
	struct larch_connects *connects; /* [LARCH_MAX_SERVICES * LARCH_ARMS] */
	struct larch_bucket *flows;	 /* [buckets] */
	uint32_t buckets;
	/* by system call */
	int backends, cells, access, outcomes, service_traffic, backend_traffic, leaf_traffic,
		evidence;
	unsigned cpus;
	bool adopted; /* the maps were there before */
	struct datapath_kernel *kernel;
};

/*
 * Adopts the maps of a program that is attached to one of the interfaces, else those pinned in
 * pin_directory, else creates them; loads the program; pins all of it. Attaches nothing.
 * Logs what it found. -EPROTONOSUPPORT: maps of a version that this one cannot work with are there.
 * -EBUSY: another process has them. After an error all is as it was.
 */
int datapath_open(struct datapath **out, const char *pin_directory,
		  const struct config_interface *interfaces, size_t interface_count,
		  uint32_t flow_entries);

/* The tables of one bank of one service, mapped when first asked for. */
struct datapath_bank {
	struct larch_plan *plan;
	struct larch_ring *rings;  /* [LARCH_RINGS] */
	struct larch_costs *costs; /* [LARCH_MAX_LEAVES] */
};

int datapath_bank(struct datapath *datapath, uint32_t service, uint32_t bank,
		  struct datapath_bank *out);

/* Leaves everything in the kernel as it is. */
void datapath_close(struct datapath *datapath);

/*
 * Makes sure that our program runs on the interface: attaches it, replaces another version of it
 * without a gap (in the mode in which that runs), or leaves an equal one. -EBUSY: a foreign program
 * is there. -ENODEV.
 */
int datapath_attach(struct datapath *datapath, const struct config_interface *interface);

/* Removes our program from the interface, if it is ours. */
int datapath_detach(struct datapath *datapath, const char *interface);

/* Removes the pins: with the last program the maps disappear. */
void datapath_unpin(struct datapath *datapath);

/* Could our program be attached there? -EBUSY: a foreign program is there. -ENODEV. */
int datapath_attachable(const char *interface);

/* What runs on an interface. */
enum datapath_runs {
	DATAPATH_GONE,	 /* there is no such interface */
	DATAPATH_FREE,	 /* nothing runs there */
	DATAPATH_OURS,	 /* a program of ours, with the maps that we write */
	DATAPATH_UNUSED, /* a program of ours, with maps that no daemon has ever used */
	DATAPATH_FOREIGN /* another program, or ours with maps that another daemon writes */
};

struct datapath_found {
	enum datapath_runs runs;
	uint32_t id; /* the kernel's, of the program; 0: none */
	char name[16];
};

void datapath_look(const struct datapath *datapath, const char *interface,
		   struct datapath_found *out);

/* Now, as flows are stamped: see larch/flow.h. The settings must say how. */
uint32_t datapath_stamp(const struct datapath *datapath);

/* The kernel's tick counter, its low 32 bits. */
uint32_t datapath_ticks(const struct datapath *datapath);

/* Ticks of the kernel a second. */
uint32_t datapath_tick_rate(const struct datapath *datapath);

/* Entries of larch_backends. */
int datapath_put_backend(struct datapath *datapath, uint32_t id,
			 const struct larch_backend *backend);
int datapath_get_backend(const struct datapath *datapath, uint32_t id,
			 struct larch_backend *backend);

/* Calls visit() for each entry of larch_cells, read in batches. */
int datapath_each_cell(const struct datapath *datapath,
		       void (*visit)(void *context, const struct larch_cell *cell,
				     const struct larch_samples *samples),
		       void *context);
/* Makes sure that the cell is there. -E2BIG: the map is full. */
int datapath_reserve_cell(struct datapath *datapath, const struct larch_cell *cell);
int datapath_remove_cell(struct datapath *datapath, const struct larch_cell *cell);

/* Entries of larch_quic: which backend a server id of a service's connection ids names. */
int datapath_each_quic(const struct datapath *datapath,
		       void (*visit)(void *context, const struct larch_quic *key, uint32_t backend),
		       void *context);
int datapath_put_quic(struct datapath *datapath, const struct larch_quic *key, uint32_t backend);
int datapath_remove_quic(struct datapath *datapath, const struct larch_quic *key);

/* Entries of larch_access, read in batches; verdict: enum larch_access_verdict. */
int datapath_each_access(const struct datapath *datapath,
			 void (*visit)(void *context, const struct larch_access *key,
				       uint32_t verdict),
			 void *context);
int datapath_put_access(struct datapath *datapath, const struct larch_access *key,
			uint32_t verdict);
int datapath_remove_access(struct datapath *datapath, const struct larch_access *key);

/* Counters, summed over CPUs. */
int datapath_outcome(const struct datapath *datapath, uint32_t outcome, struct larch_counter *sum);
int datapath_service_traffic(const struct datapath *datapath, uint32_t id,
			     struct larch_traffic *sum);
/* What was seen of the service's flows that tells whether they can be timed, summed over CPUs. */
int datapath_evidence(const struct datapath *datapath, uint32_t id, struct larch_evidence *sum);
/* Of a leaf: flows alone. */
int datapath_leaf_traffic(const struct datapath *datapath, uint32_t service, uint32_t leaf,
			  struct larch_traffic *sum);
int datapath_backend_traffic(const struct datapath *datapath, uint32_t id,
			     struct larch_traffic *sum);
