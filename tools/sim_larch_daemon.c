// SPDX-License-Identifier: BSD-2-Clause
/*
 * Builds what larchd has when it has read its configuration and found its backends reachable, and
 * runs larchd's own service_tick() over it.
 */
#include "sim_larch_daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "estimate.h"
#include "log.h"
#include "members.h"
#include "publisher.h"

#define FIRST_ADDRESS 0x0a640001 /* 10.100.0.1 */
#define LEAST_SHARE   1e-4	 /* of what is inverted */

/* ---- the configuration ---- */

static void set_backend(struct sim_larch *larch, size_t i)
{
	const struct sim_backend *from = &larch->world->scenario->backend[i];
	struct config_backend *to = &larch->backend[i];

	to->address.s6_addr16[5] = 0xffff;
	to->address.s6_addr32[3] = htonl((uint32_t)(FIRST_ADDRESS + i));
	to->concurrency = larch->option.plain ? 0 : from->workers;
	larch->member[i].backend = i;
	larch->member[i].weight = larch->option.plain ? 1 : from->weight;
}

static void configure(struct sim_larch *larch)
{
	size_t backends = larch->world->scenario->backends;

	larch->config.learning = config_learning_default;
	if (larch->option.fast_only)
		larch->config.learning.max_leaves = 1;
	for (size_t i = 0; i < backends; i++)
		set_backend(larch, i);
	larch->service = (struct config_service){
		.name = "simulated",
		.learning = CONFIG_LEARNING_ON,
		.signal = LARCH_SIGNAL_RESPONSE,
		.members = larch->member,
		.member_count = backends,
	};
	larch->config.backends = larch->backend;
	larch->config.backend_count = backends;
	larch->config.services = &larch->service;
	larch->config.service_count = 1;
}

/* ---- a node ---- */

static void begin_backends(struct sim_larch *larch, struct controller *controller)
{
	for (size_t i = 0; i < larch->config.backend_count; i++) {
		const struct config_backend *from = &larch->backend[i];
		uint16_t id = registry_take(&controller->registry, &from->address);
		struct registry_backend *backend = &controller->registry.backend[id];

		backend->configured = true;
		snprintf(backend->name, sizeof(backend->name), "b%zu", i);
		backend->nexthop.ready = backend->nexthop.direct = true;
		estimate_begin(controller, id, from->concurrency);
	}
}

static int begin_service(struct sim_larch *larch, struct service *service)
{
	uint64_t identity[LARCH_MAX_MEMBERS];
	uint16_t backend[LARCH_MAX_MEMBERS];
	int error = service_open(service, 0, &larch->config.learning, LARCH_SIGNAL_RESPONSE);

	if (error)
		return error;
	service->config = &larch->service;
	service->members = larch->config.backend_count;
	for (size_t i = 0; i < service->members; i++) {
		backend[i] = service->member[i].backend = (uint16_t)i;
		lifecycle_begin(&service->life[i], backend[i], true, &(struct lifecycle_now){});
		identity[i] = ring_identity(&larch->backend[i].address,
					    sizeof(larch->backend[i].address));
	}
	error = ring_builder_new(&service->builder, identity, service->members);
	return error ? error : cells_members(service->cells, backend, service->members);
}

static int begin_controller(struct sim_larch *larch, struct sim_larch_node *node)
{
	struct controller *controller = calloc(1, sizeof(*controller));
	int error;

	if (!controller)
		return -ENOMEM;
	node->controller = controller;
	controller->config = &larch->config;
	controller->datapath = &node->maps->datapath;
	controller->fresh = true;
	begin_backends(larch, controller);
	error = begin_service(larch, &controller->service[0]);
	if (error)
		return error;
	members_refresh(controller, &controller->service[0]);
	service_republish(controller, &controller->service[0], "begins");
	return controller->service[0].current ? 0 : -ENOMEM;
}

static bool learns(const struct sim_larch *larch, size_t node)
{
	return node == 0 || !larch->option.pooled;
}

/* ---- pooled statistics ---- */

/* Every node gets the generation of the one that learned, and the live parameters. */
static void copy_generation(struct sim_larch *larch)
{
	const struct sim_maps *from = larch->node[0].maps;

	for (size_t n = 1; n < larch->world->nodes; n++) {
		struct sim_maps *to = larch->node[n].maps;
		uint32_t bank = from->active[0].bank;

		to->plan[bank] = from->plan[bank];
		memcpy(&to->ring[larch_ring_index(0, bank, 0)],
		       &from->ring[larch_ring_index(0, bank, 0)],
		       (LARCH_RING_LEAF + from->plan[bank].tree.leaves) * sizeof(*to->ring));
		memcpy(&to->costs[larch_costs_index(0, bank, 0)],
		       &from->costs[larch_costs_index(0, bank, 0)],
		       from->plan[bank].tree.leaves * sizeof(*to->costs));
		to->active[0] = from->active[0];
		to->services[0] = from->services[0];
		for (size_t i = 0; i < larch->config.backend_count; i++) {
			to->live[i].concurrency = from->live[i].concurrency;
			to->live[i].share = from->live[i].share;
			to->live[i].service_us = from->live[i].service_us;
		}
	}
}

