// SPDX-License-Identifier: BSD-2-Clause
/* The daemon's part of Larch in the simulator: a controller for each node, and its ticks. */
#pragma once

#include "controller.h"
#include "sim_larch.h"
#include "sim_larch_maps.h"
#include "sim_world.h"

struct sim_larch_node {
	struct sim_maps *maps;
	struct controller *controller; /* pooled: the first node's alone */
};

struct sim_larch {
	struct sim_world *world;
	struct sim_larch_option option;
	struct larch_config config;
	struct config_service service;
	struct config_backend backend[SIM_BACKENDS];
	struct config_member member[SIM_BACKENDS];
	struct sim_larch_node node[SIM_NODES];
	bool stopped; /* nothing is learned any more */
};

/* Publishes first generations. 0 or -errno. */
int sim_larch_open(struct sim_world *world, const void *option, void **self);
void sim_larch_close(void *self);

/* As controller_tick(), without network and flow table. 0 or -errno. */
int sim_larch_tick(void *self);
