// SPDX-License-Identifier: BSD-2-Clause
// Configurations that are accepted, for what they then say.
#pragma once

#include <criterion/criterion.h>
#include <string.h>

#include "config.h"

static inline struct larch_config *accepted(const char *text)
{
	struct larch_config *config;
	struct config_errors errors;
	int error = config_parse(text, strlen(text), &config, &errors);

	cr_assert_eq(error, 0, "%u:%u: %s: %s", errors.error[0].line, errors.error[0].column,
		     errors.error[0].path, errors.error[0].text);
	cr_assert_eq(errors.count, 0);
	return config;
}

static inline struct config_service service_of(const char *text)
{
	struct larch_config *config = accepted(text);
	struct config_service service = config->services[0];

	config_free(config); /* what it points to is not looked at */
	return service;
}
