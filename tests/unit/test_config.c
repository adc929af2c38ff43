// SPDX-License-Identifier: BSD-2-Clause
// The configuration: what is accepted, from a file and from JSON, and what it then says.
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "config_accepted.h"

#define EXAMPLE "tools/examples/larch.yaml"

static void expect_address(const struct in6_addr *address, const char *text)
{
	char said[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, address, said, sizeof(said));
	cr_expect_str_eq(said, text);
}

static void expect_vip(const struct larch_vip *vip, const char *address, uint16_t port,
		       uint8_t protocol)
{
	struct in6_addr in6;

	memcpy(&in6, vip->address, sizeof(in6));
	expect_address(&in6, address);
	cr_expect_eq(ntohs(vip->port), port);
	cr_expect_eq(vip->protocol, protocol);
	cr_expect_eq(vip->kind, LARCH_VIP_SERVICE);
}

static void expect_backend(const struct larch_config *config, size_t index, const char *name,
			   const char *address, uint32_t concurrency)
{
	const struct config_backend *backend = &config->backends[index];

	cr_expect_str_eq(backend->name, name);
	expect_address(&backend->address, address);
	cr_expect_eq(backend->concurrency, concurrency);
}

static void expect_member(const struct config_service *service, size_t index, size_t backend,
			  uint32_t weight)
{
	cr_expect_eq(service->members[index].backend, backend);
	cr_expect_eq(service->members[index].weight, weight);
}

/* ---- what is accepted ---- */

static void expect_web(const struct config_service *web)
{
	cr_expect_str_eq(web->name, "web");
	cr_expect_eq(web->learning, CONFIG_LEARNING_ON);
	cr_expect_eq(web->signal, LARCH_SIGNAL_RESPONSE);
	cr_expect(web->signal_auto);
	cr_assert_eq(web->vip_count, 4);
	expect_vip(&web->vips[0], "::ffff:203.0.113.10", 80, IPPROTO_TCP);
	expect_vip(&web->vips[1], "::ffff:203.0.113.10", 443, IPPROTO_TCP);
	expect_vip(&web->vips[2], "2001:db8::10", 80, IPPROTO_TCP);
	expect_vip(&web->vips[3], "2001:db8::10", 443, IPPROTO_TCP);
	cr_assert_eq(web->member_count, 3);
	expect_member(web, 0, 0, 100);
	expect_member(web, 1, 1, 100);
	expect_member(web, 2, 2, 50);
	cr_expect_eq(web->mode, LARCH_MODE_GUE);
	cr_expect(web->agent);
	cr_expect_eq(web->new_flows, 50000);
	cr_expect_eq(web->source_rate, 100);
	cr_expect_eq(web->source_burst, 300);
	cr_expect_eq(web->network_count, 2);
}

static void expect_dns(const struct config_service *dns)
{
	cr_expect_str_eq(dns->name, "dns");
	cr_expect_eq(dns->learning, CONFIG_LEARNING_OFF);
	cr_expect_eq(dns->signal, LARCH_SIGNAL_NONE);
	cr_expect(dns->signal_auto);
	cr_assert_eq(dns->vip_count, 1);
	expect_vip(&dns->vips[0], "::ffff:203.0.113.53", 53, IPPROTO_UDP);
	cr_assert_eq(dns->member_count, 2);
	expect_member(dns, 0, 0, 10);
	expect_member(dns, 1, 4, 20);
	cr_expect_eq(dns->mode, LARCH_MODE_L2);
	cr_expect(dns->stateless);
}

