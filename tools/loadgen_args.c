// SPDX-License-Identifier: BSD-2-Clause
// The load generator's options. In: argv. Out: struct loadgen_options, or the reason why not.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loadgen.h"
#include "lib/number.h"
#include "lib/options.h"

#define DEFAULT_HOSTS 32
#define MAX_BODY      (1 << 30)

static const char usage[] =
	"usage: loadgen --target ADDR:PORT --source CIDR[@WEIGHT][#COUNT] [options]\n"
	"\n"
	"Open-loop load: requests have intended times on a fixed schedule, and latency counts\n"
	"from them. Every answer is verified byte by byte. NDJSON on stdout: a line with the\n"
	"start times, one per interval, and a summary. The sources' addresses must be local:\n"
	"  ip route add local PREFIX dev lo\n"
	"A line of the log: t_s src sport dst dport index connect_ms latency_ms backend status";

static int option_target(const struct option_row *row, const char *text, char *why)
{
	struct loadgen_options *options = row->target;
	struct target *target = &options->targets[options->target_count];

	if (options->target_count == MAX_TARGETS) {
		snprintf(why, OPTION_WHY_SIZE, "%d at most", MAX_TARGETS);
		return -ENOSPC;
	}
	if (endpoint_parse(text, &target->endpoint) || !target->endpoint.port) {
		snprintf(why, OPTION_WHY_SIZE, "must be like 10.0.0.1:80 or [fd00::1]:80");
		return -EINVAL;
	}
	target->length = endpoint_to_sockaddr(&target->endpoint, &target->address);
	options->target_count++;
	return 0;
}

// Cuts "MARK..." off the end of text and returns what follows the mark, or NULL.
static char *cut_suffix(char *text, char mark)
{
	char *at = strchr(text, mark);

	if (at)
		*at++ = '\0';
	return at;
}

static int source_count(struct source *source, const char *text, char *why)
{
	uint32_t hosts = prefix_hosts(&source->prefix);
	uint64_t count = hosts < DEFAULT_HOSTS ? hosts : DEFAULT_HOSTS;

	if (text && number_parse_count(text, 1, hosts, &count)) {
		snprintf(why, OPTION_WHY_SIZE, "COUNT must be from 1 to %u", hosts);
		return -EINVAL;
	}
	source->count = (uint32_t)count;
	return 0;
}

static int source_parse(struct source *source, const char *text, char *why)
{
	char copy[2 * ADDRESS_TEXT_SIZE], *count, *weight;

	*source = (struct source){.weight = 1};
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return -EINVAL;
	count = cut_suffix(copy, '#');
	weight = cut_suffix(copy, '@');
	if (prefix_parse(copy, &source->prefix)) {
		snprintf(why, OPTION_WHY_SIZE, "must be like 10.1.0.0/24@2.5#64, with host bits 0");
		return -EINVAL;
	}
	if (weight && number_parse_real(weight, 1e-6, 1e6, &source->weight)) {
		snprintf(why, OPTION_WHY_SIZE, "WEIGHT must be from 1e-6 to 1e6");
		return -EINVAL;
	}
	prefix_text(&source->prefix, source->text);
	return source_count(source, count, why);
}

static int option_source(const struct option_row *row, const char *text, char *why)
{
	struct loadgen_options *options = row->target;
	struct source *source = &options->sources[options->source_count];
	int err;

	if (options->source_count == MAX_SOURCES) {
		snprintf(why, OPTION_WHY_SIZE, "%d at most", MAX_SOURCES);
		return -ENOSPC;
	}
	err = source_parse(source, text, why);
	for (size_t i = 0; !err && i < options->source_count; i++) {
		if (prefix_equal(&options->sources[i].prefix, &source->prefix)) {
			snprintf(why, OPTION_WHY_SIZE, "given twice");
			err = -EEXIST;
		}
	}
	if (!err)
		options->source_count++;
	return err;
}

