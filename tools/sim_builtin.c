// SPDX-License-Identifier: BSD-2-Clause
/* The scenarios of tools/scenarios, which are part of the program; others are read from files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_scenario.h"

#define SCENARIOS(X)                                                                               \
	X(class)                                                                                   \
	X(mix)                                                                                     \
	X(slow)                                                                                    \
	X(fail_slow)                                                                               \
	X(flat)                                                                                    \
	X(shift)                                                                                   \
	X(dead)

/* The file as it is, between two symbols. */
#define X(name)                                                                                    \
	__asm__(".section .rodata\n"                                                               \
		"sim_text_" #name ": .incbin \"tools/scenarios/" #name ".yaml\"\n"                 \
		"sim_end_" #name ": .previous\n");                                                 \
	extern const char sim_text_##name[], sim_end_##name[];
SCENARIOS(X)
#undef X

static const struct {
	const char *name, *text, *end;
} builtins[] = {
#define X(name) {#name, sim_text_##name, sim_end_##name},
	SCENARIOS(X)
#undef X
};

const char *const sim_scenario_names[] = {
#define X(name) #name,
	SCENARIOS(X)
#undef X
		NULL};

/* The file's name without folder and ending. */
static void name_after(const char *file, char name[CONFIG_NAME_MAX])
{
	const char *slash = strrchr(file, '/');

	snprintf(name, CONFIG_NAME_MAX, "%s", slash ? slash + 1 : file);
	name[strcspn(name, ".")] = '\0';
}

int sim_scenario_load(const char *name, struct sim_scenario *out, struct config_errors *errors)
{
	char *text = NULL;
	size_t length = 0;
	int error;

	memset(errors, 0, sizeof(*errors));
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
		if (strcmp(builtins[i].name, name) != 0)
			continue;
		error = sim_scenario_parse(builtins[i].text,
					   (size_t)(builtins[i].end - builtins[i].text), out,
					   errors);
		name_after(name, out->name);
		return error;
	}
	error = config_read(name, &text, &length);
	if (!error)
		error = sim_scenario_parse(text, length, out, errors);
	free(text);
	name_after(name, out->name);
	return error;
}