static void expect_example(const struct larch_config *config)
{
	cr_assert_eq(config->interface_count, 1);
	cr_expect_str_eq(config->interfaces[0].name, "eth0");
	cr_expect_eq(config->interfaces[0].mode, CONFIG_XDP_NATIVE);
	expect_address(&config->source_ipv4, "::ffff:192.0.2.1");
	expect_address(&config->source_ipv6, "2001:db8::1");
	cr_expect_eq(config->flow_entries, 1048576);
	cr_expect_eq(config->limit[LARCH_LIMIT_ECHO], 1000);
	cr_expect_eq(config->limit[LARCH_LIMIT_TOO_BIG], 1000);
	cr_expect_eq(config->limit[LARCH_LIMIT_CHANCE], 10000);

	cr_assert_eq(config->backend_count, 5);
	expect_backend(config, 0, "b1", "::ffff:10.0.0.11", 8);
	expect_backend(config, 1, "b2", "::ffff:10.0.0.12", 8);
	expect_backend(config, 2, "b3", "2001:db8:0:1::13", 0);
	expect_backend(config, 3, "10.0.0.31", "::ffff:10.0.0.31", 0);
	expect_backend(config, 4, "10.0.0.21", "::ffff:10.0.0.21", 0);

	cr_assert_eq(config->service_count, 5);
	expect_web(&config->services[0]);
	cr_expect_eq(config->services[1].mode, LARCH_MODE_NAT);
	cr_expect_eq(config->services[1].backend_port, 2525);
	cr_expect_eq(config->services[1].network_count, 3);
	cr_expect(config->services[2].by_source);
	cr_expect_eq(config->services[3].idle, 30);
	cr_expect_eq(config->services[3].quic_bytes, 2);
	cr_expect_eq(config->services[3].members[1].quic_id[1], 2);
	expect_dns(&config->services[4]);
}

static void expect_defaults(const struct config_learning *learning)
{
	cr_expect_eq(learning->interval_ms, 1000);
	cr_expect_eq(learning->max_leaves, 24);
	cr_expect_eq(learning->max_depth, 6);
	cr_expect_eq(learning->min_flows, 100);
	cr_expect_eq(learning->half_life_server, 10);
	cr_expect_eq(learning->half_life_connect, 2);
	cr_expect_eq(learning->floor, 0.002);
	cr_expect_eq(learning->step, 0.2);
}

Test(config, the_example_gives_each_field)
{
	struct larch_config *config;
	struct config_errors errors;

	cr_assert_eq(config_load(EXAMPLE, &config, &errors), 0);
	cr_expect_eq(errors.count, 0);
	expect_example(config);
	expect_defaults(&config->learning); /* as the example says that they are */
	config_free(config);
}

#define SERVICE	 "services: [{name: a, address: 10.9.9.9, port: 1, protocol: tcp, "
#define BACKENDS "backends: [{address: 10.0.0.1}]}]\n"

Test(config, what_is_left_out_has_its_default)
{
	struct larch_config *config = accepted(SERVICE BACKENDS "...\n");

	cr_expect_eq(config->interface_count, 0);
	expect_address(&config->source_ipv4, "::");
	expect_address(&config->source_ipv6, "::");
	cr_expect_eq(config->flow_entries, 1048576);
	expect_defaults(&config->learning);
	cr_expect_eq(config->services[0].learning, CONFIG_LEARNING_ON);
	cr_expect_eq(config->services[0].signal, LARCH_SIGNAL_RESPONSE);
	cr_expect(config->services[0].signal_auto);
	expect_backend(config, 0, "10.0.0.1", "::ffff:10.0.0.1", 0);
	expect_member(&config->services[0], 0, 0, 100);
	config_free(config);
}

