// SPDX-License-Identifier: BSD-2-Clause
/* The table of cases. See bench_cases.h. */
#include "bench_cases.h"
#include "larch/outcome.h"

#define SIZES(...) .size = {__VA_ARGS__}
#define BUDGETED   SIZES({0, 60}, {10, 0}, {16, 140}, {20, 180})
#define ALL_SIZES  SIZES({0, 0}, {10, 0}, {16, 0}, {20, 0})
#define TWO_SIZES  SIZES({0, 0}, {16, 0})

/* The floor of what is tunnelled to backends of a family. */
#define OVER4 .tunnel = "bench_tunnel4"
#define OVER6 .tunnel = "bench_tunnel6"

/* Flows that have been opened, and then: a packet of each, of which the table knows the way. */
#define KNOWN .outcome = LARCH_FORWARD_FLOW
#define OPEN4 .setup = {"bench_syn_tcp4", "bench_ack_tcp4"}
#define OPEN6 .setup = {"bench_syn_tcp6", "bench_ack_tcp6"}
#define TCP4  KNOWN, OPEN4, .program = "bench_ack_tcp4"
#define TCP6  KNOWN, OPEN6, .program = "bench_ack_tcp6"
#define UDP4  KNOWN, .setup = {"bench_udp4"}, .program = "bench_udp4"
#define UDP6  KNOWN, .setup = {"bench_udp6"}, .program = "bench_udp6"

/* Flows that are new in every block. There must be as many as a block has packets. */
#define ANEW	 .rounds = 1, .clear = true
#define NEW_SYN4 ANEW, OVER4, .program = "bench_syn_tcp4"
#define NEW_ACK4 ANEW, OVER4, .program = "bench_ack_tcp4"

