// SPDX-License-Identifier: BSD-2-Clause
/*
 * Connections per second through several ways to the same servers, as ratios within one run: many
 * clients at once, each connects, asks one small thing by HTTP/1.0, reads to the end and closes;
 * then the next one. tools/compare-connections builds the namespaces and runs this in the clients'.
 *
 * In: --target NAME=ADDR:PORT, the first one's rate is divided by each of the others'. Out: a table
 * on stdout; with --rows a line of JSON per ratio. Targets take turns; medians over rounds.
 *
 * A process per CPU: with one alone, it would be the client that is measured. They keep in step by
 * the clock, since every turn has its time from the start on.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "connbench.h"
#include "lib/options.h"
#include "lib/spread.h"

#define CLIENTS	 64
#define PARALLEL 4096
#define LEAST	 0.99 /* of all connections that ended */
#define START_NS (20 * NS_PER_MS)

static const char *rows_file;
static FILE *rows_out;
static struct plan plan = {.parallel = 128, .rounds = 19, .turn_s = 0.25};

static void add_up(void)
{
	for (size_t i = 0; i < plan.targets; i++) {
		for (size_t round = 0; round < plan.rounds; round++) {
			uint64_t done = 0;

			for (size_t client = 0; client < plan.clients; client++)
				done += plan.tally[client].done[i][round + 1];
			plan.target[i].rate[round] = (double)done / plan.turn_s;
		}
	}
}

static int run_clients(void)
{
	int status, error = 0;

	plan.start_ns = clock_now() + START_NS;
	for (size_t client = 0; client < plan.clients; client++) {
		pid_t child = fork();

		if (child < 0)
			error = -errno;
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(client_run(&plan, client) ? 1 : 0);
		}
	}
	while (wait(&status) > 0)
		if (status != 0)
			error = -EIO;
	add_up();
	return error;
}

static bool is_sound(size_t target)
{
	uint64_t done = 0, failed = 0;

	for (size_t client = 0; client < plan.clients; client++) {
		failed += plan.tally[client].failed[target];
		for (size_t round = 0; round <= plan.rounds; round++)
			done += plan.tally[client].done[target][round];
	}
	if (done && (double)failed <= (1 - LEAST) * (double)done)
		return true;
	printf("  cps_larch_over_%-10s skipped: of %lu connections %lu failed\n",
	       plan.target[target].name, done + failed, failed);
	fprintf(stderr, "connbench: %s: %lu connections failed, %lu did not\n",
		plan.target[target].name, failed, done);
	return false;
}

static void report(const struct target *ours, const struct target *theirs)
{
	struct spread ratio = spread_ratio(ours->rate, theirs->rate, plan.rounds);

	printf("  cps_%s_over_%-9s %8lu %8.2f %7.3f %10.0f %10.0f\n", ours->name, theirs->name,
	       plan.parallel, ratio.median, ratio.noise, spread_of(ours->rate, plan.rounds).median,
	       spread_of(theirs->rate, plan.rounds).median);
	if (rows_out)
		fprintf(rows_out,
			"{\"case\": \"cps_%s_over_%s\", \"flows\": %lu, \"ratio\": %.3f, "
			"\"noise\": %.3f}\n",
			ours->name, theirs->name, plan.parallel, ratio.median, ratio.noise);
}

static int run_all(void)
{
	int error = run_clients();

	if (error || !is_sound(0))
		return error ?: -EPROTO;
	printf("connections a second, %lu at once: ratio = Larch's / the rival's; > 1: more by "
	       "Larch\n"
	       "  %-24s %8s %8s %7s %10s %10s\n",
	       plan.parallel, "comparison", "flows", "ratio", "noise", "larch", "rival");
	for (size_t i = 1; i < plan.targets; i++)
		if (is_sound(i))
			report(&plan.target[0], &plan.target[i]);
	return 0;
}

static int open_memory(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (!plan.clients)
		plan.clients = cpus < 1 ? 1 : cpus > CLIENTS ? CLIENTS : (uint64_t)cpus;
	plan.tally = mmap(NULL, plan.clients * sizeof(*plan.tally), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return plan.tally != MAP_FAILED ? 0 : -ENOMEM;
}

static int option_target(const struct option_row *row, const char *text, char *why)
{
	struct target *target = &plan.target[plan.targets];
	const char *at = strchr(text, '=');
	struct endpoint endpoint;

	(void)row;
	if (plan.targets == TARGETS) {
		snprintf(why, OPTION_WHY_SIZE, "%d at most", TARGETS);
		return -ENOSPC;
	}
	if (!at || at - text >= (long)sizeof(target->name) || endpoint_parse(at + 1, &endpoint)) {
		snprintf(why, OPTION_WHY_SIZE, "must be like larch=10.0.0.1:80");
		return -EINVAL;
	}
	snprintf(target->name, sizeof(target->name), "%.*s", (int)(at - text), text);
	target->length = endpoint_to_sockaddr(&endpoint, &target->address);
	plan.targets++;
	return 0;
}

static int option_sources(const struct option_row *row, const char *text, char *why)
{
	(void)row;
	snprintf(why, OPTION_WHY_SIZE, "must be like 10.1.0.0/24");
	return prefix_parse(text, &plan.sources);
}

static const struct option_row rows[] = {
	{"target", "NAME=ADDR:PORT", "a way to the servers; the first is Larch's", option_target,
	 NULL, 0, 0},
	{"source", "CIDR", "the clients' addresses, local ones", option_sources, NULL, 0, 0},
	{"parallel", "COUNT", "connections at once (128)", option_count, &plan.parallel, 1,
	 PARALLEL},
	{"clients", "COUNT", "processes that share them (one per CPU)", option_count, &plan.clients,
	 1, CLIENTS},
	{"rounds", "COUNT", "turns of each target (19)", option_count, &plan.rounds, 1, ROUNDS},
	{"turn", "S", "seconds of a turn (0.25)", option_real, &plan.turn_s, 0.01, 60},
	{"rows", "FILE", "append a line of JSON per ratio", option_text, &rows_file, 0, 0},
	{},
};

int main(int argc, char **argv)
{
	int first = options_parse(rows,
				  "usage: connbench --source CIDR --target NAME=ADDR:PORT... "
				  "[options]\n\nConnections per second by several ways, in turns.",
				  argc, argv);
	int error;

	if (first <= 0)
		return first ? 2 : 0;
	if (!plan.targets || !plan.sources.base.family) {
		fprintf(stderr, "connbench: --source and --target are needed\n");
		return 2;
	}
	if (rows_file && !(rows_out = fopen(rows_file, "ae"))) {
		fprintf(stderr, "connbench: %s: %s\n", rows_file, strerror(errno));
		return 1;
	}
	error = open_memory();
	if (!error)
		error = run_all();
	if (rows_out && fclose(rows_out) != 0)
		error = -errno;
	return error ? 1 : 0;
}
