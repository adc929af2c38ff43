// SPDX-License-Identifier: BSD-2-Clause
// Every rule of a configuration: what breaks it is refused, with the place and the reason.
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "config_refusal.h"

/* ---- keys and kinds ---- */

Test(config_rules, unknown_keys)
{
	EXPECT_REFUSALS(
		{WEB "        wieght: 1\n...\n", "8:9: services[0].backends[0].wieght: unknown key "
						 "'wieght'; did you mean 'weight'?"},
		{WEB "        half_life: 1\n...\n",
		 "8:9: services[0].backends[0].half_life: unknown key 'half_life'; expected one of "
		 "name, address, host, weight, concurrency, quic_id"},
		{WEB "    Learning: on\n...\n", "8:5: services[0].'Learning': unknown key "
						"'Learning'; did you mean 'learning'?"},
		{WEB "interface: []\n...\n",
		 "8:1: interface: unknown key 'interface'; did you mean 'interfaces'?"},
		{WEB "interfaces: [{name: a, mod: native}]\n...\n",
		 "8:24: interfaces[0].mod: unknown key 'mod'; did you mean 'mode'?"},
		{WEB "source:\n  ipv5: 1\n...\n",
		 "9:3: source.ipv5: unknown key 'ipv5'; did you mean 'ipv4'?"},
		{WEB "flow_table:\n  entry: 1\n...\n",
		 "9:3: flow_table.entry: unknown key 'entry'; did you mean 'entries'?"},
		{WEB "learning:\n  half_life_sever: 1\n...\n",
		 "9:3: learning.half_life_sever: unknown key 'half_life_sever'; did you mean "
		 "'half_life_server'?"},
		{WEB "aaaaaaaaaabbbbbbbbbbccccccccccdddd: 1\n...\n",
		 "8:1: 'aaaaaaaaaabbbbbbbbbbccccccccccdd...': unknown key "
		 "'aaaaaaaaaabbbbbbbbbbccccccccccdd...'; expected one of interfaces, source, "
		 "flow_table, limits, routes, learning, seed_file, generations, services, "
		 "resolver"}, );
}

Test(config_rules, keys_that_are_missing)
{
	EXPECT_REFUSALS(
		{"flow_table:\n  entries: 1024\n...\n", "1:1: the key 'services' is missing"},
		{"services:\n  - learning: off\n...\n",
		 "2:5: services[0]: the key 'name' is missing\n"
		 "2:5: services[0]: the key 'protocol' is missing\n"
		 "2:5: services[0]: the key 'address' is missing\n"
		 "2:5: services[0]: the key 'port' is missing\n"
		 "2:5: services[0]: the key 'backends' is missing"},
		{WEB "      - name: b2\n...\n",
		 "8:9: services[0].backends[1]: the key 'address' is missing"},
		{WEB "interfaces:\n  - mode: generic\n...\n",
		 "9:5: interfaces[0]: the key 'name' is missing"}, );
}

Test(config_rules, values_of_the_wrong_kind)
{
	EXPECT_REFUSALS(
		{"[]\n...\n", "1:1: the configuration is a list; expected a mapping"},
		{"text\n...\n", "1:1: the configuration is 'text'; expected a mapping"},
		{"services: {}\n...\n", "1:11: services: services is a mapping; expected a list"},
		{"services:\n...\n", "1:10: services: services is empty; expected a list"},
		{"services: [a, []]\n...\n",
		 "1:12: services[0]: services[0] is 'a'; expected a mapping\n"
		 "1:15: services[1]: services[1] is a list; expected a mapping"},
		{WEB "      - 10.0.0.2\n...\n", "8:9: services[0].backends[1]: backends[1] is "
						"'10.0.0.2'; expected a mapping"},
		{WEB "        weight: [1]\n...\n",
		 "8:17: services[0].backends[0].weight: weight is a list; expected a whole number "
		 "from 0 to 65535"},
		{WEB "        name: {}\n...\n", "8:15: services[0].backends[0].name: name is a "
						"mapping; expected a name of 1 to 63 "
						"characters out of A-Z a-z 0-9 . _ -"},
		{WEB "    learning: [on]\n...\n", "8:15: services[0].learning: learning is a list; "
						  "expected off, shadow or on"},
		{WEB "interfaces: eth0\n...\n",
		 "8:13: interfaces: interfaces is 'eth0'; expected a list"},
		{WEB "interfaces: [eth0]\n...\n",
		 "8:14: interfaces[0]: interfaces[0] is 'eth0'; expected a mapping"},
		{WEB "source: 10.0.0.1\n...\n",
		 "8:9: source: source is '10.0.0.1'; expected a mapping"},
		{WEB "flow_table: 1024\n...\n",
		 "8:13: flow_table: flow_table is '1024'; expected a mapping"},
		{WEB "learning: on\n...\n",
		 "8:11: learning: learning is 'on'; expected a mapping"}, );
}

