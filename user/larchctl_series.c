// SPDX-License-Identifier: BSD-2-Clause
/* `larchctl benefit`: both arms over time, a bar a tick or minute. */
#include <math.h>

#include "columns.h"
#include "larchctl.h"

#define POINTS	60
#define HEIGHTS 8

static const char *const bars[HEIGHTS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

static const json_t *values_of(const json_t *line, const char *what, const char *arm,
			       const char *value)
{
	return json_object_get(json_object_get(json_object_get(line, what), arm), value);
}

/* The largest one of the points that are shown; 0: there is nothing to show. */
static double largest(const json_t *values)
{
	size_t count = json_array_size(values), first = count > POINTS ? count - POINTS : 0;
	double most = 0;

	for (size_t i = first; i < count; i++)
		most = fmax(most, json_number_value(json_array_get(values, i)));
	return most;
}

static void show_arm(const char *name, const json_t *values, double most)
{
	size_t count = json_array_size(values), first = count > POINTS ? count - POINTS : 0;

	printf("    %s ", name);
	for (size_t i = first; i < count; i++) {
		const json_t *value = json_array_get(values, i);
		double height = json_number_value(value) / most * HEIGHTS;

		fputs(!json_is_number(value)	? " "
		      : height >= HEIGHTS - 0.5 ? bars[HEIGHTS - 1]
						: bars[(unsigned)fmax(height - 0.5, 0)],
		      stdout);
	}
	puts("");
}

static void show_line(const json_t *line, const char *unit, const char *what, const char *value,
		      const char *name)
{
	const json_t *learned = values_of(line, what, "learned", value);
	const json_t *control = values_of(line, what, "control", value);
	double most = fmax(largest(learned), largest(control));
	size_t count = json_array_size(learned);
	char text[COLUMNS_NUMBER];

	if (most <= 0)
		return;
	printf("\n  %s of %s over the last ", name, what);
	if (count == 1)
		fputs(unit, stdout);
	else
		printf("%zu %ss", count < POINTS ? count : POINTS, unit);
	printf(" (full height: %s)\n", columns_us(most, text));
	show_arm("learned", learned, most);
	show_arm("control", control, most);
}

void larchctl_show_series(const json_t *series)
{
	const json_t *ticks = json_object_get(series, "ticks");
	const json_t *minutes = json_object_get(series, "minutes");

	show_line(ticks, "tick", "response", "p50_us", "p50");
	show_line(ticks, "tick", "response", "p95_us", "p95");
	show_line(minutes, "minute", "response", "p50_us", "p50");
	show_line(minutes, "minute", "response", "p95_us", "p95");
}
