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

#include "bench_cases.h"
#include "bench_measure.h"
#include "bench_network.h"
#include "bench_profile.h"
#include "bench_world.h"
#include "lib/options.h"
#include "lib/spread.h"
#include "lib/verifier.h"

#define BLOCK	       65536u /* packets, or more: see block_packets() */
#define LONG_BLOCK     (4 * BLOCK)
#define LONG_ROUNDS    7 /* of long blocks: they tell as much */
#define FLOORS	       256
#define PROFILED_BITS  16 /* and one flow */
#define PROFILE_ROUNDS 21
#define MANY_FLOWS     20 /* from 2^20 flows on, the flow table is twice as large */

static struct bench {
	const char *balancer, *against, *frags, *agent, *wrapper_file, *rows_file, *only;
	uint64_t rounds, table_bits, only_flows;
	FILE *rows;
	struct wrapper wrapper;
	struct world world[2]; /* of the balancer, and of what it is compared with */
	size_t worlds;
	struct profile *profile;
	double empty[FLOORS]; /* what the empty program took in each case, ns */
	size_t empties;
	int error; /* of the last case that failed */
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

	if (!target->world)
		return 0;
	world_clear(target->world);
	error = world_set_way(target->world, this->mode, this->way);
	world_timed(target->world, !this->untimed);
	world_learned(target->world, !this->control);
	if (!error)
		error = world_set_flags(target->world, this->flags);
	if (this->full)
		world_fill(target->world);
	for (size_t i = 0; !error && i < CASE_SETUPS && this->setup[i]; i++) {
		what.program = wrapper_program(&bench.wrapper, this->setup[i]);
		target->count = 0;
		error = measure_block(&bench.wrapper, &what, target, NULL);
	}
	if (this->silent)
		world_wait(target->world);
	target->count = 0;
	return error;
}

