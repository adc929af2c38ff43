// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the controller's tick costs, stage by stage, in milliseconds: larchd's own modules, on real
 * maps where a stage touches them (created under a pin folder of this process, which is removed at
 * once), and on made-up samples.
 *
 * Out: a table on stdout; with --rows a line of JSON per stage. Medians over some ticks.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cells.h"
#include "datapath.h"
#include "judge.h"
#include "learner.h"
#include "clock.h"
#include "lib/options.h"
#include "log.h"
#include "publisher.h"
#include "tickbench.h"

#define TICKS	     9	/* of each scene; the first does not count */
#define FEW	     3	/* of what takes long */
#define MANY	     40 /* of what is not the same in each tick */
#define SERVICE	     0
#define FLOW_ENTRIES 65536
#define CONCURRENCY  64

/* Budgets of DESIGN.md, ms. */
#define BUDGET_TRAIN  50
#define BUDGET_BUILD  10
#define BUDGET_SWITCH 1

static struct {
	const char *rows_file;
	FILE *rows;
	struct datapath *datapath;
} bench;

enum { READ, TRAIN, SHARES, RINGS, PUBLISH, SWITCH, JUDGE, STAGE_COUNT };

static const char *const names[STAGE_COUNT] = {
	"read", "train", "shares", "rings", "publish", "switch", "judge",
};

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* Prints the median of a stage's times. `what` counts cells, or leaves where there are no cells. */
static void report(const char *stage, const char *what, size_t count, size_t members, double *ms,
		   size_t times, double budget)
{
	double median;

	qsort(ms, times, sizeof(*ms), compare);
	median = ms[times / 2];
	printf("  %-16s %7zu %-7s %7zu %10.4f %10.4f ", stage, count, what, members, median,
	       ms[times - 1]);
	if (budget > 0)
		printf("%8.0f %s\n", budget, median <= budget ? "met" : "OVER");
	else
		printf("%8s\n", "-");
	fflush(stdout);
	if (bench.rows)
		fprintf(bench.rows,
			"{\"case\": \"%s\", \"%s\": %zu, \"members\": %zu, \"ms\": %.4f}\n", stage,
			what, count, members, median);
}

/* Milliseconds since *since, which moves to now. */
static double lap(uint64_t *since)
{
	uint64_t now = clock_read(CLOCK_THREAD_CPUTIME_ID);
	double ms = clock_ms(now - *since);

	*since = now;
	return ms;
}

/* What the learner needs for `members` backends alike. */
struct service {
	struct learner_member member[LARCH_MAX_MEMBERS];
	struct ring_builder *builder;
	struct cells *cells;
	struct judge *judge;
	struct learner_input input;
};

static int make_builder(struct service *service, size_t members)
{
	uint64_t identity[LARCH_MAX_MEMBERS];

	for (size_t i = 0; i < members; i++)
		identity[i] = ring_identity(&i, sizeof(i));
	return ring_builder_new(&service->builder, identity, members);
}

static int service_open(struct service *service, size_t members)
{
	*service = (struct service){};
	for (size_t i = 0; i < members; i++)
		service->member[i] =
			(struct learner_member){(uint16_t)i, 100, true, CONCURRENCY, 0};
	service->input = (struct learner_input){
		.member = service->member,
		.members = members,
		.tree = {24, 6, 100, 0.02, 4, 1, TREE_INTERACTION, true},
		.shares = {150, 0.3, 0.002, 0.2},
		.demand_factor = 0.07,
		.learned = true,
	};
	if (make_builder(service, members) || judge_new(&service->judge))
		return -ENOMEM;
	service->input.builder = service->builder;
	return 0;
}

static void service_close(struct service *service)
{
	generation_free((struct generation *)service->input.last);
	ring_builder_free(service->builder);
	cells_free(service->cells);
	judge_free(service->judge);
}

/* --- a whole tick on real maps --- */

/* A judge compares both arms over as many blocks as it keeps: here they are. */
static void fill_judge(struct service *service)
{
	for (unsigned block = 0; block < JUDGE_BLOCKS; block++) {
		struct latency arm[JUDGE_ARMS] = {};

		for (unsigned i = 0; i < 100; i++) {
			arm[LARCH_ARM_LEARNED].bucket[60 + (i * 7 + block) % 40] += 150;
			arm[LARCH_ARM_CONTROL].bucket[62 + (i * 5 + block) % 40] += 10;
		}
		judge_add(service->judge, arm, 1);
	}
}

static int open_cells(struct service *service, size_t members)
{
	const struct cells_options options = {.half_life_server = 10, .half_life_connect = 2};
	uint16_t backend[LARCH_MAX_MEMBERS];
	int error = cells_new(&service->cells, &options);

	for (size_t i = 0; i < members; i++)
		backend[i] = (uint16_t)i;
	return error ? error : cells_members(service->cells, backend, members);
}

