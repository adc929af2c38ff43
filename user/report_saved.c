// SPDX-License-Identifier: BSD-2-Clause
/* What larchd keeps on the disk: the state file and the last good configuration. See report.h. */
#include <stdio.h>

#include "controller.h"
#include "report.h"

json_t *report_saved(const struct controller *controller)
{
	const struct state *state = controller->state;

	if (!state)
		return json_null();
	return json_pack("{s:o, s:b, s:o, s:o}", "file", report_string(state_file(state)), "ok",
			 !state_trouble(state) && !state_refused(state), "error",
			 report_string(state_trouble(state)), "refused",
			 report_string(state_refused(state)));
}

void report_saved_warnings(json_t *list, const struct controller *controller)
{
	const struct state *state = controller->state;

	if (controller->last_good[0])
		json_array_append_new(
			list,
			json_sprintf("the LAST GOOD configuration, %s, is in force; the file "
				     "was refused at the start: %s",
				     controller_config_file(controller), controller->last_good));
	if (state_refused(state))
		json_array_append_new(
			list,
			json_sprintf("%s was refused at the start: %s; it is kept as "
				     "%s.corrupt, and what stood in it is not in force",
				     state_file(state), state_refused(state), state_file(state)));
	if (state_trouble(state))
		json_array_append_new(list, json_sprintf("not saved: %s", state_trouble(state)));
}

const char *report_config_error(const struct controller *controller)
{
	if (controller->reload_failed)
		return controller->reload_error;
	return controller->last_good[0] ? controller->last_good : NULL;
}

/* The worst comes first. */
void report_line(const struct controller *controller, char *out, size_t size)
{
	const struct larch_config *config = controller->config;
	const char *error = report_config_error(controller);

	snprintf(out, size, "%s%s%s%s%zu services, %zu backends",
		 controller->last_good[0]    ? "LAST GOOD configuration in force: "
		 : controller->reload_failed ? "reload refused: "
					     : "",
		 error ? error : "", error ? "; " : "",
		 state_trouble(controller->state) ? "state file not saved; " : "",
		 config->service_count, config->backend_count);
}
