// SPDX-License-Identifier: BSD-2-Clause
/*
 * The state file: {"version":1,"check":"<CRC-32 of the sections' text>","sections":{...}}. The
 * check is there because a flipped bit in a name would be valid JSON. See state.h.
 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "clock.h"
#include "log.h"
#include "saver.h"

#define MOST_BYTES (4u << 20)
#define CHECK_SIZE 9
#define SYNC_NS	   (500 * NS_PER_MS)
#define AS_TEXT	   (JSON_COMPACT | JSON_SORT_KEYS) /* one text for one value */

enum { FILE_STATE, FILE_CONFIG };
_Static_assert(SAVER_FILES == 2, "these two");

struct state {
	char file[PATH_MAX], config_file[PATH_MAX];
	json_t *sections;
	bool changed; /* since they were handed to the saver */
	struct saver *saver;
	int error[SAVER_FILES]; /* that have been logged */
	char refused[160], trouble[PATH_MAX + 160];
};

/* ---- reading ---- */

static bool check_of(const json_t *sections, char out[CHECK_SIZE])
{
	char *text = json_dumps(sections, AS_TEXT);

	if (!text)
		return false;
	snprintf(out, CHECK_SIZE, "%08lx",
		 crc32(0, (const unsigned char *)text, (unsigned)strlen(text)));
	free(text);
	return true;
}

static int refuse(struct state *state, const char *why)
{
	snprintf(state->refused, sizeof(state->refused), "%s", why);
	return -EINVAL;
}

