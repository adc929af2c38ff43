// SPDX-License-Identifier: BSD-2-Clause
/*
 * Making the world follow a configuration: its services and backends begin, change and leave. What
 * the kernel part needs of them is the business of ids.c, apply_services.c and apply_addresses.c.
 * Checks all that can be refused before it changes anything.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "controller.h"
#include "estimate.h"
#include "fault.h"
#include "ids.h"
#include "log.h"
#include "members.h"
#include "publisher.h"
#include "remember.h"

static void set_backends(struct controller *controller, const struct larch_config *config)
{
	struct registry *registry = &controller->registry;

	for (size_t i = 0; i < LARCH_MAX_BACKENDS; i++)
		registry->backend[i].configured = false;
	for (size_t i = 0; i < config->backend_count; i++) {
		const struct config_backend *from = &config->backends[i];
		uint16_t id = registry_take(registry, &from->address);
		struct registry_backend *backend = &registry->backend[id];

		backend->configured = true;
		backend->idle_walks = 0;
		memcpy(backend->name, from->name, sizeof(backend->name));
		estimate_begin(controller, id, from->concurrency);
	}
}

/* Every backend, and every one that still has flows, is watched. Tells its state before it returns.
 */
static void watch_backends(struct controller *controller)
{
	for (size_t i = 0; i < LARCH_MAX_BACKENDS; i++) {
		struct registry_backend *backend = &controller->registry.backend[i];
		int error;

		if (!backend->used)
			continue;
		error = netlink_watch(controller->netlink, &backend->address);
		if (error)
			log_error("backend %s: cannot be watched: %s", backend->name,
				  strerror(-error));
	}
}

static uint16_t member_backend(const struct controller *controller,
			       const struct config_member *member)
{
	return registry_find(&controller->registry,
			     &controller->config->backends[member->backend].address);
}

static void begin_life(const struct controller *controller, const struct service *service,
		       uint16_t id, struct lifecycle *life)
{
	const struct lifecycle_now now = {.ns = clock_now(), .wall = time(NULL)};
	bool all_begin = service->members == 0;

	lifecycle_begin(life, id, all_begin, &now);
	if (all_begin)
		remember_member(controller, service, life);
}

/* Who stays keeps its state; who comes to a service that has members already is new. */
static void set_lives(struct controller *controller, struct service *service)
{
	const struct config_service *config = service->config;
	struct lifecycle life[LARCH_MAX_MEMBERS];

	for (size_t i = 0; i < config->member_count; i++) {
		uint16_t id = member_backend(controller, &config->members[i]);
		const struct lifecycle *known = members_life(service, id);

		if (known)
			life[i] = *known;
		else
			begin_life(controller, service, id, &life[i]);
	}
	memcpy(service->life, life, config->member_count * sizeof(life[0]));
}

static int set_members(struct controller *controller, struct service *service)
{
	const struct config_service *config = service->config;
	uint64_t identity[LARCH_MAX_MEMBERS];
	uint16_t backend[LARCH_MAX_MEMBERS];
	int error;

	service->members_changed |= service->members != config->member_count;
	set_lives(controller, service);
	controller->members_news++;
	service->members = config->member_count;
	for (size_t i = 0; i < config->member_count; i++) {
		const struct in6_addr *address =
			&controller->config->backends[config->members[i].backend].address;

		backend[i] = service->life[i].backend;
		identity[i] = ring_identity(address, sizeof(*address));
		service->members_changed |= service->member[i].backend != backend[i];
		service->member[i].backend = backend[i];
	}
	service->members_changed |= members_refresh(controller, service);
	ring_builder_free(service->builder);
	service->builder = NULL;
	error = ring_builder_new(&service->builder, identity, service->members);
	return error ? error : cells_members(service->cells, backend, service->members);
}

/* Does the plan still say what the configuration wants? */
static bool is_current(const struct service *service)
{
	const struct larch_plan *plan;

	if (!service->current)
		return false;
	plan = &service->current->plan;
	if (service->current->members != service->members ||
	    (plan->flags & LARCH_PLAN_LEARNED && service->config->learning != CONFIG_LEARNING_ON))
		return false;
	for (size_t i = 0; i < service->members; i++) {
		if (plan->member[i] != service->member[i].backend || !service->member[i].usable)
			return false;
	}
	return true;
}

/* What the kernel steers by already goes on if it is of this service. */
static void adopt_generation(struct controller *controller, struct service *service)
{
	int error = publisher_read(controller->datapath, service->id, &service->current);

	service->members_changed = true;
	if (error && error != -ENOENT)
		log_warning("%s: the generation in the kernel is damaged (%s); a new one begins",
			    service->config->name, strerror(-error));
	if (error)
		return;
	log_info("%s: generation %u goes on (%zu leaves, digest %016llx)", service->config->name,
		 service->current->plan.generation, service->current->leaves,
		 (unsigned long long)service->current->plan.digest);
	service->members_changed = !is_current(service);
}

/* What the flows of an earlier daemon's service of this id were timed by. */
static enum larch_signal signal_before(const struct controller *controller, uint16_t id)
{
	return controller->datapath->active[id].generation
		       ? controller->datapath->services[id].policy.signal
		       : LARCH_SIGNAL_RESPONSE;
}

/* How small their control arm was. */
static unsigned halvings_before(const struct controller *controller, uint16_t id)
{
	return controller->datapath->active[id].generation
		       ? controller->datapath->services[id].policy.halvings
		       : 0;
}

