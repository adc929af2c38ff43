// SPDX-License-Identifier: BSD-2-Clause
/* Log lines on stderr, with levels. Logged where an error is handled, once. */
#pragma once

#include <stdarg.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are dropped. Info by default. */
void log_set_level(enum log_level level);

/* 0 and *level, or -EINVAL: error, warning, info, debug. */
int log_parse_level(const char *text, enum log_level *level);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_vline(enum log_level level, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

#define log_error(...)	 log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
