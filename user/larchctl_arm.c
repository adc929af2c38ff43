// SPDX-License-Identifier: BSD-2-Clause
/* `larchctl arm`: appends to each line of flows which arm it belongs to; asks in batches. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "larchctl.h"

#define BATCH 4096

struct batch {
	char *line[BATCH]; /* without line ends */
	size_t lines;
	size_t strange; /* lines so far that are no flow */
};

static void clear(struct batch *batch)
{
	while (batch->lines)
		free(batch->line[--batch->lines]);
}

static void write_line(struct batch *batch, size_t at, const char *arm, bool json)
{
	batch->strange += !arm;
	if (json)
		printf("{\"flow\":\"%s\",\"arm\":%s%s%s}\n", arm ? batch->line[at] : "?",
		       arm ? "\"" : "", arm ? arm : "null", arm ? "\"" : "");
	else
		printf("%s %s\n", batch->line[at], arm ? arm : "?");
}

static enum larchctl_exit flush(const struct larchctl *ctl, struct batch *batch)
{
	json_t *tuples = json_array(), *answer;
	const json_t *arms;
	enum larchctl_exit code;

	for (size_t i = 0; i < batch->lines; i++) {
		json_t *text = json_string(batch->line[i]);

		/* What is no UTF-8, or too long for a flow, stays at home. */
		if (!text || strlen(batch->line[i]) > 160) {
			json_decref(text);
			text = json_null();
		}
		json_array_append_new(tuples, text);
	}
	code = larchctl_ask(ctl, json_pack("{s:s, s:o}", "command", "arm", "tuples", tuples),
			    &answer);
	if (code != LARCHCTL_OK)
		return code;
	arms = json_object_get(answer, "arms");
	for (size_t i = 0; i < batch->lines; i++)
		write_line(batch, i, json_string_value(json_array_get(arms, i)),
			   ctl->format == LARCHCTL_JSON);
	json_decref(answer);
	clear(batch);
	return LARCHCTL_OK;
}

static enum larchctl_exit copy(const struct larchctl *ctl, struct batch *batch)
{
	enum larchctl_exit code = LARCHCTL_OK;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	while (code == LARCHCTL_OK && (length = getline(&line, &room, stdin)) > 0) {
		char *kept;

		if (line[length - 1] == '\n')
			line[--length] = '\0';
		kept = strdup(line);
		if (!kept) {
			code = LARCHCTL_FAILED;
			break;
		}
		batch->line[batch->lines++] = kept;
		if (batch->lines == BATCH)
			code = flush(ctl, batch);
	}
	free(line);
	if (code == LARCHCTL_OK && batch->lines)
		code = flush(ctl, batch);
	return code;
}

enum larchctl_exit larchctl_arm(const struct larchctl *ctl, int count, char **arguments)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	enum larchctl_exit code;

	(void)count;
	(void)arguments;
	if (!batch)
		return LARCHCTL_FAILED;
	code = copy(ctl, batch);
	clear(batch);
	if (code == LARCHCTL_OK && batch->strange) {
		fprintf(stderr,
			"larchctl: %zu lines are no flow; expected SOURCE PORT DESTINATION "
			"PORT PROTOCOL [TIME]\n",
			batch->strange);
		code = LARCHCTL_FAILED;
	}
	free(batch);
	return code;
}
