// SPDX-License-Identifier: BSD-2-Clause
/* What the datapath modules share with each other alone. */
#pragma once

#include "datapath.h"
#include "larch.skel.h"
#include "larch/plan.h"

struct larch_frags_bpf;
struct health_bpf;

struct datapath_kernel {
	struct larch_bpf *object;
	struct larch_frags_bpf *frags; /* NULL: not needed so far */
	struct health_bpf *health;     /* the same; see datapath_health.h */
	bool health_hook;	       /* we made the place for filters on the loopback interface */
	char pins[192];		       /* folder of a bpffs */
	int lock;  /* the same, opened; locked while this process writes to the maps */
	int ticks; /* see datapath_ticks.h */
	struct larch_plan *plans;		       /* all */
	struct larch_ring *rings[LARCH_MAX_SERVICES];  /* of all banks; NULL: not mapped yet */
	struct larch_costs *costs[LARCH_MAX_SERVICES]; /* the same */
};

/*
 * Makes the folder of pins, on a bpffs, and locks it: two daemons must not write to the same maps.
 * The lock ends with its process, however that ends. Returns a descriptor or -errno, having said
 * why; -EBUSY: another larchd is at work there.
 */
int datapath_directory(const char *directory);

/*
 * Lets the maps that an earlier daemon or `ip link` left be those of the object that is open, where
 * they fit: those of the programs on the interfaces, else those that are pinned. What is missing is
 * made when the object is loaded. -EPROTONOSUPPORT, having said what helps: they are of a version
 * that this one cannot work with. Changes nothing in the kernel.
 */
int datapath_adopt(struct datapath *datapath, const struct config_interface *interfaces,
		   size_t count);

/* The version that some larch_settings speak; 0: none, or they are no settings. Of any size. */
uint32_t datapath_abi(int settings);

/* Names of programs in the folder of pins. */
#define DATAPATH_PIN	   "larch"
#define DATAPATH_FRAGS_PIN "larch-frags"

/* Pins a descriptor under a name; another object that stands there gives way. */
int datapath_pin(const struct datapath *datapath, int fd, const char *name);

/* Lets an object that is open use our maps, and no others. 0 or -errno. */
int datapath_share_maps(const struct datapath *datapath, struct bpf_object *object);

/*
 * The descriptor of the program for frames in several buffers, loaded and pinned when first asked
 * for; or -errno, having said so. It is closed with the rest.
 */
int datapath_frags_program(struct datapath *datapath);
void datapath_frags_close(struct datapath *datapath);

#define DATAPATH_PROGRAM_MAPS 64 /* that we look at, of one program */

/*
 * The descriptor of the program attached to an interface, or -errno; -ENOENT: none. Fills *info,
 * and map_ids with as many as there is room for.
 */
int datapath_program(const char *interface, struct bpf_prog_info *info, uint32_t *map_ids,
		     uint32_t count);

bool datapath_is_larch(const struct bpf_prog_info *info);

/* A new descriptor of the map of this name among these; -ENOENT. */
int datapath_map_named(const char *name, const uint32_t *map_ids, uint32_t count);

/* Has a daemon ever worked with these settings? Takes the descriptor over. */
bool datapath_is_in_use(int settings);

/* The kernel's id of a map; 0: unknown. */
uint32_t datapath_map_id(int fd);
