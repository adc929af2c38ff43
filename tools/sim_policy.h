// SPDX-License-Identifier: BSD-2-Clause
/* How a simulated balancer chooses: a table of functions for each policy. */
#pragma once

#include "sim_world.h"

/* All but open, close and choose may be NULL. `self` is what open() made, for all nodes. */
struct sim_policy {
	const char *name, *help;
	const void *option; /* what tells variants of one policy apart */
	/* 0 or -errno. */
	int (*open)(struct sim_world *world, const void *option, void **self);
	void (*close)(void *self);
	/* A backend for a new flow. */
	size_t (*choose)(void *self, struct sim_flow *flow);
	/* The SYN comes again: nobody has answered it. NULL: the flow stays where it is. */
	size_t (*again)(void *self, struct sim_flow *flow);
	/* The client's packets: its SYN (after the choice), first ACK, request; and the first ACK
	 * beyond the request, which says when the answer came only if it is `timed`. */
	void (*opened)(void *self, struct sim_flow *flow);
	void (*connected)(void *self, struct sim_flow *flow);
	void (*requested)(void *self, struct sim_flow *flow);
	void (*answered)(void *self, struct sim_flow *flow, bool timed);
	/* The client gives up: nothing was answered. */
	void (*given_up)(void *self, struct sim_flow *flow, bool connected);
	/* Once a second. */
	int (*tick)(void *self);
};

/* All of them, in the order of the reports; the last has no name. */
extern const struct sim_policy *const sim_policies[];

/* NULL: there is none. */
const struct sim_policy *sim_policy_find(const char *name);
