// SPDX-License-Identifier: BSD-2-Clause
/* What the datapath modules share with each other alone. */
#pragma once

#include "larch.skel.h"
#include "larch/plan.h"

struct datapath_kernel {
	struct larch_bpf *object;
	char pins[192]; /* folder of a bpffs */
	int lock;	/* the same, opened; locked while this process writes to the maps */
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
