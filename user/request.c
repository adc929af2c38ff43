// SPDX-License-Identifier: BSD-2-Clause
/* The daemon's commands, one row each. The reports only read. See request.h. */
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller.h"
#include "remember.h"
#include "report.h"
#include "request.h"
#include "request_routes.h"

static json_t *reload_refused(const struct controller *controller,
			      const struct config_errors *errors)
{
	json_t *lines = json_array(), *answer;
	char line[512];

	for (size_t i = 0; i < errors->count && i < CONFIG_MAX_ERRORS; i++) {
		config_error_text(controller->options.config_file, &errors->error[i], line,
				  sizeof(line));
		json_array_append_new(lines, json_string(line));
	}
	if (errors->count == 0)
		json_array_append_new(lines, json_string(controller->reload_error));
	if (errors->count > CONFIG_MAX_ERRORS)
		json_array_append_new(lines, json_sprintf("and %zu errors more",
							  errors->count - CONFIG_MAX_ERRORS));
	if (controller->last_good[0])
		answer = report_error(
			REPORT_REFUSED,
			"the configuration is refused; the last good one, %s, stays in "
			"force",
			controller_config_file(controller));
	else
		answer =
			report_error(REPORT_REFUSED, "the configuration is refused; the one before "
						     "it stays in force");
	json_object_set_new(answer, "errors", lines);
	return answer;
}

static json_t *reload(struct controller *controller, const json_t *request)
{
	struct config_errors errors = {};
	int error = controller_reload(controller, &errors);

	(void)request;
	if (error)
		return reload_refused(controller, &errors);
	return json_pack("{s:b, s:s, s:I, s:I}", "reloaded", 1, "file",
			 controller->options.config_file, "services",
			 (json_int_t)controller->config->service_count, "backends",
			 (json_int_t)controller->config->backend_count);
}

static const struct command {
	const char *name;
	json_t *(*answer)(struct controller *controller, const json_t *request);
	bool is_order; /* what it changes outlives the daemon once it is answered */
} commands[] = {
	{"status", report_status, false},
	{"list", report_list, false},
	{"stat", report_stat, false},
	{"tree", report_tree, false},
	{"explain", report_explain, false},
	{"benefit", report_benefit, false},
	{"history", report_history, false},
	{"arm", report_arm, false},
	{"reload", reload, false},
	{"drain", request_drain, true},
	{"maintenance", request_maintenance, true},
	{"activate", request_activate, true},
	{"announce", request_announce, true},
	{"withdraw", request_withdraw, true},
};

static json_t *answer(struct controller *controller, const json_t *request,
		      const struct command *command)
{
	json_t *answer = command->answer(controller, request);

	if (command->is_order)
		remember_now(controller);
	return answer;
}

static json_t *dispatch(struct controller *controller, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));

	if (!name)
		return report_error(REPORT_USAGE, "a request is an object with a command");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return answer(controller, request, &commands[i]);
	}
	return report_error(REPORT_USAGE, "no such command");
}

/* Takes the answer over. */
static char *to_text(json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
	size_t length = text ? strlen(text) : 0;
	char *line = text ? realloc(text, length + 2) : NULL;

	json_decref(answer);
	if (!line) {
		free(text);
		return strdup("{\"error\":\"out of memory\",\"kind\":\"failed\"}\n");
	}
	strcpy(line + length, "\n");
	return line;
}

char *request_refuse(const char *why)
{
	return to_text(report_error(REPORT_REFUSED, "%s", why));
}

char *request_answer(struct controller *controller, const char *text, size_t length)
{
	json_error_t error;
	json_t *request = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error), *answer;

	if (!request)
		return to_text(
			report_error(REPORT_USAGE, "the request is not JSON: %s", error.text));
	answer = dispatch(controller, request);
	json_decref(request);
	return to_text(answer);
}
