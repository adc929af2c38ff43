// SPDX-License-Identifier: BSD-2-Clause
// How backends are checked: what `health` takes, and what it refuses.
#include "config_accepted.h"
#include "config_health.h"
#include "config_refusal.h"

#define HEALTH(text) WEB "    health: {" text "}\n...\n"

static struct config_health health_of(const char *text)
{
	struct larch_config *config = accepted(text);
	struct config_health health;

	cr_assert_not_null(config->services[0].health);
	health = *config->services[0].health;
	config_free(config);
	return health;
}

Test(config_health, without_it_nothing_is_checked)
{
	struct larch_config *config = accepted(WEB "...\n");

	cr_expect_null(config->services[0].health);
	config_free(config);
}

Test(config_health, only_the_type_must_be_given)
{
	struct config_health tcp = health_of(HEALTH("type: tcp"));
	struct config_health http = health_of(HEALTH("type: http"));

	cr_expect_eq(tcp.type, CONFIG_HEALTH_TCP);
	cr_expect_eq(tcp.interval_ms, 2000);
	cr_expect_eq(tcp.timeout_ms, 1000);
	cr_expect_eq(tcp.rise, 2);
	cr_expect_eq(tcp.fall, 3);
	cr_expect_eq(tcp.port, 0);
	cr_expect_str_eq(http.path, "/");
	cr_expect_str_eq(http.host, "");
	cr_expect(config_health_status(&http, 200) && config_health_status(&http, 399));
	cr_expect_not(config_health_status(&http, 199) || config_health_status(&http, 400));
	cr_expect_eq(health_of(HEALTH("type: dns")).type, CONFIG_HEALTH_DNS);
	cr_expect_eq(health_of(HEALTH("type: udp")).send.length, 0);
}

Test(config_health, a_short_interval_shortens_the_timeout)
{
	cr_expect_eq(health_of(HEALTH("type: tcp, interval: 300ms")).timeout_ms, 300);
	cr_expect_eq(health_of(HEALTH("type: tcp, interval: 5s")).timeout_ms, 1000);
	cr_expect_eq(health_of(HEALTH("type: tcp, interval: 5s, timeout: 5s")).timeout_ms, 5000);
}

Test(config_health, what_http_asks_and_expects)
{
	struct config_health health = health_of(
		HEALTH("type: https, port: 8443, path: /a?b=c, host: web.test, verify: true, "
		       "status: '200, 301-302', header: 'X-Ready: yes', body: all is well"));
	char text[64];

	cr_expect_eq(health.port, 8443);
	cr_expect_str_eq(health.path, "/a?b=c");
	cr_expect_str_eq(health.host, "web.test");
	cr_expect(health.verify);
	cr_expect_str_eq(health.header, "X-Ready: yes");
	cr_expect_str_eq(health.body, "all is well");
	cr_expect(config_health_status(&health, 200) && config_health_status(&health, 302));
	cr_expect_not(config_health_status(&health, 201) || config_health_status(&health, 303));
	cr_expect_str_eq(config_health_status_text(&health, text, sizeof(text)), "200,301-302");
}

Test(config_health, bytes_are_text_or_hexadecimal)
{
	struct config_health health =
		health_of(HEALTH("type: udp, send: 'hex:00ffA0', expect: pong"));

	cr_expect_eq(health.send.length, 3);
	cr_expect_arr_eq(health.send.byte, "\x00\xff\xa0", 3);
	cr_expect_eq(health.expect.length, 4);
	cr_expect_arr_eq(health.expect.byte, "pong", 4);
}

Test(config_health, a_command_is_a_program_and_its_arguments)
{
	struct config_health health =
		health_of(HEALTH("type: command, command: [/usr/bin/check, -v, a b]"));

	cr_expect_eq(health.words, 3);
	cr_expect_arr_eq(health.command, "/usr/bin/check\0-v\0a b", 22);
}

