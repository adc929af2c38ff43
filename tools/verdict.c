// SPDX-License-Identifier: BSD-2-Clause
// The demo's verdict, from the clients' own clock: did learning pay?
//
// In: loadgen's report and log, the arm of each flow as larchctl tells it, the phases (even,
// learning, slow, back). Out: what it measured, per client prefix and altogether; the picture; as
// the last line the figures. Exit status: 0 they meet the bars, 1 they do not, 2 usage or no data.
//
// control_p99_ms, learned_p99_ms: over all requests of the short flows that began while the backend
// was slow, from its first moment to its last; latency from each request's intended time, the first
// one's with the connect. flows: all of the run. broken: all flows that were refused, reset, cut,
// timed out, answered with other bytes or by another backend, not finished or not even started.
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "verdict.h"
#include "lib/options.h"

#define LEAST_RATIO	 2.0
#define MOST_RECOVERED_S 3.0
#define SETTLED_S	 10.0 // of a phase: its end counts in the table

static const char usage[] = "usage: verdict --report FILE --log FILE --arms FILE --phases FILE "
			    "--slow NAME [--svg FILE]";

static double settled_p99(const struct run *run, int arm, int prefix, const char *name)
{
	const struct filter filter = {.arm = arm, .prefix = prefix, .by_flow = true};
	const struct phase *phase = run_phase(run, name);
	double begin_s;

	if (!phase)
		return NAN;
	begin_s = fmax(phase->begin_s, phase->end_s - SETTLED_S);
	return run_quantile(run, &filter, begin_s, phase->end_s, 0.99);
}

static double slow_p99(const struct run *run, int arm, int prefix)
{
	const struct filter filter = {.arm = arm, .prefix = prefix, .by_flow = true};
	const struct phase *phase = run_phase(run, "slow");

	return phase ? run_quantile(run, &filter, phase->begin_s, phase->end_s, 0.99) : NAN;
}

static void print_row(const struct run *run, const char *title, int prefix)
{
	double learned = slow_p99(run, ARM_LEARNED, prefix);
	double control = slow_p99(run, ARM_CONTROL, prefix);

	printf("  %-16s %8.1f %10.1f %9.1f %10.1f %8.1f %7.1f %10.1f %8.1f\n", title,
	       settled_p99(run, -1, prefix, "even"),
	       settled_p99(run, ARM_LEARNED, prefix, "learning"),
	       settled_p99(run, ARM_CONTROL, prefix, "learning"), learned, control,
	       control / learned, settled_p99(run, ARM_LEARNED, prefix, "back"),
	       settled_p99(run, ARM_CONTROL, prefix, "back"));
}

static bool prefix_before(const struct prefix *a, const struct prefix *b)
{
	return a->base.family != b->base.family ? a->base.family < b->base.family
						: a->base.bits < b->base.bits;
}

// The next prefix in order of addresses, after `last` (-1: the first); -1: there is none.
static int next_prefix(const struct run *run, int last)
{
	int next = -1;

	for (int i = 0; i < (int)run->prefixes; i++)
		if ((last < 0 || prefix_before(&run->prefix[last], &run->prefix[i])) &&
		    (next < 0 || prefix_before(&run->prefix[i], &run->prefix[next])))
			next = i;
	return next;
}

static void print_table(const struct run *run)
{
	char text[ADDRESS_TEXT_SIZE];

	printf("p99 in ms by the clients' own clock, from each request's intended time\n"
	       "(flows of the last %.0f s of a phase; of the whole phase while one was slow)\n\n",
	       SETTLED_S);
	printf("  %-16s %8s %20s %27s %19s\n", "", "even", "learning", "one backend slow", "back");
	printf("  %-16s %8s %10s %9s %10s %8s %7s %10s %8s\n", "clients", "all", "learned",
	       "control", "learned", "control", "ratio", "learned", "control");
	for (int i = next_prefix(run, -1); i >= 0; i = next_prefix(run, i))
		print_row(run, prefix_text(&run->prefix[i], text), i);
	print_row(run, "all", -1);
}

