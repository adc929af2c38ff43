// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which id a service has: its place in every table of the kernel part. Reads what is in force,
 * changes nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "controller.h"

/* What the kernel's table of addresses says, from an earlier daemon or configuration. */
struct ids_known {
	struct larch_vip vip[LARCH_MAX_VIPS];
	uint16_t id[LARCH_MAX_VIPS];
	size_t count;
};

void ids_read(const struct datapath *datapath, struct ids_known *known);

/* The id to which one of the service's addresses leads; LARCH_MAX_SERVICES: none. */
uint16_t ids_before(const struct ids_known *known, const struct config_service *service);

/* id[i] becomes that of config->services[i]. -ENOSPC: there are not as many. */
int ids_choose(const struct controller *controller, const struct larch_config *config,
	       const struct ids_known *known, uint16_t *id);
