// SPDX-License-Identifier: BSD-2-Clause
// Command-line options as a table: one row gives an option's name, its help and its parser.
#ifndef TOOLS_LIB_OPTIONS_H
#define TOOLS_LIB_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define OPTION_WHY_SIZE 192

struct option_row {
	const char *name;
	const char *argument; // its name in the help; NULL: the option takes none
	const char *help;     // NULL: not shown
	// Stores text in target. Returns 0, or -errno with the reason in why (OPTION_WHY_SIZE).
	int (*parse)(const struct option_row *row, const char *text, char *why);
	void *target;
	double low, high; // bounds of option_count and option_real
};

// Parsers for the common kinds; target is a bool, uint64_t, double or const char *.
int option_flag(const struct option_row *row, const char *text, char *why);
int option_count(const struct option_row *row, const char *text, char *why);
int option_real(const struct option_row *row, const char *text, char *why);
int option_text(const struct option_row *row, const char *text, char *why);

// Parses argv by the rows, of which the last has no name. Returns the index of the first argument
// that is not an option, 0 after printing the help, or -EINVAL after saying what is wrong.
int options_parse(const struct option_row *rows, const char *usage, int argc, char **argv);

#endif