/* What BPF would have written into larch_cells by now. */
static int write_cells(const struct scene *scene, unsigned ticks)
{
	for (size_t client = 0; client < scene->clients; client++) {
		for (size_t member = 0; member < scene->members; member++) {
			struct larch_samples samples;
			struct larch_cell key;

			scene_cell(scene, client, member, ticks, &key, &samples);
			if (bpf_map_update_elem(bench.datapath->cells, &key, &samples, BPF_ANY) !=
			    0)
				return -errno;
		}
	}
	return 0;
}

static int empty_cells(const struct scene *scene)
{
	for (size_t client = 0; client < scene->clients; client++) {
		for (size_t member = 0; member < scene->members; member++) {
			struct larch_samples samples;
			struct larch_cell key;

			scene_cell(scene, client, member, 1, &key, &samples);
			if (datapath_remove_cell(bench.datapath, &key) != 0)
				return -EIO;
		}
	}
	return 0;
}

static void take_cell(void *context, const struct larch_cell *cell,
		      const struct larch_samples *samples)
{
	cells_update(context, cell, samples, true);
}

/* The current generation once more, by the store that publication ends with. */
static void switch_generation(void)
{
	struct larch_active *active = &bench.datapath->active[SERVICE];
	uint64_t word;

	memcpy(&word, active, sizeof(word));
	__atomic_store_n((uint64_t *)(void *)active, word, __ATOMIC_SEQ_CST);
}

static int tick(struct service *service, double ms[STAGE_COUNT])
{
	struct generation *next = NULL;
	struct judge_report judged;
	struct table table;
	uint64_t clock = clock_read(CLOCK_THREAD_CPUTIME_ID);
	int error;

	cells_begin(service->cells, 1);
	error = datapath_each_cell(bench.datapath, take_cell, service->cells);
	ms[READ] = lap(&clock);
	if (!error)
		error = cells_table(service->cells, &table);
	service->input.table = &table;
	if (!error)
		error = learner_train(&service->input, &next);
	ms[TRAIN] = lap(&clock);
	if (!error)
		error = learner_solve(&service->input, next);
	ms[SHARES] = lap(&clock);
	if (error)
		goto fail;
	learner_rings(&service->input, next);
	ms[RINGS] = lap(&clock);
	error = publisher_publish(bench.datapath, SERVICE, next);
	ms[PUBLISH] = lap(&clock);
	if (error)
		goto fail;
	switch_generation();
	ms[SWITCH] = lap(&clock);
	judge_add(service->judge, cells_arms(service->cells), 1);
	judge_compare(service->judge, JUDGE_BLOCKS, &judged);
	ms[JUDGE] = lap(&clock);
	generation_free((struct generation *)service->input.last);
	service->input.last = next;
	return 0;
fail:
	generation_free(next);
	return error;
}

static int run_ticks(const struct scene *scene, struct service *service)
{
	double times[STAGE_COUNT][TICKS], ms[STAGE_COUNT];
	char stage[32];
	int error = 0;

	for (unsigned i = 0; !error && i <= TICKS; i++) {
		error = write_cells(scene, i + 1);
		if (!error)
			error = tick(service, ms);
		for (size_t j = 0; i > 0 && j < STAGE_COUNT; j++)
			times[j][i - 1] = ms[j];
	}
	for (size_t j = 0; !error && j < STAGE_COUNT; j++) {
		snprintf(stage, sizeof(stage), "tick_%s", names[j]);
		report(stage, "cells", scene->clients * scene->members, scene->members, times[j],
		       TICKS, 0);
	}
	if (!error)
		printf("  %zu kinds of clients, %zu leaves\n", scene->clients,
		       service->input.last->leaves);
	return error;
}

static int bench_tick(size_t clients, size_t members)
{
	const struct scene scene = {clients, members};
	struct service service;
	int error = service_open(&service, members);

	if (!error)
		error = open_cells(&service, members);
	if (!error) {
		fill_judge(&service);
		error = run_ticks(&scene, &service);
	}
	if (!error)
		error = empty_cells(&scene);
	service_close(&service);
	return error;
}

/* --- single stages, larger --- */

static int bench_train(size_t clients, size_t members, double budget)
{
	const struct scene scene = {clients, members};
	struct service service;
	struct table table;
	double ms[FEW];
	int error = service_open(&service, members);

	if (!error)
		error = scene_table(&scene, &table);
	if (error)
		return error;
	service.input.table = &table;
	for (size_t i = 0; !error && i < FEW; i++) {
		struct generation *next = NULL;
		uint64_t clock = clock_read(CLOCK_THREAD_CPUTIME_ID);

		error = learner_train(&service.input, &next);
		ms[i] = lap(&clock);
		generation_free(next);
	}
	if (!error)
		report("tick_train", "cells", clients, members, ms, FEW, budget);
	scene_table_free(&table);
	service_close(&service);
	return error;
}

