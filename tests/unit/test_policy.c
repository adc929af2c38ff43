// SPDX-License-Identifier: BSD-2-Clause
// Which entry of larch_services, and which keys of larch_quic, come from which configuration.
#include <arpa/inet.h>

#include "config_accepted.h"
#include "policy.h"

#define STAMP_NS 8192000000ull /* 2^13 ticks at 1000 a second */

#define SERVICE(keys)                                                                              \
	"services: [{name: a, address: 203.0.113.10, port: 443, " keys                             \
	", backends: [{address: 10.0.0.1}]}]\n...\n"

static struct larch_service entry_of(const char *text)
{
	struct larch_config *config = accepted(text);
	struct larch_service entry;

	policy_service(&config->services[0], STAMP_NS, &entry);
	config_free(config);
	return entry;
}

static unsigned flags_of(const char *text)
{
	return entry_of(text).policy.flags;
}

Test(policy, a_plain_service_asks_for_nothing)
{
	struct larch_service entry = entry_of(SERVICE("protocol: tcp")), plain = {};

	plain.policy.signal = LARCH_SIGNAL_RESPONSE;
	cr_expect_arr_eq((char *)&entry, (char *)&plain, sizeof(entry));
}

Test(policy, each_mode)
{
	cr_expect_eq(entry_of(SERVICE("protocol: tcp, forward: ipip")).policy.mode,
		     LARCH_MODE_IPIP);
	cr_expect_eq(entry_of(SERVICE("protocol: tcp, forward: gue")).policy.mode, LARCH_MODE_GUE);
	cr_expect_eq(entry_of(SERVICE("protocol: tcp, forward: l2")).policy.mode, LARCH_MODE_L2);
	cr_expect_eq(entry_of(SERVICE("protocol: tcp, forward: nat")).policy.mode, LARCH_MODE_NAT);
}

Test(policy, each_flag_alone)
{
	cr_expect_eq(flags_of(SERVICE("protocol: tcp, deny: 10.0.0.0/8")), LARCH_SERVICE_LISTED);
	cr_expect_eq(flags_of(SERVICE("protocol: tcp, allow: 10.0.0.0/8")),
		     LARCH_SERVICE_LISTED | LARCH_SERVICE_CLOSED);
	cr_expect_eq(flags_of(SERVICE("protocol: tcp, allow: 10.1.0.0/16, deny: 10.0.0.0/8")),
		     LARCH_SERVICE_LISTED | LARCH_SERVICE_CLOSED);
	cr_expect_eq(flags_of(SERVICE("protocol: tcp, state: false")), LARCH_SERVICE_STATELESS);
	cr_expect_eq(flags_of(SERVICE("protocol: tcp, hash: source")), LARCH_SERVICE_BY_SOURCE);
	cr_expect_eq(flags_of(SERVICE("protocol: tcp, agent: true")), LARCH_SERVICE_AGENTS);
	cr_expect_eq(flags_of(SERVICE("protocol: tcp, new_flows: 20000")), LARCH_SERVICE_FLOOD);
	cr_expect_eq(flags_of(SERVICE("protocol: tcp, source_rate: 20")), LARCH_SERVICE_SOURCES);
	cr_expect_eq(flags_of("services: [{name: a, address: 203.0.113.10, port: 443, protocol: "
			      "udp, quic: {server_id_bytes: 2},\n backends: [{address: 10.0.0.1, "
			      "quic_id: abcd}]}]\n...\n"),
		     LARCH_SERVICE_QUIC);
}

Test(policy, limits_are_what_was_configured)
{
	struct larch_service entry = entry_of(
		SERVICE("protocol: tcp, new_flows: 20000, source_rate: 20, source_burst: 70"));

	cr_expect_eq(entry.new_flows, 20000);
	cr_expect_eq(entry.source_flows, 20);
	cr_expect_eq(entry.source_burst, 70);
	entry = entry_of(SERVICE("protocol: tcp, source_rate: 20"));
	cr_expect_eq(entry.source_burst, 40);
}