const struct bench_case bench_cases[] = {
	/* floors */
	{.name = "floor_empty", .program = "bench_ack_tcp4", .floor = "bench_empty", TWO_SIZES},
	{.name = "floor_tunnel4", .program = "bench_ack_tcp4", .floor = "bench_tunnel4", TWO_SIZES},
	{.name = "floor_tunnel6", .program = "bench_ack_tcp6", .floor = "bench_tunnel6", TWO_SIZES},

	/* known flows, by IP in IP */
	{.name = "established_tcp4", TCP4, OVER4, .profiled = true, BUDGETED},
	{.name = "established_tcp6", TCP6, OVER6, BUDGETED},
	{.name = "established_udp4", UDP4, OVER4, BUDGETED},
	{.name = "established_udp6", UDP6, OVER6, BUDGETED},
	{.name = "established_tcp4_listed",
	 TCP4,
	 OVER4,
	 .flags = LARCH_SERVICE_LISTED | LARCH_SERVICE_CLOSED,
	 TWO_SIZES},
	{.name = "by_source_tcp4", TCP4, OVER4, .flags = LARCH_SERVICE_BY_SOURCE, TWO_SIZES},
	{.name = "ipip_4in6_tcp4", TCP4, OVER6, .way = WORLD_CROSS, TWO_SIZES},
	{.name = "ipip_6in4_tcp6", TCP6, OVER4, .way = WORLD_CROSS, TWO_SIZES},

	/* known flows, by other ways */
	{.name = "gue_tcp4", TCP4, OVER4, .mode = LARCH_MODE_GUE, ALL_SIZES},
	{.name = "gue_tcp6", TCP6, OVER6, .mode = LARCH_MODE_GUE, TWO_SIZES},
	{.name = "l2_tcp4", TCP4, .mode = LARCH_MODE_L2, TWO_SIZES},
	{.name = "l2_tcp6", TCP6, .mode = LARCH_MODE_L2, TWO_SIZES},
	{.name = "local_tcp4", TCP4, .way = WORLD_LOCAL, TWO_SIZES},

	/* payload, with and without a clock */
	{.name = "upload_tcp4", KNOWN, OPEN4, OVER4, .program = "bench_upload_tcp4", TWO_SIZES},
	{.name = "sampled_tcp4",
	 KNOWN,
	 OPEN4,
	 OVER4,
	 .program = "bench_request_tcp4",
	 .rounds = 2,
	 .profiled = true,
	 TWO_SIZES},
	{.name = "unsampled_tcp4",
	 KNOWN,
	 OPEN4,
	 OVER4,
	 .program = "bench_request_tcp4",
	 .rounds = 2,
	 .untimed = true,
	 TWO_SIZES},

	/* new flows */
	{.name = "syn_insert_tcp4",
	 NEW_SYN4,
	 .outcome = LARCH_FORWARD_NEW,
	 .profiled = true,
	 SIZES({16, 250}, {20, 0})},
	{.name = "syn_insert_tcp6",
	 ANEW,
	 OVER6,
	 .program = "bench_syn_tcp6",
	 .outcome = LARCH_FORWARD_NEW,
	 SIZES({16, 0})},
	{.name = "syn_insert_tcp4_limited",
	 NEW_SYN4,
	 .outcome = LARCH_FORWARD_NEW,
	 .flags = LARCH_SERVICE_SOURCES,
	 SIZES({16, 0})},
	{.name = "syn_control_tcp4",
	 NEW_SYN4,
	 .outcome = LARCH_FORWARD_NEW,
	 .control = true,
	 SIZES({16, 0})},
	{.name = "syn_beyond_tcp4",
	 NEW_SYN4,
	 .outcome = LARCH_FORWARD_STATELESS,
	 .flags = LARCH_SERVICE_FLOOD,
	 SIZES({16, 0})},
	{.name = "syn_retransmit_tcp4",
	 OVER4,
	 .program = "bench_syn_tcp4",
	 .setup = {"bench_syn_tcp4"},
	 .outcome = LARCH_FORWARD_AGAIN,
	 .silent = true,
	 TWO_SIZES},
	{.name = "syn_flood_tcp4",
	 OVER4,
	 .program = "bench_syn_tcp4",
	 .outcome = LARCH_FORWARD_UNTRACKED,
	 .full = true,
	 SIZES({16, 0}, {20, 0})},
	{.name = "new_udp4",
	 ANEW,
	 OVER4,
	 .program = "bench_udp4",
	 .outcome = LARCH_FORWARD_NEW,
	 SIZES({16, 0})},

	/* flows that nobody remembers */
	{.name = "unknown_tcp4", NEW_ACK4, .outcome = LARCH_FORWARD_UNKNOWN, SIZES({16, 0})},
	{.name = "stateless_tcp4",
	 OVER4,
	 .program = "bench_ack_tcp4",
	 .outcome = LARCH_FORWARD_STATELESS,
	 .flags = LARCH_SERVICE_STATELESS,
	 SIZES({16, 0})},
	{.name = "chance_asked_tcp4",
	 OVER4,
	 .program = "bench_ack_tcp4",
	 .outcome = LARCH_CHANCE_ASKED,
	 .flags = LARCH_SERVICE_AGENTS,
	 SIZES({16, 0})},
	{.name = "chance_next_tcp4",
	 .program = "bench_others_tcp4",
	 .outcome = LARCH_CHANCE_NEXT,
	 .flags = LARCH_SERVICE_AGENTS,
	 SIZES({16, 0})},
	{.name = "chance_claimed_tcp4",
	 ANEW,
	 .program = "bench_mine_tcp4",
	 .outcome = LARCH_CHANCE_CLAIMED,
	 .flags = LARCH_SERVICE_AGENTS,
	 SIZES({16, 0})},

	/* QUIC: by the connection id, and by the flow table if it names nobody */
	{.name = "quic_udp4",
	 OVER4,
	 .program = "bench_quic_udp4",
	 .outcome = LARCH_FORWARD_QUIC,
	 .flags = LARCH_SERVICE_QUIC,
	 ALL_SIZES},
	{.name = "quic_udp6",
	 OVER6,
	 .program = "bench_quic_udp6",
	 .outcome = LARCH_FORWARD_QUIC,
	 .flags = LARCH_SERVICE_QUIC,
	 TWO_SIZES},
	{.name = "quic_table_udp4",
	 KNOWN,
	 OVER4,
	 .program = "bench_quic_nobody_udp4",
	 .setup = {"bench_quic_nobody_udp4"},
	 .flags = LARCH_SERVICE_QUIC,
	 TWO_SIZES},

	/* fragments (of 4096 packets at once) and ICMP */
	{.name = "fragment_first_udp4",
	 KNOWN,
	 OVER4,
	 .program = "bench_first_udp4",
	 .setup = {"bench_first_udp4"},
	 SIZES({0, 0}, {10, 0})},
	{.name = "fragment_later_udp4",
	 OVER4,
	 .program = "bench_later_udp4",
	 .setup = {"bench_first_udp4"},
	 .outcome = LARCH_FORWARD_FRAGMENT,
	 SIZES({0, 0}, {10, 0})},
	{.name = "icmp_error_tcp4",
	 OPEN4,
	 OVER4,
	 .program = "bench_error4",
	 .outcome = LARCH_FORWARD_ICMP,
	 TWO_SIZES},
	{.name = "icmp_echo4",
	 .program = "bench_echo4",
	 .outcome = LARCH_REPLY_ECHO,
	 SIZES({16, 0})},

	/* not for us, or not let in */
	{.name = "not_ours_tcp4",
	 .program = "bench_other_tcp4",
	 .outcome = LARCH_PASS_NOT_OURS,
	 SIZES({16, 25})},
	{.name = "not_ours_tcp6",
	 .program = "bench_other_tcp6",
	 .outcome = LARCH_PASS_NOT_OURS,
	 SIZES({16, 25})},
	{.name = "not_ip", .program = "bench_not_ip", .outcome = LARCH_PASS_NOT_IP, SIZES({0, 25})},
	{.name = "denied_tcp4",
	 .program = "bench_denied_tcp4",
	 .outcome = LARCH_DROP_DENIED,
	 .flags = LARCH_SERVICE_LISTED | LARCH_SERVICE_CLOSED,
	 SIZES({16, 0})},

	/* NAT, which sets bits of the filter that no case before has to do with */
	{.name = "nat_tcp4", TCP4, .mode = LARCH_MODE_NAT, ALL_SIZES},
	{.name = "nat_tcp6", TCP6, .mode = LARCH_MODE_NAT, TWO_SIZES},
	{.name = "nat_udp4", UDP4, .mode = LARCH_MODE_NAT, TWO_SIZES},
	{.name = "nat_answer_tcp4",
	 OPEN4,
	 .program = "bench_answer_tcp4",
	 .outcome = LARCH_RETURN_NAT,
	 .mode = LARCH_MODE_NAT,
	 ALL_SIZES},
	{.name = "nat_answer_tcp6",
	 OPEN6,
	 .program = "bench_answer_tcp6",
	 .outcome = LARCH_RETURN_NAT,
	 .mode = LARCH_MODE_NAT,
	 TWO_SIZES},
};

const size_t bench_case_count = sizeof(bench_cases) / sizeof(bench_cases[0]);
