// SPDX-License-Identifier: BSD-2-Clause
// How packets get to backends: modes, agents, what NAT asks for, and services that cannot live
// together.
#include "config_accepted.h"
#include "config_refusal.h"

Test(config_forward, ipip_is_what_is_taken_without_a_word)
{
	struct larch_config *config = accepted(WEB "...\n");

	cr_expect_eq(config->services[0].mode, LARCH_MODE_IPIP);
	cr_expect_eq(config->services[0].backend_port, 0);
	cr_expect_not(config->services[0].agent);
	config_free(config);
}

Test(config_forward, each_mode_has_its_word)
{
	static const struct {
		const char *word;
		enum larch_mode mode;
	} cases[] = {{"ipip", LARCH_MODE_IPIP},
		     {"gue", LARCH_MODE_GUE},
		     {"l2", LARCH_MODE_L2},
		     {"nat", LARCH_MODE_NAT}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct larch_config *config;
		char text[400];

		snprintf(text, sizeof(text), WEB "    forward: %s\n...\n", cases[i].word);
		config = accepted(text);
		cr_expect_eq(config->services[0].mode, cases[i].mode);
		cr_expect_str_eq(config_mode_text(cases[i].mode), cases[i].word);
		config_free(config);
	}
	cr_expect_null(config_mode_text((enum larch_mode)4));
	EXPECT_REFUSALS({WEB "    forward: dsr\n    backend_port: 80\n    agent: true\n...\n",
			 "8:14: services[0].forward: forward is 'dsr'; expected ipip, gue, l2 or "
			 "nat"});
}

Test(config_forward, agents_are_reached_by_tunnels)
{
	struct larch_config *config = accepted(WEB "    agent: true\n    forward: gue\n...\n");

	cr_expect(config->services[0].agent);
	config_free(config);
	config_free(accepted(WEB "    agent: false\n    forward: l2\n...\n"));
	EXPECT_REFUSALS(
		{WEB "    agent: true\n    forward: l2\n...\n",
		 "8:12: services[0].agent: agent is 'true'; expected false, since forward is l2: "
		 "agents are reached by tunnels"},
		{WEB "    agent: true\n    forward: nat\n...\n",
		 "8:12: services[0].agent: agent is 'true'; expected false, since forward is nat: "
		 "agents are reached by tunnels"},
		{WEB "    agent: yes\n...\n",
		 "8:12: services[0].agent: agent is 'yes'; expected true or false"},
		{WEB "    agent: on\n...\n",
		 "8:12: services[0].agent: agent is 'on'; expected true or false"}, );
}

/* Else it would be accepted and nobody ever asked. */
Test(config_forward, agents_know_connections_of_tcp_alone)
{
	EXPECT_REFUSALS(
		{DNS "    agent: true\n...\n",
		 "8:12: services[0].agent: agent is 'true'; expected false, since protocol is udp: "
		 "agents are asked about single connections of tcp"},
		{WEB "    hash: source\n    agent: true\n...\n",
		 "9:12: services[0].agent: agent is 'true'; expected false, since hash is source: "
		 "agents are asked about single connections of tcp"},
		{WEB "    agent: true\n    state: false\n...\n",
		 "8:12: services[0].agent: agent is about flows that are remembered, and state is "
		 "false"}, );
	config_free(accepted(DNS "    agent: false\n...\n"));
	config_free(accepted(WEB "    hash: source\n    agent: false\n...\n"));
}

/* ---- NAT ---- */

Test(config_forward, nat_may_change_the_port)
{
	struct larch_config *config = accepted(WEB "    forward: nat\n    backend_port: 8443\n"
						   "...\n");

	cr_expect_eq(config->services[0].backend_port, 8443);
	config_free(config);
}

Test(config_forward, nat_without_a_port_of_the_backends_takes_any_ports)
{
	config_free(accepted("services:\n"
			     "- {name: a, address: 10.9.9.9, port: [80, 443], protocol: tcp,\n"
			     "   forward: nat, backends: [{address: 10.0.0.1}]}\n"
			     "- {name: b, address: 10.9.9.8, port: 0, protocol: tcp,\n"
			     "   forward: nat, backends: [{address: 10.0.0.2}]}\n...\n"));
}

