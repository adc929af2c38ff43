// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a packet costs, in nanoseconds: the balancer's object file as it ships, run by the wrapper
 * programs of bench.bpf.c through BPF_PROG_TEST_RUN, against floors measured in the same run.
 *
 * In: object files. Out: a table on stdout; with --rows a line of JSON per case.
 * net = the wrapper with the balancer, less the wrapper with a program that does nothing; medians
 * over rounds in which the targets take turns. Noise: half the distance between quartiles.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench_measure.h"
#include "bench_world.h"
#include "larch/flow.h"
#include "lib/options.h"
#include "lib/verifier.h"

#define BLOCK	   65536u /* packets, or more: see block_packets() */
#define MANY_FLOWS 20	  /* from 2^20 flows on, the flow table is twice as large */
#define SIZES	   4
#define SETUPS	   2

struct bench_case {
	const char *name;
	const char *program;	   /* of the wrapper */
	const char *setup[SETUPS]; /* programs that visit every flow once before */
	const char *tunnel;	   /* the floor that writes a tunnel header; NULL: not forwarded */
	uint32_t outcome;
	uint32_t rounds; /* of the wrapper, after which a flow is where it was; 0: it does not
			    matter */
	bool clear;	 /* flows must be new */
	enum larch_mode mode;
	struct {
		uint32_t bits;	  /* 2^bits flows */
		double budget_ns; /* 0: none */
	} size[SIZES];
};

#define ESTABLISHED                                                                                \
	{                                                                                          \
		{0, 60}, {10, 0}, {16, 140}, {20, 180},                                            \
	}

