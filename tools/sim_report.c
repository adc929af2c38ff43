// SPDX-License-Identifier: BSD-2-Clause
/* See sim_report.h. */
#include "sim_report.h"

#include <errno.h>
#include <jansson.h>

static void print_ms(FILE *out, double ms)
{
	if (ms < 0)
		fprintf(out, " %8s", "-");
	else
		fprintf(out, " %8.*f", ms < 100 ? 2 : 0, ms);
}

static void print_ratio(FILE *out, double value, double by)
{
	if (by > 0 && value >= 0)
		fprintf(out, " %7.3f", value / by);
	else
		fprintf(out, " %7s", "-");
}

static void print_row(const struct sim_batch *batch, size_t at, FILE *out)
{
	struct sim_result row = sim_batch_mean(batch, at), oracle = {};
	const struct sim_case *of = &batch->cases[at];

	sim_batch_oracle(batch, at, &oracle);
	fprintf(out, "%-10s %5zu %-18s", of->scenario->name, of->nodes, of->policy->name);
	print_ms(out, row.mean);
	print_ms(out, row.p50);
	print_ms(out, row.p99);
	print_ms(out, row.p999);
	print_ratio(out, row.mean, oracle.mean);
	print_ratio(out, row.p99, oracle.p99);
	print_ratio(out, row.p999, oracle.p999);
	print_ms(out, row.shed);
	print_ms(out, row.readmit);
	fprintf(out, " %6llu %6.1f\n", (unsigned long long)row.lost, row.seconds);
}

void sim_report_table(const struct sim_batch *batch, FILE *out)
{
	fprintf(out, "mean of %zu seed%s; ms, and ratios to the oracle\n", batch->seeds,
		batch->seeds > 1 ? "s" : "");
	for (size_t i = 0; i < batch->count; i++) {
		if (sim_batch_begins(batch, i))
			fprintf(out,
				"\n%-10s %5s %-18s %8s %8s %8s %8s %7s %7s %7s %8s %8s %6s %6s\n",
				"scenario", "nodes", "policy", "mean", "p50", "p99", "p99.9",
				"mean/o", "p99/o", "p99.9/o", "shed", "readmit", "lost", "cpu s");
		print_row(batch, i, out);
	}
}

static json_t *time_of(double ms)
{
	return ms < 0 ? json_null() : json_real(ms);
}

static json_t *row_of(const struct sim_batch *batch, size_t at, size_t seed)
{
	const struct sim_result *result = sim_batch_result(batch, at, seed);
	const struct sim_case *of = &batch->cases[at];

	return json_pack("{ss, ss, si, sI, so, so, so, so, so, so, sI, sI}", "scenario",
			 of->scenario->name, "policy", of->policy->name, "nodes", (int)of->nodes,
			 "seed", (json_int_t)(batch->first_seed + seed), "mean_ms",
			 time_of(result->mean), "p50_ms", time_of(result->p50), "p99_ms",
			 time_of(result->p99), "p999_ms", time_of(result->p999), "shed_ms",
			 time_of(result->shed), "readmit_ms", time_of(result->readmit), "requests",
			 (json_int_t)result->requests, "lost", (json_int_t)result->lost);
}

int sim_report_json(const struct sim_batch *batch, const char *file)
{
	json_t *rows = json_array();
	int error = 0;

	for (size_t at = 0; at < batch->count; at++) {
		for (size_t seed = 0; seed < batch->seeds; seed++) {
			if (json_array_append_new(rows, row_of(batch, at, seed)))
				error = -ENOMEM;
		}
	}
	if (!error && json_dump_file(rows, file, JSON_INDENT(1) | JSON_REAL_PRECISION(6)))
		error = -EIO;
	json_decref(rows);
	return error;
}
