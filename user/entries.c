// SPDX-License-Identifier: BSD-2-Clause
/* From a configuration to entries of larch_vips. See entries.h. */
#include "entries.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "larch/backend.h"

/* Of entries with the same key, the first of these stays. It stands in the padding meanwhile. */
enum rank { CONFIGURED, KEPT };

static void add(struct entries *entries, const struct larch_vip_slot *slot, enum rank rank)
{
	if (entries->count == LARCH_MAX_VIPS) {
		entries->refused++;
		return;
	}
	entries->slot[entries->count] = *slot;
	entries->slot[entries->count++].padding[0] = rank;
}

static void add_address(struct entries *entries, const struct larch_vip *vip)
{
	struct larch_vip_slot slot = {
		.vip.kind = LARCH_VIP_ADDRESS,
		.service = LARCH_MAX_SERVICES,
	};

	memcpy(slot.vip.address, vip->address, sizeof(slot.vip.address));
	add(entries, &slot, CONFIGURED);
}

/* Later fragments have no ports: whatever the service's, they find it by port 0. */
static void add_later(struct entries *entries, const struct larch_vip *vip, uint16_t service)
{
	struct larch_vip_slot slot = {.vip = *vip, .service = service};

	slot.vip.port = 0;
	slot.vip.kind = LARCH_VIP_LATER;
	add(entries, &slot, CONFIGURED);
}

static bool is_next_address(const struct config_service *service, size_t index)
{
	return index == 0 || memcmp(service->vips[index].address, service->vips[index - 1].address,
				    sizeof(service->vips[index].address)) != 0;
}

static void add_return(struct entries *entries, const struct in6_addr *address, __be16 port,
		       uint8_t protocol, uint16_t service, uint16_t backend)
{
	struct larch_vip_slot slot = {
		.vip.port = port,
		.vip.protocol = protocol,
		.vip.kind = LARCH_VIP_RETURN,
		.service = service,
		.backend = backend,
	};

	memcpy(slot.vip.address, address, sizeof(slot.vip.address));
	add(entries, &slot, CONFIGURED);
}

/* Answers of the backends come from the port that packets were sent to. */
static void add_returns(struct entries *entries, const struct larch_config *config,
			const struct config_service *service, uint16_t id, const uint16_t *backend)
{
	for (size_t i = 0; i < service->member_count; i++) {
		const struct in6_addr *address =
			&config->backends[service->members[i].backend].address;
		uint8_t protocol = service->vips[0].protocol;

		if (service->backend_port) {
			add_return(entries, address, htons(service->backend_port), protocol, id,
				   backend[i]);
			continue;
		}
		for (size_t j = 0; j < service->vip_count; j++)
			add_return(entries, address, service->vips[j].port, protocol, id,
				   backend[i]);
	}
}

void entries_service(struct entries *entries, const struct larch_config *config,
		     const struct config_service *service, uint16_t id, const uint16_t *backend)
{
	for (size_t i = 0; i < service->vip_count; i++) {
		const struct larch_vip *vip = &service->vips[i];

		if (is_next_address(service, i)) {
			add_address(entries, vip);
			if (service->by_source)
				add_later(entries, vip, id);
		}
		add(entries, &(struct larch_vip_slot){.vip = *vip, .service = id}, CONFIGURED);
	}
	if (service->mode == LARCH_MODE_NAT)
		add_returns(entries, config, service, id, backend);
}

void entries_self(struct entries *entries, const struct in6_addr *address)
{
	struct larch_vip_slot slot = {
		.vip.port = htons(LARCH_GUE_PORT),
		.vip.protocol = IPPROTO_UDP,
		.vip.kind = LARCH_VIP_SELF,
		.service = LARCH_MAX_SERVICES,
	};

	memcpy(slot.vip.address, address, sizeof(slot.vip.address));
	add(entries, &slot, CONFIGURED);
}

void entries_keep(struct entries *entries, const struct larch_vip_slot *slot)
{
	add(entries, slot, KEPT);
}

/* By key, then by rank. */
static int compare(const void *a, const void *b)
{
	const struct larch_vip_slot *one = a, *other = b;
	int order = memcmp(&one->vip, &other->vip, sizeof(one->vip));

	return order ? order : (int)one->padding[0] - (int)other->padding[0];
}

void entries_settle(struct entries *entries)
{
	size_t count = 0;

	qsort(entries->slot, entries->count, sizeof(*entries->slot), compare);
	for (size_t i = 0; i < entries->count; i++) {
		const struct larch_vip *last = count ? &entries->slot[count - 1].vip : NULL;

		if (last && memcmp(last, &entries->slot[i].vip, sizeof(*last)) == 0)
			continue;
		entries->slot[count] = entries->slot[i];
		memset(entries->slot[count++].padding, 0, sizeof(entries->slot->padding));
	}
	entries->count = count;
}

bool entries_have(const struct entries *entries, enum larch_vip_kind kind)
{
	for (size_t i = 0; i < entries->count; i++) {
		if (entries->slot[i].vip.kind == kind)
			return true;
	}
	return false;
}

bool entries_same(const struct entries *one, const struct entries *other)
{
	return one->count == other->count &&
	       memcmp(one->slot, other->slot, one->count * sizeof(*one->slot)) == 0;
}