/* ---- numbers, times, words ---- */

Test(config_rules, numbers_that_are_spelt_in_another_way)
{
	static const char *const spellings[] = {"10x",
						"1e3",
						"0x10",
						"-1",
						"+1",
						"1.0",
						"1.",
						"1_0",
						"1,0",
						"' 1'",
						"'1 '",
						"\"1\\n\"",
						"0o10",
						"ten",
						"~",
						"null",
						"true",
						"''",
						"65536",
						"4294967297",
						"18446744073709551617",
						"1000000000000000000000000000000000000000000000"};

	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		struct larch_config *config;
		struct config_errors errors;
		char text[600];

		snprintf(text, sizeof(text), WEB "        weight: %s\n...\n", spellings[i]);
		cr_expect_eq(config_parse(text, strlen(text), &config, &errors), -EINVAL, "%s",
			     spellings[i]);
		cr_expect_eq(errors.count, 1);
		cr_expect_eq(errors.error[0].line, 8);
		cr_expect_eq(errors.error[0].column, 17);
		cr_expect_str_eq(errors.error[0].path, "services[0].backends[0].weight");
		cr_expect(
			strstr(errors.error[0].text, "; expected a whole number from 0 to 65535"));
	}
	EXPECT_REFUSALS(
		{WEB "        weight: 10x\n...\n",
		 "8:17: services[0].backends[0].weight: weight is '10x'; expected a whole number "
		 "from 0 to 65535"},
		{WEB "        weight: 010\n...\n",
		 "8:17: services[0].backends[0].weight: weight is '010'; expected a whole number "
		 "from 0 to 65535 without leading zeros"},
		{WEB "        weight:\n...\n", "8:16: services[0].backends[0].weight: weight is "
					       "empty; expected a whole number from 0 to 65535"}, );
}

Test(config_rules, whole_numbers_out_of_range)
{
	EXPECT_REFUSALS(
		{WEB "        concurrency: 0\n...\n",
		 "8:22: services[0].backends[0].concurrency: concurrency is '0'; expected a whole "
		 "number from 1 to 65535"},
		{WEB "        concurrency: 65536\n...\n",
		 "8:22: services[0].backends[0].concurrency: concurrency is '65536'; expected a "
		 "whole number from 1 to 65535"},
		{WEB "flow_table:\n  entries: 1023\n...\n",
		 "9:12: flow_table.entries: entries is '1023'; expected a whole number from 1024 "
		 "to "
		 "16777216"},
		{WEB "flow_table:\n  entries: 16777217\n...\n",
		 "9:12: flow_table.entries: entries is '16777217'; expected a whole number from "
		 "1024 to 16777216"},
		{WEB "learning: {max_leaves: 0, max_depth: 9, min_flows: 0}\n...\n",
		 "8:24: learning.max_leaves: max_leaves is '0'; expected a whole number from 1 to "
		 "32\n"
		 "8:38: learning.max_depth: max_depth is '9'; expected a whole number from 0 to 8\n"
		 "8:52: learning.min_flows: min_flows is '0'; expected a whole number from 1 to "
		 "1000000"},
		{WEB "learning: {max_leaves: 33, min_flows: 1000001}\n...\n",
		 "8:24: learning.max_leaves: max_leaves is '33'; expected a whole number from 1 to "
		 "32\n"
		 "8:39: learning.min_flows: min_flows is '1000001'; expected a whole number from 1 "
		 "to 1000000"}, );
}

