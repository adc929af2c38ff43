// SPDX-License-Identifier: BSD-2-Clause
/* Tests of user/routes.c: which addresses are announced. */
#include "endpoint.h"
#include "routes.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECOND 1000000000ull

static const struct routes nothing;

static struct routes_vip vip_of(const char *address, uint16_t service)
{
	struct routes_vip vip = {.service = service};

	cr_assert(endpoint_address(address, 0, &vip.address), "%s", address);
	return vip;
}

static struct route *route_of(const struct routes *routes, const char *address)
{
	struct routes_vip vip = vip_of(address, 0);

	return routes_find(routes, &vip.address);
}

Test(routes, each_address_is_there_once_with_all_its_services)
{
	struct routes routes;
	struct routes_vip vips[] = {vip_of("2001:db8::10", 0), vip_of("203.0.113.10", 0),
				    vip_of("203.0.113.11", 63), vip_of("203.0.113.10", 5)};

	cr_assert_eq(routes_make(&routes, &nothing, vips, 4), 0);
	cr_assert_eq(routes.count, 3);
	cr_expect_eq(route_of(&routes, "203.0.113.10")->services, 0x21);
	cr_expect_eq(route_of(&routes, "203.0.113.11")->services, 1ull << 63);
	cr_expect_eq(route_of(&routes, "2001:db8::10")->services, 1);
	cr_expect_null(route_of(&routes, "203.0.113.12"));
	routes_free(&routes);
	cr_expect_null(route_of(&routes, "203.0.113.10"));
}

Test(routes, addresses_that_stay_keep_what_is_known_of_them)
{
	struct routes first, routes, none;
	struct routes_vip before[] = {vip_of("203.0.113.10", 0), vip_of("203.0.113.11", 1)};
	struct routes_vip after[] = {vip_of("203.0.113.12", 1), vip_of("203.0.113.11", 2)};

	cr_assert_eq(routes_make(&first, &nothing, before, 2), 0);
	route_of(&first, "203.0.113.11")->announced = true;
	route_of(&first, "203.0.113.11")->since = 1234;
	cr_assert_eq(routes_make(&routes, &first, after, 2), 0);
	cr_assert_eq(routes.count, 2);
	cr_expect(route_of(&routes, "203.0.113.11")->announced);
	cr_expect_eq(route_of(&routes, "203.0.113.11")->since, 1234);
	cr_expect_eq(route_of(&routes, "203.0.113.11")->services, 4);
	cr_expect_not(route_of(&routes, "203.0.113.12")->announced);
	cr_expect_null(route_of(&routes, "203.0.113.10"));
	cr_assert_eq(routes_make(&none, &routes, after, 0), 0);
	cr_expect_eq(none.count, 0);
	routes_free(&none);
	routes_free(&routes);
	routes_free(&first);
}

/* An address of services 0 and 1, both of which can be reached. */
static const struct routes_facts well = {.served = 3, .now_ns = SECOND};

static void expect(struct route *route, const struct routes_facts *facts, bool announced,
		   const char *reason)
{
	routes_decide(route, facts);
	cr_expect_eq(route->announced, announced, "%s", route->reason);
	cr_expect_str_eq(route->reason, reason);
	cr_expect_not(routes_decide(route, facts), "nothing new");
}

Test(routes, what_a_backend_serves_is_announced)
{
	struct route route = {.services = 3};

	cr_expect(routes_decide(&route, &well), "news");
	expect(&route, &well, true, "");
}

Test(routes, operator_withdraws_and_announces)
{
	struct route route = {.services = 3};
	struct routes_facts facts = well;

	facts.ordered = 1;
	expect(&route, &facts, true, "");
	facts.ordered = 3;
	expect(&route, &facts, false, "withdrawn by the operator");
	facts.dead = "no link";
	expect(&route, &facts, false, "withdrawn by the operator");
	expect(&route, &well, true, "");
}

Test(routes, dead_data_path_withdraws_at_once)
{
	struct route route = {.services = 3, .announced = true};
	struct routes_facts facts = well;

	facts.dead = "no link";
	expect(&route, &facts, false, "no link");
	facts.dead = "no program";
	expect(&route, &facts, false, "no program");
	expect(&route, &well, true, "");
}

Test(routes, without_backends_an_announced_address_stays)
{
	struct route route = {.services = 3, .announced = true};
	struct routes_facts facts = well;

	facts.served = ~3ull;
	expect(&route, &facts, true, "");
	facts.now_ns += ROUTES_PATIENCE_NS;
	expect(&route, &facts, true, "no backend can serve it");
	expect(&route, &well, true, "");
}

Test(routes, without_backends_it_is_withdrawn_after_a_while_if_that_is_wanted)
{
	struct route route = {.services = 3, .announced = true};
	struct routes_facts facts = well;

	facts.needs_backends = true;
	facts.served = 0;
	expect(&route, &facts, true, "");
	facts.now_ns += ROUTES_PATIENCE_NS - 1;
	expect(&route, &facts, true, "");
	facts.now_ns += 1;
	expect(&route, &facts, false, "no backend can serve it");
	facts.served = 2;
	expect(&route, &facts, true, "");
	facts.served = 0;
	expect(&route, &facts, true, "");
	facts.now_ns += ROUTES_PATIENCE_NS;
	expect(&route, &facts, false, "no backend can serve it");
}

/* A new address, or one whose links have just come back: its backends are being resolved. */
Test(routes, announcing_waits_for_a_backend_but_not_for_ever)
{
	struct route route = {.services = 3};
	struct routes_facts facts = well;

	facts.served = 0;
	expect(&route, &facts, false, "waits for a backend that can serve it");
	facts.now_ns += ROUTES_PATIENCE_NS;
	expect(&route, &facts, true, "no backend can serve it");
	facts.dead = "no link";
	expect(&route, &facts, false, "no link");
	facts.dead = NULL;
	expect(&route, &facts, false, "waits for a backend that can serve it");
	expect(&route, &well, true, "");
}

Test(routes, needing_backends_it_is_never_announced_without)
{
	struct route route = {.services = 3};
	struct routes_facts facts = well;

	facts.needs_backends = true;
	facts.served = 0;
	expect(&route, &facts, false, "no backend can serve it");
	facts.now_ns += 10 * ROUTES_PATIENCE_NS;
	expect(&route, &facts, false, "no backend can serve it");
}

/* The backends of a service that is withdrawn are no reason to announce what others have. */
Test(routes, only_services_that_are_meant_to_be_reached_count)
{
	struct route route = {.services = 3, .announced = true};
	struct routes_facts facts = well;

	facts.needs_backends = true;
	facts.ordered = 1;
	facts.served = 1;
	routes_decide(&route, &facts);
	facts.now_ns += ROUTES_PATIENCE_NS;
	expect(&route, &facts, false, "no backend can serve it");
}

Test(routes, long_reasons_are_cut_and_not_new_each_time)
{
	struct route route = {.services = 1};
	struct routes_facts facts = well;
	char reason[400];

	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	facts.dead = reason;
	cr_expect(routes_decide(&route, &facts));
	cr_expect_not(routes_decide(&route, &facts));
	cr_expect_eq(strlen(route.reason), sizeof(route.reason) - 1);
}