static void print_seconds(const char *what, double seconds)
{
	if (isinf(seconds))
		printf("  %-66s  never\n", what);
	else
		printf("  %-66s %6.2f s\n", what, seconds);
}

static void print_recovery(const struct run *run, const char *slow, const struct recovery *r)
{
	printf("\nLearned new flows when %s slowed down (windows of 0.5 s, every 0.05 s):\n", slow);
	printf("  p99 %.1f ms before, so that up to %.1f ms counts as recovered; worst window %.1f "
	       "ms\n",
	       r->before_ms, r->limit_ms, r->worst_ms);
	printf("  %s had %.0f %% of them before\n", slow, 100 * r->share_before);
	print_seconds("from the slowing until it gets less than a fifth of that", r->avoided_s);
	print_seconds("from the slowing until p99 is back (9 of 10 windows of the next 5 s)",
		      r->recovered_s);
	print_seconds("from its return until it gets half of that again", r->returned_s);
	printf("\n%llu flows, %llu requests on the long-lived ones, %.1f MB compared byte by byte, "
	       "%llu broken.\nThe generator's own lateness: p99 %.2f ms.\n",
	       (unsigned long long)run->flows, (unsigned long long)run->long_requests,
	       (double)run->bytes / 1e6, (unsigned long long)run->broken, run->late_p99_ms);
}

static bool require(bool met, const char *text)
{
	if (!met)
		printf("FAILED: %s\n", text);
	return met;
}

static bool judge(const struct run *run, double ratio, double recovered_s)
{
	bool ok = require(run->broken == 0, "flows were broken");

	ok &= require(ratio >= LEAST_RATIO,
		      "control p99 is not at least twice the learned one while one is slow");
	ok &= require(recovered_s <= MOST_RECOVERED_S,
		      "the p99 of new flows was not back within 3 s");
	return ok;
}

static int report(const struct run *run, const char *slow, const char *svg)
{
	double control = slow_p99(run, ARM_CONTROL, -1), learned = slow_p99(run, ARM_LEARNED, -1);
	double ratio = control / learned;
	struct recovery recovery;
	bool ok;

	if (run_recovery(run, slow, &recovery)) {
		fprintf(stderr,
			"verdict: the phases are not even, learning, slow, back, or %s "
			"answered nobody\n",
			slow);
		return 2;
	}
	print_table(run);
	print_recovery(run, slow, &recovery);
	if (svg && svg_write(run, svg))
		fprintf(stderr, "verdict: cannot write %s\n", svg);
	ok = judge(run, ratio, recovery.recovered_s);
	printf("demo: control_p99_ms=%.1f learned_p99_ms=%.1f ratio=%.2f broken=%llu flows=%llu "
	       "recovered_s=%.2f\n",
	       control, learned, ratio, (unsigned long long)run->broken,
	       (unsigned long long)run->flows, recovery.recovered_s);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct verdict_files files = {0};
	const char *slow = NULL, *svg = NULL;
	const struct option_row rows[] = {
		{"report", "FILE", "what loadgen printed", option_text, &files.report, 0, 0},
		{"log", "FILE", "loadgen's log", option_text, &files.log, 0, 0},
		{"arms", "FILE", "what larchctl arm printed", option_text, &files.arms, 0, 0},
		{"phases", "FILE", "lines: time since the epoch, name, title", option_text,
		 &files.phases, 0, 0},
		{"slow", "NAME", "the backend that was slow", option_text, &slow, 0, 0},
		{"svg", "FILE", "where to draw p99 over time", option_text, &svg, 0, 0},
		{0},
	};
	int rest = options_parse(rows, usage, argc, argv), status = 2;
	struct run run;

	if (rest <= 0)
		return rest ? 2 : 0;
	if (!files.report || !files.log || !files.arms || !files.phases || !slow || rest < argc) {
		fprintf(stderr, "%s\n", usage);
		return 2;
	}
	if (!run_read(&run, &files))
		status = report(&run, slow, svg);
	run_free(&run);
	return status;
}