Test(config_rules, decimal_numbers)
{
	EXPECT_REFUSALS(
		{WEB "learning: {floor: 0.10001, step: 0.0099}\n...\n",
		 "8:19: learning.floor: floor is '0.10001'; expected a number from 0 to 0.1\n"
		 "8:34: learning.step: step is '0.0099'; expected a number from 0.01 to 1"},
		{WEB "learning: {floor: -0.1, step: 1.01}\n...\n",
		 "8:19: learning.floor: floor is '-0.1'; expected a number from 0 to 0.1\n"
		 "8:31: learning.step: step is '1.01'; expected a number from 0.01 to 1"},
		{WEB "learning: {floor: .1, step: 1.}\n...\n",
		 "8:19: learning.floor: floor is '.1'; expected a number from 0 to 0.1\n"
		 "8:29: learning.step: step is '1.'; expected a number from 0.01 to 1"},
		{WEB "learning: {floor: 1e-3, step: nan}\n...\n",
		 "8:19: learning.floor: floor is '1e-3'; expected a number from 0 to 0.1\n"
		 "8:31: learning.step: step is 'nan'; expected a number from 0.01 to 1"},
		{WEB "learning: {floor: 00.1, step: 0.1.1}\n...\n",
		 "8:19: learning.floor: floor is '00.1'; expected a number from 0 to 0.1 without "
		 "leading zeros\n"
		 "8:31: learning.step: step is '0.1.1'; expected a number from 0.01 to 1"},
		{WEB "learning: {floor: 0.0000000000000001, step: 1%}\n...\n",
		 "8:19: learning.floor: floor is '0.0000000000000001'; expected a number from 0 to "
		 "0.1\n"
		 "8:45: learning.step: step is '1%'; expected a number from 0.01 to 1"}, );
}

Test(config_rules, times)
{
	static const char *const spellings[] = {
		"1",   "1 s", "s",    "1h",    "1S",	"1sec",	   "1s ", "1.s",  ".5s",  "1e1s",
		"-1s", "01s", "99ms", "0.09s", "60.1s", "60001ms", "1us", "infs", "1.1m", "1min"};

	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		char text[600], expected[300];
		bool zero = strcmp(spellings[i], "01s") == 0;

		snprintf(text, sizeof(text), WEB "learning:\n  interval: '%s'\n...\n",
			 spellings[i]);
		snprintf(expected, sizeof(expected),
			 "9:13: learning.interval: interval is '%s'; expected a time from 100ms to "
			 "1m such as 250ms, 1.5s or 2m%s",
			 spellings[i], zero ? " without leading zeros" : "");
		expect_refusal(text, strlen(text), expected);
	}
	EXPECT_REFUSALS(
		{WEB "learning: {half_life_server: 99ms, half_life_connect: 3601s}\n...\n",
		 "8:30: learning.half_life_server: half_life_server is '99ms'; expected a time "
		 "from "
		 "100ms to 60m such as 250ms, 1.5s or 2m\n"
		 "8:55: learning.half_life_connect: half_life_connect is '3601s'; expected a time "
		 "from 100ms to 60m such as 250ms, 1.5s or 2m"},
		{WEB "learning: {interval: 100.5ms}\n...\n",
		 "8:22: learning.interval: interval is '100.5ms'; expected whole milliseconds"}, );
}

Test(config_rules, words)
{
	EXPECT_REFUSALS(
		{"interfaces: [{name: a, mode: driver}]\n" WEB "...\n",
		 "1:30: interfaces[0].mode: mode is 'driver'; expected native or generic"},
		{"interfaces: [{name: a, frags: true}]\n" WEB "...\n",
		 "1:31: interfaces[0].frags: frags is 'true'; expected auto, on or off"},
		{WEB "    learning: yes\n    signal: all\n...\n",
		 "8:15: services[0].learning: learning is 'yes'; expected off, shadow or on\n"
		 "9:13: services[0].signal: signal is 'all'; expected auto, response, connect or "
		 "none"},
		{"services: [{name: a, address: 10.9.9.9, port: 1, protocol: TCP, backends: "
		 "[{address: 10.0.0.1}]}]\n...\n",
		 "1:60: services[0].protocol: protocol is 'TCP'; expected tcp or udp"}, );
}

