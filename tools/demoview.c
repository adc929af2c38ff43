// SPDX-License-Identifier: BSD-2-Clause
// The demo's live view. In: loadgen's NDJSON on stdin; the pinned map larch_cells, for what XDP
// measured of both arms; the phases' file, whose last line names the phase. Out: on a terminal a
// picture, redrawn in place; else one line a second.
//
// The p50 of new flows is the clients' own, with their connect; the p99 is of answers alone, as XDP
// times them, since only there are the arms told apart as it happens.
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "demoview.h"
#include "lib/options.h"

#define LINE_EVERY_S 1.0
#define SLACK_S	     0.05

static const char usage[] = "usage: loadgen ... | demoview [--cells PIN] [--phases FILE]";

static double number_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

// The place of a backend, in order of names. -1: no room.
static int backend_place(struct view *view, const char *name)
{
	size_t at = 0;

	while (at < view->backends && strcmp(view->backend[at], name) < 0)
		at++;
	if (at < view->backends && !strcmp(view->backend[at], name))
		return (int)at;
	if (view->backends == VIEW_BACKENDS || strlen(name) >= VIEW_NAME)
		return -1;
	memmove(view->backend[at + 1], view->backend[at],
		(view->backends - at) * sizeof(view->backend[0]));
	strcpy(view->backend[at], name);
	view->backends++;
	return (int)at;
}

// Names first, since a new one moves the places of the others.
static void learn_backends(struct view *view, const json_t *prefixes)
{
	const char *prefix, *name;
	json_t *tally, *share;

	json_object_foreach ((json_t *)prefixes, prefix, tally)
		json_object_foreach (json_object_get(tally, "backends"), name, share)
			backend_place(view, name);
}

static void take_prefix(struct view *view, struct view_prefix *prefix, const json_t *tally,
			double *requests)
{
	double its = number_of(tally, "requests");
	const char *name;
	json_t *share;

	memset(prefix->share, 0, sizeof(prefix->share));
	prefix->p99_ms[VIEW_LEARNED] = prefix->p99_ms[VIEW_CONTROL] = NAN;
	prefix->first_p50_ms = number_of(tally, "first_p50_ms");
	json_object_foreach (json_object_get(tally, "backends"), name, share) {
		int at = backend_place(view, name);

		if (at < 0)
			continue;
		prefix->share[at] = json_number_value(share);
		requests[at] += its * prefix->share[at];
	}
}

static void take_prefixes(struct view *view, const json_t *prefixes, double passed_s)
{
	double requests[VIEW_BACKENDS] = {0}, flows = 0, all = 0;
	const char *name;
	json_t *tally;
	size_t count = 0;

	learn_backends(view, prefixes);
	json_object_foreach ((json_t *)prefixes, name, tally) {
		struct view_prefix *prefix = &view->prefix[count];

		if (count == VIEW_PREFIXES)
			break;
		snprintf(prefix->name, sizeof(prefix->name), "%s", name);
		take_prefix(view, prefix, tally, requests);
		flows += number_of(tally, "flows");
		view->broken += (uint64_t)number_of(tally, "broken");
		count++;
	}
	view->prefixes = count;
	for (size_t i = 0; i < view->backends; i++)
		all += requests[i];
	for (size_t i = 0; i < view->backends; i++)
		view->total[i] = all > 0 ? requests[i] / all : 0;
	view->flows_per_s = flows / passed_s;
	view->requests_per_s = all / passed_s;
}

// The last line: time, name, title.
static void take_phase(struct view *view, const char *file)
{
	FILE *in = file ? fopen(file, "re") : NULL;
	char line[256];

	while (in && fgets(line, sizeof(line), in))
		sscanf(line, "%*s %*s %95[^\n]", view->phase);
	if (in)
		fclose(in);
}

static void take_interval(struct view *view, const json_t *line, int cells)
{
	const json_t *longs = json_object_get(line, "long");
	double t_s = number_of(line, "t"), passed_s = t_s - view->t_s;

	view->t_s = t_s;
	view->broken = longs ? (uint64_t)number_of(longs, "broken") : 0;
	view->long_open = longs ? (uint64_t)number_of(longs, "open") : 0;
	take_prefixes(view, json_object_get(line, "prefixes"), passed_s > 0 ? passed_s : 1);
	for (int arm = 0; arm < VIEW_ARMS; arm++)
		view->p99_ms[arm] = NAN;
	if (cells >= 0)
		cells_p99(cells, view);
	for (int arm = 0; arm < VIEW_ARMS; arm++)
		view->history[arm][view->count % VIEW_HISTORY] = view->p99_ms[arm];
	view->count++;
}

static void show(const struct view *view, bool live)
{
	static double next_s = LINE_EVERY_S;

	if (view->flows_per_s <= 0)
		return; // the end: only answers are awaited
	if (live) {
		view_draw(view);
	} else if (view->t_s + SLACK_S >= next_s) {
		view_line(view);
		next_s = floor(view->t_s + SLACK_S) + LINE_EVERY_S;
	}
}

static void watch(int cells, const char *phases, bool live)
{
	static struct view view;
	json_t *line;

	while ((line = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL))) {
		if (json_object_get(line, "prefixes")) {
			take_phase(&view, phases);
			take_interval(&view, line, cells);
			show(&view, live);
		}
		json_decref(line);
	}
}

int main(int argc, char **argv)
{
	const char *pin = NULL, *phases = NULL;
	bool force = false;
	const struct option_row rows[] = {
		{"cells", "PIN", "the pinned map larch_cells", option_text, &pin, 0, 0},
		{"phases", "FILE", "lines: time, name, title", option_text, &phases, 0, 0},
		{"live", NULL, "draw as on a terminal", option_flag, &force, 0, 0},
		{0},
	};
	int rest = options_parse(rows, usage, argc, argv), cells = -1;

	if (rest <= 0)
		return rest ? 2 : 0;
	if (pin)
		cells = cells_open(pin);
	if (pin && cells < 0) {
		fprintf(stderr, "demoview: %s: %s\n", pin, strerror(-cells));
		return 1;
	}
	watch(cells, phases, force || isatty(STDOUT_FILENO));
	return 0;
}
