// SPDX-License-Identifier: BSD-2-Clause
/* What the reports say of announced addresses and of interfaces. */
#include "report_world.h"

#include <errno.h>
#include <sched.h>

static void nothing_changed(void *context, const struct in6_addr *address,
			    const struct nexthop *nexthop)
{
	(void)context;
	(void)address;
	(void)nexthop;
}

/* Both addresses of the service, announced since 90 s. */
static void announce(void)
{
	struct announce *announce = &world.controller->announce;
	struct routes_vip vip[2];

	for (size_t i = 0; i < 2; i++) {
		memcpy(&vip[i].address, world.vip[i].address, sizeof(vip[i].address));
		vip[i].service = 3;
	}
	cr_assert_eq(routes_make(&announce->routes, &(struct routes){}, vip, 2), 0);
	announce->place = (struct netlink_place){.table = 4242, .protocol = 77};
	announce->services = 1 << 3;
	for (size_t i = 0; i < 2; i++) {
		announce->routes.route[i].announced = announce->routes.route[i].held = true;
		announce->routes.route[i].since = time(NULL) - 90;
	}
}

static void end(void)
{
	routes_free(&world.controller->announce.routes);
	report_end();
}

TestSuite(report_routes, .init = report_begin, .fini = end);

/* Of IPv4, which is the first among the sorted ones. */
static struct route *first_route(void)
{
	return &world.controller->announce.routes.route[0];
}

static const json_t *first_address(const json_t *answer)
{
	return report_first(json_object_get(answer, "routes"), "addresses");
}

Test(report_routes, without_routes_there_are_none)
{
	json_t *answer = report_ask("{\"command\":\"status\"}");

	cr_expect(json_is_null(json_object_get(answer, "routes")));
	json_decref(answer);
	answer = report_ask("{\"command\":\"list\"}");
	cr_expect(json_is_null(
		json_object_get(report_first(report_first(answer, "services"), "vips"), "route")));
	json_decref(answer);
	answer = report_ask("{\"command\":\"withdraw\"}");
	cr_expect_str_eq(report_word(answer, "kind"), "refused");
	json_decref(answer);
}

Test(report_routes, status_says_what_is_announced_and_since_when)
{
	json_t *answer;
	const json_t *first;

	announce();
	answer = report_ask("{\"command\":\"status\"}");
	first = first_address(answer);
	cr_expect_str_eq(report_word(first, "address"), "203.0.113.10");
	cr_expect(json_is_true(json_object_get(first, "announced")));
	cr_expect_geq(report_value_of(first, "for_s"), 90);
	cr_expect_lt(report_value_of(first, "for_s"), 100);
	cr_expect(json_is_null(json_object_get(first, "reason")));
	cr_expect_str_eq(json_string_value(report_first(first, "services")), "web");
	cr_expect_eq(report_value_of(json_object_get(answer, "routes"), "table"), 4242);
	json_decref(answer);
}

static bool warns_of(const json_t *answer, const char *words)
{
	const json_t *warning;
	size_t i;

	json_array_foreach (json_object_get(answer, "warnings"), i, warning) {
		if (strstr(json_string_value(warning), words))
			return true;
	}
	return false;
}

Test(report_routes, status_and_list_say_what_is_withdrawn_and_why)
{
	json_t *answer;
	const json_t *route;

	announce();
	first_route()->announced = first_route()->held = false;
	strcpy(first_route()->reason, "no backend can serve it");
	answer = report_ask("{\"command\":\"status\"}");
	cr_expect(warns_of(answer, "203.0.113.10: WITHDRAWN: no backend can serve it"));
	cr_expect_not(warns_of(answer, "2001:db8::10"));
	json_decref(answer);
	answer = report_ask("{\"command\":\"list\"}");
	route = json_object_get(report_first(report_first(answer, "services"), "vips"), "route");
	cr_expect(json_is_false(json_object_get(route, "announced")));
	cr_expect_str_eq(report_word(route, "reason"), "no backend can serve it");
	json_decref(answer);
}

