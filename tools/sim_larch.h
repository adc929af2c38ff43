// SPDX-License-Identifier: BSD-2-Clause
/*
 * Larch in the simulator: per node the maps of the packet path in memory, and larchd's own service
 * over them. The packet path's decisions are made by include/larch, as in bpf/steer.h and
 * bpf/sample.h; what is learned and published, by user/service.c and all below it.
 */
#pragma once

#include <stdbool.h>

/* What tells the variants apart. */
struct sim_larch_option {
	bool slow_only;	  /* the leaf's ring alone decides */
	bool fast_only;	  /* no classes: one leaf, whose ring is the global one */
	bool frozen;	  /* nothing is learned once the measured time begins */
	bool inverted;	  /* the same, and the leaves' shares are turned upside down */
	bool pooled;	  /* all nodes learn from the samples of all */
	bool plain;	  /* neither weights nor concurrency are configured */
	bool without_arm; /* no flow is kept apart for the control arm */
	bool wide_arm;	  /* the control arm stays as large as it begins */
};