Test(config_rules, learning_from_what_is_not_timed)
{
#define UDP                                                                                        \
	"services:\n"                                                                              \
	"  - {name: a, address: 10.9.9.9, port: 1, protocol: udp, backends: [{address: "           \
	"10.0.0.1}]\n"
	EXPECT_REFUSALS(
		{UDP "    , learning: on}\n...\n", "3:17: services[0].learning: learning is 'on'; "
						   "expected off: nothing of udp can be timed"},
		{UDP "    , learning: shadow}\n...\n",
		 "3:17: services[0].learning: learning is 'shadow'; expected off: nothing of udp "
		 "can be timed"},
		{UDP "    , signal: connect}\n...\n",
		 "3:15: services[0].signal: signal is 'connect'; expected auto or none: nothing of "
		 "udp can be timed"},
		{UDP "    , signal: response}\n...\n",
		 "3:15: services[0].signal: signal is 'response'; expected auto or none: nothing "
		 "of "
		 "udp can be timed"},
		{WEB "    learning: on\n    signal: none\n...\n",
		 "8:15: services[0].learning: learning is 'on'; expected off, since signal is "
		 "none: "
		 "nothing is timed"}, );
}

/* ---- names and addresses ---- */

#define NAME_RULE "expected a name of 1 to 63 characters out of A-Z a-z 0-9 . _ -"
#define LONG_NAME "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"

Test(config_rules, names)
{
	EXPECT_REFUSALS({WEB "        name: a b\n...\n",
			 "8:15: services[0].backends[0].name: name is 'a b'; " NAME_RULE},
			{WEB "        name: ''\n...\n",
			 "8:15: services[0].backends[0].name: name is empty; " NAME_RULE},
			{WEB "        name: a/b\n...\n",
			 "8:15: services[0].backends[0].name: name is 'a/b'; " NAME_RULE},
			{WEB "        name: a:b\n...\n",
			 "8:15: services[0].backends[0].name: name is 'a:b'; " NAME_RULE},
			{WEB "        name: b\xc3\xa4r\n...\n",
			 "8:15: services[0].backends[0].name: name is 'b\\xc3\\xa4r'; " NAME_RULE},
			{WEB "        name: " LONG_NAME "\n...\n",
			 "8:15: services[0].backends[0].name: name is "
			 "'aaaaaaaaaabbbbbbbbbbccccccccccdd...'; " NAME_RULE},
			{WEB "  - name: a,b\n...\n",
			 "8:5: services[1]: the key 'protocol' is missing\n"
			 "8:5: services[1]: the key 'address' is missing\n"
			 "8:5: services[1]: the key 'port' is missing\n"
			 "8:5: services[1]: the key 'backends' is missing\n"
			 "8:11: services[1].name: name is 'a,b'; " NAME_RULE}, );
}

Test(config_rules, interfaces)
{
	static const char *const names[] = {
		"''",  "0123456789abcdef", "a/b",     "'a b'", "\"a\\t\"", "a:1", "..",
		"'.'", "\"a\\x01\"",	   "\xc2\xa0"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct larch_config *config;
		struct config_errors errors;
		char text[600];

		snprintf(text, sizeof(text), WEB "interfaces:\n  - name: %s\n...\n", names[i]);
		cr_expect_eq(config_parse(text, strlen(text), &config, &errors), -EINVAL, "%s",
			     names[i]);
		cr_expect_eq(errors.count, 1);
		cr_expect_eq(errors.error[0].line, 9);
		cr_expect_eq(errors.error[0].column, 11);
	}
	EXPECT_REFUSALS(
		{WEB "interfaces:\n  - name: 0123456789abcdef\n...\n",
		 "9:11: interfaces[0].name: name is '0123456789abcdef'; expected an interface's "
		 "name: 1 to 15 characters without blanks, '/' and ':'"},
		{WEB "interfaces:\n  - name: a\n  - name: b\n  - name: a\n...\n",
		 "11:11: interfaces[2].name: interface 'a' is in the list already"},
		{WEB "interfaces: []\n...\n",
		 "8:13: interfaces: interfaces is a list; expected at least one item"}, );
}