Test(policy, what_is_not_timed_has_no_signal)
{
	cr_expect_eq(entry_of(SERVICE("protocol: tcp, signal: connect")).policy.signal,
		     LARCH_SIGNAL_CONNECT);
	cr_expect_eq(entry_of(SERVICE("protocol: udp")).policy.signal, LARCH_SIGNAL_NONE);
	cr_expect_eq(entry_of(SERVICE("protocol: tcp, state: false")).policy.signal,
		     LARCH_SIGNAL_NONE);
	cr_expect_eq(entry_of(SERVICE("protocol: tcp, hash: source")).policy.signal,
		     LARCH_SIGNAL_NONE);
}

/* ---- time-outs ---- */

/* A flow may have been seen at the very end of a unit: it has `stamps` - 1 whole ones at least. */
Test(policy, a_time_out_never_comes_early)
{
	for (uint64_t stamp_ns = 6800000000; stamp_ns <= 10300000000; stamp_ns += 70000000) {
		for (double seconds = 10; seconds <= 1800; seconds += 0.7) {
			uint16_t stamps = policy_stamps(seconds, stamp_ns);

			cr_assert_geq((double)(stamps - 1) * (double)stamp_ns, seconds * 1e9);
			cr_assert_lt((double)(stamps - 2) * (double)stamp_ns, seconds * 1e9);
			cr_assert_lt(stamps, 1 << 9, "a stamp's circle has 2^9 units");
		}
	}
}

Test(policy, a_time_out_without_a_clock_is_the_packet_paths_own)
{
	cr_expect_eq(policy_stamps(60, 0), 0);
	cr_expect_eq(entry_of(SERVICE("protocol: tcp")).policy.idle, 0);
	cr_expect_eq(entry_of(SERVICE("protocol: udp, idle_timeout: 60s")).policy.idle, 9);
	cr_expect_eq(entry_of(SERVICE("protocol: udp")).policy.idle, 16); /* 120 s */
}

/* ---- NAT ---- */

static void expect_address(const struct larch_service *entry, const char *address)
{
	char said[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, entry->address, said, sizeof(said));
	cr_expect_str_eq(said, address);
}

Test(policy, answers_of_nat_come_from_the_service)
{
	struct larch_service entry =
		entry_of(SERVICE("protocol: tcp, forward: nat, backend_port: 8443"));

	cr_expect_eq(ntohs(entry.policy.port), 8443);
	expect_address(&entry, "::ffff:203.0.113.10");
	cr_expect_eq(ntohs(entry.address_port), 443);
	entry = entry_of(SERVICE("protocol: tcp, forward: nat"));
	cr_expect_eq(entry.policy.port, 0);
	expect_address(&entry, "::ffff:203.0.113.10");
	cr_expect_eq(entry.address_port, 0, "as the packet has it");
	entry = entry_of(SERVICE("protocol: tcp, forward: gue"));
	expect_address(&entry, "::");
}

/* ---- QUIC ---- */

Test(policy, connection_ids)
{
	struct larch_config *config = accepted(
		"services: [{name: a, address: 203.0.113.10, port: 443, protocol: udp, quic: "
		"{config_id: 5, server_id_bytes: 2},\n backends: [{address: 10.0.0.1, quic_id: "
		"abcd}, {address: 10.0.0.2, quic_id: 0001}]}]\n...\n");
	struct larch_service entry;
	struct larch_quic quic;

	policy_service(&config->services[0], STAMP_NS, &entry);
	cr_expect_eq(entry.quic_config, 5);
	cr_expect_eq(entry.quic_bytes, 2);
	quic = policy_quic(&config->services[0].members[0], 7);
	cr_expect_eq(quic.service, 7);
	cr_expect_arr_eq(quic.id, "\xab\xcd\0\0\0\0\0\0", 8);
	quic = policy_quic(&config->services[0].members[1], 7);
	cr_expect_arr_eq(quic.id, "\x00\x01\0\0\0\0\0\0", 8);
	config_free(config);
}
