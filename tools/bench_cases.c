// SPDX-License-Identifier: BSD-2-Clause
/* The table of cases. See bench_cases.h. */
#include "bench_cases.h"
#include "larch/outcome.h"

#define ESTABLISHED                                                                                \
	{                                                                                          \
		{0, 60}, {10, 0}, {16, 140}, {20, 180},                                            \
	}

const struct bench_case bench_cases[] = {
	{
		.name = "floor_empty",
		.program = "bench_ack_tcp4",
		.floor = "bench_empty",
		.size = {{0, 0}, {16, 0}},
	},
	{
		.name = "floor_tunnel4",
		.program = "bench_ack_tcp4",
		.floor = "bench_tunnel4",
		.size = {{0, 0}, {16, 0}},
	},
	{
		.name = "floor_tunnel6",
		.program = "bench_ack_tcp6",
		.floor = "bench_tunnel6",
		.size = {{0, 0}, {16, 0}},
	},
	{
		.name = "established_tcp4",
		.program = "bench_ack_tcp4",
		.setup = {"bench_syn_tcp4", "bench_ack_tcp4"},
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_FLOW,
		.profiled = true,
		.size = ESTABLISHED,
	},
	{
		.name = "established_tcp6",
		.program = "bench_ack_tcp6",
		.setup = {"bench_syn_tcp6", "bench_ack_tcp6"},
		.tunnel = "bench_tunnel6",
		.outcome = LARCH_FORWARD_FLOW,
		.size = ESTABLISHED,
	},
	{
		.name = "established_udp4",
		.program = "bench_udp4",
		.setup = {"bench_udp4"},
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_FLOW,
		.size = ESTABLISHED,
	},
	{
		.name = "established_udp6",
		.program = "bench_udp6",
		.setup = {"bench_udp6"},
		.tunnel = "bench_tunnel6",
		.outcome = LARCH_FORWARD_FLOW,
		.size = ESTABLISHED,
	},
	{
		.name = "gue_tcp4",
		.program = "bench_ack_tcp4",
		.setup = {"bench_syn_tcp4", "bench_ack_tcp4"},
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_FLOW,
		.mode = LARCH_MODE_GUE,
		.size = {{0, 0}, {16, 0}},
	},
	{
		.name = "gue_tcp6",
		.program = "bench_ack_tcp6",
		.setup = {"bench_syn_tcp6", "bench_ack_tcp6"},
		.tunnel = "bench_tunnel6",
		.outcome = LARCH_FORWARD_FLOW,
		.mode = LARCH_MODE_GUE,
		.size = {{0, 0}, {16, 0}},
	},
	{
		.name = "upload_tcp4",
		.program = "bench_upload_tcp4",
		.setup = {"bench_syn_tcp4", "bench_ack_tcp4"},
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_FLOW,
		.size = {{0, 0}, {16, 0}},
	},
	{
		.name = "sampled_tcp4",
		.program = "bench_request_tcp4",
		.setup = {"bench_syn_tcp4", "bench_ack_tcp4"},
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_FLOW,
		.rounds = 2,
		.profiled = true,
		.size = {{0, 0}, {16, 0}},
	},
	{
		.name = "syn_insert_tcp4",
		.program = "bench_syn_tcp4",
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_NEW,
		.rounds = 1,
		.clear = true,
		.profiled = true,
		.size = {{16, 250}},
	},
	{
		.name = "syn_control_tcp4",
		.program = "bench_syn_tcp4",
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_NEW,
		.rounds = 1,
		.clear = true,
		.control = true,
		.size = {{16, 0}},
	},
	{
		.name = "syn_retransmit_tcp4",
		.program = "bench_syn_tcp4",
		.setup = {"bench_syn_tcp4"},
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_FLOW,
		.size = {{0, 0}, {16, 0}},
	},
	{
		.name = "syn_flood_tcp4",
		.program = "bench_syn_tcp4",
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_UNTRACKED,
		.full = true,
		.size = {{16, 0}, {20, 0}},
	},
	{
		.name = "new_udp4",
		.program = "bench_udp4",
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_NEW,
		.rounds = 1,
		.clear = true,
		.size = {{16, 0}},
	},
	{
		.name = "not_ours_tcp4",
		.program = "bench_other_tcp4",
		.outcome = LARCH_PASS_NOT_OURS,
		.size = {{16, 25}},
	},
	{
		.name = "not_ip",
		.program = "bench_not_ip",
		.outcome = LARCH_PASS_NOT_IP,
		.size = {{0, 25}},
	},
};

const size_t bench_case_count = sizeof(bench_cases) / sizeof(bench_cases[0]);
