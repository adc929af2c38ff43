// SPDX-License-Identifier: BSD-2-Clause
// Reads a run: loadgen's report and log, the flows' arms, the phases. Out: samples in order of
// time.
//
// A line of the log joins its arm by the flow's tuple. A tuple that is used again has the same arm,
// since the arm is drawn from its hash.
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "verdict.h"

#define LINE 512

// A flow: its tuple's hash, arm, and the last time that it began.
struct flow {
	uint64_t key; // 0: free
	double begin_s;
	uint8_t arm;
};

struct flow_table {
	struct flow *flow;
	size_t mask, count;
};

static int complain(const char *file, const char *why)
{
	fprintf(stderr, "verdict: %s: %s\n", file, why);
	return -EINVAL;
}

// FNV-1a, 64 bits: with 10^5 flows, two share a key once in 10^9 runs.
static uint64_t flow_key(const char *source, unsigned int port, const char *destination)
{
	char text[LINE];
	uint64_t key = 0xcbf29ce484222325ull;

	snprintf(text, sizeof(text), "%s %u %s", source, port, destination);
	for (const char *at = text; *at; at++)
		key = (key ^ (unsigned char)*at) * 0x100000001b3ull;
	return key ? key : 1;
}

static struct flow *flow_place(const struct flow_table *table, uint64_t key)
{
	size_t at = key & table->mask;

	while (table->flow[at].key && table->flow[at].key != key)
		at = (at + 1) & table->mask;
	return &table->flow[at];
}

static int flows_grow(struct flow_table *table)
{
	struct flow_table bigger = {.mask = 2 * table->mask + 1, .count = table->count};

	bigger.flow = calloc(bigger.mask + 1, sizeof(*bigger.flow));
	if (!bigger.flow)
		return -ENOMEM;
	for (size_t i = 0; table->flow && i <= table->mask; i++)
		if (table->flow[i].key)
			*flow_place(&bigger, table->flow[i].key) = table->flow[i];
	free(table->flow);
	*table = bigger;
	return 0;
}

static int flow_add(struct flow_table *table, uint64_t key, enum arm arm)
{
	struct flow *flow;

	if (!table->flow || table->count > table->mask / 2) {
		if (!table->flow)
			table->mask = 4095;
		if (flows_grow(table))
			return -ENOMEM;
	}
	flow = flow_place(table, key);
	table->count += !flow->key;
	*flow = (struct flow){.key = key, .arm = (uint8_t)arm};
	return 0;
}

static int add_arm_line(struct flow_table *table, const char *line, const char *file)
{
	char source[64], destination[64], protocol[16], arm[16];
	unsigned int source_port, port;

	if (sscanf(line, "%63s %u %63s %u %15s %15s", source, &source_port, destination, &port,
		   protocol, arm) != 6 ||
	    (strcmp(arm, "learned") && strcmp(arm, "control") && strcmp(arm, "either")))
		return complain(file,
				"a line is not SRC SPORT DST DPORT PROTO learned|control|either");
	return flow_add(table, flow_key(source, source_port, destination),
			!strcmp(arm, "either")	  ? ARMS
			: !strcmp(arm, "control") ? ARM_CONTROL
						  : ARM_LEARNED);
}

static int read_arms(struct flow_table *table, const char *file)
{
	FILE *in = fopen(file, "re");
	char line[LINE];
	int err = 0;

	if (!in)
		return complain(file, strerror(errno));
	while (!err && fgets(line, sizeof(line), in))
		err = add_arm_line(table, line, file);
	fclose(in);
	return err;
}

// The client's /24 or /48.
static int prefix_index(struct run *run, const char *client)
{
	struct prefix prefix;
	unsigned int host_bits;

	if (address_parse(client, &prefix.base))
		return -EINVAL;
	prefix.length = prefix.base.family == AF_INET ? 24 : 48;
	host_bits = (prefix.base.family == AF_INET ? 32 : 128) - prefix.length;
	prefix.base.bits = prefix.base.bits >> host_bits << host_bits;
	for (size_t i = 0; i < run->prefixes; i++)
		if (prefix_equal(&run->prefix[i], &prefix))
			return (int)i;
	if (run->prefixes == MAX_PREFIXES)
		return -ENOSPC;
	run->prefix[run->prefixes] = prefix;
	return (int)run->prefixes++;
}

static int backend_index(struct run *run, const char *name)
{
	for (size_t i = 0; i < run->backends; i++)
		if (!strcmp(run->backend[i], name))
			return (int)i;
	if (run->backends == MAX_BACKENDS || strlen(name) >= NAME_SIZE)
		return -ENOSPC;
	strcpy(run->backend[run->backends], name);
	return (int)run->backends++;
}

