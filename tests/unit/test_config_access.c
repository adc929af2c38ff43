// SPDX-License-Identifier: BSD-2-Clause
// Access lists: networks that are accepted and refused, and how long they may be.
#include <arpa/inet.h>

#include "config_accepted.h"
#include "config_refusal.h"

static void expect_network(const struct config_service *service, size_t index, const char *address,
			   unsigned bits, enum larch_access_verdict verdict)
{
	const struct config_network *network = &service->networks[index];
	char said[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &network->address, said, sizeof(said));
	cr_expect_str_eq(said, address);
	cr_expect_eq(network->bits, bits);
	cr_expect_eq(network->verdict, verdict);
}

Test(config_access, networks_are_in_order_and_say_what_they_do)
{
	struct larch_config *config = accepted(
		WEB "    deny: [10.66.0.0/16, 'fd00:66::/32']\n"
		    "    allow: [192.0.2.7, 10.0.0.0/8, '2001:db8::/32', 0.0.0.0/0]\n...\n");
	const struct config_service *service = &config->services[0];

	cr_assert_eq(service->network_count, 6);
	expect_network(service, 0, "::ffff:0.0.0.0", 96, LARCH_ACCESS_ALLOW);
	expect_network(service, 1, "::ffff:10.0.0.0", 104, LARCH_ACCESS_ALLOW);
	expect_network(service, 2, "::ffff:10.66.0.0", 112, LARCH_ACCESS_DENY);
	expect_network(service, 3, "::ffff:192.0.2.7", 128, LARCH_ACCESS_ALLOW);
	expect_network(service, 4, "2001:db8::", 32, LARCH_ACCESS_ALLOW);
	expect_network(service, 5, "fd00:66::", 32, LARCH_ACCESS_DENY);
	config_free(config);
}

Test(config_access, one_network_needs_no_list)
{
	struct larch_config *config = accepted(WEB "    deny: '::/0'\n...\n");

	cr_assert_eq(config->services[0].network_count, 1);
	expect_network(&config->services[0], 0, "::", 0, LARCH_ACCESS_DENY);
	config_free(config);
	config = accepted(WEB "...\n");
	cr_expect_eq(config->services[0].network_count, 0);
	config_free(config);
}

Test(config_access, networks_that_are_none)
{
	static const char *const texts[] = {"10.0.0.0/33",	 "10.0.0.0/",	     "10.0.0.0/08",
					    "10.0.0.0/+8",	 "10.0.0/8",	     "/8",
					    "10.0.0.0/8/8",	 "10.0.0.0/8 ",	     "fd00::/129",
					    "fd00::/00",	 "::ffff:a00:0/104", "example.org",
					    "10.0.0.0/24.0",	 "10.0.0.0 /8",	     "any",
					    "10.0.0.0/255.0.0.0"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[400], expected[300];

		snprintf(text, sizeof(text), WEB "    allow: [10.0.0.0/8, '%s']\n...\n", texts[i]);
		snprintf(expected, sizeof(expected),
			 "8:25: services[0].allow[1]: allow[1] is '%s'; expected a network such as "
			 "192.0.2.0/24 or 2001:db8::/32, or an address",
			 texts[i]);
		expect_refusal(text, strlen(text), expected);
	}
	EXPECT_REFUSALS({WEB "    allow: []\n    deny: {}\n...\n",
			 "8:12: services[0].allow: allow is a list; expected at least one item\n"
			 "9:11: services[0].deny: deny is a mapping; expected a network such as "
			 "192.0.2.0/24 or 2001:db8::/32, or an address"});
}

Test(config_access, networks_with_bits_of_their_hosts)
{
	static const struct {
		const char *text, *meant;
	} cases[] = {{"10.1.2.3/16", "10.1.0.0/16"},
		     {"10.0.0.1/31", "10.0.0.0/31"},
		     {"192.0.2.1/0", "0.0.0.0/0"},
		     {"2001:db8::1/64", "2001:db8::/64"},
		     {"2001:db8:8000::/32", "2001:db8::/32"},
		     {"fd00::3/127", "fd00::2/127"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[400], expected[300];

		snprintf(text, sizeof(text), WEB "    deny: '%s'\n...\n", cases[i].text);
		snprintf(expected, sizeof(expected),
			 "8:11: services[0].deny: deny is '%s'; expected a network without bits of "
			 "its hosts, such as %s",
			 cases[i].text, cases[i].meant);
		expect_refusal(text, strlen(text), expected);
	}
}

Test(config_access, networks_given_twice)
{
	EXPECT_REFUSALS({WEB "    deny: [10.1.0.0/16, 10.0.0.0/8]\n    allow: [10.0.0.0/8]\n...\n",
			 "8:25: services[0].deny[1]: this network is allowed and denied; first at "
			 "services[0].allow[0] (line 9)"},
			{WEB "    deny: ['fd00::/8', 10.0.0.0/8, 'FD00:0::/8']\n...\n",
			 "8:36: services[0].deny[2]: this network is in the list already"},
			{WEB "    deny: [10.0.0.1, 10.0.0.1/32]\n...\n",
			 "8:22: services[0].deny[1]: this network is in the list already"}, );
	/* In two services each has its own list. */
	config_free(accepted(WEB "    deny: 10.0.0.0/8\n" SECOND
				 "    allow: 10.0.0.0/8\n    backends: [{address: 10.0.0.1}]\n"
				 "...\n"));
}

/* A service that denies so many networks, and a second one so many more. */
static char *many(size_t first, size_t second, size_t *size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	fputs(WEB "    deny:\n", out);
	for (size_t i = 0; i < first; i++)
		fprintf(out, "    - 10.%zu.%zu.0/24\n", i >> 8, i & 255);
	fputs(SECOND "    backends: [{address: 10.0.0.1}]\n    deny:\n", out);
	for (size_t i = 0; i < second; i++)
		fprintf(out, "    - 10.%zu.%zu.0/24\n", i >> 8, i & 255);
	fputs("...\n", out);
	fclose(out);
	return text;
}

Test(config_access, more_networks_than_the_map_holds)
{
	const size_t most = LARCH_MAX_ACCESS - LARCH_MAX_SERVICES;
	struct larch_config *config;
	struct config_errors errors;
	char expected[200];
	size_t size;
	char *text = many(most - 5, 5, &size);

	cr_expect_eq(config_parse(text, size, &config, &errors), 0);
	cr_expect_eq(config->services[0].network_count, most - 5);
	config_free(config);
	free(text);
	text = many(most - 5, 6, &size);
	snprintf(expected, sizeof(expected),
		 "%zu:5: services[1].deny: more than %zu networks in the access lists of all "
		 "services",
		 8 + most - 5 + 6 + 1, most);
	expect_refusal(text, size, expected);
	free(text);
}
