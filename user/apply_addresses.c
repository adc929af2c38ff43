// SPDX-License-Identifier: BSD-2-Clause
/*
 * What addresses stand for: keeps larch_vips as services, backends and tunnels say. Built anew
 * whenever one of them changes, and written if it differs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller.h"
#include "larch/tuple.h"
#include "log.h"
#include "publisher.h"

static void add_services(const struct controller *controller, struct entries *entries)
{
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];
		uint16_t backend[LARCH_MAX_MEMBERS];

		if (!service->used || !service->config)
			continue;
		for (size_t j = 0; j < service->members; j++)
			backend[j] = service->member[j].backend;
		entries_service(entries, controller->config, service->config, service->id, backend);
	}
}

/* Agents answer to where the tunnel to them left from. */
static void add_selves(const struct controller *controller, struct entries *entries)
{
	bool agents = false;

	for (size_t i = 0; i < controller->config->service_count; i++)
		agents |= controller->config->services[i].agent;
	for (size_t i = 0; agents && i < LARCH_MAX_BACKENDS; i++) {
		const struct registry_backend *backend = &controller->registry.backend[i];
		const struct in6_addr *source = controller_tunnel_source(controller, backend);

		if (backend->used && !backend->nexthop.local && !IN6_IS_ADDR_UNSPECIFIED(source))
			entries_self(entries, source);
	}
}

/* May a backend that has left a NAT service still answer flows of it? */
static bool may_answer(const struct controller *controller, const struct larch_vip_slot *slot)
{
	const struct service *service;

	if (slot->vip.kind != LARCH_VIP_RETURN || slot->service >= LARCH_MAX_SERVICES ||
	    slot->backend >= LARCH_MAX_BACKENDS)
		return false;
	service = &controller->service[slot->service];
	return service->used && service->config && service->config->mode == LARCH_MODE_NAT &&
	       controller->registry.backend[slot->backend].used;
}

static void keep_returns(const struct controller *controller, struct entries *entries)
{
	const struct datapath *datapath = controller->datapath;
	uint32_t first = larch_vip_index(0, 0, datapath->settings->vips);

	for (uint32_t i = first; i < first + LARCH_VIP_SLOTS; i++) {
		if (may_answer(controller, &datapath->vips[i]))
			entries_keep(entries, &datapath->vips[i]);
	}
}

static int publish(struct controller *controller, const struct entries *entries)
{
	bool returns = entries_have(entries, LARCH_VIP_RETURN);
	int error;

	/* Whoever looks for answers finds them: first the flag, then the entries. */
	if (returns)
		publisher_flag(controller->datapath, LARCH_RETURNS, true);
	error = publisher_vips(controller->datapath, entries->slot, entries->count);
	if (!error && !returns)
		publisher_flag(controller->datapath, LARCH_RETURNS, false);
	return error;
}

int controller_write_addresses(struct controller *controller)
{
	struct entries *entries = calloc(1, sizeof(*entries));
	int error = 0;

	if (!entries)
		return -ENOMEM;
	add_services(controller, entries);
	add_selves(controller, entries);
	keep_returns(controller, entries);
	entries_settle(entries);
	controller->addresses_changed = false;
	if (entries->refused)
		log_warning("the table of addresses is full: %zu ends of tunnels, or backends that "
			    "leave, are not in it",
			    entries->refused);
	if (!controller->entries || !entries_same(controller->entries, entries))
		error = publish(controller, entries);
	if (error) {
		free(entries);
		return error;
	}
	free(controller->entries);
	controller->entries = entries;
	return 0;
}

void controller_follow_addresses(struct controller *controller)
{
	int error = 0;

	if (!controller->addresses_changed)
		return;
	error = controller_write_addresses(controller);
	if (!error) /* a backend's id may be another's soon */
		error = controller_write_quic(controller);
	if (error)
		log_error("cannot write the table of addresses: %s", strerror(-error));
}