Test(config, what_is_given_is_taken)
{
	struct larch_config *config = accepted(
		"---\n"
		"interfaces: [{name: eth0, mode: generic, frags: off}, {name: 'bond0.4095@x'},\n"
		"  {name: eth1, frags: on}, {name: eth2, frags: auto}]\n"
		"flow_table: {entries: 1025}\n"
		"learning: {interval: 0.25s, max_leaves: 1, max_depth: 0, min_flows: 7,\n"
		"  half_life_server: 1500ms, half_life_connect: 100ms, floor: 0, step: 1}\n"
		"source: {ipv6: '2001:DB8::1'}\n"
		"services:\n"
		"- name: '1._-Z'\n"
		"  address: 2001:db8::9\n"
		"  port: 0\n"
		"  protocol: tcp\n"
		"  signal: connect\n"
		"  learning: shadow\n"
		"  backends: [{address: 2001:0db8::7, weight: 0}, {address: 10.0.0.1, weight: "
		"65535,\n    concurrency: 65535}]\n"
		"...\n");

	cr_assert_eq(config->interface_count, 4);
	cr_expect_eq(config->interfaces[0].mode, CONFIG_XDP_GENERIC);
	cr_expect_eq(config->interfaces[0].frags, CONFIG_FRAGS_OFF);
	cr_expect_eq(config->interfaces[1].frags, CONFIG_FRAGS_AUTO);
	cr_expect_eq(config->interfaces[2].frags, CONFIG_FRAGS_ON);
	cr_expect_eq(config->interfaces[3].frags, CONFIG_FRAGS_AUTO);
	cr_expect_str_eq(config->interfaces[1].name, "bond0.4095@x");
	cr_expect_eq(config->interfaces[1].mode, CONFIG_XDP_NATIVE);
	cr_expect_eq(config->flow_entries, 2048);
	cr_expect_eq(config->learning.interval_ms, 250);
	cr_expect_eq(config->learning.max_leaves, 1);
	cr_expect_eq(config->learning.max_depth, 0);
	cr_expect_eq(config->learning.min_flows, 7);
	cr_expect_eq(config->learning.half_life_server, 1.5);
	cr_expect_eq(config->learning.half_life_connect, 0.1);
	cr_expect_eq(config->learning.floor, 0);
	cr_expect_eq(config->learning.step, 1);
	expect_address(&config->source_ipv4, "::");
	expect_address(&config->source_ipv6, "2001:db8::1");
	cr_expect_str_eq(config->services[0].name, "1._-Z");
	expect_vip(&config->services[0].vips[0], "2001:db8::9", 0, IPPROTO_TCP);
	cr_expect_eq(config->services[0].signal, LARCH_SIGNAL_CONNECT);
	cr_expect_not(config->services[0].signal_auto);
	cr_expect_eq(config->services[0].learning, CONFIG_LEARNING_SHADOW);
	expect_backend(config, 0, "2001:db8::7", "2001:db8::7", 0);
	expect_backend(config, 1, "10.0.0.1", "::ffff:10.0.0.1", 65535);
	expect_member(&config->services[0], 0, 0, 0);
	expect_member(&config->services[0], 1, 1, 65535);
	config_free(config);
}

/* The flow table's sizes, and decimal numbers as the compiler reads them. */
Test(config, numbers_are_exact)
{
	static const struct {
		const char *entries;
		uint32_t rounded;
	} cases[] = {{"1024", 1024},
		     {"1025", 2048},
		     {"65535", 65536},
		     {"8388609", 1 << 24},
		     {"16777216", 1 << 24}};
	static const struct {
		const char *text;
		double number;
	} decimals[] = {{"0.01", 0.01},
			{"0.3", 0.3},
			{"0.10", 0.1},
			{"1.000", 1},
			{"0.123456789012", 0.123456789012},
			{"0.7", 0.7},
			{"0.99999999999999", 0.99999999999999}};
	char text[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct larch_config *config;

		snprintf(text, sizeof(text), SERVICE BACKENDS "flow_table: {entries: %s}\n...\n",
			 cases[i].entries);
		config = accepted(text);
		cr_expect_eq(config->flow_entries, cases[i].rounded);
		config_free(config);
	}
	for (size_t i = 0; i < sizeof(decimals) / sizeof(decimals[0]); i++) {
		struct larch_config *config;

		snprintf(text, sizeof(text), SERVICE BACKENDS "learning: {step: %s}\n...\n",
			 decimals[i].text);
		config = accepted(text);
		cr_expect_eq(config->learning.step, decimals[i].number);
		config_free(config);
	}
}

