// SPDX-License-Identifier: BSD-2-Clause
/* Ids of services, kept over reloads and restarts. See ids.h. */
#include "ids.h"

#include <errno.h>
#include <string.h>

#include "larch/tuple.h"

void ids_read(const struct datapath *datapath, struct ids_known *known)
{
	uint32_t first = larch_vip_index(0, 0, datapath->settings->vips);

	for (uint32_t i = first; i < first + LARCH_VIP_SLOTS; i++) {
		const struct larch_vip_slot *slot = &datapath->vips[i];

		if (slot->vip.kind != LARCH_VIP_SERVICE || slot->service >= LARCH_MAX_SERVICES ||
		    known->count >= LARCH_MAX_VIPS)
			continue;
		known->vip[known->count] = slot->vip;
		known->id[known->count++] = slot->service;
	}
}

uint16_t ids_before(const struct ids_known *known, const struct config_service *service)
{
	for (size_t i = 0; i < known->count; i++) {
		for (size_t j = 0; j < service->vip_count; j++) {
			if (memcmp(&known->vip[i], &service->vips[j], sizeof(known->vip[i])) == 0)
				return known->id[i];
		}
	}
	return LARCH_MAX_SERVICES;
}

/* Takes this id if nobody has; LARCH_MAX_SERVICES: it is taken, or was none. */
static uint16_t claim(bool *taken, uint16_t id)
{
	if (id >= LARCH_MAX_SERVICES || taken[id])
		return LARCH_MAX_SERVICES;
	taken[id] = true;
	return id;
}

/* An id that no service has or, as long as there are such, had: addresses may still lead there. */
static uint16_t free_id(const struct controller *controller, const struct ids_known *known,
			const bool *taken)
{
	bool former[LARCH_MAX_SERVICES] = {};
	uint16_t second = LARCH_MAX_SERVICES;

	for (size_t i = 0; i < known->count; i++)
		former[known->id[i]] = true;
	for (uint16_t id = 0; id < LARCH_MAX_SERVICES; id++) {
		if (taken[id] || controller->service[id].used) /* the old ones leave at the end */
			continue;
		if (!former[id])
			return id;
		second = second == LARCH_MAX_SERVICES ? id : second;
	}
	return second;
}

/* The id of the running service of this name. */
static uint16_t named_id(const struct controller *controller, const struct config_service *service)
{
	for (uint16_t id = 0; id < LARCH_MAX_SERVICES; id++) {
		const struct service *running = &controller->service[id];

		if (running->used && strcmp(running->config->name, service->name) == 0)
			return id;
	}
	return LARCH_MAX_SERVICES;
}

/*
 * Chooses ids: an address keeps the id that it leads to in the kernel, so that no packet meets the
 * backends of another service meanwhile; else a service keeps its own by name; the others get free
 * ones. Of two that may keep an id, the one of the same name does. id[i] belongs to
 * config->services[i].
 */
int ids_choose(const struct controller *controller, const struct larch_config *config,
	       const struct ids_known *known, uint16_t *id)
{
	uint16_t by_address[LARCH_MAX_SERVICES], by_name[LARCH_MAX_SERVICES];
	bool taken[LARCH_MAX_SERVICES] = {};
	size_t count = config->service_count;

	for (size_t i = 0; i < count; i++) {
		by_address[i] = ids_before(known, &config->services[i]);
		by_name[i] = named_id(controller, &config->services[i]);
		id[i] = by_address[i] == by_name[i] ? claim(taken, by_name[i]) : LARCH_MAX_SERVICES;
	}
	for (size_t i = 0; i < count; i++)
		id[i] = id[i] < LARCH_MAX_SERVICES ? id[i] : claim(taken, by_address[i]);
	for (size_t i = 0; i < count; i++)
		id[i] = id[i] < LARCH_MAX_SERVICES ? id[i] : claim(taken, by_name[i]);
	for (size_t i = 0; i < count; i++) {
		if (id[i] == LARCH_MAX_SERVICES)
			id[i] = claim(taken, free_id(controller, known, taken));
		if (id[i] == LARCH_MAX_SERVICES)
			return -ENOSPC;
	}
	return 0;
}
