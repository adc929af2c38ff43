// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which backend a QUIC connection id names: keeps larch_quic as the configuration says. An id whose
 * backend has left the configuration goes on to name it while it has the backend's id: its
 * connections may live.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller.h"
#include "policy.h"
#include "publisher.h"

struct names {
	struct larch_quic key[LARCH_MAX_QUIC];
	uint32_t backend[LARCH_MAX_QUIC];
	size_t count;
};

static void note(void *context, const struct larch_quic *key, uint32_t backend)
{
	struct names *names = context;

	if (names->count >= LARCH_MAX_QUIC)
		return;
	names->key[names->count] = *key;
	names->backend[names->count++] = backend;
}

static int write_service(struct controller *controller, const struct service *service)
{
	int error = 0;

	for (size_t i = 0; !error && i < service->members; i++) {
		struct larch_quic key = policy_quic(&service->config->members[i], service->id);

		error = publisher_quic(controller->datapath, &key, service->member[i].backend);
	}
	return error;
}

/* Does a service have this id now, or may a connection of its backend live on? */
static bool is_wanted(const struct controller *controller, const struct larch_quic *key,
		      uint32_t backend)
{
	const struct service *service;

	if (key->service >= LARCH_MAX_SERVICES || backend >= LARCH_MAX_BACKENDS)
		return false;
	service = &controller->service[key->service];
	return service->used && service->config && service->config->quic_bytes &&
	       controller->registry.backend[backend].used;
}

int controller_write_quic(struct controller *controller)
{
	struct names *names = calloc(1, sizeof(*names));
	int error = names ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		if (service->used && service->config && service->config->quic_bytes)
			error = write_service(controller, service);
	}
	if (!error)
		error = datapath_each_quic(controller->datapath, note, names);
	for (size_t i = 0; !error && i < names->count; i++) {
		if (!is_wanted(controller, &names->key[i], names->backend[i]))
			error = publisher_remove_quic(controller->datapath, &names->key[i]);
	}
	free(names);
	return error;
}
