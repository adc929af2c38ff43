// SPDX-License-Identifier: BSD-2-Clause
// What a flow is, what is remembered of it, how many there may be; and the limits of all services.
#include "config_accepted.h"
#include "config_refusal.h"

Test(config_flow, what_is_taken_without_a_word)
{
	struct config_service web = service_of(WEB "...\n"), dns = service_of(DNS "...\n");

	cr_expect_not(web.by_source);
	cr_expect_not(web.stateless);
	cr_expect_eq(web.idle, 0);
	cr_expect_eq(dns.idle, 120);
	cr_expect_eq(web.new_flows, 0);
	cr_expect_eq(web.source_rate, 0);
	cr_expect_eq(web.source_burst, 0);
}

Test(config_flow, a_flow_may_be_all_of_a_source)
{
	struct config_service web = service_of(WEB "    hash: source\n...\n");

	cr_expect(web.by_source);
	cr_expect_eq(web.signal, LARCH_SIGNAL_NONE);
	cr_expect(web.signal_auto);
	cr_expect_eq(web.learning, CONFIG_LEARNING_OFF);
	cr_expect_eq(web.idle, 300);
	cr_expect_not(service_of(WEB "    hash: tuple\n...\n").by_source);
	EXPECT_REFUSALS(
		{WEB "    hash: sources\n...\n",
		 "8:11: services[0].hash: hash is 'sources'; expected tuple or source"},
		{WEB "    hash: source\n    signal: connect\n    learning: on\n...\n",
		 "9:13: services[0].signal: signal is 'connect'; expected auto or none: hash: "
		 "source does not tell connections apart\n"
		 "10:15: services[0].learning: learning is 'on'; expected off: hash: source does "
		 "not tell connections apart"}, );
}

Test(config_flow, nothing_may_be_remembered)
{
	struct config_service web = service_of(WEB "    state: false\n...\n");

	cr_expect(web.stateless);
	cr_expect_eq(web.signal, LARCH_SIGNAL_NONE);
	cr_expect_eq(web.learning, CONFIG_LEARNING_OFF);
	cr_expect_eq(service_of(DNS "    state: false\n...\n").idle, 0);
	cr_expect_not(service_of(WEB "    state: true\n...\n").stateless);
	EXPECT_REFUSALS(
		{WEB "    state: none\n...\n",
		 "8:12: services[0].state: state is 'none'; expected true or false"},
		{WEB "    state: false\n    signal: response\n    learning: shadow\n...\n",
		 "9:13: services[0].signal: signal is 'response'; expected auto or none: with "
		 "state: false nothing is remembered that could be timed\n"
		 "10:15: services[0].learning: learning is 'shadow'; expected off: with state: "
		 "false nothing is remembered that could be timed"},
		{DNS "    state: false\n    idle_timeout: 60s\n    new_flows: 10000\n"
		     "    source_rate: 10\n    source_burst: 20\n    agent: true\n...\n",
		 "9:19: services[0].idle_timeout: idle_timeout is about flows that are "
		 "remembered, and state is false\n"
		 "10:16: services[0].new_flows: new_flows is about flows that are remembered, and "
		 "state is false\n"
		 "11:18: services[0].source_rate: source_rate is about flows that are remembered, "
		 "and state is false\n"
		 "12:19: services[0].source_burst: source_burst is about flows that are "
		 "remembered, and state is false\n"
		 "13:12: services[0].agent: agent is about flows that are remembered, and state "
		 "is false"}, );
	config_free(accepted(WEB "    state: false\n    agent: false\n...\n"));
	/* A SYN shows by itself that a flow is new. */
	cr_expect_eq(service_of(WEB "    state: false\n    source_rate: 9\n...\n").source_rate, 9);
}

