// SPDX-License-Identifier: BSD-2-Clause
/* What can be said of a configuration file's text before it is read as YAML. */
#pragma once

#include <stddef.h>

#include "config.h"

/*
 * Checks that the text is UTF-8 without control characters, not empty, not too large, and whole:
 * its last line is "...". 0: the first *document bytes, up to that line, are what is to be read.
 * -EINVAL: *errors says why.
 */
int config_text_check(const char *text, size_t length, size_t *document,
		      struct config_errors *errors);