/* What is quoted of a damaged file must not write to a terminal what it likes. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

static int take_tree(struct state *state, json_t *tree)
{
	json_t *sections = json_object_get(tree, "sections");
	const char *check = json_string_value(json_object_get(tree, "check"));
	const json_t *version = json_object_get(tree, "version");
	char expected[CHECK_SIZE];

	if (!json_is_integer(version) || !json_is_object(sections) || !check)
		return refuse(state, "it is no state of larchd");
	if (json_integer_value(version) != STATE_VERSION) {
		snprintf(state->refused, sizeof(state->refused),
			 "it has version %lld, and this larchd knows version %d",
			 (long long)json_integer_value(version), STATE_VERSION);
		return -EINVAL;
	}
	if (!check_of(sections, expected))
		return -ENOMEM;
	if (strcmp(check, expected) != 0)
		return refuse(state, "its check sum is wrong: it is damaged");
	json_object_update(state->sections, sections);
	return 0;
}

static int take_text(struct state *state, const char *text, size_t length)
{
	json_error_t where;
	json_t *tree = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
	int error;

	if (!tree) {
		snprintf(state->refused, sizeof(state->refused), "line %d, column %d: %.100s",
			 where.line, where.column, where.text);
		make_printable(state->refused);
		return -EINVAL;
	}
	error = take_tree(state, tree);
	json_decref(tree);
	return error;
}

/* -ENOENT: there is none. -EINVAL: it cannot be used, and `refused` says why. */
static int read_state(struct state *state)
{
	char *text = malloc(MOST_BYTES + 1);
	size_t length = 0;
	ssize_t got = 1;
	int fd, error = 0;

	if (!text)
		return -ENOMEM;
	fd = open(state->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	while (fd >= 0 && got > 0 && length <= MOST_BYTES) {
		got = read(fd, text + length, MOST_BYTES + 1 - length);
		length += got > 0 ? (size_t)got : 0;
	}
	if (fd < 0 || got < 0)
		error = errno == ENOENT ? -ENOENT : refuse(state, strerror(errno));
	else if (length > MOST_BYTES)
		error = refuse(state, "it is longer than 4 MiB");
	else
		error = take_text(state, text, length);
	if (fd >= 0)
		close(fd);
	free(text);
	return error;
}

static void put_aside(const struct state *state)
{
	char aside[PATH_MAX + 16];

	snprintf(aside, sizeof(aside), "%s.corrupt", state->file);
	if (rename(state->file, aside) == 0)
		log_error("%s: REFUSED: %s; it is kept as %s, and larchd starts without it",
			  state->file, state->refused, aside);
	else
		log_error("%s: REFUSED: %s; larchd starts without it (it cannot be moved to %s: "
			  "%s)",
			  state->file, state->refused, aside, strerror(errno));
}

/* ---- the whole ---- */

static int set_paths(struct state *state, const char *file)
{
	const char *slash = strrchr(file, '/');
	int folder = slash ? (int)(slash - file) + 1 : 0;

	if (!*file || strlen(file) + 16 > sizeof(state->file))
		return -ENAMETOOLONG;
	strcpy(state->file, file);
	snprintf(state->config_file, sizeof(state->config_file), "%.*slast-good.yaml", folder,
		 file);
	return 0;
}

int state_open(struct state **out, const char *file)
{
	struct state *state = calloc(1, sizeof(*state));
	int error;

	*out = NULL;
	if (!state)
		return -ENOMEM;
	error = set_paths(state, file);
	if (!error) {
		state->sections = json_object();
		error = state->sections ? read_state(state) : -ENOMEM;
	}
	if (error == -EINVAL)
		put_aside(state);
	if (error == -EINVAL || error == -ENOENT)
		error = 0;
	if (!error)
		error = saver_open(&state->saver,
				   (const char *[]){state->file, state->config_file});
	if (error) {
		state_close(state);
		return error;
	}
	*out = state;
	return 0;
}

void state_close(struct state *state)
{
	if (!state)
		return;
	if (state->saver)
		state_flush(state);
	saver_close(state->saver);
	json_decref(state->sections);
	free(state);
}

const json_t *state_get(const struct state *state, const char *section)
{
	return state ? json_object_get(state->sections, section) : NULL;
}

void state_set(struct state *state, const char *section, json_t *value)
{
	const json_t *before = state_get(state, section);

	if (!state || json_equal(before, value)) {
		json_decref(value);
		return;
	}
	if (value)
		json_object_set_new(state->sections, section, value);
	else if (json_object_del(state->sections, section) != 0)
		return;
	state->changed = true;
}

void state_keep_config(struct state *state, const char *text, size_t length)
{
	char *copy = state ? malloc(length + 1) : NULL;

	if (!copy)
		return;
	memcpy(copy, text, length);
	saver_put(state->saver, FILE_CONFIG, copy, length);
}

/* NULL: no memory; it stays changed. */
static char *as_text(const struct state *state)
{
	char check[CHECK_SIZE];
	json_t *tree = check_of(state->sections, check)
			       ? json_pack("{s:i, s:s, s:O}", "version", STATE_VERSION, "check",
					   check, "sections", state->sections)
			       : NULL;
	char *text = tree ? json_dumps(tree, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;

	json_decref(tree);
	return text;
}

/* Says it once when writing begins to fail, and once when it works again. */
static void tell_errors(struct state *state)
{
	for (size_t i = 0; i < SAVER_FILES; i++) {
		const char *file = i == FILE_STATE ? state->file : state->config_file;
		int error = saver_error(state->saver, i);

		if (error == state->error[i])
			continue;
		state->error[i] = error;
		if (error)
			log_error("%s: cannot be written: %s; larchd goes on and tries again, but "
				  "a restart would not know what is new in it",
				  file, saver_why(error));
		else
			log_info("%s: can be written again", file);
	}
}

void state_flush(struct state *state)
{
	char *text;

	if (!state)
		return;
	text = state->changed ? as_text(state) : NULL;
	if (text) {
		state->changed = false;
		saver_put(state->saver, FILE_STATE, text, strlen(text));
	}
	tell_errors(state);
	state->trouble[0] = '\0';
	for (size_t i = SAVER_FILES; i-- > 0;) {
		if (state->error[i])
			snprintf(state->trouble, sizeof(state->trouble), "%s: %s",
				 i == FILE_STATE ? state->file : state->config_file,
				 saver_why(state->error[i]));
	}
}

void state_sync(struct state *state)
{
	state_flush(state);
	if (state)
		saver_wait(state->saver, SYNC_NS);
}

const char *state_file(const struct state *state)
{
	return state ? state->file : NULL;
}

const char *state_config_file(const struct state *state)
{
	return state ? state->config_file : NULL;
}

const char *state_refused(const struct state *state)
{
	return state && state->refused[0] ? state->refused : NULL;
}

const char *state_trouble(const struct state *state)
{
	return state && state->trouble[0] ? state->trouble : NULL;
}
