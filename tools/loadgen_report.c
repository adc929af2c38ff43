// SPDX-License-Identifier: BSD-2-Clause
// Reports as NDJSON: one line at the start, one per interval, one at the end. In: tallies.
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "loadgen.h"
#include "clock.h"

static void put_count(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

// Rounded to a millionth: nobody reads more.
static void put_real(json_t *object, const char *name, double value)
{
	json_object_set_new(object, name, json_real(round(value * 1e6) / 1e6));
}

// null if nothing was measured.
static void put_quantile(json_t *object, const char *name, const struct histogram *h, double q)
{
	if (h->count)
		put_real(object, name, clock_ms(histogram_quantile(h, q)));
	else
		json_object_set_new(object, name, json_null());
}

static json_t *latency_json(const struct histogram *h)
{
	json_t *out = json_object();

	put_count(out, "count", h->count);
	put_quantile(out, "p50", h, 0.5);
	put_quantile(out, "p90", h, 0.9);
	put_quantile(out, "p99", h, 0.99);
	put_quantile(out, "p99.9", h, 0.999);
	put_real(out, "mean", histogram_mean(h) / (double)NS_PER_MS);
	put_real(out, "max", clock_ms(h->max));
	return out;
}

static json_t *backends_json(const struct loadgen *g, const struct tally *t)
{
	json_t *out = json_object();

	for (size_t i = 0; i < g->backend_count; i++)
		if (t->answers[i])
			put_real(out, g->backends[i], (double)t->answers[i] / (double)t->requests);
	return out;
}

static json_t *broken_json(const struct tally *t)
{
	json_t *out = json_object(), *reasons = json_object();

	put_count(out, "total", tally_broken(t));
	put_count(out, "connect_failed", tally_connect_failed(t));
	for (int i = OUTCOME_REFUSED; i < OUTCOME_COUNT; i++)
		if (t->outcomes[i])
			put_count(reasons, outcome_name((enum outcome)i), t->outcomes[i]);
	json_object_set_new(out, "by_reason", reasons);
	return out;
}

static int emit(json_t *line)
{
	int failed = json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));

	failed |= putchar('\n') == EOF;
	failed |= fflush(stdout);
	json_decref(line);
	return failed ? -EIO : 0;
}

int report_start(const struct loadgen *g)
{
	const struct loadgen_options *o = &g->options;
	uint64_t realtime_ns = clock_read(CLOCK_REALTIME);
	uint64_t passed_ns = clock_now() - g->start_ns;
	json_t *line = json_object(), *start = json_object();

	put_count(start, "monotonic_ns", g->start_ns);
	put_count(start, "realtime_ns", realtime_ns - passed_ns);
	put_count(start, "seed", o->seed);
	put_real(start, "rate", o->rate);
	put_count(start, "requests_per_flow", o->requests);
	put_real(start, "gap_ms", o->gap_ms);
	put_real(start, "duration_s", o->duration_s);
	put_count(start, "body", o->body);
	put_count(start, "long", o->long_count);
	put_count(start, "max_open", o->max_open);
	json_object_set_new(line, "start", start);
	return emit(line);
}

static json_t *interval_tally_json(const struct loadgen *g, const struct tallies *t)
{
	json_t *out = json_object();

	put_count(out, "requests", t->now.requests);
	put_count(out, "flows", t->now.flows);
	put_quantile(out, "first_p50_ms", &t->now.first, 0.5);
	put_quantile(out, "first_p99_ms", &t->now.first, 0.99);
	put_quantile(out, "p50_ms", &t->now.all, 0.5);
	put_quantile(out, "p99_ms", &t->now.all, 0.99);
	put_count(out, "rejected", t->now.outcomes[OUTCOME_REJECTED]);
	put_count(out, "broken", tally_broken(&t->now) + tally_broken(&t->total));
	json_object_set_new(out, "backends", backends_json(g, &t->now));
	return out;
}

int report_interval(struct loadgen *g)
{
	json_t *line = json_object(), *prefixes = json_object();

	put_real(line, "t", (double)(g->loop.now_ns - g->start_ns) / (double)NS_PER_S);
	put_count(line, "open", g->open);
	put_count(line, "not_started", g->not_started);
	put_quantile(line, "late_p99_ms", g->late, 0.99);
	for (size_t i = 0; i < g->options.source_count; i++) {
		struct source *source = &g->options.sources[i];

		json_object_set_new(prefixes, source->text,
				    interval_tally_json(g, source->tallies));
		tallies_turn(source->tallies);
	}
	json_object_set_new(line, "prefixes", prefixes);
	if (g->options.long_count) {
		json_t *longs = interval_tally_json(g, g->long_tallies);

		put_count(longs, "open", g->long_open);
		json_object_set_new(line, "long", longs);
	}
	tallies_turn(g->long_tallies);
	return emit(line);
}

static json_t *total_json(const struct loadgen *g, const struct tally *t)
{
	json_t *out = json_object();

	put_count(out, "flows", t->flows);
	put_count(out, "requests", t->requests);
	put_count(out, "rejected", t->outcomes[OUTCOME_REJECTED]);
	put_count(out, "abandoned_requests", t->abandoned);
	put_count(out, "bytes_verified", t->bytes);
	json_object_set_new(out, "broken", broken_json(t));
	json_object_set_new(out, "backends", backends_json(g, t));
	json_object_set_new(out, "first_ms", latency_json(&t->first));
	json_object_set_new(out, "all_ms", latency_json(&t->all));
	return out;
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void put_run(const struct loadgen *g, json_t *summary)
{
	put_real(summary, "elapsed_s", (double)(g->loop.now_ns - g->start_ns) / (double)NS_PER_S);
	put_real(summary, "cpu_s", cpu_s());
	json_object_set_new(summary, "interrupted", json_boolean(g->interrupted));
	put_count(summary, "not_started", g->not_started);
	put_count(summary, "unfinished", g->unfinished);
	json_object_set_new(summary, "late_ms", latency_json(g->late));
}

// Totals are those of the last interval's turn: call after report_interval().
int report_summary(struct loadgen *g)
{
	json_t *line = json_object(), *summary, *prefixes = json_object();
	struct tally *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	histogram_reset(&all->first);
	histogram_reset(&all->all);
	for (size_t i = 0; i < g->options.source_count; i++) {
		const struct source *source = &g->options.sources[i];

		tally_add(all, &source->tallies->total);
		json_object_set_new(prefixes, source->text, total_json(g, &source->tallies->total));
	}
	summary = total_json(g, all);
	free(all);
	put_run(g, summary);
	json_object_set_new(summary, "prefixes", prefixes);
	if (g->options.long_count)
		json_object_set_new(summary, "long", total_json(g, &g->long_tallies->total));
	json_object_set_new(line, "summary", summary);
	return emit(line);
}
