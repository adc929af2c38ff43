// SPDX-License-Identifier: BSD-2-Clause
// Turns a table of options into getopt_long()'s, prints the help, reports bad values on stderr.
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>

#include "number.h"

#define MAX_OPTIONS 40
#define HELP_COLUMN 42

int option_flag(const struct option_row *row, const char *text, char *why)
{
	(void)text;
	(void)why;
	*(bool *)row->target = true;
	return 0;
}

static int out_of_bounds(const struct option_row *row, const char *what, char *why)
{
	snprintf(why, OPTION_WHY_SIZE, "must be %s from %.10g to %.10g", what, row->low, row->high);
	return -EINVAL;
}

int option_count(const struct option_row *row, const char *text, char *why)
{
	if (number_parse_count(text, (uint64_t)row->low, (uint64_t)row->high, row->target))
		return out_of_bounds(row, "a whole number", why);
	return 0;
}

int option_real(const struct option_row *row, const char *text, char *why)
{
	if (number_parse_real(text, row->low, row->high, row->target))
		return out_of_bounds(row, "a number", why);
	return 0;
}

int option_text(const struct option_row *row, const char *text, char *why)
{
	if (!*text) {
		snprintf(why, OPTION_WHY_SIZE, "must not be empty");
		return -EINVAL;
	}
	*(const char **)row->target = text;
	return 0;
}

static void print_help(const struct option_row *rows, const char *usage)
{
	printf("%s\n\nOptions:\n", usage);
	for (; rows->name; rows++) {
		int width;

		if (!rows->help)
			continue;
		width = printf("  --%s %s", rows->name, rows->argument ? rows->argument : "");
		printf("%*s%s\n", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "", rows->help);
	}
	printf("  %-*s%s\n", HELP_COLUMN - 2, "--help", "this text");
}

static int parse_one(const struct option_row *row, const char *text, const char *program)
{
	char why[OPTION_WHY_SIZE] = "not understood";

	if (!row->parse(row, text, why))
		return 0;
	fprintf(stderr, "%s: --%s '%s': %s\n", program, row->name, text ? text : "", why);
	return -EINVAL;
}

int options_parse(const struct option_row *rows, const char *usage, int argc, char **argv)
{
	struct option longs[MAX_OPTIONS + 2] = {0};
	int count = 0, which, found;

	for (; count < MAX_OPTIONS && rows[count].name; count++) {
		longs[count].name = rows[count].name;
		longs[count].has_arg = rows[count].argument ? required_argument : no_argument;
	}
	longs[count].name = "help";
	while ((found = getopt_long(argc, argv, "", longs, &which)) != -1) {
		if (found == '?') {
			fprintf(stderr, "%s: --help lists the options\n", argv[0]);
			return -EINVAL;
		}
		if (which == count) {
			print_help(rows, usage);
			return 0;
		}
		if (parse_one(&rows[which], optarg, argv[0]))
			return -EINVAL;
	}
	return optind;
}