Test(config_forward, ports_are_changed_by_nat_alone)
{
	EXPECT_REFUSALS(
		{WEB "    backend_port: 8443\n...\n",
		 "8:19: services[0].backend_port: only forward: nat changes ports, and this "
		 "service has ipip"},
		{WEB "    forward: l2\n    backend_port: 443\n...\n",
		 "9:19: services[0].backend_port: only forward: nat changes ports, and this "
		 "service has l2"},
		{WEB "    forward: nat\n    backend_port: 0\n...\n",
		 "9:19: services[0].backend_port: backend_port is '0'; expected a whole number "
		 "from 1 to 65535"}, );
}

#define NAT "services:\n- {name: a, protocol: tcp, forward: nat,\n"

Test(config_forward, an_answer_of_nat_must_say_what_was_asked)
{
	EXPECT_REFUSALS(
		{NAT "   address: [10.9.9.9, 10.9.9.8], port: 80,\n"
		     "   backends: [{address: 10.0.0.1}]}\n...\n",
		 "3:24: services[0].address[1]: a second address, but forward is nat; expected "
		 "one: an answer does not show which one was asked"},
		{NAT "   address: 10.9.9.9, port: [80, 81], backend_port: 8080,\n"
		     "   backends: [{address: 10.0.0.1}]}\n...\n",
		 "3:29: services[0].port: port is a list; expected one port, since backend_port "
		 "is given: an answer does not show which one was asked"},
		{NAT "   address: 10.9.9.9, port: 0, backend_port: 8080,\n"
		     "   backends: [{address: 10.0.0.1}]}\n...\n",
		 "3:29: services[0].port: port is '0'; expected one port, since backend_port is "
		 "given: an answer does not show which one was asked"}, );
}

Test(config_forward, nat_does_not_change_the_family)
{
	EXPECT_REFUSALS(
		{NAT "   address: 10.9.9.9, port: 80,\n"
		     "   backends: [{address: 10.0.0.1}, {address: 'fd00::1'}]}\n...\n",
		 "4:46: services[0].backends[1].address: address is 'fd00::1'; expected an IPv4 "
		 "address as the service's, since forward is nat"},
		{NAT "   address: 'fd00::9', port: 80,\n"
		     "   backends: [{address: 10.0.0.1}, {address: 'fd00::1'}]}\n...\n",
		 "4:25: services[0].backends[0].address: address is '10.0.0.1'; expected an IPv6 "
		 "address as the service's, since forward is nat"}, );
}

Test(config_forward, nat_does_not_see_what_this_host_answers)
{
	EXPECT_REFUSALS({"source: {ipv4: 10.0.0.1}\n" NAT "   address: 10.9.9.9, port: 80,\n"
			 "   backends: [{address: 10.0.0.2}, {address: 10.0.0.1}]}\n...\n",
			 "5:46: services[0].backends[1].address: this is the source of the "
			 "tunnels, so this host itself, whose answers nat does not see; expected "
			 "another server, or forward: ipip, gue or l2"}, );
	config_free(accepted("source: {ipv4: 10.0.0.1}\nservices:\n"
			     "- {name: a, protocol: tcp, address: 10.9.9.9, port: 80,\n"
			     "   backends: [{address: 10.0.0.2}, {address: 10.0.0.1}]}\n...\n"));
}

#define TWO_NATS(first, second)                                                                    \
	"services:\n"                                                                              \
	"- {name: a, address: 10.9.9.9, forward: nat, " first ",\n"                                \
	"   backends: [{address: 10.0.0.1}, {address: 10.0.0.2}]}\n"                               \
	"- {name: b, address: 10.9.9.8, forward: nat, " second ",\n"                               \
	"   backends: [{address: 10.0.0.3}, {address: 10.0.0.2}]}\n...\n"

