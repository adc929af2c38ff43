// SPDX-License-Identifier: BSD-2-Clause
// Configurations that are refused, and exactly what is said of them.
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

/* A text and the errors that it must give, one a line, as config_error_text() says them. */
struct refusal {
	const char *text;
	const char *errors;
};

/* Lines 1 to 7: a service that is complete; what follows belongs to its backend. */
#define WEB                                                                                        \
	"services:\n"                                                                              \
	"  - name: web\n"                                                                          \
	"    address: 203.0.113.10\n"                                                              \
	"    port: 443\n"                                                                          \
	"    protocol: tcp\n"                                                                      \
	"    backends:\n"                                                                          \
	"      - address: 10.0.0.1\n"

/* A service of UDP, as WEB is one of TCP. */
#define DNS                                                                                        \
	"services:\n"                                                                              \
	"  - name: dns\n"                                                                          \
	"    address: 203.0.113.53\n"                                                              \
	"    port: 53\n"                                                                           \
	"    protocol: udp\n"                                                                      \
	"    backends:\n"                                                                          \
	"      - address: 10.0.0.1\n"

/* A second one, which uses other addresses; without its list of backends. */
#define SECOND                                                                                     \
	"  - name: second\n"                                                                       \
	"    address: 203.0.113.11\n"                                                              \
	"    port: 443\n"                                                                          \
	"    protocol: tcp\n"

static inline void write_errors(const struct config_errors *errors, FILE *out)
{
	char line[600];

	for (size_t i = 0; i < errors->count && i < CONFIG_MAX_ERRORS; i++) {
		config_error_text(NULL, &errors->error[i], line, sizeof(line));
		fprintf(out, "%s%s", i ? "\n" : "", line);
	}
}

static inline void expect_refusal(const char *text, size_t length, const char *expected)
{
	struct larch_config *config = (void *)-1;
	struct config_errors errors;
	char *said = NULL;
	size_t size;
	FILE *out = open_memstream(&said, &size);
	int error = config_parse(text, length, &config, &errors);

	write_errors(&errors, out);
	fclose(out);
	cr_expect_eq(error, -EINVAL, "%d for: %.*s", error, (int)length, text);
	cr_expect_null(config);
	cr_expect_str_eq(said, expected, "\n said: %s\n not:  %s\n for:\n%.*s", said, expected,
			 length < 2000 ? (int)length : 0, text);
	free(said);
}

static inline void expect_refusals(const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect_refusal(refusals[i].text, strlen(refusals[i].text), refusals[i].errors);
}

#define EXPECT_REFUSALS(...)                                                                       \
	expect_refusals((const struct refusal[]){__VA_ARGS__},                                     \
			sizeof((const struct refusal[]){__VA_ARGS__}) / sizeof(struct refusal))
