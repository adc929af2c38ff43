// SPDX-License-Identifier: BSD-2-Clause
/* `larchctl benefit` and `larchctl history`. */
#include <math.h>
#include <string.h>

#include "columns.h"
#include "larchctl.h"

static bool has_samples(const json_t *of)
{
	return larchctl_number(json_object_get(of, "learned"), "samples") > 0 &&
	       larchctl_number(json_object_get(of, "control"), "samples") > 0;
}

static void show_values(const json_t *of, const char *titles)
{
	struct columns *columns = columns_new(titles);
	char text[COLUMNS_NUMBER];
	const json_t *value;
	size_t i;

	json_array_foreach (json_object_get(of, "values"), i, value) {
		columns_add(columns, larchctl_text(value, "value"));
		columns_add(columns, larchctl_us(value, "learned_us", text));
		columns_add(columns, larchctl_us(value, "control_us", text));
		columns_addf(columns, "%.3f", larchctl_number(value, "ratio"));
		columns_addf(columns, "%.3f to %.3f", larchctl_number(value, "low"),
			     larchctl_number(value, "high"));
	}
	columns_print(columns, stdout, 2);
}

/* Connect times decide nothing: they are on the way, where a near backend shows. */
static void show_connect(const json_t *service)
{
	const json_t *connect = json_object_get(service, "connect");

	if (has_samples(connect))
		show_values(connect, "CONNECT >LEARNED >CONTROL >RATIO 95%-INTERVAL");
}

/* Samples, mean and quantiles of an arm. */
static void add_arm(struct columns *columns, const json_t *arm, bool connect)
{
	char text[COLUMNS_NUMBER];

	columns_add(columns, larchctl_count(arm, "samples", text));
	columns_add(columns, larchctl_us(arm, "mean_us", text));
	columns_add(columns, larchctl_us(arm, "p50_us", text));
	columns_add(columns, larchctl_us(arm, "p95_us", text));
	if (!connect)
		return;
	columns_add(columns, larchctl_us(arm, "p99_us", text));
	columns_add(columns, larchctl_us(arm, "connect_us", text));
}

static void add_ratio(struct columns *columns, const json_t *of)
{
	if (isfinite(larchctl_number(of, "ratio")))
		columns_addf(columns, "%.2f", larchctl_number(of, "ratio"));
	else
		columns_add(columns, NULL);
}

static void show_leaves(const json_t *service)
{
	const json_t *list = json_object_get(service, "leaves"), *leaf;
	struct columns *columns;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	columns =
		columns_new("LEAF >LEARNED >mean >p50 >p95 >p99 >connect >CONTROL >mean >p50 >p95 "
			    ">p99 >connect >RATIO CLIENTS");
	json_array_foreach (list, i, leaf) {
		columns_addf(columns, "%.0f", larchctl_number(leaf, "leaf"));
		add_arm(columns, json_object_get(leaf, "learned"), true);
		add_arm(columns, json_object_get(leaf, "control"), true);
		add_ratio(columns, leaf);
		columns_add(columns, larchctl_text(json_object_get(leaf, "clients"), "text"));
	}
	puts("\n  by leaf of the tree, recent samples:");
	columns_print(columns, stdout, 2);
}

static void show_prefixes(const json_t *service)
{
	const json_t *list = json_object_get(service, "prefixes"), *prefix;
	struct columns *columns;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	columns = columns_new("CLIENTS >LEARNED >mean >p50 >p95 >CONTROL >mean >p50 >p95 >RATIO");
	json_array_foreach (list, i, prefix) {
		columns_add(columns, larchctl_text(prefix, "prefix"));
		for (int arm = 0; arm < 2; arm++) {
			const json_t *of = json_object_get(prefix, arm ? "control" : "learned");

			add_arm(columns, of, false);
		}
		add_ratio(columns, prefix);
	}
	puts("\n  by client prefix, recent samples:");
	columns_print(columns, stdout, 2);
}

static void show_one_benefit(const json_t *service)
{
	double again = larchctl_number(service, "tried_again_ticks");

	printf("%s: %s\n", larchctl_text(service, "service"), larchctl_text(service, "sentence"));
	if (again > 0)
		printf("  LEARNING IS SWITCHED OFF: it was worse; tried again in %.0f ticks\n",
		       again);
	printf("  %.0f learned and %.0f control samples of the last %.0f ticks; 1 flow in %.0f is "
	       "control\n",
	       larchctl_number(json_object_get(service, "learned"), "samples"),
	       larchctl_number(json_object_get(service, "control"), "samples"),
	       larchctl_number(service, "ticks"), larchctl_number(service, "control_one_in"));
	if (has_samples(service))
		show_values(service, "RESPONSE >LEARNED >CONTROL >RATIO 95%-INTERVAL");
	show_connect(service);
	larchctl_show_series(json_object_get(service, "series"));
	show_leaves(service);
	show_prefixes(service);
}

/* Services, with a blank line between them. */
static void show_each(const json_t *answer, void (*show)(const json_t *service))
{
	const json_t *service;
	size_t i;

	json_array_foreach (json_object_get(answer, "services"), i, service) {
		if (i > 0)
			puts("");
		show(service);
	}
}

void larchctl_show_benefit(const struct larchctl *ctl, const json_t *answer)
{
	(void)ctl;
	show_each(answer, show_one_benefit);
}

/* Some characters of a time by ISO 8601. */
static void add_part(struct columns *columns, const char *when, size_t from, size_t length)
{
	char part[16] = "";

	if (length < sizeof(part) && strlen(when) >= from + length)
		memcpy(part, when + from, length);
	columns_add(columns, part);
}

/* What the generation moved, in the rows below it. */
static void add_changes(struct columns *columns, const json_t *event)
{
	const json_t *move;
	size_t i;

	json_array_foreach (json_object_get(event, "changes"), i, move) {
		for (int blank = 0; blank < 5; blank++)
			columns_add(columns, "");
		columns_add(columns, larchctl_text(move, "text"));
	}
}

static void show_one_history(const json_t *service)
{
	struct columns *columns = columns_new("DAY TIME >NUMBER DIGEST >SLOTS WHY");
	const json_t *event;
	size_t i;

	json_array_foreach (json_object_get(service, "generations"), i, event) {
		const char *when = larchctl_text(event, "when");

		add_part(columns, when, 5, 5);
		add_part(columns, when, 11, 8);
		columns_addf(columns, "%.0f", larchctl_number(event, "generation"));
		columns_addf(columns, "%.8s", larchctl_text(event, "digest"));
		columns_addf(columns, "%.0f", larchctl_number(event, "moved_slots"));
		columns_add(columns, larchctl_text(event, "why"));
		add_changes(columns, event);
	}
	printf("%s: %.0f generations since larchd began\n", larchctl_text(service, "service"),
	       larchctl_number(service, "published"));
	columns_print(columns, stdout, 2);
}

void larchctl_show_history(const struct larchctl *ctl, const json_t *answer)
{
	(void)ctl;
	show_each(answer, show_one_history);
}
