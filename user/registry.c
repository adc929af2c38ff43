// SPDX-License-Identifier: BSD-2-Clause
/* Backend ids. See registry.h. */
#include <string.h>

#include "registry.h"

uint16_t registry_find(const struct registry *registry, const struct in6_addr *address)
{
	for (size_t i = 0; i < LARCH_MAX_BACKENDS; i++) {
		const struct registry_backend *backend = &registry->backend[i];

		if (backend->used && IN6_ARE_ADDR_EQUAL(&backend->address, address))
			return (uint16_t)i;
	}
	return LARCH_NO_BACKEND;
}

uint16_t registry_take(struct registry *registry, const struct in6_addr *address)
{
	uint16_t id = registry_find(registry, address);

	for (size_t i = 0; id == LARCH_NO_BACKEND && i < LARCH_MAX_BACKENDS; i++) {
		if (registry->backend[i].used)
			continue;
		registry->backend[i] = (struct registry_backend){.used = true, .address = *address};
		id = (uint16_t)i;
	}
	return id;
}

bool registry_has_room(const struct registry *registry, const struct config_backend *backend,
		       size_t count)
{
	size_t needed = 0, room = 0;

	for (size_t i = 0; i < count; i++)
		needed += registry_find(registry, &backend[i].address) == LARCH_NO_BACKEND;
	for (size_t i = 0; i < LARCH_MAX_BACKENDS; i++)
		room += !registry->backend[i].used;
	return needed <= room;
}
