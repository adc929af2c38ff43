// SPDX-License-Identifier: BSD-2-Clause
/*
 * The entries of larch_vips that a configuration stands for: see larch/service.h. Entries are added
 * in any order and settled at the end: then they are sorted, and each key is there once. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "larch/service.h"

struct entries {
	struct larch_vip_slot slot[LARCH_MAX_VIPS];
	size_t count;
	size_t refused; /* had no room: the configuration's always have */
};

/*
 * Adds what leads to the service of this id, and with NAT back from its backends. backend[i] is the
 * id of its member i.
 */
void entries_service(struct entries *entries, const struct larch_config *config,
		     const struct config_service *service, uint16_t id, const uint16_t *backend);

/* Adds an address that tunnels leave from, to which agents answer. */
void entries_self(struct entries *entries, const struct in6_addr *address);

/*
 * Adds an entry that was in force and is not configured any more, but of use while flows are left.
 * Gives way to one of the same key.
 */
void entries_keep(struct entries *entries, const struct larch_vip_slot *slot);

/* The last step. */
void entries_settle(struct entries *entries);

/* Is there an entry of this kind? */
bool entries_have(const struct entries *entries, enum larch_vip_kind kind);

/* Do both say the same? */
bool entries_same(const struct entries *one, const struct entries *other);