Test(report_routes, what_the_kernel_refuses_is_not_announced)
{
	json_t *answer;

	announce();
	first_route()->held = false;
	first_route()->error = -EEXIST;
	answer = report_ask("{\"command\":\"status\"}");
	cr_expect(json_is_false(json_object_get(first_address(answer), "announced")));
	cr_expect(warns_of(answer, "203.0.113.10: WITHDRAWN: a route of somebody else stands"));
	json_decref(answer);
}

Test(report_routes, announced_all_the_same_is_a_warning)
{
	json_t *answer;

	announce();
	strcpy(first_route()->reason, "no backend can serve it");
	answer = report_ask("{\"command\":\"status\"}");
	cr_expect(warns_of(answer, "203.0.113.10: announced, though no backend can serve it"));
	json_decref(answer);
}

Test(report_routes, orders_name_services_that_exist)
{
	json_t *answer;

	announce();
	answer = report_ask("{\"command\":\"withdraw\",\"service\":\"nosuch\"}");
	cr_expect_str_eq(report_word(answer, "kind"), "not found");
	json_decref(answer);
	answer = report_ask("{\"command\":\"announce\",\"service\":7}");
	cr_expect_str_eq(report_word(answer, "kind"), "usage");
	json_decref(answer);
}

/* The configuration's service, as a daemon with this memory begins with it. */
static void begin_with(const char *remembered)
{
	json_t *withdrawn = json_loads(remembered, JSON_DECODE_ANY, NULL);

	cr_assert(withdrawn);
	controller_remember_withdrawn(world.controller, withdrawn);
	json_decref(withdrawn);
	world.config.routes = (struct config_routes){.table = 4242, .protocol = 77};
	cr_assert_eq(netlink_open(&world.controller->netlink, nothing_changed, NULL), 0);
	cr_assert_eq(netlink_routes_open(&world.controller->announce.kernel), 0);
	controller_set_routes(world.controller);
	netlink_routes_close(world.controller->announce.kernel);
	netlink_close(world.controller->netlink);
	world.controller->netlink = NULL;
}

static void expect_withdrawn(const char *expected)
{
	json_t *withdrawn = controller_withdrawn(world.controller);
	char *text = withdrawn ? json_dumps(withdrawn, JSON_COMPACT) : strdup("nothing");

	cr_expect_str_eq(text, expected);
	free(text);
	json_decref(withdrawn);
}

Test(report_routes, orders_are_told_and_taken_over)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root");
	expect_withdrawn("nothing");
	begin_with("{\"all\":false,\"services\":[\"nosuch\",\"web\",7]}");
	cr_expect_eq(world.controller->announce.ordered, 1 << 3);
	cr_expect_not(first_route()->announced);
	cr_expect_str_eq(first_route()->reason, "withdrawn by the operator");
	expect_withdrawn("{\"all\":false,\"services\":[\"web\"]}");
}

Test(report_routes, order_about_all_is_about_services_that_begin_later)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root");
	begin_with("{\"all\":true,\"services\":[]}");
	expect_withdrawn("{\"all\":true,\"services\":[\"web\"]}");
}

Test(report_routes, orders_that_make_no_sense_are_ignored)
{
	static const char *const senseless[] = {"7", "[]", "{}", "\"web\"",
						"{\"all\":1,\"services\":{\"web\":1}}"};

	cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root");
	for (size_t i = 0; i < sizeof(senseless) / sizeof(senseless[0]); i++) {
		begin_with(senseless[i]);
		expect_withdrawn("nothing");
	}
}

Test(report_routes, interfaces_say_what_keeps_the_program_away)
{
	json_t *answer = report_ask("{\"command\":\"status\"}");
	const json_t *interface = report_first(answer, "interfaces");

	cr_expect_str_eq(report_word(interface, "name"), "lo");
	cr_expect(json_is_false(json_object_get(interface, "attached")));
	cr_expect(json_is_null(json_object_get(interface, "link")), "nobody to ask");
	cr_expect(warns_of(answer, "lo: the program is not attached: "));
	json_decref(answer);
}