Test(config, intervals)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} cases[] = {{"100ms", 100}, {"0.1s", 100},    {"60s", 60000},	{"60000ms", 60000},
		     {"1.5s", 1500}, {"1.001s", 1001}, {"0.333s", 333}, {"250.000ms", 250}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct larch_config *config;
		char text[300];

		snprintf(text, sizeof(text), SERVICE BACKENDS "learning: {interval: %s}\n...\n",
			 cases[i].text);
		config = accepted(text);
		cr_expect_eq(config->learning.interval_ms, cases[i].ms);
		config_free(config);
	}
	for (unsigned ms = 100; ms <= 60000; ms += 37) {
		struct larch_config *config;
		char text[300];

		snprintf(text, sizeof(text),
			 SERVICE BACKENDS "learning: {interval: %u.%03us}\n...\n", ms / 1000,
			 ms % 1000);
		config = accepted(text);
		cr_expect_eq(config->learning.interval_ms, ms);
		config_free(config);
	}
}

Test(config, learning_follows_the_signal_where_it_is_not_given)
{
	static const struct {
		const char *protocol, *signal;
		enum larch_signal expected;
		bool automatic;
		enum config_learning_mode learning;
	} cases[] = {
		{"tcp", "auto", LARCH_SIGNAL_RESPONSE, true, CONFIG_LEARNING_ON},
		{"tcp", "response", LARCH_SIGNAL_RESPONSE, false, CONFIG_LEARNING_ON},
		{"tcp", "connect", LARCH_SIGNAL_CONNECT, false, CONFIG_LEARNING_ON},
		{"tcp", "none", LARCH_SIGNAL_NONE, false, CONFIG_LEARNING_OFF},
		{"udp", "auto", LARCH_SIGNAL_NONE, true, CONFIG_LEARNING_OFF},
		{"udp", "none", LARCH_SIGNAL_NONE, false, CONFIG_LEARNING_OFF},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct larch_config *config;
		char text[300];

		snprintf(text, sizeof(text),
			 "services: [{name: a, address: 10.9.9.9, port: 1, protocol: %s, signal: "
			 "%s, " BACKENDS "...\n",
			 cases[i].protocol, cases[i].signal);
		config = accepted(text);
		cr_expect_eq(config->services[0].signal, cases[i].expected);
		cr_expect_eq(config->services[0].signal_auto, cases[i].automatic);
		cr_expect_eq(config->services[0].learning, cases[i].learning);
		config_free(config);
	}
}

Test(config, one_address_may_serve_other_ports_and_protocols_elsewhere)
{
	struct larch_config *config = accepted(
		"services:\n"
		"- {name: a, address: 10.9.9.9, port: 53, protocol: tcp, backends: [{address: "
		"10.0.0.1}]}\n"
		"- {name: b, address: 10.9.9.9, port: 53, protocol: udp, backends: [{address: "
		"10.0.0.1}]}\n"
		"- {name: c, address: 10.9.9.9, port: 0, protocol: tcp, backends: [{address: "
		"10.0.0.1}]}\n...\n");

	cr_expect_eq(config->service_count, 3);
	config_free(config);
}

Test(config, services_share_the_backend_of_an_address)
{
	struct larch_config *config =
		accepted("services:\n"
			 "- {name: a, address: 10.9.9.9, port: 1, protocol: tcp, backends: [\n"
			 "    {address: 10.0.0.1, name: x, weight: 1, concurrency: 3}, {address: "
			 "'fd00::1'}]}\n"
			 "- {name: b, address: 10.9.9.9, port: 2, protocol: tcp, backends: [\n"
			 "    {address: 10.0.0.2}, {address: 'fd00:0::1'},\n"
			 "    {address: 10.0.0.1, name: x, concurrency: 3}]}\n"
			 "...\n");

	cr_assert_eq(config->backend_count, 3);
	expect_backend(config, 0, "x", "::ffff:10.0.0.1", 3);
	expect_backend(config, 1, "fd00::1", "fd00::1", 0);
	expect_backend(config, 2, "10.0.0.2", "::ffff:10.0.0.2", 0);
	expect_member(&config->services[0], 0, 0, 1);
	expect_member(&config->services[0], 1, 1, 100);
	expect_member(&config->services[1], 0, 2, 100);
	expect_member(&config->services[1], 1, 1, 100);
	expect_member(&config->services[1], 2, 0, 100);
	config_free(config);
}

