// SPDX-License-Identifier: BSD-2-Clause
/* `larchctl explain`: one flow's way, step by step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "endpoint.h"
#include "larchctl.h"

static void show_table(const json_t *answer)
{
	const json_t *table = json_object_get(answer, "table");
	char connect[COLUMNS_NUMBER];

	if (!json_is_object(table)) {
		puts("flow table  not there: it would be steered as a new flow");
		return;
	}
	printf("flow table  %s, %s, %s; last seen %.0f to %.0f s ago%s; connect %s\n",
	       larchctl_text(table, "backend"), larchctl_text(table, "state"),
	       larchctl_text(table, "phase"), larchctl_number(table, "idle_s"),
	       larchctl_number(table, "idle_s") + 9,
	       larchctl_true(table, "silent") ? ", too long for it to go on" : "",
	       larchctl_us(table, "connect_us", connect));
}

/* Access list and policy: what bears upon the packet besides its flow. */
static void show_policy(const json_t *answer)
{
	const json_t *access = json_object_get(answer, "access"), *note;
	size_t i;

	if (json_is_object(access))
		printf("access      %s: %s\n", larchctl_text(access, "verdict"),
		       json_is_string(json_object_get(access, "network"))
			       ? larchctl_text(access, "network")
			       : "no network of the list");
	json_array_foreach (json_object_get(answer, "notes"), i, note)
		printf("%s%s\n", i == 0 ? "policy      " : "            ", json_string_value(note));
}

static void show_assumed(const json_t *answer)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(answer, "assumed"), i, item)
		printf("%s%s\n", i == 0 ? "assumed     " : "            ", json_string_value(item));
}

static void show_way(const json_t *answer)
{
	const json_t *step;
	size_t i;

	printf("generation  %.0f, digest %s\n", larchctl_number(answer, "generation"),
	       larchctl_text(answer, "digest"));
	printf("arm         %s%s\n", larchctl_text(answer, "arm"),
	       larchctl_true(answer, "explores") ? "; explores" : "");
	json_array_foreach (json_object_get(answer, "steps"), i, step)
		printf("%s%s? %s: %s\n", i == 0 ? "tree        " : "            ",
		       larchctl_text(json_object_get(step, "question"), "text"),
		       larchctl_text(step, "value"), larchctl_text(step, "answer"));
	printf("leaf        %.0f: %s\n", larchctl_number(answer, "leaf"),
	       larchctl_text(json_object_get(answer, "clients"), "text"));
	printf("ring slot   %.0f, of the global ring %.0f\n", larchctl_number(answer, "slot"),
	       larchctl_number(answer, "global_slot"));
}

static void add_candidate(struct columns *columns, const json_t *candidate)
{
	char text[COLUMNS_NUMBER];

	columns_add(columns, larchctl_text(candidate, "from"));
	columns_add(columns, larchctl_text(candidate, "backend"));
	columns_add(columns, larchctl_us(candidate, "net_us", text));
	columns_add(columns, larchctl_us(candidate, "service_us", text));
	/* As the score takes it: net + service x slowdown x (1 + load). */
	columns_addf(columns, "%.0f/%s", larchctl_number(candidate, "queue"),
		     larchctl_concurrency(candidate, text));
	columns_addf(columns, "%.2f", larchctl_number(candidate, "slowdown"));
	columns_add(columns, larchctl_us(candidate, "score_us", text));
	columns_add(columns, larchctl_count(candidate, "responses", text));
	columns_add(columns, larchctl_true(candidate, "chosen") ? "<- takes it" : "");
}

static void show_candidates(const json_t *answer)
{
	struct columns *columns = columns_new("CANDIDATE BACKEND >NET >SVC >LOAD >SLOWDOWN >SCORE "
					      ">SAMPLES CHOICE");
	const json_t *fresh = json_object_get(answer, "new"), *candidate;
	size_t i;

	json_array_foreach (json_object_get(answer, "candidates"), i, candidate)
		add_candidate(columns, candidate);
	columns_print(columns, stdout, 2);
	printf("new flow    to %s: %s\n", larchctl_text(fresh, "backend"),
	       larchctl_text(fresh, "why"));
}

/* Is the candidate's backend one of those before it? */
static bool named_before(const json_t *candidates, size_t at)
{
	const char *name = larchctl_text(json_array_get(candidates, at), "backend");

	for (size_t i = 0; i < at; i++) {
		if (strcmp(larchctl_text(json_array_get(candidates, i), "backend"), name) == 0)
			return true;
	}
	return false;
}

static void show_instead(const json_t *answer)
{
	const json_t *candidates = json_object_get(answer, "candidates"), *candidate;
	const char *title = "instead     ";
	size_t i;

	json_array_foreach (candidates, i, candidate) {
		const json_t *instead = json_object_get(candidate, "instead");

		if (!json_is_object(instead) || named_before(candidates, i))
			continue;
		printf("%s%s\n", title, larchctl_text(instead, "text"));
		title = "            ";
	}
}

static void show_explain(const struct larchctl *ctl, const json_t *answer)
{
	(void)ctl;
	printf("%s\n\n", larchctl_text(answer, "sentence"));
	printf("service     %s (%s%s%s)\n", larchctl_text(answer, "service"),
	       larchctl_text(answer, "state"),
	       json_is_string(json_object_get(answer, "reason")) ? ": " : "",
	       json_is_string(json_object_get(answer, "reason")) ? larchctl_text(answer, "reason")
								 : "");
	show_policy(answer);
	show_table(answer);
	if (!json_object_get(answer, "generation")) {
		puts("no generation has been published yet: new flows are dropped");
		return;
	}
	show_assumed(answer);
	show_way(answer);
	show_candidates(answer);
	show_instead(answer);
	printf("outcome     %s, by %s", larchctl_text(answer, "outcome"),
	       larchctl_text(answer, "forward"));
	if (json_is_string(json_object_get(answer, "unreachable")))
		printf(" (%s)", larchctl_text(answer, "unreachable"));
	puts("");
}

static json_t *make_request(const struct larchctl *ctl, const char *from, char *to)
{
	struct endpoint_text source, destination;
	char *protocol = strchr(to, '/');
	json_t *request;

	if (protocol)
		*protocol++ = '\0';
	if (endpoint_split(from, &source) != 0 || endpoint_split(to, &destination) != 0) {
		fputs("larchctl: expected ADDRESS:PORT or [ADDRESS]:PORT, twice\n", stderr);
		return NULL;
	}
	request = json_pack("{s:s, s:s, s:i, s:s, s:i, s:s, s:s*}", "command", "explain", "source",
			    source.address, "source_port", source.port, "destination",
			    destination.address, "destination_port", destination.port, "protocol",
			    protocol ? protocol : "tcp", "interface", ctl->interface);
	if (request && larchctl_take_number(request, "hops", ctl->hops) &&
	    larchctl_take_number(request, "size", ctl->size))
		return request;
	json_decref(request);
	return NULL;
}

enum larchctl_exit larchctl_explain(const struct larchctl *ctl, int count, char **arguments)
{
	json_t *request = count == 2 ? make_request(ctl, arguments[0], arguments[1]) : NULL;
	enum larchctl_exit code;
	json_t *answer;

	if (!request)
		return LARCHCTL_USAGE;
	code = larchctl_ask(ctl, request, &answer);
	if (code == LARCHCTL_OK)
		larchctl_print(ctl, answer, show_explain);
	return code;
}