static void print_row(const struct bench_case *this, const struct measurement *what, double budget,
		      const struct target *target, double share)
{
	size_t rounds = what->rounds;
	uint32_t bits = what->bits;
	struct spread gross = spread_of(target[BALANCER].ns, rounds);
	struct spread net = spread_difference(target[BALANCER].ns, target[EMPTY].ns, rounds);
	struct spread tunnel = spread_difference(target[TUNNEL].ns, target[EMPTY].ns, rounds);

	if (bench.empties < FLOORS)
		bench.empty[bench.empties++] = spread_of(target[EMPTY].ns, rounds).median;
	printf("  %-25s %8u %8.1f %8.1f %6.1f ", this->name, 1u << bits, gross.median, net.median,
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
			spread_difference(target[AGAINST].ns, target[EMPTY].ns, rounds);
		struct spread change =
			spread_difference(target[AGAINST].ns, target[BALANCER].ns, rounds);

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

static void set_targets(const struct bench_case *this, struct target *target)
{
	const char *tunnel = this->tunnel ? this->tunnel : "bench_empty";

	target[EMPTY].program = wrapper_program(&bench.wrapper, "bench_empty");
	target[TUNNEL].program = wrapper_program(&bench.wrapper, tunnel);
	for (size_t i = 0; i < bench.worlds; i++) {
		target[BALANCER + i].program = bench.world[i].program;
		target[BALANCER + i].world = &bench.world[i];
		if (this->floor)
			target[BALANCER + i] = (struct target){
				.program = wrapper_program(&bench.wrapper, this->floor),
			};
	}
}

/* The same packets once more, for the profile: the balancer alone. */
static int profile_size(const struct bench_case *this, const struct measurement *what,
			struct target *target, double net)
{
	struct measurement sampled = *what;
	double share;
	int error;

	if (!bench.profile || !this->profiled || (what->bits && what->bits != PROFILED_BITS))
		return 0;
	sampled.profile = bench.profile;
	sampled.rounds = (uint32_t)(bench.rounds < PROFILE_ROUNDS ? bench.rounds : PROFILE_ROUNDS);
	error = measure_rounds(&bench.wrapper, &sampled, &target[BALANCER], 1, &share);
	if (!error)
		profile_end_column(bench.profile, this->name, 1u << what->bits, net);
	return error;
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

	if (what.packets >= LONG_BLOCK && what.rounds > LONG_ROUNDS)
		what.rounds = LONG_ROUNDS;
	memset(target, 0, sizeof(target));
	set_targets(this, target);
	for (size_t i = 0; !error && i < bench.worlds; i++)
		error = set_up(this, bits, &target[BALANCER + i]);
	if (!error)
		error = measure_rounds(&bench.wrapper, &what, target, BALANCER + bench.worlds,
				       &share);
	if (error)
		return error;
	print_row(this, &what, budget, target, share);
	return profile_size(
		this, &what, target,
		spread_difference(target[BALANCER].ns, target[EMPTY].ns, what.rounds).median);
}

/* A case that cannot be measured costs its row, and the exit status. */
static void try_size(const struct bench_case *this, uint32_t bits, double budget)
{
	int error = run_size(this, bits, budget);

	if (!error)
		return;
	printf("  %-25s %8u  failed: %s\n", this->name, 1u << bits, strerror(-error));
	fflush(stdout);
	fprintf(stderr, "bench: %s with %u flows: %s\n", this->name, 1u << bits, strerror(-error));
	bench.error = error;
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

/* Not every kernel tells where it is. */
static void open_profile(void)
{
	int error = profile_open(&bench.profile, bench.world[0].program);

	if (error)
		fprintf(stderr, "bench: no profile: %s\n", strerror(-error));
}

static void run_case(const struct bench_case *this, bool many)
{
	for (size_t i = 0; i < CASE_SIZES; i++) {
		uint32_t bits = this->size[i].bits;

		if ((i == 0 || bits) && (bits >= MANY_FLOWS) == many &&
		    (!bench.only_flows || bench.only_flows == 1u << bits))
			try_size(this, bits, this->size[i].budget_ns);
	}
}

/* All sizes up to 2^20 flows, or from there on; each with a flow table that is at most half full.
 */
static int run_cases(bool many)
{
	int error = open_worlds(1u << (bench.table_bits + many));

	if (!error && !many)
		open_profile();
	for (size_t i = 0; !error && i < bench_case_count; i++)
		if (!bench.only || strstr(bench_cases[i].name, bench.only))
			run_case(&bench_cases[i], many);
	for (size_t i = 0; i < bench.worlds; i++)
		world_close(&bench.world[i]);
	return error;
}

static void print_head(void)
{
	printf("ns per packet: net = gross - empty; `tunnel` is a constant header alone, net\n");
	printf("  %-25s %8s %8s %8s %6s %8s %8s %-6s%s\n", "case", "flows", "gross", "net", "noise",
	       "tunnel", "budget", "", bench.against ? "  against   change" : "");
	fflush(stdout);
}

/* How steady the machine was: the same nothing, measured in every case. */
static void print_floors(void)
{
	struct spread empty = spread_of(bench.empty, bench.empties);
	double least = empty.median, most = empty.median;

	for (size_t i = 0; i < bench.empties; i++) {
		least = bench.empty[i] < least ? bench.empty[i] : least;
		most = bench.empty[i] > most ? bench.empty[i] : most;
	}
	printf("noise: of each row, half the distance between the quartiles of net; the empty "
	       "program took %.1f ns\n"
	       "(median over cases, quartiles +-%.1f, least %.1f, most %.1f)\n",
	       empty.median, empty.noise, least, most);
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

	if (!error && bench.frags)
		error = verifier_report(bench.frags, &over);
	if (!error && bench.agent)
		error = verifier_report(bench.agent, &over);
	if (!error)
		error = wrapper_open(&bench.wrapper, bench.wrapper_file);
	if (error)
		return error;
	if (network_open() != 0)
		fprintf(stderr, "bench: no network of its own: NAT's answers have no way to go\n");
	stay_here();
	print_head();
	error = run_cases(false);
	if (!error)
		error = run_cases(true);
	if (!error)
		print_floors();
	if (bench.profile)
		profile_print(bench.profile, bench.rows);
	profile_close(bench.profile);
	wrapper_close(&bench.wrapper);
	return error ?: bench.error;
}

static const struct option_row rows[] = {
	{"balancer", "FILE", "object file (build/larch.bpf.o)", option_text, &bench.balancer, 0, 0},
	{"against", "FILE", "another balancer, measured in turn with it", option_text,
	 &bench.against, 0, 0},
	{"frags", "FILE", "the balancer for jumbo frames, to be verified only", option_text,
	 &bench.frags, 0, 0},
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