/* Sums up the same cell of all nodes, of which each remembers its own. */
static void add_samples(struct larch_samples *to, const struct larch_samples *from)
{
	to->connects += from->connects;
	to->connect_us += from->connect_us;
	to->responses += from->responses;
	to->response_us += from->response_us;
	to->server_us += from->server_us;
	to->work_us += from->work_us;
	for (size_t i = 0; i < LARCH_LATENCY_BUCKETS; i++)
		to->latency[i] += from->latency[i];
}

static void add_connects(struct larch_connects *to, struct larch_connects *from)
{
	for (uint32_t arm = 0; arm < LARCH_ARMS; arm++) {
		for (size_t i = 0; i < LARCH_LATENCY_BUCKETS; i++)
			to[arm].latency[i] += from[arm].latency[i];
		memset(&from[arm], 0, sizeof(from[arm]));
	}
}

/* What the other nodes have measured since the last tick goes to the first. */
static void pool(struct sim_larch *larch)
{
	for (size_t n = 1; n < larch->world->nodes; n++) {
		struct sim_maps *maps = larch->node[n].maps;

		for (size_t i = 0; i < maps->cells; i++) {
			struct larch_samples *to =
				sim_maps_cell(larch->node[0].maps, &maps->cell[i]);

			if (to)
				add_samples(to, &maps->samples[i]);
		}
		memset(maps->samples, 0, maps->cells * sizeof(*maps->samples));
		add_connects(larch->node[0].maps->connects, maps->connects);
	}
}

/* ---- the tick ---- */

static void tick_node(struct sim_larch_node *node)
{
	struct controller *controller = node->controller;
	struct service *service = &controller->service[0];

	cells_begin(service->cells, 1);
	for (size_t i = 0; i < node->maps->cells; i++)
		cells_update(service->cells, &node->maps->cell[i], &node->maps->samples[i], true);
	estimate_tick(controller, 1);
	service_tick(controller, service);
	controller->ticks++;
}

static void invert(double *share, size_t members)
{
	double sum = 0;

	for (size_t i = 0; i < members; i++)
		sum += share[i] = 1 / (share[i] + LEAST_SHARE);
	for (size_t i = 0; i < members; i++)
		share[i] /= sum;
}

/* The leaves' shares upside down, published. */
static int publish_inverted(struct sim_larch_node *node)
{
	struct service *service = &node->controller->service[0];
	struct generation *generation = service->current;
	struct learner_input input = {
		.member = service->member,
		.members = service->members,
		.builder = service->builder,
	};

	for (size_t leaf = 0; leaf < generation->leaves; leaf++)
		invert(generation->share + leaf * generation->members, generation->members);
	learner_rings(&input, generation);
	return publisher_publish(node->controller->datapath, service->id, generation);
}

static bool must_stop(const struct sim_larch *larch)
{
	return (larch->option.frozen || larch->option.inverted) &&
	       (double)larch->world->now_ns / SIM_SECOND >= larch->world->scenario->measured_from;
}

int sim_larch_tick(void *self)
{
	struct sim_larch *larch = self;
	int error = 0;

	if (larch->stopped)
		return 0;
	larch->stopped = must_stop(larch);
	if (larch->option.pooled)
		pool(larch);
	for (size_t n = 0; n < larch->world->nodes && !error; n++) {
		if (!learns(larch, n))
			continue;
		tick_node(&larch->node[n]);
		if (larch->stopped && larch->option.inverted)
			error = publish_inverted(&larch->node[n]);
	}
	if (larch->option.pooled)
		copy_generation(larch);
	return error;
}

/* ---- begin and end ---- */

void sim_larch_close(void *self)
{
	struct sim_larch *larch = self;

	for (size_t n = 0; n < larch->world->nodes; n++) {
		struct sim_larch_node *node = &larch->node[n];

		if (node->controller)
			service_close(&node->controller->service[0]);
		free(node->controller);
		sim_maps_free(node->maps);
	}
	free(larch);
}

int sim_larch_open(struct sim_world *world, const void *option, void **self)
{
	struct sim_larch *larch = calloc(1, sizeof(*larch));
	int error = 0;

	if (!larch)
		return -ENOMEM;
	*self = larch;
	larch->world = world;
	larch->option = *(const struct sim_larch_option *)option;
	log_set_level(LOG_LEVEL_ERROR);
	configure(larch);
	for (size_t n = 0; n < world->nodes && !error; n++) {
		larch->node[n].maps = sim_maps_new();
		if (!larch->node[n].maps)
			error = -ENOMEM;
		else if (learns(larch, n))
			error = begin_controller(larch, &larch->node[n]);
	}
	if (!error && larch->option.pooled)
		copy_generation(larch);
	return error;
}