struct doomed {
	uint16_t service;
	struct larch_cell cell[LARCH_MAX_CELLS];
	size_t count;
};

static void note_doomed(void *context, const struct larch_cell *cell,
			const struct larch_samples *samples)
{
	struct doomed *doomed = context;

	(void)samples;
	if (cell->service == doomed->service && doomed->count < LARCH_MAX_CELLS)
		doomed->cell[doomed->count++] = *cell;
}

/* The next service that gets this id must not learn from this one's samples. */
static void remove_cells(struct controller *controller, uint16_t service)
{
	struct doomed *doomed = calloc(1, sizeof(*doomed));

	if (!doomed)
		return;
	doomed->service = service;
	datapath_each_cell(controller->datapath, note_doomed, doomed);
	while (doomed->count)
		datapath_remove_cell(controller->datapath, &doomed->cell[--doomed->count]);
	free(doomed);
}

static void retire_services(struct controller *controller)
{
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		struct service *service = &controller->service[i];

		if (!service->used || service->config)
			continue;
		publisher_retire(controller->datapath, service->id);
		remove_cells(controller, service->id);
		service_close(service);
	}
}

static bool same_sources(const struct larch_config *one, const struct larch_config *other)
{
	return IN6_ARE_ADDR_EQUAL(&one->source_ipv4, &other->source_ipv4) &&
	       IN6_ARE_ADDR_EQUAL(&one->source_ipv6, &other->source_ipv6);
}

/* What flows under way may not survive: rare, but nobody should have to guess. */
static void tell_breaks(const struct config_service *before, const struct config_service *now)
{
	bool nat = before->mode == LARCH_MODE_NAT, will_nat = now->mode == LARCH_MODE_NAT;

	if (before->by_source != now->by_source || before->stateless != now->stateless)
		log_warning("%s: hash or state has changed: flows under way are looked for in "
			    "another way, and may move to other backends",
			    now->name);
	if (nat != will_nat || before->backend_port != now->backend_port)
		log_warning("%s: its servers see other addresses or ports from now on: flows under "
			    "way break",
			    now->name);
}

/* Another file, or another part to play: what was known of the last one says nothing any more. */
static void change_nodes(struct controller *controller, const struct larch_config *before)
{
	const struct config_generations *was = &before->generations;
	const struct config_generations *now = &controller->config->generations;

	if (strcmp(was->write, now->write) == 0 && strcmp(was->follow, now->follow) == 0)
		return;
	nodes_reset(&controller->nodes);
	nodes_look(controller);
}

/* Everything that can be refused has been checked: what fails from here on is memory alone. */
static int commit(struct controller *controller, struct larch_config *config, const uint16_t *id)
{
	struct cells_options options = service_half_lives(&config->learning);
	const struct config_service *known[LARCH_MAX_SERVICES];
	struct larch_config *before = controller->config;
	int error = 0;

	controller->config = config;
	if (before)
		change_nodes(controller, before);
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		known[i] = controller->service[i].config;
		controller->service[i].config = NULL;
	}
	set_backends(controller, config);
	for (size_t i = 0; i < config->service_count; i++) {
		struct service *service = &controller->service[id[i]];
		bool begins = !service->used;

		if (begins)
			error = service_open(service, id[i], &config->learning,
					     signal_before(controller, id[i]));
		else
			cells_set_options(service->cells, &options);
		if (error)
			break;
		service->config = &config->services[i];
		if (!begins)
			tell_breaks(known[id[i]], service->config);
		error = set_members(controller, service);
		if (!error && begins) {
			arm_begin(&service->arm, halvings_before(controller, id[i]), clock_wall());
			adopt_generation(controller, service);
		}
		if (!error && !begins)
			service->members_changed |= !is_current(service);
		if (error)
			break;
	}
	if (!error)
		watch_backends(controller);
	if (before && !same_sources(before, config))
		controller_write_backends(controller);
	controller_follow_members(controller, "configuration");
	fault_at("apply"); /* published, but what is done with packets has not followed */
	if (!error)
		error = controller_write_services(controller);
	retire_services(controller);
	config_free(before);
	return error;
}

/* What is left in the kernel of another service that had the id must not go on under it. */
static void forget_strangers(struct controller *controller, const struct larch_config *config,
			     const struct ids_known *known, const uint16_t *id)
{
	for (size_t i = 0; i < config->service_count; i++) {
		if (controller->service[id[i]].used || !controller->datapath->adopted ||
		    ids_before(known, &config->services[i]) == id[i])
			continue;
		publisher_retire(controller->datapath, id[i]);
		remove_cells(controller, id[i]);
	}
}

int controller_apply(struct controller *controller, struct larch_config *config)
{
	struct ids_known *known = calloc(1, sizeof(*known));
	uint16_t id[LARCH_MAX_SERVICES];
	int error = known ? 0 : -ENOMEM;

	if (!error)
		ids_read(controller->datapath, known);
	if (!error && config->service_count > LARCH_MAX_SERVICES)
		error = -ENOSPC;
	if (!error)
		error = ids_choose(controller, config, known, id);
	if (!error)
		error = controller_make_room(controller, config);
	if (!error) {
		forget_strangers(controller, config, known, id);
		error = commit(controller, config, id);
	}
	free(known);
	return error;
}
