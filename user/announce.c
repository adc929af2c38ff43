// SPDX-License-Identifier: BSD-2-Clause
/*
 * Announcing the services' addresses: what is known of interfaces, backends and orders, to
 * decisions (routes.c), to routes in the kernel (netlink_routes.c). See controller.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "controller.h"
#include "endpoint.h"
#include "log.h"

#define AUDIT_TICKS 30 /* events of changes may be lost */

/* Does some packet get from this service to a server? To one that is drained, those of its flows.
 */
static bool is_served(const struct controller *controller, const struct service *service)
{
	for (size_t i = 0; i < service->members; i++) {
		const struct lifecycle *life = &service->life[i];

		if ((life->takes || life->state == LIFECYCLE_DRAINING) &&
		    !controller_unreachable(controller, service->member[i].backend,
					    service->config->mode))
			return true;
	}
	return false;
}

static void gather(const struct controller *controller, struct routes_facts *facts)
{
	*facts = (struct routes_facts){
		.ordered = controller->announce.ordered,
		.needs_backends = controller->config->routes.without_backends,
		.dead = controller_cut_off(controller),
		.now_ns = clock_now(),
	};
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		if (service->used && service->config && is_served(controller, service))
			facts->served |= 1ull << i;
	}
}

/* What the kernel is to hold, as netlink_routes.h wants it; NULL: no memory. */
static struct netlink_announced *wishes(const struct routes *routes)
{
	struct netlink_announced *wish = calloc(routes->count + 1, sizeof(*wish));

	for (size_t i = 0; wish && i < routes->count; i++)
		wish[i] = (struct netlink_announced){.address = routes->route[i].address,
						     .wanted = routes->route[i].announced};
	return wish;
}

static const char *error_text(int error)
{
	return error == -EEXIST ? "a route of somebody else stands in its place" : strerror(-error);
}

static void tell(const struct controller *controller, const struct route *route,
		 const struct netlink_announced *result)
{
	const struct netlink_place *place = &controller->announce.place;
	char address[INET6_ADDRSTRLEN];

	endpoint_address_text(&route->address, address);
	if (result->error && result->error != route->error)
		log_error("%s: its route cannot be %s: %s", address,
			  route->announced ? "added" : "removed", error_text(result->error));
	else if (!result->error && route->announced && route->held && !result->there)
		log_warning("%s: somebody has removed its route from table %u; put back", address,
			    place->table);
	else if (!result->error && route->announced && !route->held)
		log_info("%s: announced by a route in table %u of protocol %u%s%s", address,
			 place->table, place->protocol, *route->reason ? ", though " : "",
			 route->reason);
	else if (!result->error && !route->announced && route->held)
		log_warning("%s: WITHDRAWN: %s", address, route->reason);
}

static void take_result(struct controller *controller, struct route *route,
			const struct netlink_announced *result)
{
	bool held = result->error ? result->there : route->announced;

	tell(controller, route, result);
	if (held != route->held)
		route->since = time(NULL);
	route->held = held;
	route->error = result->error;
}

/* Makes the kernel hold what was decided. */
static void sync_routes(struct controller *controller)
{
	struct announce *announce = &controller->announce;
	struct routes *routes = &announce->routes;
	struct netlink_announced *wish = wishes(routes);
	int error = -ENOMEM;

	if (wish)
		error = netlink_routes_sync(announce->kernel, &announce->place, wish,
					    routes->count);
	for (size_t i = 0; wish && i < routes->count; i++)
		take_result(controller, &routes->route[i], &wish[i]);
	free(wish);
	announce->doubtful = error != 0;
	announce->synced_ticks = controller->ticks;
}

void controller_follow_routes(struct controller *controller)
{
	struct announce *announce = &controller->announce;
	struct routes_facts facts;

	if (!announce->place.table)
		return;
	gather(controller, &facts);
	for (size_t i = 0; i < announce->routes.count; i++)
		announce->doubtful |= routes_decide(&announce->routes.route[i], &facts);
	if (announce->doubtful || controller->ticks - announce->synced_ticks >= AUDIT_TICKS)
		sync_routes(controller);
}

void controller_look_around(struct controller *controller, bool interfaces)
{
	unsigned int news = netlink_news(controller->netlink);

	if (interfaces || news & NETLINK_NEWS_LINKS)
		controller_watch_interfaces(controller);
	controller->announce.doubtful |= (news & NETLINK_NEWS_ROUTES) != 0;
	controller_follow_routes(controller);
}

/* Addresses of all services, at most CONFIG_MAX_VIPS: their number. */
static size_t list_addresses(const struct controller *controller, struct routes_vip *vip,
			     uint64_t *services)
{
	size_t count = 0;

	*services = 0;
	for (uint16_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct config_service *config = controller->service[i].config;

		if (!controller->service[i].used || !config)
			continue;
		*services |= 1ull << i;
		for (size_t j = 0; j < config->vip_count && count < CONFIG_MAX_VIPS; j++) {
			memcpy(&vip[count].address, config->vips[j].address,
			       sizeof(vip[count].address));
			vip[count++].service = i;
		}
	}
	return count;
}

/* Had an earlier daemon been told to withdraw it? */
static bool is_remembered(const json_t *withdrawn, const char *service)
{
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(withdrawn, "services"), i, name) {
		if (json_is_string(name) && strcmp(json_string_value(name), service) == 0)
			return true;
	}
	return false;
}

/*
 * Orders are about services that go on; one about all is about new ones as well. What is remembered
 * is about those that the daemon begins with.
 */
