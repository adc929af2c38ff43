// SPDX-License-Identifier: BSD-2-Clause
// Backends that DNS names stand for: what the file may say of them, and what becomes of answers.
#include <arpa/inet.h>

#include "config_accepted.h"
#include "config_refusal.h"
#include "endpoint.h"

#define APP                                                                                        \
	"services:\n"                                                                              \
	"  - name: web\n"                                                                          \
	"    address: 203.0.113.10\n"                                                              \
	"    port: 443\n"                                                                          \
	"    protocol: tcp\n"                                                                      \
	"    backends:\n"                                                                          \
	"      - host: app.example.net\n"

/* An answer: a name and its addresses. */
struct answer {
	const char *host;
	const char *address[8];
};

static struct larch_config *read_with(const char *text, const struct answer *answers)
{
	static struct in6_addr address[4][8];
	struct config_name name[4] = {};
	struct config_names names = {.name = name};
	struct larch_config *config;
	struct config_errors errors;

	for (; answers[names.count].host; names.count++) {
		const struct answer *answer = &answers[names.count];
		struct config_name *to = &name[names.count];

		to->host = answer->host;
		to->address = address[names.count];
		while (answer->address[to->count]) {
			cr_assert(endpoint_address(answer->address[to->count], 0,
						   &address[names.count][to->count]));
			to->count++;
		}
	}
	cr_assert_eq(config_parse_names(text, strlen(text), &names, &config, &errors), 0, "%s: %s",
		     errors.error[0].path, errors.error[0].text);
	return config;
}

#define WITH(...) ((const struct answer[]){__VA_ARGS__, {}})

/* "NAME weight/concurrency" of each member. */
static void expect_members(const struct larch_config *config, size_t service, const char *expected)
{
	const struct config_service *of = &config->services[service];
	char said[1024] = "";

	for (size_t i = 0; i < of->member_count; i++) {
		const struct config_backend *backend = &config->backends[of->members[i].backend];
		size_t length = strlen(said);

		snprintf(said + length, sizeof(said) - length, "%s%s %u/%u", i ? ", " : "",
			 backend->name, of->members[i].weight, backend->concurrency);
	}
	cr_expect_str_eq(said, expected);
}

static void expect_left_out(const struct larch_config *config, const char *expected)
{
	char said[1024] = "", address[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < config->left_out_count; i++) {
		const struct config_left_out *one = &config->left_out[i];
		size_t length = strlen(said);

		snprintf(said + length, sizeof(said) - length, "%s%s: %s", i ? "\n" : "",
			 endpoint_address_text(&one->address, address), one->why);
	}
	cr_expect_str_eq(said, expected);
}

Test(config_host, a_name_without_an_answer_has_no_members)
{
	struct larch_config *config = accepted(APP "...\n");

	cr_expect_eq(config->host_count, 1);
	cr_expect_str_eq(config->hosts[0].name, "app.example.net");
	cr_expect(config->services[0].named);
	expect_members(config, 0, "");
	config_free(config);
}

Test(config_host, addresses_have_what_the_name_has)
{
	struct larch_config *config = read_with(APP "        weight: 7\n        concurrency: 9\n"
						    "      - {host: B.Example.NET., name: bee}\n"
						    "      - address: 10.0.0.1\n...\n",
						WITH({"app.example.net", {"10.0.0.3", "fd00::3"}},
						     {"b.example.net", {"10.0.0.4"}}));

	expect_members(config, 0,
		       "10.0.0.1 100/0, app.example.net/10.0.0.3 7/9, app.example.net/fd00::3 7/9, "
		       "bee/10.0.0.4 100/0");
	expect_left_out(config, "");
	config_free(config);
}

Test(config_host, an_address_of_two_names_is_one_member_of_the_first)
{
	struct larch_config *config = read_with(APP "      - {host: b.example.net, weight: 9}\n"
						    "      - {address: 10.0.0.1, name: one}\n...\n",
						WITH({"app.example.net", {"10.0.0.1", "10.0.0.2"}},
						     {"b.example.net", {"10.0.0.2", "10.0.0.3"}}));

	expect_members(config, 0,
		       "one 100/0, app.example.net/10.0.0.2 100/0, b.example.net/10.0.0.3 9/0");
	expect_left_out(config, "10.0.0.1: a backend of this service already\n"
				"10.0.0.2: a backend of this service already");
	config_free(config);
}

