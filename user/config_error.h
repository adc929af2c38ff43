// SPDX-License-Identifier: BSD-2-Clause
/* How the parts of config.c note what is wrong. */
#pragma once

#include <stddef.h>

#include "config.h"

#define CONFIG_SHOWN_BYTES 32				/* of a text from the file, in a message */
#define CONFIG_SHOWN_SIZE  (4 * CONFIG_SHOWN_BYTES + 6) /* each as \xff; quotes, dots and NUL */

/* Notes an error in the order of the file: by line and column, then as they were added. */
__attribute__((format(printf, 5, 6))) void config_error_add(struct config_errors *errors,
							    unsigned line, unsigned column,
							    const char *path, const char *format,
							    ...);

/* The text as a message may show it: in quotes, printable, its end left out if it is long. */
const char *config_error_quote(const char *text, size_t length, char out[CONFIG_SHOWN_SIZE]);

/*
 * Adds a step to a path of CONFIG_PATH_SIZE bytes: a key, quoted unless it is a plain word, or if
 * that is NULL an index.
 */
void config_error_step(char *path, const char *key, size_t index);