static void follow_services(struct controller *controller, uint64_t services)
{
	struct announce *announce = &controller->announce;

	announce->ordered &= services;
	if (announce->ordered_all)
		announce->ordered |= services & ~announce->services;
	for (size_t i = 0; announce->remembered && i < LARCH_MAX_SERVICES; i++) {
		if (services >> i & 1 &&
		    is_remembered(announce->remembered, controller->service[i].config->name))
			announce->ordered |= 1ull << i;
	}
	json_decref(announce->remembered);
	announce->remembered = NULL;
	announce->services = services;
}

json_t *controller_withdrawn(const struct controller *controller)
{
	const struct announce *announce = &controller->announce;
	json_t *services;

	if (!announce->ordered && !announce->ordered_all)
		return NULL;
	services = json_array();
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		if (announce->ordered >> i & 1)
			json_array_append_new(services,
					      json_string(controller->service[i].config->name));
	}
	return json_pack("{s:b, s:o}", "all", announce->ordered_all, "services", services);
}

void controller_remember_withdrawn(struct controller *controller, const json_t *withdrawn)
{
	struct announce *announce = &controller->announce;

	json_decref(announce->remembered);
	announce->remembered = json_deep_copy(withdrawn);
	announce->ordered_all = json_is_true(json_object_get(withdrawn, "all"));
}

static void tell_left(const struct routes *before, const struct routes *now)
{
	char address[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < before->count; i++) {
		const struct route *route = &before->route[i];

		if (route->held && !routes_find(now, &route->address))
			log_warning("%s: WITHDRAWN: not configured any more",
				    endpoint_address_text(&route->address, address));
	}
}

static int set_addresses(struct controller *controller)
{
	struct routes_vip *vip = calloc(CONFIG_MAX_VIPS, sizeof(*vip));
	struct announce *announce = &controller->announce;
	struct routes now;
	uint64_t services;
	int error = -ENOMEM;

	if (vip) {
		size_t count = list_addresses(controller, vip, &services);

		error = routes_make(&now, &announce->routes, vip, count);
	}
	free(vip);
	if (error)
		return error;
	tell_left(&announce->routes, &now);
	routes_free(&announce->routes);
	announce->routes = now;
	follow_services(controller, services);
	return 0;
}

/* What an earlier daemon announced is announced until there is a reason against it. */
static void adopt(struct controller *controller)
{
	struct announce *announce = &controller->announce;
	struct routes *routes = &announce->routes;
	struct netlink_announced *found = wishes(routes);
	int error = found ? netlink_routes_read(announce->kernel, &announce->place, found,
						routes->count)
			  : -ENOMEM;
	char address[INET6_ADDRSTRLEN];

	for (size_t i = 0; !error && i < routes->count; i++) {
		struct route *route = &routes->route[i];

		if (!route->since)
			route->since = time(NULL);
		if (!found[i].there || route->held)
			continue;
		route->held = route->announced = true;
		log_info("%s: announced already", endpoint_address_text(&route->address, address));
	}
	free(found);
}

static void remove_all(struct controller *controller, const struct netlink_place *place,
		       const char *why)
{
	int count = place->table ? netlink_routes_remove(controller->announce.kernel, place) : 0;

	if (count < 0)
		log_error("the routes of protocol %u in table %u cannot be removed: %s",
			  place->protocol, place->table, strerror(-count));
	else if (count)
		log_warning("ALL ADDRESSES ARE WITHDRAWN from table %u: %s", place->table, why);
}

static struct netlink_place place_of(const struct config_routes *config)
{
	return (struct netlink_place){
		.table = config->table, .protocol = config->protocol, .metric = config->metric};
}

/* What was there is nobody's any more. */
static void leave(struct controller *controller, const struct netlink_place *before)
{
	const struct netlink_place *now = &controller->announce.place;

	if (before->table != now->table || before->protocol != now->protocol)
		remove_all(controller, before, "the configuration says so");
}

static bool is_moved(const struct netlink_place *before, const struct netlink_place *now)
{
	return before->table != now->table || before->protocol != now->protocol ||
	       before->metric != now->metric;
}

void controller_set_routes(struct controller *controller)
{
	struct announce *announce = &controller->announce;
	struct netlink_place before = announce->place;
	int error = set_addresses(controller);

	if (error) {
		log_error("cannot list the addresses to announce: %s", strerror(-error));
		return;
	}
	announce->place = place_of(&controller->config->routes);
	for (size_t i = 0; is_moved(&before, &announce->place) && i < announce->routes.count; i++)
		announce->routes.route[i].held = false;
	announce->doubtful = true;
	netlink_watch_table(controller->netlink, announce->place.table);
	if (announce->place.table)
		adopt(controller);
	controller_follow_routes(controller);
	leave(controller, &before);
}

int controller_order_routes(struct controller *controller, const struct service *service,
			    bool announced)
{
	struct announce *announce = &controller->announce;
	uint64_t which = service ? 1ull << service->id : ~0ull;

	if (!announce->place.table)
		return -ENOENT;
	if (!service)
		announce->ordered_all = !announced;
	if (announced)
		announce->ordered &= ~which;
	else
		announce->ordered |= which & announce->services;
	log_info("the operator %s %s", announced ? "announces" : "withdraws",
		 service ? service->config->name : "all services");
	controller_follow_routes(controller);
	return 0;
}

void controller_remove_routes(struct controller *controller, const char *why)
{
	struct netlink_place place;

	if (!controller->announce.kernel || !controller->config)
		return;
	place = place_of(&controller->config->routes);
	remove_all(controller, &place, why);
}
