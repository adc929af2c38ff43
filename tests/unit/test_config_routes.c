// SPDX-License-Identifier: BSD-2-Clause
// What announces the services' addresses.
#include "config_accepted.h"
#include "config_refusal.h"

Test(config_routes, are_off_unless_they_are_given)
{
	struct larch_config *config = accepted(WEB "...\n");

	cr_expect_eq(config->routes.table, 0);
	config_free(config);
}

Test(config_routes, have_defaults)
{
	struct larch_config *config = accepted(WEB "routes: {}\n...\n");

	cr_expect_eq(config->routes.table, 4242);
	cr_expect_eq(config->routes.protocol, 77);
	cr_expect_eq(config->routes.metric, 0);
	cr_expect_not(config->routes.without_backends);
	config_free(config);
}

Test(config_routes, say_where_they_stand)
{
	struct larch_config *config =
		accepted(WEB "routes: {table: 4294967295, protocol: 255, metric: 32, "
			     "withdraw_without_backends: true}\n...\n");

	cr_expect_eq(config->routes.table, 4294967295);
	cr_expect_eq(config->routes.protocol, 255);
	cr_expect_eq(config->routes.metric, 32);
	cr_expect(config->routes.without_backends);
	config_free(config);
}

Test(config_routes, what_is_refused)
{
	EXPECT_REFUSALS(
		{WEB "routes: true\n...\n", "8:9: routes: routes is 'true'; expected a mapping"},
		{WEB "routes: {tabel: 1}\n...\n",
		 "8:10: routes.tabel: unknown key 'tabel'; did you mean 'table'?"},
		{WEB "routes: {table: 0}\n...\n",
		 "8:17: routes.table: table is '0'; expected a whole number from 1 to 4294967295"},
		{WEB "routes: {table: 4294967296}\n...\n",
		 "8:17: routes.table: table is '4294967296'; expected a whole number from 1 to "
		 "4294967295"},
		{WEB "routes: {table: main}\n...\n",
		 "8:17: routes.table: table is 'main'; expected a whole number from 1 to "
		 "4294967295"},
		{WEB "routes: {table: 254}\n...\n",
		 "8:17: routes.table: table is '254'; expected a table that the host does not "
		 "route by itself: not 253, 254 or 255"},
		{WEB "routes: {protocol: 12}\n...\n",
		 "8:20: routes.protocol: protocol is '12'; expected a whole number from 20 to 255"},
		{WEB "routes: {protocol: 186}\n...\n",
		 "8:20: routes.protocol: protocol is '186'; expected a number that nobody else "
		 "uses: this is BGP's"},
		{WEB "routes: {metric: 0}\n...\n",
		 "8:18: routes.metric: metric is '0'; expected a whole number from 1 to "
		 "4294967295"},
		{WEB "routes: {withdraw_without_backends: maybe}\n...\n",
		 "8:37: routes.withdraw_without_backends: withdraw_without_backends is 'maybe'; "
		 "expected true or false"}, );
}

Test(config_routes, tables_that_hosts_route_by_are_refused)
{
	static const char *const tables[] = {"253", "254", "255"};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct larch_config *config;
		struct config_errors errors;
		char text[400];

		snprintf(text, sizeof(text), WEB "routes: {table: %s}\n...\n", tables[i]);
		cr_expect_eq(config_parse(text, strlen(text), &config, &errors), -EINVAL);
	}
	config_free(accepted(WEB "routes: {table: 252}\n...\n"));
	config_free(accepted(WEB "routes: {table: 256}\n...\n"));
}
