// SPDX-License-Identifier: BSD-2-Clause
/*
 * Log lines on stderr: "<level>: text" with a priority prefix that journald understands when it
 * listens (JOURNAL_STREAM is set), with the time of day otherwise.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"

static const char *const names[] = {"error", "warning", "info", "debug"};
static const int priorities[] = {3, 4, 6, 7}; /* syslog's */
static enum log_level limit = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	limit = level;
}

int log_parse_level(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

static void print_prefix(enum log_level level)
{
	struct timespec now;
	struct tm parts;

	if (getenv("JOURNAL_STREAM")) {
		fprintf(stderr, "<%d>", priorities[level]);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &parts);
	fprintf(stderr, "%02d:%02d:%02d.%03ld ", parts.tm_hour, parts.tm_min, parts.tm_sec,
		now.tv_nsec / 1000000);
}

void log_vline(enum log_level level, const char *format, va_list arguments)
{
	char line[1024];

	if (level > limit)
		return;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	flockfile(stderr);
	print_prefix(level);
	fprintf(stderr, "%s: %s\n", names[level], line);
	funlockfile(stderr);
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_vline(level, format, arguments);
	va_end(arguments);
}
