// SPDX-License-Identifier: BSD-2-Clause
/* Servers that have left the configuration: when their ids are free. See registry.h. */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "controller.h"
#include "estimate.h"
#include "log.h"
#include "publisher.h"

#define FREE_WALKS 3 /* walks without a flow after which a backend's id is free */

/* May new flows still be steered there? A generation stays while nothing better can be built. */
static bool is_in_force(const struct controller *controller, uint32_t id)
{
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		if (service->used && service->current &&
		    service->current->plan.member_of[id] != LARCH_NO_MEMBER)
			return true;
	}
	return false;
}

static void forget(struct controller *controller, uint32_t id)
{
	struct registry_backend *backend = &controller->registry.backend[id];

	if (registry_find(&controller->registry, &backend->address) == id)
		netlink_unwatch(controller->netlink, &backend->address);
	publisher_remove_backend(controller->datapath, id);
	estimate_forget(controller, id);
	controller->addresses_changed = true;
	memset(backend, 0, sizeof(*backend));
}

/* Flows that a packet came of meanwhile are left: how many? */
static uint32_t clear(struct controller *controller, uint32_t id)
{
	const struct datapath *datapath = controller->datapath;

	return flows_clear(datapath->flows, datapath->buckets, datapath_stamp(datapath), id);
}

void controller_leaving(struct controller *controller, uint32_t id)
{
	struct registry_backend *backend = &controller->registry.backend[id];
	bool in_force = !backend->configured && is_in_force(controller, id);

	if (registry_counted(backend, controller->flows.flows[id], controller->flows.silent[id],
			     in_force, clock_now())) {
		log_info("backend %s: the clients of its last %u flows have vanished: cleared",
			 backend->name, backend->flows);
		clear(controller, id);
	}
	if (backend->configured || backend->idle_walks < FREE_WALKS || in_force)
		return;
	log_info("backend %s: its last flow has ended; forgotten", backend->name);
	forget(controller, id);
}

int controller_make_room(struct controller *controller, const struct larch_config *config)
{
	struct registry *registry = &controller->registry;

	while (!registry_has_room(registry, config->backends, config->backend_count)) {
		uint16_t id = registry_silent(registry, config->backends, config->backend_count);
		struct registry_backend *backend;

		if (id == LARCH_NO_BACKEND)
			return -ENOSPC;
		backend = &registry->backend[id];
		if (clear(controller, id)) {
			backend->silent_ns = 0;
			continue;
		}
		log_warning("backend %s: forgotten with %u flows, silent for about an hour or "
			    "longer: all %u ids of backends are taken",
			    backend->name, backend->flows, LARCH_MAX_BACKENDS);
		forget(controller, id);
	}
	return 0;
}
