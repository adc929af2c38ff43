// SPDX-License-Identifier: BSD-2-Clause
/* The entries of larch_vips that a configuration stands for: see larch/service.h. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "larch/service.h"

struct entries {
	struct larch_vip_slot slot[LARCH_MAX_VIPS];
	size_t count;
};

/* Adds what leads to the service of this id. */
void entries_service(struct entries *entries, const struct config_service *service, uint16_t id);