static int add_sample(struct run *run, const struct sample *sample)
{
	if (!(run->samples & (run->samples + 1))) {
		size_t room = 2 * (run->samples + 1);
		struct sample *more = realloc(run->sample, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		run->sample = more;
	}
	run->sample[run->samples++] = *sample;
	return 0;
}

static int add_log_line(struct run *run, const struct flow_table *table, const char *line,
			const char *file)
{
	char source[64], destination[64], backend[NAME_SIZE], status[32];
	unsigned int source_port, port, index;
	struct sample sample = {0};
	struct flow *flow;
	int which, name;

	if (sscanf(line, "%lf %63s %u %63s %u %u %*f %f %31s %31s", &sample.at_s, source,
		   &source_port, destination, &port, &index, &sample.latency_ms, backend,
		   status) != 9)
		return complain(file, "a line is not one of loadgen's log");
	if (!strncmp(status, "long", 4))
		return 0;
	flow = flow_place(table, flow_key(source, source_port, destination));
	which = prefix_index(run, source);
	name = backend_index(run, backend);
	if (!flow->key || which < 0 || name < 0)
		return complain(file, flow->key ? "too many prefixes or backends"
						: "a flow's arm is not known");
	if (flow->arm == ARMS) // the arm's size has changed: of either, so it says nothing
		return 0;
	if (!index)
		flow->begin_s = sample.at_s;
	sample.flow_s = flow->begin_s;
	sample.arm = flow->arm;
	sample.prefix = (uint8_t)which;
	sample.backend = (uint8_t)name;
	sample.first = !index;
	return add_sample(run, &sample);
}

static int by_time(const void *left, const void *right)
{
	const struct sample *a = left, *b = right;

	return a->at_s < b->at_s ? -1 : a->at_s > b->at_s;
}

static int read_log(struct run *run, const struct verdict_files *files)
{
	struct flow_table table = {0};
	int err = read_arms(&table, files->arms);
	FILE *in = fopen(files->log, "re");
	char line[LINE];

	if (!in && !err)
		err = complain(files->log, strerror(errno));
	while (!err && fgets(line, sizeof(line), in))
		err = table.flow ? add_log_line(run, &table, line, files->log) : -ENODATA;
	if (in)
		fclose(in);
	free(table.flow);
	if (err == -ENODATA || (!err && !run->samples))
		return complain(files->arms, "there are no flows");
	if (!err)
		qsort(run->sample, run->samples, sizeof(*run->sample), by_time);
	return err;
}

static uint64_t count_of(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

static uint64_t broken_of(const json_t *tally)
{
	return count_of(json_object_get(tally, "broken"), "total") + count_of(tally, "rejected");
}

static void take_summary(struct run *run, const json_t *summary)
{
	const json_t *longs = json_object_get(summary, "long");
	const json_t *late = json_object_get(summary, "late_ms");

	run->end_s = json_number_value(json_object_get(summary, "elapsed_s"));
	run->flows = count_of(summary, "flows") + count_of(longs, "flows");
	run->broken = broken_of(summary) + broken_of(longs) + count_of(summary, "unfinished") +
		      count_of(summary, "not_started");
	run->long_requests = count_of(longs, "requests");
	run->bytes = count_of(summary, "bytes_verified") + count_of(longs, "bytes_verified");
	run->late_p99_ms = json_number_value(json_object_get(late, "p99"));
}

// Sets *start_s, since the epoch.
static int read_report(struct run *run, const char *file, double *start_s)
{
	FILE *in = fopen(file, "re");
	bool started = false, ended = false;
	json_t *line;

	if (!in)
		return complain(file, strerror(errno));
	while ((line = json_loadf(in, JSON_DISABLE_EOF_CHECK, NULL))) {
		const json_t *start = json_object_get(line, "start");
		const json_t *summary = json_object_get(line, "summary");

		if (start)
			*start_s = (double)count_of(start, "realtime_ns") / 1e9;
		if (summary)
			take_summary(run, summary);
		started |= start != NULL;
		ended |= summary != NULL;
		json_decref(line);
	}
	fclose(in);
	return started && ended ? 0 : complain(file, "the load was not driven to its end");
}

static int read_phases(struct run *run, const char *file, double start_s)
{
	FILE *in = fopen(file, "re");
	char line[LINE];

	if (!in)
		return complain(file, strerror(errno));
	while (run->phases < MAX_PHASES && fgets(line, sizeof(line), in)) {
		struct phase *phase = &run->phase[run->phases];
		double epoch_s;

		if (sscanf(line, "%lf %31s %95[^\n]", &epoch_s, phase->name, phase->title) != 3)
			continue;
		phase->begin_s = epoch_s > start_s ? epoch_s - start_s : 0;
		phase->end_s = run->end_s;
		if (run->phases++)
			phase[-1].end_s = phase->begin_s;
	}
	fclose(in);
	return run->phases ? 0 : complain(file, "there are no phases");
}

int run_read(struct run *run, const struct verdict_files *files)
{
	double start_s = 0;
	int err;

	*run = (struct run){0};
	err = read_report(run, files->report, &start_s);
	if (!err)
		err = read_phases(run, files->phases, start_s);
	if (!err)
		err = read_log(run, files);
	return err;
}

void run_free(struct run *run)
{
	free(run->sample);
	run->sample = NULL;
}

const struct phase *run_phase(const struct run *run, const char *name)
{
	for (size_t i = 0; i < run->phases; i++)
		if (!strcmp(run->phase[i].name, name))
			return &run->phase[i];
	return NULL;
}
