// SPDX-License-Identifier: BSD-2-Clause
/* What the datapath modules share with each other alone. */
#pragma once

#include "larch.skel.h"
#include "larch/plan.h"

struct datapath_kernel {
	struct larch_bpf *object;
	char pins[192]; /* folder of a bpffs */
	struct larch_plan *plans;			/* all */
	struct larch_ring *rings[LARCH_MAX_SERVICES];	/* of all banks; NULL: not mapped yet */
	struct larch_costs *costs[LARCH_MAX_SERVICES];	/* the same */
};