Test(config_host, services_share_the_backends_of_a_name)
{
	struct larch_config *config =
		read_with(APP SECOND "    backends: [{host: app.example.net, weight: 3}]\n...\n",
			  WITH({"app.example.net", {"10.0.0.1"}}));

	cr_expect_eq(config->host_count, 1);
	cr_expect_eq(config->backend_count, 1);
	expect_members(config, 0, "app.example.net/10.0.0.1 100/0");
	expect_members(config, 1, "app.example.net/10.0.0.1 3/0");
	config_free(config);
}

Test(config_host, what_cannot_be_a_backend_is_left_out)
{
	struct larch_config *config =
		read_with(APP "...\n", WITH({"app.example.net",
					     {"0.0.0.0", "127.0.0.1", "224.0.0.1", "203.0.113.10",
					      "::1", "fe80::1", "10.0.0.1"}}));

	expect_members(config, 0, "app.example.net/10.0.0.1 100/0");
	expect_left_out(config, "0.0.0.0: the unspecified address\n127.0.0.1: a loopback address\n"
				"224.0.0.1: a multicast address\n"
				"203.0.113.10: the address of a service\n::1: a loopback address\n"
				"fe80::1: a link-local address");
	config_free(config);
}

Test(config_host, nat_takes_its_own_family_and_no_shared_port)
{
	struct larch_config *config = read_with(
		APP "    forward: nat\n" SECOND
		    "    forward: nat\n    backends: [{address: 10.0.0.1, name: one}]\n...\n",
		WITH({"app.example.net", {"10.0.0.1", "fd00::1", "10.0.0.2"}}));

	expect_members(config, 0, "app.example.net/10.0.0.2 100/0");
	expect_left_out(
		config,
		"10.0.0.1: a backend of another service with forward: nat, with the same port\n"
		"fd00::1: of the other family than the service, whose forward is nat");
	config_free(config);
}

Test(config_host, no_more_than_255_members)
{
	static struct in6_addr address[300];
	const struct config_name name = {"app.example.net", address, 300};
	const struct config_names names = {&name, 1};
	struct larch_config *config;
	struct config_errors errors;

	for (unsigned i = 0; i < 300; i++) {
		address[i].s6_addr32[0] = htonl(0xfd000000);
		address[i].s6_addr32[3] = htonl(i + 1);
	}
	cr_assert_eq(config_parse_names(APP "...\n", strlen(APP "...\n"), &names, &config, &errors),
		     0);
	cr_expect_eq(config->services[0].member_count, 255);
	cr_expect_eq(config->left_out_count, 45);
	config_free(config);
}

Test(config_host, long_names_leave_room_for_the_address)
{
	struct larch_config *config = read_with(
		"services:\n  - name: web\n    address: 203.0.113.10\n    port: 443\n"
		"    protocol: tcp\n    backends:\n"
		"      - host: a-rather-long-name-of-a-host.in-a-long-zone.of-a-long-domain."
		"example.net\n...\n",
		WITH({"a-rather-long-name-of-a-host.in-a-long-zone.of-a-long-domain.example.net",
		      {"10.0.0.1", "10.0.0.2"}}));

	expect_members(config, 0,
		       "a-rather-long-name-of-a-host.in-a-long-zone.of-a-long-/10.0.0.1 100/0, "
		       "a-rather-long-name-of-a-host.in-a-long-zone.of-a-long-/10.0.0.2 100/0");
	config_free(config);
}

#define BACKENDS                                                                                   \
	"services:\n  - name: web\n    address: 203.0.113.10\n    port: 443\n"                     \
	"    protocol: tcp\n    backends:\n"

#define NO_NAME(text, column)                                                                      \
	"7:" column ": services[0].backends[0].host: host is '" text                               \
	"'; expected a DNS name such as app.example.net, of 1 to 253 characters"

