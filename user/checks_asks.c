// SPDX-License-Identifier: BSD-2-Clause
/* What is asked of each backend: see checks_asks.h. */
#include "checks_asks.h"

#include <string.h>

#include "config_health.h"

bool check_ask_same(const struct check_ask *one, const struct check_ask *other)
{
	return one->port == other->port && one->connect == other->connect &&
	       IN6_ARE_ADDR_EQUAL(&one->address, &other->address);
}

/* Where the backend serves what clients ask for at this port. */
static uint16_t port_behind(const struct config_service *service, const struct larch_vip *vip)
{
	if (service->health->port)
		return service->health->port;
	if (service->mode == LARCH_MODE_NAT && service->backend_port)
		return service->backend_port;
	return ntohs(vip->port);
}

static bool has(const struct check_ask *asks, size_t count, const struct check_ask *ask)
{
	for (size_t i = 0; i < count; i++) {
		if (check_ask_same(&asks[i], ask))
			return true;
	}
	return false;
}

/*
 * Can another port than the check's be asked? HTTP may be spoken at one and TLS at the next, but
 * who serves TCP takes connections. What a datagram should say there nobody knows.
 */
static bool has_other_ports(const struct config_service *service)
{
	enum config_health_type type = service->health->type;

	return service->vips[0].protocol == IPPROTO_TCP &&
	       (type == CONFIG_HEALTH_TCP || type == CONFIG_HEALTH_HTTP ||
		type == CONFIG_HEALTH_HTTPS);
}

static size_t add(const struct config_service *service, bool others, struct check_ask *out,
		  size_t count)
{
	uint16_t port = port_behind(service, &service->vips[0]);

	for (size_t i = 0; i < service->vip_count && count < CHECK_ASKS; i++) {
		const struct larch_vip *vip = &service->vips[i];
		struct check_ask ask = {.port = port_behind(service, vip)};

		memcpy(&ask.address, vip->address, sizeof(ask.address));
		if ((ask.port != port) != others)
			continue;
		ask.connect = others;
		if (!has(out, count, &ask))
			out[count++] = ask;
	}
	return count;
}

size_t check_asks(const struct config_service *service, struct check_ask out[CHECK_ASKS])
{
	size_t count = add(service, false, out, 0);

	if (service->health->type == CONFIG_HEALTH_COMMAND_TYPE)
		return 1; /* whom it asks is its own business */
	return has_other_ports(service) ? add(service, true, out, count) : count;
}
