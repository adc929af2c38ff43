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

bool registry_counted(struct registry_backend *backend, uint32_t flows, uint32_t silent,
		      bool in_force, uint64_t now_ns)
{
	backend->flows = flows;
	backend->silent = silent;
	backend->idle_walks = flows ? 0 : backend->idle_walks + 1;
	if (backend->configured || in_force || !flows || silent < flows)
		backend->silent_ns = 0;
	else if (!backend->silent_ns)
		backend->silent_ns = now_ns;
	return backend->silent_ns && now_ns - backend->silent_ns >= REGISTRY_SILENT_NS;
}

static bool is_among(const struct registry_backend *one, const struct config_backend *backend,
		     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (IN6_ARE_ADDR_EQUAL(&one->address, &backend[i].address))
			return true;
	}
	return false;
}

uint16_t registry_silent(const struct registry *registry, const struct config_backend *backend,
			 size_t count)
{
	uint16_t found = LARCH_NO_BACKEND;

	for (uint16_t i = 0; i < LARCH_MAX_BACKENDS; i++) {
		const struct registry_backend *one = &registry->backend[i];

		if (!one->used || one->configured || !one->silent_ns ||
		    (found != LARCH_NO_BACKEND &&
		     one->silent_ns >= registry->backend[found].silent_ns) ||
		    is_among(one, backend, count))
			continue;
		found = i;
	}
	return found;
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