Test(config_host, what_is_no_name)
{
	EXPECT_REFUSALS({BACKENDS "      - host: 10.0.0.1\n...\n", NO_NAME("10.0.0.1", "15")},
			{BACKENDS "      - host: fd00::1\n...\n", NO_NAME("fd00::1", "15")},
			{BACKENDS "      - host: a..b\n...\n", NO_NAME("a..b", "15")},
			{BACKENDS "      - host: .a\n...\n", NO_NAME(".a", "15")},
			{BACKENDS "      - host: a b\n...\n", NO_NAME("a b", "15")},
			{BACKENDS "      - host: -a.b\n...\n", NO_NAME("-a.b", "15")},
			{BACKENDS "      - host: app:80\n...\n", NO_NAME("app:80", "15")},
			{BACKENDS "      - host: '.'\n...\n", NO_NAME(".", "15")},
			{BACKENDS "      - host: ''\n...\n",
			 "7:15: services[0].backends[0].host: host is empty; expected a DNS name "
			 "such as app.example.net, of 1 to 253 characters"}, );
}

Test(config_host, what_a_name_cannot_have)
{
	EXPECT_REFUSALS(
		{APP "        address: 10.0.0.1\n...\n",
		 "8:18: services[0].backends[0].address: this backend has a host, too; expected "
		 "one of both"},
		{APP "      - host: app.example.net\n...\n",
		 "8:15: services[0].backends[1].host: this service has the name 'app.example.net' "
		 "already"},
		{APP "        weight: 0\n...\n",
		 "7:7: services[0].backends: all weights are 0; expected a backend that takes new "
		 "flows"},
		{"services:\n  - name: h3\n    address: 203.0.113.10\n    port: 443\n"
		 "    protocol: udp\n    quic: {server_id_bytes: 1}\n    backends:\n"
		 "      - host: app.example.net\n...\n",
		 "8:15: services[0].backends[0].host: a name may stand for many servers, and "
		 "connection ids name each of them; expected 'address' with 'quic_id'"},
		{BACKENDS "      - weight: 1\n...\n",
		 "7:9: services[0].backends[0]: the key 'address' is missing"}, );
}

Test(config_host, who_is_asked)
{
	struct larch_config *config =
		accepted(APP "resolver: {servers: [192.0.2.53, '192.0.2.54:5353', '2001:db8::53', "
			     "'[2001:db8::54]:54'], ttl_least: 1s, ttl_most: 10m}\n...\n");
	const struct config_resolver *resolver = &config->resolver;

	cr_expect_eq(resolver->servers, 4);
	cr_expect_str_eq(resolver->server[0], "192.0.2.53:53");
	cr_expect_str_eq(resolver->server[1], "192.0.2.54:5353");
	cr_expect_str_eq(resolver->server[2], "[2001:db8::53]:53");
	cr_expect_str_eq(resolver->server[3], "[2001:db8::54]:54");
	cr_expect_eq(resolver->ttl_least, 1);
	cr_expect_eq(resolver->ttl_most, 600);
	config_free(config);
	config = accepted(APP "...\n");
	cr_expect_eq(config->resolver.servers, 0);
	cr_expect_eq(config->resolver.ttl_least, 5);
	cr_expect_eq(config->resolver.ttl_most, 300);
	config_free(config);
}

Test(config_host, who_cannot_be_asked)
{
	EXPECT_REFUSALS(
		{APP "resolver: {servers: [ns.example.net]}\n...\n",
		 "8:22: resolver.servers[0]: servers[0] is 'ns.example.net'; expected a name "
		 "server's address, or ADDRESS:PORT, such as 192.0.2.53 or [2001:db8::53]:5353"},
		{APP "resolver: {servers: []}\n...\n",
		 "8:21: resolver.servers: servers is a list; expected at least one item"},
		{APP "resolver: {ttl_least: 500ms}\n...\n",
		 "8:23: resolver.ttl_least: ttl_least is '500ms'; expected a time from 1s to 60m "
		 "such as 250ms, 1.5s or 2m"},
		{APP "resolver: {ttl_least: 20s, ttl_most: 10s}\n...\n",
		 "8:23: resolver.ttl_least: ttl_least is '20s'; expected no more than ttl_most, 10 "
		 "s"},
		{APP "resolver: {server: 192.0.2.53}\n...\n",
		 "8:12: resolver.server: unknown key 'server'; did you mean 'servers'?"}, );
}
