// SPDX-License-Identifier: BSD-2-Clause
/* Keeps the first errors of a file in its order, and says them: see config.h, config_error.h. */
#include "config_error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool comes_before(unsigned line, unsigned column, const struct config_error *error)
{
	return line != error->line ? line < error->line : column < error->column;
}

/* Makes room for one more error in its place. NULL: as many that come before it are kept. */
static struct config_error *make_room(struct config_errors *errors, unsigned line, unsigned column)
{
	size_t kept = errors->count < CONFIG_MAX_ERRORS ? errors->count : CONFIG_MAX_ERRORS;
	size_t place = kept;

	while (place > 0 && comes_before(line, column, &errors->error[place - 1]))
		place--;
	errors->count++;
	if (place == CONFIG_MAX_ERRORS)
		return NULL;
	if (kept == CONFIG_MAX_ERRORS)
		kept--;
	memmove(&errors->error[place + 1], &errors->error[place],
		(kept - place) * sizeof(errors->error[0]));
	return &errors->error[place];
}

void config_error_add(struct config_errors *errors, unsigned line, unsigned column,
		      const char *path, const char *format, ...)
{
	struct config_error *error = make_room(errors, line, column);
	va_list arguments;

	if (!error)
		return;
	memset(error, 0, sizeof(*error));
	error->line = line;
	error->column = column;
	snprintf(error->path, sizeof(error->path), "%s", path);
	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
}

const char *config_error_quote(const char *text, size_t length, char out[CONFIG_SHOWN_SIZE])
{
	size_t shown = length < CONFIG_SHOWN_BYTES ? length : CONFIG_SHOWN_BYTES;
	char *end = out;

	*end++ = '\'';
	for (size_t i = 0; i < shown; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte >= ' ' && byte <= '~')
			*end++ = (char)byte;
		else
			end += sprintf(end, "\\x%02x", byte);
	}
	strcpy(end, shown < length ? "...'" : "'");
	return out;
}

void config_error_step(char *path, const char *key, size_t index)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t at = strlen(path), length = key ? strlen(key) : 0;
	char quoted[CONFIG_SHOWN_SIZE];

	if (!key) {
		snprintf(path + at, CONFIG_PATH_SIZE - at, "[%zu]", index);
		return;
	}
	if (!length || length > CONFIG_SHOWN_BYTES || strspn(key, plain) < length)
		key = config_error_quote(key, length, quoted);
	snprintf(path + at, CONFIG_PATH_SIZE - at, "%s%s", at ? "." : "", key);
}

int config_error_text(const char *file, const struct config_error *error, char *out, size_t size)
{
	char place[32] = "";

	if (error->line)
		snprintf(place, sizeof(place), "%u:%u:", error->line, error->column);
	return snprintf(out, size, "%s%s%s%s%s%s%s", file ? file : "", file ? ":" : "", place,
			file || *place ? " " : "", error->path, *error->path ? ": " : "",
			error->text);
}
