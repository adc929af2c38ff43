// SPDX-License-Identifier: BSD-2-Clause
/* Answers that rp_filter drops: see returns.h. */
#include "returns.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "config_health.h"
#include "config_service.h"
#include "controller.h"
#include "endpoint.h"
#include "host.h"
#include "log.h"

#define LOOK_NS (10 * NS_PER_S)

/* Are answers of the service meant for the host, or sent on by it? */
static bool has_returns(const struct config_service *config)
{
	return config->mode == LARCH_MODE_NAT ||
	       (config->health && config->health->type != CONFIG_HEALTH_COMMAND_TYPE);
}

static bool is_service(const void *context, const struct in6_addr *address)
{
	return config_together_is_service(context, address);
}

static void note(struct returns *returns, uint16_t service, unsigned ifindex,
		 const struct in6_addr *from, bool way)
{
	struct returns_trouble *trouble = &returns->trouble[returns->count];

	if (returns->count == RETURNS_MOST)
		return;
	*trouble = (struct returns_trouble){.service = service, .from = *from, .way = way};
	if (if_indextoname(ifindex, trouble->interface))
		returns->count++;
}

/* Answers of the service by one interface: from its first address that is filtered there. */
static void look_at(struct controller *controller, const struct service *service,
		    const struct host *host, unsigned ifindex, struct returns *out)
{
	const struct config_service *config = service->config;
	struct in6_addr own;

	if (!host_source(host, true, ifindex, is_service, controller->config, &own))
		return;
	for (size_t i = 0; i < config->vip_count; i++) {
		struct in6_addr from;
		bool way;

		memcpy(&from, config->vips[i].address, sizeof(from));
		if (!IN6_IS_ADDR_V4MAPPED(&from) ||
		    !netlink_is_filtered(controller->netlink, &from, &own, (int)ifindex, &way))
			continue;
		note(out, service->id, ifindex, &from, way);
		return;
	}
}

/* Each interface once. */
static void look_at_service(struct controller *controller, const struct service *service,
			    const struct host *host, struct returns *out)
{
	unsigned looked[RETURNS_MOST];
	size_t count = 0;

	for (size_t i = 0; i < service->members && count < RETURNS_MOST; i++) {
		const struct nexthop *nexthop =
			&controller->registry.backend[service->member[i].backend].nexthop;
		unsigned ifindex = (unsigned)nexthop->ifindex;
		bool known = !ifindex || nexthop->local;

		for (size_t j = 0; j < count; j++)
			known |= looked[j] == ifindex;
		if (known)
			continue;
		looked[count++] = ifindex;
		if (host_filters(ifindex))
			look_at(controller, service, host, ifindex, out);
	}
}

const char *returns_text(const struct controller *controller, const struct returns_trouble *trouble,
			 char out[RETURNS_TEXT])
{
	const struct config_service *config = controller->service[trouble->service].config;
	bool nat = config->mode == LARCH_MODE_NAT;
	char from[INET6_ADDRSTRLEN], remedy[2 * IF_NAMESIZE + 80];

	if (trouble->way)
		snprintf(remedy, sizeof(remedy), "net.ipv4.conf.%s.rp_filter=2",
			 trouble->interface);
	else
		snprintf(remedy, sizeof(remedy),
			 "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.%s.rp_filter=0",
			 trouble->interface);
	snprintf(out, RETURNS_TEXT,
		 "%s: rp_filter of %s drops %s%s%s that come from %s, to which this host has %s: "
		 "'sysctl -w %s'",
		 config->name, trouble->interface, config->health ? "answers to health checks" : "",
		 config->health && nat ? ", and " : "", nat ? "answers to clients" : "",
		 endpoint_address_text(&trouble->from, from),
		 trouble->way ? "another way" : "no way", remedy);
	return out;
}

static bool has(const struct returns *returns, const struct returns_trouble *trouble)
{
	for (size_t i = 0; i < returns->count; i++) {
		if (returns->trouble[i].service == trouble->service &&
		    strcmp(returns->trouble[i].interface, trouble->interface) == 0)
			return true;
	}
	return false;
}

static void tell(const struct controller *controller, const struct returns *before)
{
	const struct returns *now = &controller->returns;
	char text[RETURNS_TEXT];

	for (size_t i = 0; i < now->count; i++) {
		if (!has(before, &now->trouble[i]))
			log_warning("%s", returns_text(controller, &now->trouble[i], text));
	}
	if (before->count && !now->count)
		log_info("rp_filter drops no answers any more");
}

void returns_look(struct controller *controller)
{
	struct returns before = controller->returns, now = {.looked_ns = clock_now()};
	struct host host = {};

	if (before.looked_ns && now.looked_ns - before.looked_ns < LOOK_NS)
		return;
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		if (!service->used || !service->config || !has_returns(service->config))
			continue;
		host_refresh(&host, now.looked_ns, LOOK_NS);
		look_at_service(controller, service, &host, &now);
	}
	host_free(&host);
	controller->returns = now;
	tell(controller, &before);
}