Test(config_rules, addresses_that_are_not_those_of_one_host)
{
#define RULE "expected an IPv4 or IPv6 address"
	static const struct {
		const char *address, *said;
	} cases[] = {
		{"10.0.0", RULE},
		{"10.0.0.256", RULE},
		{"10.0.0.01", RULE},
		{"010.0.0.1", RULE},
		{"0x0a.0.0.1", RULE},
		{"10.0.0.1/32", RULE},
		{"10.0.0.1:80", RULE},
		{"example.org", RULE},
		{"2001:db8::g", RULE},
		{"[2001:db8::1]", RULE},
		{"fe80::1%eth0", RULE},
		{"0.0.0.0", RULE " of one host; this is the unspecified address"},
		{"255.255.255.255", RULE " of one host; this is the broadcast address"},
		{"127.0.0.1", RULE " of one host; this is a loopback address"},
		{"127.255.0.1", RULE " of one host; this is a loopback address"},
		{"224.0.0.1", RULE " of one host; this is a multicast address"},
		{"239.1.2.3", RULE " of one host; this is a multicast address"},
		{"::", RULE " of one host; this is the unspecified address"},
		{"::1", RULE " of one host; this is a loopback address"},
		{"ff02::1", RULE " of one host; this is a multicast address"},
		{"fe80::1", RULE " of one host; this is a link-local address"},
		{"::ffff:10.0.0.1", RULE " of one host; this is an IPv4-mapped address (IPv4 is "
					 "written a.b.c.d)"},
		{"::ffff:a00:1", RULE " of one host; this is an IPv4-mapped address (IPv4 is "
				      "written a.b.c.d)"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[600], expected[300];

		snprintf(text, sizeof(text), WEB "      - address: '%s'\n...\n", cases[i].address);
		snprintf(expected, sizeof(expected),
			 "8:18: services[0].backends[1].address: address is '%s'; %s",
			 cases[i].address, cases[i].said);
		expect_refusal(text, strlen(text), expected);
		snprintf(text, sizeof(text),
			 "services: [{name: a, port: 1, protocol: tcp, backends: [{address: "
			 "10.0.0.1}],\n  address: [10.0.0.2, '%s']}]\n...\n",
			 cases[i].address);
		snprintf(expected, sizeof(expected),
			 "2:23: services[0].address[1]: address[1] is '%s'; %s", cases[i].address,
			 cases[i].said);
		expect_refusal(text, strlen(text), expected);
	}
}

Test(config_rules, sources_of_the_wrong_family)
{
	EXPECT_REFUSALS(
		{WEB "source: {ipv4: '2001:db8::1', ipv6: 192.0.2.1}\n...\n",
		 "8:16: source.ipv4: ipv4 is '2001:db8::1'; expected an IPv4 address\n"
		 "8:37: source.ipv6: ipv6 is '192.0.2.1'; expected an IPv6 address"},
		{WEB "source: {ipv4: 0.0.0.0, ipv6: '::'}\n...\n",
		 "8:16: source.ipv4: ipv4 is '0.0.0.0'; expected an IPv4 address of one host; this "
		 "is the unspecified address\n"
		 "8:31: source.ipv6: ipv6 is '::'; expected an IPv6 address of one host; this is "
		 "the unspecified address"}, );
}

/* ---- services ---- */

Test(config_rules, services_without_backends)
{
	EXPECT_REFUSALS({"services: []\n...\n",
			 "1:11: services: services is a list; expected at least one item"},
			{WEB SECOND "    backends: []\n...\n",
			 "12:15: services[1].backends: backends is a list; expected at least one "
			 "item"},
			{WEB SECOND "...\n", "8:5: services[1]: the key 'backends' is missing"});
}

Test(config_rules, services_of_the_same_name)
{
	EXPECT_REFUSALS({WEB "  - name: web\n"
			     "    address: 203.0.113.11\n"
			     "    port: 443\n"
			     "    protocol: tcp\n"
			     "    backends: [{address: 10.0.0.1}]\n...\n",
			 "8:11: services[1].name: name 'web' is that of services[0] (line 2) "
			 "already"});
}

Test(config_rules, addresses_and_ports_given_twice)
{
#define THIRD                                                                                      \
	"  - name: third\n"                                                                        \
	"    protocol: tcp\n"                                                                      \
	"    backends: [{address: 10.0.0.1}]\n"
	EXPECT_REFUSALS(
		{WEB THIRD "    address: [203.0.113.11, 203.0.113.10]\n    port: [80, 443]\n...\n",
		 "11:29: services[1].address[1]: port 443/tcp of this address belongs to "
		 "services[0] (line 2) already"},
		{WEB THIRD "    address: 203.0.113.10\n    port: 443\n...\n",
		 "11:14: services[1].address: port 443/tcp of this address belongs to services[0] "
		 "(line 2) already"},
		{WEB THIRD "    address: ['2001:db8::1', '2001:DB8:0::1']\n    port: 1\n...\n",
		 "11:30: services[1].address[1]: this address is in the list already"},
		{WEB THIRD "    address: 203.0.113.11\n    port: [1, 2, 1]\n...\n",
		 "12:18: services[1].port[2]: port 1 is in the list already"}, );
}

Test(config_rules, ports)
{
	EXPECT_REFUSALS(
		{WEB THIRD "    address: 203.0.113.11\n    port: [1, 0]\n...\n",
		 "12:15: services[1].port[1]: port[1] is '0'; expected a whole number from 1 to "
		 "65535"},
		{WEB THIRD "    address: 203.0.113.11\n    port: [0]\n...\n",
		 "12:12: services[1].port[0]: port[0] is '0'; expected a whole number from 1 to "
		 "65535"},
		{WEB THIRD "    address: 203.0.113.11\n    port: 65536\n...\n",
		 "12:11: services[1].port: port is '65536'; expected a whole number from 0 to "
		 "65535"},
		{WEB THIRD "    address: 203.0.113.11\n    port: []\n...\n",
		 "12:11: services[1].port: port is a list; expected at least one item"},
		{WEB THIRD "    address: []\n    port: 1\n...\n",
		 "11:14: services[1].address: address is a list; expected at least one item"}, );
}

Test(config_rules, backends_given_twice)
{
	EXPECT_REFUSALS(
		{WEB "      - address: 10.0.0.1\n        weight: 3\n...\n",
		 "8:18: services[0].backends[1].address: this service has that backend already, at "
		 "services[0].backends[0] (line 7)"},
		{WEB SECOND "    backends: [{address: 10.0.0.2}, {address: 10.0.0.1}, {address: "
			    "10.0.0.1}]\n...\n",
		 "12:68: services[1].backends[2].address: this service has that backend already, "
		 "at "
		 "services[1].backends[1] (line 12)"},
		{WEB "        name: b1\n      - {name: b1, address: 10.0.0.2}\n...\n",
		 "9:16: services[0].backends[1].name: name 'b1' is that of another address at "
		 "services[0].backends[0] (line 7)"},
		{WEB "        name: b1\n" SECOND
		     "    backends: [{address: 10.0.0.2, name: b1}]\n...\n",
		 "13:42: services[1].backends[0].name: name 'b1' is that of another address at "
		 "services[0].backends[0] (line 7)"},
		{WEB "        name: 10.0.0.2\n      - address: 10.0.0.2\n...\n",
		 "9:9: services[0].backends[1]: name '10.0.0.2' is that of another address at "
		 "services[0].backends[0] (line 7)"}, );
}

Test(config_rules, shared_backends_that_differ)
{
	EXPECT_REFUSALS(
		{WEB SECOND "    backends: [{address: 10.0.0.1, concurrency: 4}]\n...\n",
		 "12:49: services[1].backends[0].concurrency: concurrency is 4, but not given at "
		 "services[0].backends[0] (line 7); one address is one backend"},
		{WEB "        concurrency: 8\n" SECOND "    backends: [{address: 10.0.0.1}]\n...\n",
		 "13:16: services[1].backends[0]: concurrency is not given, but 8 at "
		 "services[0].backends[0] (line 7); one address is one backend"},
		{WEB "        name: b1\n" SECOND
		     "    backends: [{address: 10.0.0.1, name: b2, concurrency: 4}]\n...\n",
		 "13:42: services[1].backends[0].name: name is 'b2', but 'b1' at "
		 "services[0].backends[0] (line 7); one address is one backend\n"
		 "13:59: services[1].backends[0].concurrency: concurrency is 4, but not given at "
		 "services[0].backends[0] (line 7); one address is one backend"}, );
}

Test(config_rules, weights_that_are_all_0)
{
	EXPECT_REFUSALS({WEB "        weight: 0\n      - {address: 10.0.0.2, weight: 0}\n...\n",
			 "7:7: services[0].backends: all weights are 0; expected a backend that "
			 "takes new flows"});
}

/* ---- limits ---- */

/* Services with backends, each with an address of its own unless `shared`. */
static char *many(size_t services, size_t backends, bool shared, size_t *size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	fputs("services:\n", out);
	for (size_t i = 0; i < services; i++) {
		fprintf(out,
			"  - name: s%zu\n    address: 203.0.113.%zu\n    port: 1\n"
			"    protocol: tcp\n    backends:\n",
			i, i);
		for (size_t j = 0; j < backends; j++)
			fprintf(out, "      - address: 10.0.%zu.%zu\n", shared ? 0 : i, j);
	}
	fputs("...\n", out);
	fclose(out);
	return text;
}

static void expect_many(size_t services, size_t backends, bool shared, const char *errors)
{
	size_t size;
	char *text = many(services, backends, shared, &size);
	struct larch_config *config;
	struct config_errors found;

	if (errors) {
		expect_refusal(text, size, errors);
	} else {
		cr_expect_eq(config_parse(text, size, &config, &found), 0);
		config_free(config);
	}
	free(text);
}

Test(config_rules, more_than_the_tables_hold)
{
	expect_many(64, 255, true, NULL);
	expect_many(65, 1, true, "386:5: services[64]: more than 64 services");
	expect_many(64, 16, false, NULL);
	expect_many(1, 256, true,
		    "262:9: services[0].backends[255]: more than 255 backends in one service");
	/* 5 * 205 = 1025: the last one is too much. */
	expect_many(5, 205, false,
		    "1051:9: services[4].backends[204]: more than 1024 backends in all services");
}

Test(config_rules, more_addresses_and_ports_than_the_table_holds)
{
	for (unsigned ports = 4095; ports <= 4097; ports++) {
		struct larch_config *config;
		struct config_errors errors;
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		fputs(WEB SECOND "    backends: [{address: 10.0.0.1}]\n" THIRD
				 "    address: 203.0.113.12\n    port: [1",
		      out);
		for (unsigned i = 2; i <= ports - 2; i++)
			fprintf(out, ", %u", i);
		fputs("]\n...\n", out);
		fclose(out);
		if (ports <= 4096) {
			cr_expect_eq(config_parse(text, size, &config, &errors), 0);
			config_free(config);
		} else {
			expect_refusal(text, size,
				       "16:14: services[2].address: more than 4096 combinations of "
				       "address and port in all services");
		}
		free(text);
	}
}

Test(config_rules, more_than_64_interfaces)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs(WEB "interfaces:\n", out);
	for (int i = 0; i < 65; i++)
		fprintf(out, "  - name: eth%d\n", i);
	fputs("...\n", out);
	fclose(out);
	expect_refusal(text, size, "73:5: interfaces[64]: more than 64 interfaces");
	free(text);
}
