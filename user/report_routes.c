// SPDX-License-Identifier: BSD-2-Clause
/* Which addresses are announced, and why not. See report.h. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "controller.h"
#include "endpoint.h"
#include "report.h"

static const char *reason_of(const struct route *route)
{
	if (route->error == -EEXIST)
		return "a route of somebody else stands in its place";
	if (route->error)
		return strerror(-route->error);
	return *route->reason ? route->reason : NULL;
}

static json_t *services_of(const struct controller *controller, uint64_t services)
{
	json_t *list = json_array();

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		if (services >> i & 1 && service->used && service->config)
			json_array_append_new(list, json_string(service->config->name));
	}
	return list;
}

static json_t *since(const struct route *route)
{
	time_t when = (time_t)route->since;
	char text[32] = "";
	struct tm local;

	if (localtime_r(&when, &local))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &local);
	return json_string(text);
}

static json_t *one(const struct controller *controller, const struct route *route)
{
	char address[INET6_ADDRSTRLEN];

	return json_pack("{s:s, s:b, s:o, s:I, s:o, s:o}", "address",
			 endpoint_address_text(&route->address, address), "announced", route->held,
			 "since", since(route), "for_s", (json_int_t)(time(NULL) - route->since),
			 "reason", report_string(reason_of(route)), "services",
			 services_of(controller, route->services));
}

json_t *report_routes(const struct controller *controller, uint64_t services)
{
	const struct announce *announce = &controller->announce;
	json_t *list;

	if (!announce->place.table)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < announce->routes.count; i++) {
		if (announce->routes.route[i].services & services)
			json_array_append_new(list, one(controller, &announce->routes.route[i]));
	}
	return json_pack("{s:I, s:i, s:I, s:o}", "table", (json_int_t)announce->place.table,
			 "protocol", announce->place.protocol, "metric",
			 (json_int_t)announce->place.metric, "addresses", list);
}

json_t *report_route(const struct controller *controller, const struct larch_vip *vip)
{
	const struct announce *announce = &controller->announce;
	const struct route *route;
	struct in6_addr address;

	memcpy(&address, vip->address, sizeof(address));
	route = announce->place.table ? routes_find(&announce->routes, &address) : NULL;
	if (!route)
		return json_null();
	return json_pack("{s:b, s:o, s:I, s:o}", "announced", route->held, "since", since(route),
			 "for_s", (json_int_t)(time(NULL) - route->since), "reason",
			 report_string(reason_of(route)));
}

void report_warn_of_routes(json_t *list, const struct controller *controller)
{
	const struct announce *announce = &controller->announce;
	char address[INET6_ADDRSTRLEN];

	for (size_t i = 0; announce->place.table && i < announce->routes.count; i++) {
		const struct route *route = &announce->routes.route[i];
		const char *reason = reason_of(route);

		if (!reason)
			continue;
		endpoint_address_text(&route->address, address);
		json_array_append_new(
			list, route->held
				      ? json_sprintf("%s: announced, though %s", address, reason)
				      : json_sprintf("%s: WITHDRAWN: %s", address, reason));
	}
}