Test(config, line_ends_of_windows_and_blank_lines_at_the_end)
{
	config_free(
		accepted("services:\r\n- {name: a, address: 10.9.9.9, port: 1, protocol: tcp,\r\n"
			 "   backends: [{address: 10.0.0.1}]}\r\n...\r\n"));
	config_free(accepted(SERVICE BACKENDS "... \t\n\n  \n \t"));
	config_free(accepted("# \xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xb2\n---\n" SERVICE BACKENDS
			     "# end\n...\n"));
}

/* ---- the API's trees ---- */

/* As an API sends the example: with numbers and truth values. */
static const char json_example[] =
	"{\"interfaces\": [{\"name\": \"eth0\"}],"
	" \"source\": {\"ipv4\": \"192.0.2.1\", \"ipv6\": \"2001:db8::1\"},"
	" \"flow_table\": {\"entries\": 1048576}, \"limits\": {\"echo\": 1000},"
	" \"learning\": {\"interval\": \"1s\", \"max_leaves\": 24, \"max_depth\": 6,"
	"   \"min_flows\": 100, \"floor\": 0.002, \"step\": 0.2},"
	" \"services\": ["
	"  {\"name\": \"web\", \"address\": [\"203.0.113.10\", \"2001:db8::10\"],"
	"   \"port\": [80, 443], \"protocol\": \"tcp\", \"learning\": true, \"forward\": \"gue\","
	"   \"agent\": true, \"new_flows\": 50000, \"source_rate\": 100, \"source_burst\": 300,"
	"   \"deny\": [\"198.51.100.0/24\", \"2001:db8:bad::/48\"], \"backends\": ["
	"    {\"name\": \"b1\", \"address\": \"10.0.0.11\", \"weight\": 100, \"concurrency\": 8},"
	"    {\"name\": \"b2\", \"address\": \"10.0.0.12\", \"concurrency\": \"8\"},"
	"    {\"name\": \"b3\", \"address\": \"2001:db8:0:1::13\", \"weight\": 50}]},"
	"  {\"name\": \"mail\", \"address\": \"203.0.113.25\", \"port\": 25, \"protocol\": \"tcp\","
	"   \"forward\": \"nat\", \"backend_port\": 2525, \"deny\": \"192.0.2.66\","
	"   \"allow\": [\"192.0.2.0/24\", \"198.51.100.7\"],"
	"   \"backends\": [{\"address\": \"10.0.0.31\"}]},"
	"  {\"name\": \"ftp\", \"address\": \"203.0.113.21\", \"port\": 0, \"protocol\": \"tcp\","
	"   \"hash\": \"source\", \"backends\": [{\"address\": \"10.0.0.21\"}]},"
	"  {\"name\": \"h3\", \"address\": \"203.0.113.10\", \"port\": 443, \"protocol\": \"udp\","
	"   \"idle_timeout\": \"30s\", \"quic\": {\"server_id_bytes\": 2}, \"backends\": ["
	"    {\"name\": \"b1\", \"address\": \"10.0.0.11\", \"concurrency\": 8, \"quic_id\": "
	"\"0a01\"},"
	"    {\"name\": \"b2\", \"address\": \"10.0.0.12\", \"concurrency\": 8, \"quic_id\": "
	"\"0A02\"}]},"
	"  {\"name\": \"dns\", \"address\": \"203.0.113.53\", \"port\": 53, \"state\": false,"
	"   \"protocol\": \"udp\", \"learning\": false, \"forward\": \"l2\", \"backends\": ["
	"    {\"name\": \"b1\", \"address\": \"10.0.0.11\", \"weight\": 10, \"concurrency\": 8},"
	"    {\"address\": \"10.0.0.21\", \"weight\": 20}]}]}";