static const struct bench_case cases[] = {
	{
		.name = "established_tcp4",
		.program = "bench_ack_tcp4",
		.setup = {"bench_syn_tcp4", "bench_ack_tcp4"},
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_FLOW,
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
		.size = {{0, 0}, {16, 0}},
	},
	{
		.name = "syn_insert_tcp4",
		.program = "bench_syn_tcp4",
		.tunnel = "bench_tunnel4",
		.outcome = LARCH_FORWARD_NEW,
		.rounds = 1,
		.clear = true,
		.size = {{16, 250}},
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

static struct bench {
	const char *balancer, *against, *agent, *wrapper_file, *rows_file, *only;
	uint64_t rounds, table_bits, only_flows;
	FILE *rows;
	struct wrapper wrapper;
	struct world world[2]; /* of the balancer, and of what it is compared with */
	size_t worlds;
} bench = {
	.balancer = "build/larch.bpf.o",
	.wrapper_file = "build/bench.bpf.o",
	.rounds = 21,
	.table_bits = 18,
};

/* Targets in the order in which they are measured. */
enum { EMPTY, TUNNEL, BALANCER, AGAINST };

/* A block is long enough to be timed, and leaves every flow where it found it. */
static uint32_t block_packets(const struct bench_case *this, uint32_t bits)
{
	uint32_t cycle = this->rounds << bits;

	return cycle > BLOCK ? cycle : BLOCK;
}

/* Brings every flow of a balancer to where the case begins. */
static int set_up(const struct bench_case *this, uint32_t bits, struct target *target)
{
	struct measurement what = {.bits = bits, .packets = 1u << bits};
	int error = 0;

	world_clear(target->world);
	world_set_mode(target->world, this->mode);
	for (size_t i = 0; !error && i < SETUPS && this->setup[i]; i++) {
		what.program = wrapper_program(&bench.wrapper, this->setup[i]);
		target->count = 0;
		error = measure_block(&bench.wrapper, &what, target, NULL);
	}
	target->count = 0;
	return error;
}

static void print_row(const struct bench_case *this, uint32_t bits, double budget,
		      const struct target *target, double share)
{
	size_t rounds = bench.rounds;
	struct spread gross = measure_spread(target[BALANCER].ns, rounds);
	struct spread net = measure_difference(target[BALANCER].ns, target[EMPTY].ns, rounds);
	struct spread tunnel = measure_difference(target[TUNNEL].ns, target[EMPTY].ns, rounds);

	printf("  %-18s %8u %8.1f %8.1f %6.1f ", this->name, 1u << bits, gross.median, net.median,
	       net.noise);
	if (this->tunnel)
		printf("%8.1f ", tunnel.median);
	else
		printf("%8s ", "-");
	if (budget > 0)
		printf("%8.0f %-6s", budget, net.median <= budget ? "met" : "OVER");
	else
		printf("%8s %-6s", "-", "");
	if (bench.worlds > 1) {
		struct spread other =
			measure_difference(target[AGAINST].ns, target[EMPTY].ns, rounds);
		struct spread change =
			measure_difference(target[AGAINST].ns, target[BALANCER].ns, rounds);

		printf(" %8.1f %+8.1f +-%.1f", other.median, change.median, change.noise);
	}
	if (share < 1)
		printf(" (%.2f %% as it should be)", 100 * share);
	printf("\n");
	fflush(stdout);
	if (bench.rows)
		fprintf(bench.rows,
			"{\"case\": \"%s\", \"flows\": %u, \"net_ns\": %.1f, \"gross_ns\": %.1f, "
			"\"noise\": %.1f}\n",
			this->name, 1u << bits, net.median, gross.median, net.noise);
}

static int run_size(const struct bench_case *this, uint32_t bits, double budget)
{
	static struct target target[MEASURE_TARGETS];
	struct measurement what = {
		.program = wrapper_program(&bench.wrapper, this->program),
		.bits = bits,
		.packets = block_packets(this, bits),
		.rounds = (uint32_t)bench.rounds,
		.outcome = this->outcome,
		.clear = this->clear,
	};
	double share;
	int error = 0;

	memset(target, 0, sizeof(target));
	target[EMPTY].program = wrapper_program(&bench.wrapper, "bench_empty");
	target[TUNNEL].program =
		wrapper_program(&bench.wrapper, this->tunnel ? this->tunnel : "bench_empty");
	for (size_t i = 0; !error && i < bench.worlds; i++) {
		target[BALANCER + i].program = bench.world[i].program;
		target[BALANCER + i].world = &bench.world[i];
		error = set_up(this, bits, &target[BALANCER + i]);
	}
	if (!error)
		error = measure_rounds(&bench.wrapper, &what, target, BALANCER + bench.worlds,
				       &share);
	if (!error)
		print_row(this, bits, budget, target, share);
	else
		fprintf(stderr, "bench: %s with %u flows: %s\n", this->name, 1u << bits,
			strerror(-error));
	return error;
}

static int open_worlds(uint32_t buckets)
{
	const char *file[] = {bench.balancer, bench.against};
	int error = 0;

	bench.worlds = bench.against ? 2 : 1;
	for (size_t i = 0; !error && i < bench.worlds; i++)
		error = world_open(&bench.world[i], file[i], buckets);
	return error;
}

/* All sizes up to 2^20 flows, or from there on; each with a flow table that is at most half full.
 */
static int run_cases(bool many)
{
	int error = open_worlds(1u << (bench.table_bits + many));

	for (size_t i = 0; !error && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (bench.only && !strstr(cases[i].name, bench.only))
			continue;
		for (size_t j = 0; !error && j < SIZES; j++) {
			uint32_t bits = cases[i].size[j].bits;

			if ((j == 0 || bits) && (bits >= MANY_FLOWS) == many &&
			    (!bench.only_flows || bench.only_flows == 1u << bits))
				error = run_size(&cases[i], bits, cases[i].size[j].budget_ns);
		}
	}
	for (size_t i = 0; i < bench.worlds; i++)
		world_close(&bench.world[i]);
	return error;
}

static void print_head(void)
{
	printf("ns per packet: net = gross - empty; `tunnel` is a constant header alone, net\n");
	printf("  %-18s %8s %8s %8s %6s %8s %8s %-6s%s\n", "case", "flows", "gross", "net", "noise",
	       "tunnel", "budget", "", bench.against ? "  against   change" : "");
	fflush(stdout);
}

/* The scheduler would move us, and the caches would stay behind. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

static int run_all(void)
{
	size_t over = 0;
	int error = verifier_report(bench.balancer, &over);

	if (!error && bench.agent)
		error = verifier_report(bench.agent, &over);
	if (!error)
		error = wrapper_open(&bench.wrapper, bench.wrapper_file);
	if (error)
		return error;
	stay_here();
	print_head();
	error = run_cases(false);
	if (!error)
		error = run_cases(true);
	wrapper_close(&bench.wrapper);
	return error;
}

static const struct option_row rows[] = {
	{"balancer", "FILE", "object file (build/larch.bpf.o)", option_text, &bench.balancer, 0, 0},
	{"against", "FILE", "another balancer, measured in turn with it", option_text,
	 &bench.against, 0, 0},
	{"agent", "FILE", "the agent's object file, to be verified only", option_text, &bench.agent,
	 0, 0},
	{"wrapper", "FILE", "object file of bench.bpf.c (build/bench.bpf.o)", option_text,
	 &bench.wrapper_file, 0, 0},
	{"case", "TEXT", "only the cases whose name holds this", option_text, &bench.only, 0, 0},
	{"flows", "COUNT", "only the cases with so many flows", option_count, &bench.only_flows, 1,
	 1 << MANY_FLOWS},
	{"rounds", "COUNT", "rounds of each case (21)", option_count, &bench.rounds, 3,
	 MEASURE_ROUNDS},
	{"table", "BITS", "2^BITS buckets in the flow table, or twice as many for 2^20 flows (18)",
	 option_count, &bench.table_bits, 14, 21},
	{"rows", "FILE", "append a line of JSON per case", option_text, &bench.rows_file, 0, 0},
	{},
};

int main(int argc, char **argv)
{
	int first = options_parse(rows,
				  "usage: bench [options]\n\nNanoseconds per packet, by "
				  "BPF_PROG_TEST_RUN. Takes root.",
				  argc, argv);
	int error;

	if (first <= 0)
		return first ? 2 : 0;
	if (bench.rows_file && !(bench.rows = fopen(bench.rows_file, "a"))) {
		fprintf(stderr, "bench: %s: %s\n", bench.rows_file, strerror(errno));
		return 1;
	}
	error = run_all();
	if (bench.rows && fclose(bench.rows) != 0)
		error = -errno;
	return error ? 1 : 0;
}