// What becomes part of a request's head.
static int option_request(const struct option_row *row, const char *text, char *why)
{
	const char **out = row->target;
	bool is_path = row->name[0] == 'p';

	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at > '~')
			return -EINVAL;
	if (!*text || strlen(text) > REQUEST_WORD || (is_path && *text != '/')) {
		snprintf(why, OPTION_WHY_SIZE, "must be 1 to %d characters without blanks%s",
			 REQUEST_WORD, is_path ? ", the first of them '/'" : "");
		return -EINVAL;
	}
	*out = text;
	return 0;
}

static bool has_target(const struct loadgen_options *options, int family)
{
	for (size_t i = 0; i < options->target_count; i++)
		if (options->targets[i].endpoint.address.family == family)
			return true;
	return false;
}

static int check(const struct loadgen_options *options)
{
	if (!options->target_count || !options->source_count) {
		fprintf(stderr, "loadgen: --target and --source are needed; "
				"--help lists the options\n");
		return -EINVAL;
	}
	if (options->rate <= 0 && !options->long_count) {
		fprintf(stderr, "loadgen: without --rate or --long there is nothing to do\n");
		return -EINVAL;
	}
	for (size_t i = 0; i < options->source_count; i++) {
		if (!has_target(options, options->sources[i].prefix.base.family)) {
			fprintf(stderr, "loadgen: --source %s has no --target of its family\n",
				options->sources[i].text);
			return -EINVAL;
		}
	}
	return 0;
}

int loadgen_parse(struct loadgen_options *o, int argc, char **argv)
{
	const struct option_row rows[] = {
		{"target", "ADDR:PORT", "where to connect; may be repeated", option_target, o, 0,
		 0},
		{"source", "CIDR[@WEIGHT][#COUNT]", "clients (weight 1, 32 addresses); repeatable",
		 option_source, o, 0, 0},
		{"rate", "R", "new flows per second (0)", option_real, &o->rate, 0, 1e6},
		{"even", NULL, "evenly spaced flows instead of Poisson's", option_flag, &o->even, 0,
		 0},
		{"requests", "K", "requests per flow (3)", option_count, &o->requests, 1, 1e9},
		{"gap-ms", "G", "between a flow's requests (20)", option_real, &o->gap_ms, 0,
		 3.6e6},
		{"duration", "S", "seconds in which flows begin (10)", option_real, &o->duration_s,
		 0.001, 1e7},
		{"body", "BYTES", "length of each answer (4000)", option_count, &o->body, 0,
		 MAX_BODY},
		{"timeout-ms", "T", "from a request's intended time (10000)", option_real,
		 &o->timeout_ms, 1, 3.6e6},
		{"long", "N", "connections that live for the whole run (0)", option_count,
		 &o->long_count, 0, 1e6},
		{"long-interval-ms", "M", "between their requests (1000)", option_real,
		 &o->long_interval_ms, 1, 3.6e6},
		{"max-open", "N", "flows open at once; more are not started (10000)", option_count,
		 &o->max_open, 1, 1e7},
		{"seed", "N", "of schedule, sources and patterns (0)", option_count, &o->seed, 0,
		 1e18},
		{"interval-ms", "I", "between reports (1000)", option_real, &o->interval_ms, 10,
		 3.6e6},
		{"path", "PATH", "ask any server for this; bodies are not verified", option_request,
		 &o->path, 0, 0},
		{"host", "NAME", "of the requests (lab)", option_request, &o->host, 0, 0},
		{"log", "FILE", "a line of text per request (fields above)", option_text, &o->log,
		 0, 0},
		{0},
	};
	int rest = options_parse(rows, usage, argc, argv);

	if (rest > 0 && rest < argc) {
		fprintf(stderr, "loadgen: '%s' is not an option\n", argv[rest]);
		return -EINVAL;
	}
	return rest > 0 && check(o) ? -EINVAL : rest;
}
