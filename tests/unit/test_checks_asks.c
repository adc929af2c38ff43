// SPDX-License-Identifier: BSD-2-Clause
// What is asked of the backends of a service with several addresses and ports.
#include <arpa/inet.h>
#include <stdio.h>

#include "checks_asks.h"
#include "config_accepted.h"
#include "endpoint.h"

#define SERVICE(address, port, protocol, health)                                                   \
	"services:\n  - {name: web, address: " address ", port: " port ", protocol: " protocol     \
	", health: {" health "}, backends: [{address: 10.0.0.1}]}\n...\n"
#define BOTH "[203.0.113.10, '2001:db8::10']"

/* "203.0.113.10 80, 2001:db8::10 80 connect": all that is asked, in order. */
static const char *asked(const char *text)
{
	static char out[1024];
	struct larch_config *config = accepted(text);
	struct check_ask asks[CHECK_ASKS];
	size_t count = check_asks(&config->services[0], asks), length = 0;

	for (size_t i = 0; i < count; i++) {
		char address[INET6_ADDRSTRLEN];

		length += (size_t)snprintf(out + length, sizeof(out) - length, "%s%s %u%s",
					   i ? ", " : "",
					   endpoint_address_text(&asks[i].address, address),
					   asks[i].port, asks[i].connect ? " connect" : "");
	}
	config_free(config);
	return out;
}

#define EXPECT_ASKED(expected, ...) cr_expect_str_eq(asked(SERVICE(__VA_ARGS__)), expected)

Test(checks_asks, one_address_is_asked_once)
{
	EXPECT_ASKED("203.0.113.10 80", "203.0.113.10", "80", "tcp", "type: http");
}

Test(checks_asks, every_address_is_asked)
{
	EXPECT_ASKED("203.0.113.10 80, 2001:db8::10 80", BOTH, "80", "tcp", "type: http");
	EXPECT_ASKED("203.0.113.10 53, 2001:db8::10 53", BOTH, "53", "udp", "type: dns");
}

Test(checks_asks, other_ports_must_take_connections)
{
	EXPECT_ASKED("203.0.113.10 80, 203.0.113.10 443 connect", "203.0.113.10", "[80, 443]",
		     "tcp", "type: http");
	EXPECT_ASKED("203.0.113.10 443, 2001:db8::10 443, 203.0.113.10 80 connect, "
		     "2001:db8::10 80 connect",
		     BOTH, "[443, 80]", "tcp", "type: https");
	EXPECT_ASKED("203.0.113.10 25, 203.0.113.10 587 connect", "203.0.113.10", "[25, 587]",
		     "tcp", "type: tcp");
}

Test(checks_asks, a_port_that_is_given_is_the_only_one)
{
	EXPECT_ASKED("203.0.113.10 8081, 2001:db8::10 8081", BOTH, "[80, 443]", "tcp",
		     "type: http, port: 8081");
}

Test(checks_asks, other_ports_of_datagrams_are_not_asked)
{
	EXPECT_ASKED("203.0.113.10 53", "203.0.113.10", "[53, 5353]", "udp", "type: dns");
	EXPECT_ASKED("203.0.113.10 53", "203.0.113.10", "[53, 5353]", "udp", "type: tcp");
}

Test(checks_asks, a_command_is_run_once)
{
	EXPECT_ASKED("203.0.113.10 80", BOTH, "[80, 443]", "tcp",
		     "type: command, command: [/bin/true]");
}

Test(checks_asks, nat_asks_the_backends_port)
{
	EXPECT_ASKED("203.0.113.10 8080", "203.0.113.10", "80",
		     "tcp, forward: nat, backend_port: 8080", "type: http");
}

/* All addresses come before any other port. */
Test(checks_asks, there_are_not_too_many)
{
	const char *text =
		asked(SERVICE(BOTH, "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", "tcp", "type: tcp"));
	size_t count = 1;

	cr_expect_eq(strncmp(text, "203.0.113.10 1, 2001:db8::10 1, ", 32), 0, "%s", text);
	for (const char *at = text; (at = strchr(at, ',')); at++)
		count++;
	cr_expect_eq(count, CHECK_ASKS);
}