Test(config_flow, a_silence_ends_a_datagram_flow)
{
	cr_expect_eq(service_of(DNS "    idle_timeout: 10s\n...\n").idle, 10);
	cr_expect_eq(service_of(DNS "    idle_timeout: 30m\n...\n").idle, 1800);
	cr_expect_eq(service_of(DNS "    idle_timeout: 1.5m\n...\n").idle, 90);
	cr_expect_eq(service_of(WEB "    hash: source\n    idle_timeout: 1800s\n...\n").idle, 1800);
	EXPECT_REFUSALS(
		{DNS "    idle_timeout: 9999ms\n...\n",
		 "8:19: services[0].idle_timeout: idle_timeout is '9999ms'; expected a time from "
		 "10s to 30m such as 250ms, 1.5s or 2m"},
		{DNS "    idle_timeout: 31m\n...\n",
		 "8:19: services[0].idle_timeout: idle_timeout is '31m'; expected a time from 10s "
		 "to 30m such as 250ms, 1.5s or 2m"},
		{DNS "    idle_timeout: 60\n...\n",
		 "8:19: services[0].idle_timeout: idle_timeout is '60'; expected a time from 10s "
		 "to 30m such as 250ms, 1.5s or 2m"},
		{WEB "    idle_timeout: 60s\n...\n",
		 "8:19: services[0].idle_timeout: flows of tcp end by themselves; idle_timeout is "
		 "for udp and for hash: source"}, );
}

Test(config_flow, new_flows_are_limited)
{
	struct config_service web =
		service_of(WEB "    new_flows: 1000\n    source_rate: 50\n...\n");

	cr_expect_eq(web.new_flows, 1000);
	cr_expect_eq(web.source_rate, 50);
	cr_expect_eq(web.source_burst, 100);
	web = service_of(WEB "    source_burst: 7\n    source_rate: 50\n...\n");
	cr_expect_eq(web.source_burst, 7);
	cr_expect_eq(service_of(WEB "    new_flows: 100000000\n...\n").new_flows, 100000000);
	EXPECT_REFUSALS(
		{WEB "    new_flows: 999\n...\n",
		 "8:16: services[0].new_flows: new_flows is '999'; expected a whole number from "
		 "1000 to 100000000"},
		{WEB "    new_flows: 100000001\n...\n",
		 "8:16: services[0].new_flows: new_flows is '100000001'; expected a whole number "
		 "from 1000 to 100000000"},
		{WEB "    source_rate: 0\n    source_burst: 0\n...\n",
		 "8:18: services[0].source_rate: source_rate is '0'; expected a whole number from "
		 "1 to 1000000\n"
		 "9:19: services[0].source_burst: source_burst is '0'; expected a whole number "
		 "from 1 to 10000000"},
		{WEB "    source_burst: 5\n...\n", "8:19: services[0].source_burst: source_burst "
						   "without source_rate; expected both"}, );
}

/* ---- of all services ---- */

Test(config_flow, limits)
{
	struct larch_config *config = accepted(WEB "...\n");

	cr_expect_eq(config->limit[LARCH_LIMIT_ECHO], 1000);
	cr_expect_eq(config->limit[LARCH_LIMIT_TOO_BIG], 1000);
	cr_expect_eq(config->limit[LARCH_LIMIT_CHANCE], 10000);
	config_free(config);
	config = accepted(WEB "limits: {echo: 0, too_big: 5, second_chance: 10000000}\n...\n");
	cr_expect_eq(config->limit[LARCH_LIMIT_ECHO], 0);
	cr_expect_eq(config->limit[LARCH_LIMIT_TOO_BIG], 5);
	cr_expect_eq(config->limit[LARCH_LIMIT_CHANCE], 10000000);
	config_free(config);
	EXPECT_REFUSALS(
		{WEB "limits: 5\n...\n", "8:9: limits: limits is '5'; expected a mapping"},
		{WEB "limits: {ping: 5}\n...\n", "8:10: limits.ping: unknown key 'ping'; expected "
						 "one of echo, too_big, second_chance"},
		{WEB "limits: {echo: -1, too_big: 10000001, second_chance: all}\n...\n",
		 "8:16: limits.echo: echo is '-1'; expected a whole number from 0 to 10000000\n"
		 "8:29: limits.too_big: too_big is '10000001'; expected a whole number from 0 to "
		 "10000000\n"
		 "8:54: limits.second_chance: second_chance is 'all'; expected a whole number "
		 "from 0 to 10000000"}, );
}