Test(config, a_json_tree_says_the_same_as_the_file)
{
	json_t *tree = json_loads(json_example, JSON_REJECT_DUPLICATES, NULL);
	struct larch_config *config;
	struct config_errors errors;

	cr_assert_not_null(tree);
	cr_assert_eq(config_from_json(tree, &config, &errors), 0, "%s: %s", errors.error[0].path,
		     errors.error[0].text);
	json_decref(tree);
	expect_example(config);
	expect_defaults(&config->learning);
	config_free(config);
}

static void expect_json_refusal(const char *text, const char *path, const char *said)
{
	json_t *tree = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	struct larch_config *config = (void *)-1;
	struct config_errors errors;

	cr_assert_not_null(tree, "%s", text);
	cr_expect_eq(config_from_json(tree, &config, &errors), -EINVAL);
	cr_expect_null(config);
	cr_expect_eq(errors.count, 1, "%zu, of which %s", errors.count, errors.error[1].text);
	cr_expect_eq(errors.error[0].line, 0);
	cr_expect_eq(errors.error[0].column, 0);
	cr_expect_str_eq(errors.error[0].path, path, "%s", errors.error[0].path);
	cr_expect_str_eq(errors.error[0].text, said, "%s", errors.error[0].text);
	json_decref(tree);
}

#define JSON_WEB(backend)                                                                          \
	"{\"services\": [{\"name\": \"a\", \"address\": \"10.9.9.9\", \"port\": 1, \"protocol\": " \
	"\"tcp\", \"backends\": [{\"address\": \"10.0.0.1\"" backend "}]}]}"

Test(config, json_trees_are_checked_by_the_same_rules_without_places)
{
	static const char weight[] = "services[0].backends[0].weight";
	static const char name[] = "services[0].backends[0].name";
#define WEIGHT_RULE "; expected a whole number from 0 to 65535"
#define NAME_RULE   "; expected a name of 1 to 63 characters out of A-Z a-z 0-9 . _ -"

	expect_json_refusal(JSON_WEB(",\"weight\": 65536"), weight, "weight is 65536" WEIGHT_RULE);
	expect_json_refusal(JSON_WEB(",\"weight\": -1"), weight, "weight is -1" WEIGHT_RULE);
	expect_json_refusal(JSON_WEB(",\"weight\": 9223372036854775807"), weight,
			    "weight is 9223372036854775807" WEIGHT_RULE);
	expect_json_refusal(JSON_WEB(",\"weight\": 1.5"), weight, "weight is 1.5" WEIGHT_RULE);
	expect_json_refusal(JSON_WEB(",\"weight\": null"), weight, "weight is null" WEIGHT_RULE);
	expect_json_refusal(JSON_WEB(",\"weight\": true"), weight, "weight is true" WEIGHT_RULE);
	expect_json_refusal(JSON_WEB(",\"name\": 5"), name, "name is 5" NAME_RULE);
	expect_json_refusal(JSON_WEB(",\"name\": \"a\\u0000b\""), name,
			    "name is 'a\\x00b'" NAME_RULE);
	expect_json_refusal(JSON_WEB(",\"Weight\": 1"), "services[0].backends[0].'Weight'",
			    "unknown key 'Weight'; did you mean 'weight'?");
	expect_json_refusal("null", "", "the configuration is null; expected a mapping");
	expect_json_refusal("{\"services\": false}", "services",
			    "services is false; expected a list");
	expect_json_refusal(
		"{\"services\": [{\"name\": \"a\", \"address\": \"10.9.9.9\", \"port\": 1,"
		" \"protocol\": \"tcp\", \"backends\": [{\"address\": \"10.0.0.1\"},"
		" {\"address\": \"10.0.0.1\"}]}]}",
		"services[0].backends[1].address",
		"this service has that backend already, at services[0].backends[0]");
}

