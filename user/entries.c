// SPDX-License-Identifier: BSD-2-Clause
/* From a configuration to entries of larch_vips. See entries.h. */
#include "entries.h"

#include <string.h>

static void add(struct entries *entries, const struct larch_vip *vip, uint16_t service)
{
	entries->slot[entries->count++] = (struct larch_vip_slot){.vip = *vip, .service = service};
}

/* Says that the address is a service's, once for all its ports. */
static void add_address(struct entries *entries, const struct larch_vip *vip)
{
	struct larch_vip entry = {.kind = LARCH_VIP_ADDRESS};

	memcpy(entry.address, vip->address, sizeof(entry.address));
	for (size_t i = 0; i < entries->count; i++) {
		if (memcmp(&entries->slot[i].vip, &entry, sizeof(entry)) == 0)
			return;
	}
	add(entries, &entry, LARCH_MAX_SERVICES);
}

void entries_service(struct entries *entries, const struct config_service *service, uint16_t id)
{
	for (size_t i = 0; i < service->vip_count; i++) {
		add_address(entries, &service->vips[i]);
		add(entries, &service->vips[i], id);
	}
}