static void fill_generation(struct generation *generation)
{
	for (size_t i = 0; i < generation->leaves * generation->members; i++)
		generation->share[i] = (double)(1 + i * 7 % 11);
	for (size_t i = 0; i < generation->members; i++)
		generation->capacity[i] = (double)(1 + i % 5);
	generation->plan.members = (uint32_t)generation->members;
}

/* A publication from shares to the last store, at the sizes of its budget. */
static int bench_publish(size_t leaves, size_t members)
{
	double rings[TICKS], publish[TICKS], both[TICKS], swap[TICKS];
	struct generation *generation = NULL;
	struct service service;
	int error = service_open(&service, members);

	if (!error)
		error = generation_new(&generation, leaves, members);
	if (!error)
		fill_generation(generation);
	for (size_t i = 0; !error && i < TICKS; i++) {
		uint64_t clock = clock_read(CLOCK_THREAD_CPUTIME_ID);

		learner_rings(&service.input, generation);
		rings[i] = lap(&clock);
		error = publisher_publish(bench.datapath, SERVICE, generation);
		publish[i] = lap(&clock);
		both[i] = rings[i] + publish[i];
		switch_generation();
		swap[i] = lap(&clock);
	}
	if (!error) {
		report("publish_rings", "leaves", leaves, members, rings, TICKS, 0);
		report("publish_copy", "leaves", leaves, members, publish, TICKS, 0);
		report("publish_build", "leaves", leaves, members, both, TICKS, BUDGET_BUILD);
		report("publish_switch", "leaves", leaves, members, swap, TICKS, BUDGET_SWITCH);
	}
	generation_free(generation);
	service_close(&service);
	return error;
}

/* --- the backends' concurrency --- */

static int bench_estimate(void)
{
	static const size_t backends[] = {1, 16, 64, LARCH_MAX_BACKENDS};
	double ms[MANY];
	int error = 0;

	tickbench_fit(ms, MANY);
	report("estimate_fit", "bands", LARCH_BANDS - 1, 1, ms, MANY, 0);
	for (size_t i = 0; !error && i < 4; i++) {
		error = tickbench_estimate(bench.datapath, backends[i], ms, MANY);
		report("tick_estimate", "bands", LARCH_BANDS - 1, backends[i], ms, MANY, 0);
	}
	return error;
}

/* --- maps --- */

/* The pins are of no use here: the maps live as long as this process. */
static void remove_pins(const char *folder)
{
	struct dirent *entry;
	char path[512];
	DIR *open = opendir(folder);

	while (open && (entry = readdir(open))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (open)
		closedir(open);
	rmdir(folder);
}

static int open_maps(void)
{
	char folder[64];
	int error;

	snprintf(folder, sizeof(folder), "/sys/fs/bpf/larch-bench-%d", (int)getpid());
	error = datapath_open(&bench.datapath, folder, NULL, 0, FLOW_ENTRIES);
	remove_pins(folder);
	return error;
}

static int run_all(void)
{
	int error = open_maps();

	if (error)
		return error;
	printf("ms of CPU time: medians of %d ticks (%d for training alone, %d for the estimate)\n",
	       TICKS, FEW, MANY);
	printf("  %-16s %7s %-7s %7s %10s %10s %8s\n", "stage", "", "", "members", "median", "most",
	       "budget");
	error = bench_tick(1000, 16);
	if (!error)
		error = bench_tick(250, 64);
	if (!error)
		error = bench_publish(32, 64);
	if (!error)
		error = bench_estimate();
	if (!error)
		error = bench_train(10000, 64, 0);
	if (!error)
		error = bench_train(100000, 64, BUDGET_TRAIN);
	datapath_close(bench.datapath);
	return error;
}

static const struct option_row rows[] = {
	{"rows", "FILE", "append a line of JSON per stage", option_text, &bench.rows_file, 0, 0},
	{},
};

int main(int argc, char **argv)
{
	int first = options_parse(rows,
				  "usage: tickbench [options]\n\nWhat a tick of the controller "
				  "costs, stage by stage. Takes root.",
				  argc, argv);
	int error;

	if (first <= 0)
		return first ? 2 : 0;
	if (bench.rows_file && !(bench.rows = fopen(bench.rows_file, "a"))) {
		fprintf(stderr, "tickbench: %s: %s\n", bench.rows_file, strerror(errno));
		return 1;
	}
	log_set_level(LOG_LEVEL_WARNING);
	error = run_all();
	if (error)
		fprintf(stderr, "tickbench: %s\n", strerror(-error));
	if (bench.rows && fclose(bench.rows) != 0)
		error = -errno;
	return error ? 1 : 0;
}
