// SPDX-License-Identifier: BSD-2-Clause
/* The part of config.c that reads services: config_service.c, config_vip.c, config_member.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "setting.h"

/* Where a backend is named: index of the service, and of the item in its list. */
struct config_origin {
	size_t service, item;
};

/* What has been read so far of all services. */
struct config_reading {
	struct larch_config *config;
	const struct setting *services; /* the list */
	size_t vips;			/* of all services */
	struct config_origin *origin;	/* [config->backend_count]: where each was first named */
	size_t item[LARCH_MAX_MEMBERS]; /* of each member of the last service */
};

/*
 * Reads the list of services into an empty config, with what it can of a list that has errors.
 * 0, whether or not it complained; -ENOMEM. What it allocates is config_free()'s.
 */
int config_service_read(struct larch_config *config, const struct setting *services);

/* The same for addresses and ports of service number `index`. protocol 0: it is not known. */
int config_vip_read(struct config_reading *reading, const struct setting *mapping, uint8_t protocol,
		    size_t index);

/* The same for its backends. */
int config_member_read(struct config_reading *reading, const struct setting *mapping, size_t index);

/* Where service number `index` stands, in text. */
const char *config_service_place(const struct config_reading *reading, size_t index,
				 char out[SETTING_PLACE_SIZE]);
