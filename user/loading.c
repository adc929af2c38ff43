// SPDX-License-Identifier: BSD-2-Clause
/*
 * From a file to a configuration that can be applied; and the last good one, which a start takes
 * when the file is bad, or cannot be applied: better the services of yesterday than none. See
 * controller.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller.h"
#include "log.h"

static int load(const char *file, struct loaded *out, struct config_errors *errors)
{
	return config_load_text(file, &out->text, &out->length, &out->config, errors);
}

static void log_errors(const char *file, const struct config_errors *errors, int error)
{
	char line[512];

	for (size_t i = 0; i < errors->count && i < CONFIG_MAX_ERRORS; i++) {
		config_error_text(file, &errors->error[i], line, sizeof(line));
		log_error("%s", line);
	}
	if (error != -EINVAL)
		log_error("%s: %s", file, strerror(-error));
}

int controller_load(const struct controller *controller, struct loaded *out,
		    struct config_errors *errors)
{
	const char *file = controller->options.config_file;
	int error = load(file, out, errors);

	if (error)
		log_errors(file, errors, error);
	return error;
}

static void note_why(struct controller *controller, const struct config_errors *errors, int error)
{
	const char *file = controller->options.config_file;

	if (errors->count)
		config_error_text(file, &errors->error[0], controller->last_good,
				  sizeof(controller->last_good));
	else
		snprintf(controller->last_good, sizeof(controller->last_good), "%s: %s", file,
			 strerror(-error));
}

/* Instead of the file, for the reason that has been noted. */
static int load_last_good(struct controller *controller, struct loaded *out)
{
	const char *kept = state_config_file(controller->state);
	struct config_errors errors;
	int error = load(kept, out, &errors);

	if (!error) {
		log_error("%s is REFUSED: larchd starts with the LAST GOOD configuration, %s",
			  controller->options.config_file, kept);
		return 0;
	}
	controller->last_good[0] = '\0';
	if (error != -ENOENT)
		log_errors(kept, &errors, error);
	return error;
}

int controller_load_first(struct controller *controller, struct loaded *out)
{
	struct config_errors errors;
	int error;

	if (controller->last_good[0]) /* the file could not be applied */
		return load_last_good(controller, out);
	error = controller_load(controller, out, &errors);
	if (!error || error == -ENOMEM || !state_config_file(controller->state) ||
	    controller->options.strict)
		return error;
	note_why(controller, &errors, error);
	return load_last_good(controller, out) == 0 ? 0 : error;
}

bool controller_has_other(const struct controller *controller, const struct loaded *loaded)
{
	const char *kept = state_config_file(controller->state);
	struct config_errors errors;
	struct loaded other = {};
	bool differs;

	if (controller->last_good[0] || !kept || controller->options.strict ||
	    load(kept, &other, &errors) != 0)
		return false;
	differs = other.length != loaded->length ||
		  memcmp(other.text, loaded->text, loaded->length) != 0;
	controller_unload(&other);
	return differs;
}

void controller_loaded(struct controller *controller, struct loaded *loaded, bool good)
{
	if (good && !controller->last_good[0])
		state_keep_config(controller->state, loaded->text, loaded->length);
	free(loaded->text);
	*loaded = (struct loaded){};
}

void controller_unload(struct loaded *loaded)
{
	config_free(loaded->config);
	free(loaded->text);
	*loaded = (struct loaded){};
}

const char *controller_config_file(const struct controller *controller)
{
	return controller->last_good[0] ? state_config_file(controller->state)
					: controller->options.config_file;
}
