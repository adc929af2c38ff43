// SPDX-License-Identifier: BSD-2-Clause
/* From what netlink says about next hops to ready backend entries and usable members. */
#include <arpa/inet.h>
#include <string.h>

#include "controller.h"
#include "log.h"
#include "members.h"
#include "publisher.h"

/* What the configuration says of it; unspecified: the route decides. */
static const struct in6_addr *configured_source(const struct controller *controller,
						const struct in6_addr *address)
{
	return IN6_IS_ADDR_V4MAPPED(address) ? &controller->config->source_ipv4
					     : &controller->config->source_ipv6;
}

const struct in6_addr *controller_tunnel_source(const struct controller *controller,
						const struct registry_backend *backend)
{
	const struct in6_addr *configured = configured_source(controller, &backend->address);

	return IN6_IS_ADDR_UNSPECIFIED(configured) ? &backend->nexthop.from : configured;
}

const char *controller_unreachable(const struct controller *controller, uint32_t backend,
				   enum larch_mode mode)
{
	const struct nexthop *nexthop = &controller->registry.backend[backend].nexthop;

	if (!nexthop->ready)
		return nexthop->reason ? nexthop->reason : "next hop not known yet";
	if (mode == LARCH_MODE_L2 && !nexthop->direct)
		return "behind a router, which l2 does not cross";
	if (mode == LARCH_MODE_NAT && nexthop->local)
		return "this host itself, whose answers nat does not see";
	return NULL;
}

static void mark_members(struct controller *controller, uint16_t id)
{
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		struct service *service = &controller->service[i];

		for (size_t j = 0; service->used && j < service->members; j++)
			service->members_changed |= service->member[j].backend == id;
	}
}

static void write_entry(struct controller *controller, uint16_t id)
{
	const struct registry_backend *backend = &controller->registry.backend[id];
	int error =
		publisher_backend(controller->datapath, id, &backend->address, &backend->nexthop,
				  controller_tunnel_source(controller, backend));

	if (error)
		log_error("backend %s: cannot write its entry: %s", backend->name,
			  strerror(-error));
}

void controller_write_backends(struct controller *controller)
{
	for (uint16_t id = 0; id < LARCH_MAX_BACKENDS; id++) {
		const struct registry_backend *backend = &controller->registry.backend[id];

		if (backend->used && backend->nexthop.ifindex)
			write_entry(controller, id);
	}
}

static void adopt(struct controller *controller, uint16_t id, const struct nexthop *nexthop)
{
	struct registry_backend *backend = &controller->registry.backend[id];
	bool was_ready = backend->nexthop.ready, was_direct = backend->nexthop.direct;
	bool was_local = backend->nexthop.local;

	controller->addresses_changed |=
		!IN6_ARE_ADDR_EQUAL(&backend->nexthop.from, &nexthop->from);
	backend->nexthop = *nexthop;
	backend->fading = false;
	write_entry(controller, id);
	if (nexthop->ready != was_ready && nexthop->ready)
		log_info("backend %s: reachable%s", backend->name,
			 nexthop->local	   ? ": it is this host"
			 : nexthop->direct ? ""
					   : " by a router");
	else if (nexthop->ready != was_ready)
		log_warning("backend %s: not reachable: %s", backend->name, nexthop->reason);
	if (nexthop->ready != was_ready || nexthop->direct != was_direct ||
	    nexthop->local != was_local)
		mark_members(controller, id);
}

/*
 * A next hop that was ready and is not may only be changing hands: it is used for up to a tick
 * more, and given up if it is not back by then.
 */
void controller_nexthop_changed(void *context, const struct in6_addr *address,
				const struct nexthop *nexthop)
{
	struct controller *controller = context;
	uint16_t id = registry_find(&controller->registry, address);

	if (id == LARCH_NO_BACKEND)
		return;
	if (controller->registry.backend[id].nexthop.ready && !nexthop->ready)
		controller->registry.backend[id].fading = true;
	else
		adopt(controller, id, nexthop);
}

void controller_drop_faded(struct controller *controller)
{
	for (uint16_t id = 0; id < LARCH_MAX_BACKENDS; id++) {
		struct registry_backend *backend = &controller->registry.backend[id];
		struct nexthop now;

		if (backend->used && backend->fading &&
		    netlink_nexthop(controller->netlink, &backend->address, &now) == 0)
			adopt(controller, id, &now);
	}
}

void controller_follow_members(struct controller *controller, const char *why)
{
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		struct service *service = &controller->service[i];

		/* Without a configuration: it is leaving, within the reload that goes on. */
		if (!service->used || !service->config || !service->members_changed)
			continue;
		members_refresh(controller, service);
		service_republish(controller, service, why);
		service->members_changed = false;
	}
}

void controller_network(struct controller *controller)
{
	int error = netlink_process(controller->netlink);

	if (error)
		log_debug("netlink: %s", strerror(-error));
	controller_follow_members(controller, "a backend's next hop changed");
	controller_follow_addresses(controller);
	controller_look_around(controller, false);
}