Test(config_health, what_is_refused_of_every_check)
{
	EXPECT_REFUSALS(
		{WEB "    health: tcp\n...\n",
		 "8:13: services[0].health: health is 'tcp'; expected a mapping"},
		{HEALTH("interval: 1s"), "8:13: services[0].health: the key 'type' is missing"},
		{HEALTH("type: icmp"),
		 "8:20: services[0].health.type: type is 'icmp'; expected tcp, http, https, dns, "
		 "udp or command"},
		{HEALTH("type: tcp, interval: 50ms"),
		 "8:35: services[0].health.interval: interval is '50ms'; expected a time from "
		 "100ms to 60m such as 250ms, 1.5s or 2m"},
		{HEALTH("type: tcp, timeout: 3s"),
		 "8:34: services[0].health.timeout: timeout is '3s'; expected at most the "
		 "interval, 2000ms"},
		{HEALTH("type: tcp, rise: 0, fall: 101"),
		 "8:31: services[0].health.rise: rise is '0'; expected a whole number from 1 to "
		 "100\n"
		 "8:40: services[0].health.fall: fall is '101'; expected a whole number from 1 to "
		 "100"},
		{HEALTH("type: tcp, port: 0"),
		 "8:31: services[0].health.port: port is '0'; expected a whole number from 1 to "
		 "65535"},
		{HEALTH("type: tcp, pat: /"),
		 "8:25: services[0].health.pat: unknown key 'pat'; did you mean 'path'?"}, );
}

Test(config_health, keys_belong_to_their_types)
{
	EXPECT_REFUSALS(
		{HEALTH("type: tcp, path: /"),
		 "8:31: services[0].health.path: path is for http and https, and type is tcp"},
		{HEALTH("type: http, verify: true"),
		 "8:34: services[0].health.verify: verify is for https, and type is http"},
		{HEALTH("type: https, verify: true"),
		 "8:35: services[0].health.verify: the certificate is to be verified: expected "
		 "'host', too, the name that it is for"},
		{HEALTH("type: http, query: a.test"),
		 "8:33: services[0].health.query: query is for dns, and type is http"},
		{HEALTH("type: dns, send: a"),
		 "8:31: services[0].health.send: send is for udp, and type is dns"},
		{HEALTH("type: tcp, command: [/a]"),
		 "8:34: services[0].health.command: command is for command, and type is tcp"},
		{HEALTH("type: command, command: [/a], port: 1"),
		 "8:50: services[0].health.port: port is for checks that ask, and type is "
		 "command"}, );
}

Test(config_health, what_is_refused_of_http)
{
	EXPECT_REFUSALS(
		{HEALTH("type: http, path: health"),
		 "8:32: services[0].health.path: path is 'health'; expected a path that begins "
		 "with '/'"},
		{HEALTH("type: http, path: '/a b'"),
		 "8:32: services[0].health.path: path is '/a b'; expected a path without blanks of "
		 "at most 255 characters"},
		{HEALTH("type: http, host: 'web:80'"),
		 "8:32: services[0].health.host: host is 'web:80'; expected a host's name out of "
		 "A-Z a-z 0-9 . _ -, without a port"},
		{HEALTH("type: http, header: ': yes'"),
		 "8:34: services[0].health.header: header is ': yes'; expected a header's name, or "
		 "'NAME: VALUE'"},
		{HEALTH("type: http, status: 399-200"),
		 "8:34: services[0].health.status: status is '399-200'; expected codes from 100 to "
		 "599 such as 200, 200-399 or 200,301-302, at most 8 of them"},
		{HEALTH("type: http, status: '200,'"),
		 "8:34: services[0].health.status: status is '200,'; expected codes from 100 to "
		 "599 such as 200, 200-399 or 200,301-302, at most 8 of them"}, );
}

Test(config_health, what_is_refused_of_bytes_and_commands)
{
	EXPECT_REFUSALS(
		{HEALTH("type: udp, send: 'hex:0'"),
		 "8:31: services[0].health.send: send is 'hex:0'; expected text of 1 to 512 bytes, "
		 "or 'hex:' and two hexadecimal digits for each"},
		{HEALTH("type: command"), "8:13: services[0].health: the key 'command' is missing"},
		{HEALTH("type: command, command: [check]"),
		 "8:39: services[0].health.command[0]: command[0] is 'check'; expected a program "
		 "by "
		 "its whole path"}, );
}

Test(config_health, a_service_of_all_ports_must_say_which_one_to_ask)
{
#define ALL                                                                                        \
	"services:\n  - name: web\n    address: 203.0.113.10\n    port: 0\n    protocol: tcp\n"    \
	"    backends: [{address: 10.0.0.1}]\n"
	EXPECT_REFUSALS({ALL "    health: {type: tcp}\n...\n",
			 "7:13: services[0].health: the key 'port' is missing, since the service "
			 "has all ports"}, );
	cr_expect_eq(health_of(ALL "    health: {type: tcp, port: 22}\n...\n").port, 22);
}
