// SPDX-License-Identifier: BSD-2-Clause
/* `larchctl status` and what `reload` says. */
#include <math.h>
#include <string.h>

#include "columns.h"
#include "larchctl.h"

static void show_head(const json_t *answer)
{
	const json_t *config = json_object_get(answer, "config"), *warning;
	bool kept = json_is_string(json_object_get(config, "last_good"));
	char uptime[COLUMNS_NUMBER];
	size_t i;

	printf("larchd %s, pid %.0f, up %s%s\n", larchctl_text(answer, "version"),
	       larchctl_number(answer, "pid"),
	       columns_time(larchctl_number(answer, "uptime_s"), uptime),
	       larchctl_true(answer, "adopted") ? ", adopted the kernel part that was there" : "");
	printf("config %s, loaded %s", larchctl_text(config, kept ? "last_good" : "file"),
	       larchctl_text(config, "loaded"));
	if (larchctl_true(config, "ok"))
		puts("");
	else if (kept)
		printf("; the LAST GOOD one: the file was REFUSED\n       %s\n",
		       larchctl_text(config, "error"));
	else
		printf("; the last reload was REFUSED\n       %s\n",
		       larchctl_text(config, "error"));
	json_array_foreach (json_object_get(answer, "warnings"), i, warning)
		printf("WARNING: %s\n", json_string_value(warning));
}

static void show_interfaces(const json_t *answer)
{
	struct columns *columns = columns_new("INTERFACE MODE LINK PROGRAM");
	const json_t *list = json_object_get(answer, "interfaces"), *item;
	size_t i;

	json_array_foreach (list, i, item) {
		columns_add(columns, larchctl_text(item, "name"));
		columns_add(columns, larchctl_text(item, "mode"));
		columns_add(columns, json_is_false(json_object_get(item, "link")) ? "DOWN" : "up");
		columns_add(columns, larchctl_true(item, "attached") ? "attached" : "NOT ATTACHED");
	}
	puts("");
	columns_print(columns, stdout, 0);
}

/* Has `signal: auto` come down to something less than response? */
static bool fell_back(const json_t *service)
{
	return json_is_string(json_object_get(service, "signal_reason"));
}

static void show_services(const json_t *answer)
{
	struct columns *columns = columns_new("SERVICE >BACKENDS >USABLE LEARNING >CONTROL SIGNAL "
					      ">GENERATION DIGEST >LEAVES STATE");
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(answer, "services"), i, item) {
		bool reason = json_is_string(json_object_get(item, "reason"));

		columns_add(columns, larchctl_text(item, "service"));
		columns_addf(columns, "%.0f", larchctl_number(item, "backends"));
		columns_addf(columns, "%.0f", larchctl_number(item, "usable"));
		columns_add(columns, larchctl_text(item, "learning"));
		columns_addf(columns, "1/%.0f", larchctl_number(item, "control_one_in"));
		columns_addf(columns, "%s%s", larchctl_text(item, "signal"),
			     fell_back(item) ? "*" : "");
		columns_addf(columns, "%.0f", larchctl_number(item, "generation"));
		columns_addf(columns, "%.8s", larchctl_text(item, "digest"));
		columns_addf(columns, "%.0f", larchctl_number(item, "leaves"));
		columns_addf(columns, "%s%s%s", larchctl_text(item, "state"), reason ? ": " : "",
			     reason ? larchctl_text(item, "reason") : "");
	}
	puts("");
	columns_print(columns, stdout, 0);
	json_array_foreach (json_object_get(answer, "services"), i, item) {
		if (fell_back(item))
			printf("* %s: signal auto has fallen back to %s: %s\n",
			       larchctl_text(item, "service"), larchctl_text(item, "signal"),
			       larchctl_text(item, "signal_reason"));
	}
}

static void show_node_services(const json_t *list, bool follows)
{
	struct columns *columns =
		columns_new(follows ? "SERVICE >GENERATION DIGEST >LEADER'S DIGEST AGREES"
				    : "SERVICE >GENERATION DIGEST");
	const json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		bool agrees = larchctl_true(item, "agrees");
		bool why = json_is_string(json_object_get(item, "why"));

		columns_add(columns, larchctl_text(item, "service"));
		columns_addf(columns, "%.0f", larchctl_number(item, "generation"));
		columns_addf(columns, "%.8s", larchctl_text(item, "digest"));
		if (!follows)
			continue;
		if (json_is_integer(json_object_get(item, "leader_generation")))
			columns_addf(columns, "%.0f", larchctl_number(item, "leader_generation"));
		else
			columns_add(columns, "-");
		columns_addf(columns, "%.8s", larchctl_text(item, "leader_digest"));
		columns_addf(columns, "%s%s%s", agrees ? "yes" : "NO", why ? ": " : "",
			     why ? larchctl_text(item, "why") : "");
	}
	columns_print(columns, stdout, 0);
}

