// SPDX-License-Identifier: BSD-2-Clause
/* See sim_report.h. */
#include "sim_report.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* SIZE_MAX: it was not run. */
static size_t oracle_of(const struct sim_batch *batch)
{
	for (size_t i = 0; i < batch->policies; i++) {
		if (strcmp(batch->policy[i]->name, "oracle") == 0)
			return i;
	}
	return SIZE_MAX;
}

static void print_ms(FILE *out, double ms)
{
	if (ms < 0)
		fprintf(out, " %8s", "-");
	else
		fprintf(out, " %8.*f", ms < 100 ? 2 : 0, ms);
}

static void print_ratio(FILE *out, double value, double by)
{
	if (by > 0)
		fprintf(out, " %7.3f", value / by);
	else
		fprintf(out, " %7s", "-");
}

static void print_row(const struct sim_batch *batch, size_t scenario, size_t policy, FILE *out)
{
	struct sim_result row = sim_batch_mean(batch, scenario, policy), oracle = {};

	if (oracle_of(batch) != SIZE_MAX)
		oracle = sim_batch_mean(batch, scenario, oracle_of(batch));
	fprintf(out, "%-10s %-18s", batch->scenario[scenario]->name, batch->policy[policy]->name);
	print_ms(out, row.mean);
	print_ms(out, row.p50);
	print_ms(out, row.p99);
	print_ms(out, row.p999);
	print_ratio(out, row.mean, oracle.mean);
	print_ratio(out, row.p99, oracle.p99);
	print_ratio(out, row.p999, oracle.p999);
	print_ms(out, row.shed);
	print_ms(out, row.readmit);
	fprintf(out, " %7llu %6.1f\n", (unsigned long long)row.lost, row.seconds);
}

void sim_report_table(const struct sim_batch *batch, FILE *out)
{
	fprintf(out, "%zu node%s, %zu seed%s; ms, and ratios to the oracle\n", batch->nodes,
		batch->nodes > 1 ? "s" : "", batch->seeds, batch->seeds > 1 ? "s" : "");
	for (size_t s = 0; s < batch->scenarios; s++) {
		fprintf(out, "\n%-10s %-18s %8s %8s %8s %8s %7s %7s %7s %8s %8s %7s %6s\n",
			"scenario", "policy", "mean", "p50", "p99", "p99.9", "mean/o", "p99/o",
			"p99.9/o", "shed", "readmit", "lost", "cpu s");
		for (size_t p = 0; p < batch->policies; p++)
			print_row(batch, s, p, out);
	}
}

static json_t *time_of(double ms)
{
	return ms < 0 ? json_null() : json_real(ms);
}

static json_t *row_of(const struct sim_batch *batch, size_t scenario, size_t policy, size_t seed)
{
	const struct sim_result *result = sim_batch_result(batch, scenario, policy, seed);

	return json_pack("{ss, ss, si, sI, sf, sf, sf, sf, so, so, sI, sI}", "scenario",
			 batch->scenario[scenario]->name, "policy", batch->policy[policy]->name,
			 "nodes", (int)batch->nodes, "seed", (json_int_t)(batch->first_seed + seed),
			 "mean_ms", result->mean, "p50_ms", result->p50, "p99_ms", result->p99,
			 "p999_ms", result->p999, "shed_ms", time_of(result->shed), "readmit_ms",
			 time_of(result->readmit), "requests", (json_int_t)result->requests, "lost",
			 (json_int_t)result->lost);
}

int sim_report_json(const struct sim_batch *batch, const char *file)
{
	json_t *rows = json_array();
	int error = 0;

	for (size_t s = 0; s < batch->scenarios; s++)
		for (size_t p = 0; p < batch->policies; p++)
			for (size_t i = 0; i < batch->seeds; i++)
				if (json_array_append_new(rows, row_of(batch, s, p, i)))
					error = -ENOMEM;
	if (!error && json_dump_file(rows, file, JSON_INDENT(1) | JSON_REAL_PRECISION(6)))
		error = -EIO;
	json_decref(rows);
	return error;
}