/* ---- files, and what others ask ---- */

Test(config, files_that_cannot_be_read)
{
	struct larch_config *config = (void *)-1;
	struct config_errors errors;

	cr_expect_eq(config_load("/nowhere/larch.yaml", &config, &errors), -ENOENT);
	cr_expect_null(config);
	cr_expect_eq(errors.count, 0);
	cr_expect_eq(config_load("/", &config, &errors), -EISDIR);
	cr_expect_null(config);
	cr_expect_eq(config_load("/dev/null", &config, &errors), -EINVAL);
	cr_expect_str_eq(errors.error[0].text, "the file is empty; expected at least 'services' "
					       "and the closing line '...'");
	cr_expect_eq(config_load("/dev/zero", &config, &errors), -EINVAL);
	cr_expect_str_eq(errors.error[0].text, "the file has more than 4194304 bytes");
}

Test(config, errors_as_text)
{
	struct config_error error = {3, 14, "services[0].port", "port is 'x'"};
	char out[200];

	cr_expect_eq(config_error_text("a.yaml", &error, out, sizeof(out)), 42);
	cr_expect_str_eq(out, "a.yaml:3:14: services[0].port: port is 'x'");
	config_error_text(NULL, &error, out, sizeof(out));
	cr_expect_str_eq(out, "3:14: services[0].port: port is 'x'");
	error.line = error.column = 0;
	config_error_text("a.yaml", &error, out, sizeof(out));
	cr_expect_str_eq(out, "a.yaml: services[0].port: port is 'x'");
	*error.path = 0;
	config_error_text("a.yaml", &error, out, sizeof(out));
	cr_expect_str_eq(out, "a.yaml: port is 'x'");
	config_error_text(NULL, &error, out, sizeof(out));
	cr_expect_str_eq(out, "port is 'x'");
	cr_expect_eq(config_error_text(NULL, &error, out, 5), 11);
	cr_expect_str_eq(out, "port");
}

Test(config, services_come_in_the_order_of_the_file)
{
	struct larch_config *config;
	struct config_errors errors;

	cr_assert_eq(config_load(EXAMPLE, &config, &errors), 0);
	cr_expect_str_eq(config->services[0].name, "web");
	cr_expect_str_eq(config->services[1].name, "mail");
	config_free(config);
	config_free(NULL);
}

Test(config, words_of_the_enums)
{
	cr_expect_str_eq(config_xdp_mode_text(CONFIG_XDP_NATIVE), "native");
	cr_expect_str_eq(config_xdp_mode_text(CONFIG_XDP_GENERIC), "generic");
	cr_expect_null(config_xdp_mode_text((enum config_xdp_mode)2));
	cr_expect_str_eq(config_learning_text(CONFIG_LEARNING_OFF), "off");
	cr_expect_str_eq(config_learning_text(CONFIG_LEARNING_SHADOW), "shadow");
	cr_expect_str_eq(config_learning_text(CONFIG_LEARNING_ON), "on");
	cr_expect_null(config_learning_text((enum config_learning_mode)3));
	cr_expect_str_eq(config_signal_text(LARCH_SIGNAL_NONE), "none");
	cr_expect_str_eq(config_signal_text(LARCH_SIGNAL_CONNECT), "connect");
	cr_expect_str_eq(config_signal_text(LARCH_SIGNAL_RESPONSE), "response");
	cr_expect_str_eq(config_signal_text(LARCH_SIGNAL_WATCH), "connect");
	cr_expect_null(config_signal_text((enum larch_signal)4));
}