Test(config_forward, answers_of_two_nat_services_that_could_not_be_told_apart)
{
	static const char *const texts[] = {
		TWO_NATS("port: 80, protocol: tcp", "port: 80, protocol: tcp"),
		TWO_NATS("port: 80, protocol: tcp", "port: 81, protocol: tcp, backend_port: 80"),
		TWO_NATS("port: 1, protocol: tcp, backend_port: 80",
			 "port: 2, protocol: tcp, backend_port: 80"),
		TWO_NATS("port: 0, protocol: tcp", "port: 80, protocol: tcp"),
		TWO_NATS("port: [1, 80, 2], protocol: tcp", "port: [3, 80], protocol: tcp"),
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_refusal(texts[i], strlen(texts[i]),
			       "5:36: services[1].backends[1]: services[0] (line 2) with forward: "
			       "nat has this backend and port/tcp, too; answers could not be told "
			       "apart: expected another backend or port");
}

Test(config_forward, nat_services_may_share_a_backend_by_other_ports_and_protocols)
{
	static const char *const texts[] = {
		TWO_NATS("port: 80, protocol: tcp", "port: 80, protocol: udp"),
		TWO_NATS("port: 80, protocol: tcp", "port: 80, protocol: tcp, backend_port: 81"),
		TWO_NATS("port: [80, 81], protocol: tcp", "port: [82, 83], protocol: tcp"),
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		config_free(accepted(texts[i]));
	/* Tunnels leave the client's packet as it is, so that answers come from the service. */
	config_free(accepted("services:\n"
			     "- {name: a, address: 10.9.9.9, forward: nat, port: 80, protocol: "
			     "tcp,\n   backends: [{address: 10.0.0.1}]}\n"
			     "- {name: b, address: 10.9.9.8, forward: gue, port: 80, protocol: "
			     "tcp,\n   backends: [{address: 10.0.0.1}]}\n...\n"));
}

/* ---- all services together ---- */

Test(config_forward, backends_that_are_services_themselves)
{
	EXPECT_REFUSALS(
		{WEB "      - address: 203.0.113.10\n...\n",
		 "8:18: services[0].backends[1].address: this is the address of services[0] (line "
		 "2) itself: its packets would come back; expected the server's own address"},
		{WEB "    forward: l2\n" SECOND
		     "    backends: [{address: 10.0.0.2}, {address: 203.0.113.10}]\n...\n",
		 "13:47: services[1].backends[1].address: this is the address of services[0] "
		 "(line 2) itself: its packets would come back; expected the server's own "
		 "address"},
		{WEB "      - address: '2001:db8::7'\n" SECOND
		     "    backends: [{address: 10.0.0.1}]\n"
		     "  - {name: c, address: [192.0.2.1, '2001:db8::7'], port: [1, 2],\n"
		     "     protocol: udp, backends: [{address: 10.0.0.1}]}\n...\n",
		 "8:18: services[0].backends[1].address: this is the address of services[2] (line "
		 "14) itself: its packets would come back; expected the server's own address"}, );
}

Test(config_forward, later_fragments_belong_to_one_service)
{
#define SOURCES(first, second)                                                                     \
	"services:\n"                                                                              \
	"- {name: a, " first ", hash: source, port: 1, backends: [{address: 10.0.0.1}]}\n"         \
	"- {name: b, " second ", port: 2, backends: [{address: 10.0.0.1}]}\n...\n"
	EXPECT_REFUSALS(
		{SOURCES("address: [10.9.9.9, 10.9.9.8], protocol: udp",
			 "address: [10.9.9.7, 10.9.9.8], protocol: udp, hash: source"),
		 "3:33: services[1].address[1]: services[0] (line 2) with hash: source has this "
		 "address, too; later fragments could not be told apart: expected one service "
		 "with both ports"}, );
	config_free(accepted(SOURCES("address: 10.9.9.9, protocol: udp",
				     "address: 10.9.9.9, protocol: tcp, hash: source")));
	config_free(accepted(
		SOURCES("address: 10.9.9.9, protocol: udp", "address: 10.9.9.9, protocol: udp")));
	config_free(accepted(SOURCES("address: 10.9.9.9, protocol: udp",
				     "address: 10.9.9.8, protocol: udp, hash: source")));
}

/* A service of NAT with so many backends and ports. */
static char *many(unsigned backends, unsigned ports, size_t *size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	fputs("services:\n- {name: a, address: 10.9.9.9, protocol: tcp, forward: nat, port: [1",
	      out);
	for (unsigned i = 2; i <= ports; i++)
		fprintf(out, ", %u", i);
	fputs("],\n   backends: [", out);
	for (unsigned i = 1; i <= backends; i++)
		fprintf(out, "%s{address: 10.0.0.%u}", i > 1 ? ", " : "", i);
	fputs("]}\n...\n", out);
	fclose(out);
	return text;
}

Test(config_forward, more_backends_of_nat_than_the_table_of_addresses_holds)
{
	struct larch_config *config;
	struct config_errors errors;
	size_t size;
	/* 200 ports of an address, the address, and 39 or 40 backends with 200 ports each. */
	char *text = many(39, 200, &size);

	cr_expect_eq(config_parse(text, size, &config, &errors), 0);
	config_free(config);
	free(text);
	text = many(40, 200, &size);
	expect_refusal(text, size,
		       "2:1: services: all addresses with their ports, and with forward: nat all "
		       "backends with theirs, are 8201 entries of a table that holds 8192");
	free(text);
}
