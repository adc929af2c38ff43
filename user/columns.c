// SPDX-License-Identifier: BSD-2-Clause
/* Aligned tables and numbers with units. See columns.h. */
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

struct columns {
	size_t columns;
	bool right[COLUMNS_MOST];
	size_t width[COLUMNS_MOST];
	char **cell; /* rows one after another; the first one is the titles */
	size_t cells, room;
};

static void add(struct columns *columns, const char *text, size_t length)
{
	size_t at = columns->cells % columns->columns;
	size_t room = columns->room ? columns->room * 2 : 64;
	char **cell;

	if (columns->cells == columns->room) {
		cell = realloc(columns->cell, room * sizeof(*cell));
		if (!cell)
			return;
		columns->cell = cell;
		columns->room = room;
	}
	columns->cell[columns->cells++] = strndup(text, length);
	if (length > columns->width[at])
		columns->width[at] = length;
}

struct columns *columns_new(const char *titles)
{
	struct columns *columns = calloc(1, sizeof(*columns));
	const char *at = titles;

	if (!columns)
		return NULL;
	for (; *at; at += strcspn(at, " "), at += strspn(at, " "))
		columns->right[columns->columns++] = *at == '>';
	for (at = titles; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		at += *at == '>';
		add(columns, at, strcspn(at, " "));
	}
	return columns;
}

void columns_add(struct columns *columns, const char *text)
{
	if (columns)
		add(columns, text ? text : "-", text ? strlen(text) : 1);
}

void columns_addf(struct columns *columns, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	columns_add(columns, text);
}

static void print_row(const struct columns *columns, size_t row, FILE *to, int indent)
{
	fprintf(to, "%*s", indent, "");
	for (size_t i = 0; i < columns->columns; i++) {
		size_t at = row * columns->columns + i;
		const char *text = at < columns->cells ? columns->cell[at] : "";
		bool last = i + 1 == columns->columns;
		int width = (int)columns->width[i];

		if (!text)
			text = "";
		if (columns->right[i])
			fprintf(to, "%*s", width, text);
		else
			fprintf(to, "%-*s", last ? 0 : width, text);
		fputs(last ? "\n" : "  ", to);
	}
}

void columns_print(struct columns *columns, FILE *to, int indent)
{
	if (!columns)
		return;
	for (size_t row = 0; row * columns->columns < columns->cells; row++)
		print_row(columns, row, to, indent);
	for (size_t i = 0; i < columns->cells; i++)
		free(columns->cell[i]);
	free(columns->cell);
	free(columns);
}

/* Three digits that matter. */
static void digits(double value, const char *unit, char *out)
{
	int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;

	snprintf(out, COLUMNS_NUMBER, "%.*f%s", decimals, value, unit);
}

const char *columns_us(double us, char out[COLUMNS_NUMBER])
{
	if (!isfinite(us))
		snprintf(out, COLUMNS_NUMBER, "-");
	else if (us < 999.5)
		snprintf(out, COLUMNS_NUMBER, "%.0f us", us);
	else if (us < 999500)
		digits(us / 1e3, " ms", out);
	else
		digits(us / 1e6, " s", out);
	return out;
}

static const char *scaled(double value, const char *const *unit, size_t units, char *out)
{
	size_t i = 0;

	while (i + 1 < units && value >= 999.5) {
		value /= 1000;
		i++;
	}
	if (!isfinite(value))
		snprintf(out, COLUMNS_NUMBER, "-");
	else if (i == 0)
		snprintf(out, COLUMNS_NUMBER, "%.0f%s", value, unit[0]);
	else
		digits(value, unit[i], out);
	return out;
}

const char *columns_bytes(double bytes, char out[COLUMNS_NUMBER])
{
	static const char *const unit[] = {" B", " kB", " MB", " GB", " TB", " PB"};

	return scaled(bytes, unit, sizeof(unit) / sizeof(unit[0]), out);
}

const char *columns_count(double count, char out[COLUMNS_NUMBER])
{
	static const char *const unit[] = {"", " k", " M", " G", " T"};

	return scaled(count, unit, sizeof(unit) / sizeof(unit[0]), out);
}

const char *columns_part(double part, char out[COLUMNS_NUMBER])
{
	if (isfinite(part))
		snprintf(out, COLUMNS_NUMBER, "%.1f %%", 100 * part);
	else
		snprintf(out, COLUMNS_NUMBER, "-");
	return out;
}

const char *columns_time(double seconds, char out[COLUMNS_NUMBER])
{
	uint32_t all = seconds > 0 && seconds < 4e9 ? (uint32_t)seconds : 0;
	uint32_t days = all / 86400, hours = all / 3600 % 24, minutes = all / 60 % 60;

	if (days)
		snprintf(out, COLUMNS_NUMBER, "%u d %02u:%02u", days, hours, minutes);
	else
		snprintf(out, COLUMNS_NUMBER, "%02u:%02u:%02u", hours, minutes, all % 60);
	return out;
}