/* What a node of several has of the others. */
static void show_nodes(const json_t *nodes)
{
	bool follows = strcmp(larchctl_text(nodes, "role"), "follower") == 0;
	bool known = json_is_string(json_object_get(nodes, "leader"));
	bool aged = json_is_number(json_object_get(nodes, "age_s"));
	char age[COLUMNS_NUMBER];

	if (!json_is_object(nodes))
		return;
	printf("\n%s %s", follows ? "follows" : "leads by", larchctl_text(nodes, "file"));
	if (follows)
		printf(", of %s", known ? larchctl_text(nodes, "leader") : "nobody yet");
	if (aged)
		printf("; %s %s ago%s", follows ? "last news" : "written",
		       columns_time(larchctl_number(nodes, "age_s"), age),
		       larchctl_true(nodes, "silent") ? ": SILENT" : "");
	puts("");
	if (json_is_string(json_object_get(nodes, "trouble")))
		printf("  REFUSED: it %s\n", larchctl_text(nodes, "trouble"));
	show_node_services(json_object_get(nodes, "services"), follows);
}

static void show_names(const json_t *answer)
{
	const json_t *names = json_object_get(answer, "names"), *item;
	struct columns *columns;
	size_t i;

	if (!json_array_size(names))
		return;
	columns = columns_new("NAME >ADDRESSES >NEXT STATE");

	json_array_foreach (names, i, item) {
		bool trouble = json_is_string(json_object_get(item, "trouble"));

		columns_add(columns, larchctl_text(item, "host"));
		columns_addf(columns, "%zu", json_array_size(json_object_get(item, "addresses")));
		columns_addf(columns, "%.0f s", larchctl_number(item, "next_s"));
		columns_add(columns, trouble ? larchctl_text(item, "trouble")
				     : json_is_true(json_object_get(item, "doubted"))
					     ? "an answer that takes most away must repeat"
					     : "resolves");
	}
	puts("");
	columns_print(columns, stdout, 0);
}

static void show_tables(const json_t *answer)
{
	const json_t *flows = json_object_get(answer, "flow_table");
	const json_t *cells = json_object_get(answer, "cells");
	char entries[COLUMNS_NUMBER], fill[COLUMNS_NUMBER];

	printf("\nflow table  %s entries, %s full: %.0f open, %.0f syn, %.0f closing\n",
	       larchctl_count(flows, "entries", entries), larchctl_part(flows, "fill", fill),
	       larchctl_number(flows, "open"), larchctl_number(flows, "syn"),
	       larchctl_number(flows, "closing"));
	printf("cells       %.0f of %.0f\n", larchctl_number(cells, "used"),
	       larchctl_number(cells, "limit"));
}

static void show_tick(const json_t *answer)
{
	struct columns *columns = columns_new("STAGE >LAST >MEAN >MOST");
	const json_t *tick = json_object_get(answer, "tick"), *item;
	double last = 0, mean = 0, most = 0;
	char us[COLUMNS_NUMBER];
	size_t i;

	json_array_foreach (json_object_get(tick, "stages"), i, item) {
		columns_add(columns, larchctl_text(item, "stage"));
		columns_add(columns, larchctl_us(item, "last_us", us));
		columns_add(columns, larchctl_us(item, "mean_us", us));
		columns_add(columns, larchctl_us(item, "most_us", us));
		last += larchctl_number(item, "last_us");
		mean += larchctl_number(item, "mean_us");
		most = fmax(most, larchctl_number(item, "most_us"));
	}
	columns_add(columns, "all");
	columns_add(columns, columns_us(last, us));
	columns_add(columns, columns_us(mean, us));
	columns_add(columns, "");
	printf("\ntick every %.0f ms, %.0f so far\n", larchctl_number(tick, "interval_ms"),
	       larchctl_number(tick, "ticks"));
	columns_print(columns, stdout, 0);
}

static void show_outcomes(const struct larchctl *ctl, const json_t *answer)
{
	struct columns *columns = columns_new("OUTCOME >PACKETS >BYTES MEANING");
	char number[COLUMNS_NUMBER];
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(answer, "outcomes"), i, item) {
		if (!ctl->all && larchctl_number(item, "packets") == 0)
			continue;
		columns_add(columns, larchctl_text(item, "outcome"));
		columns_addf(columns, "%.0f", larchctl_number(item, "packets"));
		columns_add(columns, columns_bytes(larchctl_number(item, "bytes"), number));
		columns_add(columns, larchctl_text(item, "text"));
	}
	puts("");
	columns_print(columns, stdout, 0);
}

void larchctl_show_status(const struct larchctl *ctl, const json_t *answer)
{
	show_head(answer);
	show_interfaces(answer);
	if (json_is_object(json_object_get(answer, "routes"))) {
		puts("");
		larchctl_show_routes(json_object_get(answer, "routes"));
	}
	show_services(answer);
	show_nodes(json_object_get(answer, "nodes"));
	show_names(answer);
	show_tables(answer);
	show_tick(answer);
	show_outcomes(ctl, answer);
}

void larchctl_show_reload(const struct larchctl *ctl, const json_t *answer)
{
	(void)ctl;
	printf("reloaded %s: %.0f services, %.0f backends\n", larchctl_text(answer, "file"),
	       larchctl_number(answer, "services"), larchctl_number(answer, "backends"));
}
