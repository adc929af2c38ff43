// SPDX-License-Identifier: BSD-2-Clause
/*
 * The picture of `make bench`: what packets cost, how Larch compares with others, and where the
 * balancer's time goes, as bars.
 *
 * In: bench.json, an array of rows. Out: an SVG file. A row with net_ns is a packet case, one with
 * ratio a comparison, one with file a part of a profile; others are not drawn.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/options.h"
#include "lib/svg.h"

#define WIDTH	960
#define LEFT	250 /* of the bars; their names stand before it */
#define RIGHT	90  /* for the figures */
#define BAR	13
#define STEP	17
#define SECTION 64 /* a section's title and the space around it */
#define TOP	60
#define SHADES	8
#define LETTER	6.2 /* width of one in a part's name, at most */

static struct {
	const char *input, *output, *note;
	FILE *out;
	json_t *rows;
	int y;
} chart = {.input = "build/bench.json", .output = "build/bench.svg", .note = ""};

static const char *const shades[SHADES] = {
	"#0f766e", "#0369a1", "#7c3aed", "#b45309", "#be123c", "#4d7c0f", "#0e7490", "#64748b",
};

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

static double number_of(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

static bool has(const json_t *row, const char *key)
{
	return json_object_get(row, key);
}

/* "1", "1 k", "64 k", "1 M" */
static const char *flows_text(const json_t *row, char *text, size_t size)
{
	long flows = (long)number_of(row, "flows");

	if (flows >= 1 << 20)
		snprintf(text, size, "%ld M", flows >> 20);
	else if (flows >= 1 << 10)
		snprintf(text, size, "%ld k", flows >> 10);
	else
		snprintf(text, size, "%ld", flows);
	return text;
}

/* Few flows and many have colours of their own. */
static const char *flows_shade(const json_t *row)
{
	double flows = number_of(row, "flows");

	return shades[flows < 2 ? 0 : flows < 4096 ? 1 : flows < 1 << 20 ? 2 : 3];
}

static double x_of(double value, double most)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * fmin(value / most, 1);
}

static double most_of(const char *key)
{
	double most = 0;
	const json_t *row;
	size_t i;

	json_array_foreach (chart.rows, i, row)
		if (has(row, key))
			most = fmax(most, number_of(row, key) + number_of(row, "noise"));
	return most > 0 ? most : 1;
}

static size_t count_of(const char *key)
{
	size_t count = 0, i;
	const json_t *row;

	json_array_foreach (chart.rows, i, row)
		count += has(row, key);
	return count;
}

static void draw_section(const char *title)
{
	chart.y += SECTION - STEP;
	fprintf(chart.out, "<text x=\"24\" y=\"%d\" class=\"section\">", chart.y);
	svg_text(chart.out, title);
	fputs("</text>\n", chart.out);
	chart.y += STEP;
}

static void draw_name(const json_t *row, const char *name)
{
	char flows[32];

	fprintf(chart.out, "<text x=\"24\" y=\"%d\" class=\"tick\">", chart.y + BAR - 2);
	svg_text(chart.out, name);
	fprintf(chart.out,
		"</text><text x=\"%d\" y=\"%d\" class=\"tick\" text-anchor=\"end\">%s</text>\n",
		LEFT - 8, chart.y + BAR - 2, flows_text(row, flows, sizeof(flows)));
}

static void draw_figure(double x, double value, int digits)
{
	fprintf(chart.out, "<text x=\"%.1f\" y=\"%d\" class=\"tick\">%.*f</text>\n", x + 6,
		chart.y + BAR - 2, digits, value);
	chart.y += STEP;
}

/* A bar with its noise: the line from value - noise to value + noise. */
static void draw_bar(const json_t *row, const char *key, double most, int digits)
{
	double value = fmax(number_of(row, key), 0), noise = number_of(row, "noise");
	double end = x_of(value + noise, most);

	draw_name(row, text_of(row, "case"));
	fprintf(chart.out,
		"<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
		"<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" class=\"noise\"/>\n",
		LEFT, chart.y, x_of(value, most) - LEFT, BAR, flows_shade(row),
		x_of(fmax(value - noise, 0), most), end, chart.y + BAR / 2, chart.y + BAR / 2);
	draw_figure(end, number_of(row, key), digits);
}

static void draw_bars(const char *title, const char *key, int digits)
{
	double most = most_of(key);
	const json_t *row;
	size_t i;

	if (!count_of(key))
		return;
	draw_section(title);
	json_array_foreach (chart.rows, i, row)
		if (has(row, key))
			draw_bar(row, key, most, digits);
}

/* Where a ratio is 1, over the rows that were just drawn. */
static void draw_one(size_t bars)
{
	double x = x_of(1, most_of("ratio"));

	if (bars)
		fprintf(chart.out,
			"<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" class=\"one\"/>\n", x, x,
			chart.y - STEP * (int)bars - 4, chart.y);
}

static bool same_column(const json_t *a, const json_t *b)
{
	return b && strcmp(text_of(a, "case"), text_of(b, "case")) == 0 &&
	       number_of(a, "flows") == number_of(b, "flows");
}

static double column_ns(const json_t *of)
{
	const json_t *row;
	double ns = 0;
	size_t i;

	json_array_foreach (chart.rows, i, row)
		if (has(row, "file") && same_column(row, of))
			ns += number_of(row, "ns");
	return ns;
}

/* A file keeps its colour in all columns: that of its place among the rows of a column. */
static void draw_part(const json_t *row, size_t place, double before, double most)
{
	double left = x_of(before, most), right = x_of(before + number_of(row, "ns"), most);

	fprintf(chart.out,
		"<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\" "
		"stroke=\"#ffffff\"><title>",
		left, chart.y, right - left, BAR, shades[place % SHADES]);
	svg_text(chart.out, text_of(row, "file"));
	fprintf(chart.out, " %.1f ns</title></rect>\n", number_of(row, "ns"));
	if (right - left < LETTER * (double)strlen(text_of(row, "file")) + 8)
		return;
	fprintf(chart.out, "<text x=\"%.1f\" y=\"%d\" class=\"part\">", left + 4,
		chart.y + BAR - 3);
	svg_text(chart.out, text_of(row, "file"));
	fputs("</text>\n", chart.out);
}

static void draw_column(const json_t *of, double most)
{
	const json_t *row;
	double ns = 0;
	size_t i, place = 0;

	draw_name(of, text_of(of, "case") + strlen("profile_"));
	json_array_foreach (chart.rows, i, row) {
		if (!has(row, "file") || !same_column(row, of))
			continue;
		draw_part(row, place++, ns, most);
		ns += number_of(row, "ns");
	}
	draw_figure(x_of(ns, most), ns, 1);
}

/* Is the row the first of its column? */
static bool begins_column(size_t at)
{
	const json_t *row = json_array_get(chart.rows, at);

	if (!has(row, "file"))
		return false;
	for (size_t i = 0; i < at; i++)
		if (has(json_array_get(chart.rows, i), "file") &&
		    same_column(row, json_array_get(chart.rows, i)))
			return false;
	return true;
}

static void draw_profile(void)
{
	double most = 1;
	const json_t *row;
	size_t i;

	if (!count_of("file"))
		return;
	draw_section("Where the balancer's time goes: ns per packet by source file (net)");
	json_array_foreach (chart.rows, i, row)
		if (begins_column(i))
			most = fmax(most, column_ns(row));
	json_array_foreach (chart.rows, i, row)
		if (begins_column(i))
			draw_column(row, most);
}

static size_t count_columns(void)
{
	size_t columns = 0;

	for (size_t i = 0; i < json_array_size(chart.rows); i++)
		columns += begins_column(i);
	return columns;
}

static int height(void)
{
	size_t bars = count_of("net_ns") + count_of("ratio") + count_columns();

	return TOP + 3 * SECTION + (int)bars * STEP + 24;
}

static void draw(void)
{
	svg_begin(chart.out, WIDTH, height(),
		  ".section{font-size:14px;font-weight:600}.noise{stroke:#1e293b;stroke-width:1.5}"
		  ".one{stroke:#be123c;stroke-dasharray:4 3}.part{font-size:10px;fill:#ffffff}");
	fputs("<text x=\"24\" y=\"30\" class=\"title\">Larch: what packets cost</text>\n"
	      "<text x=\"24\" y=\"50\" class=\"note\">",
	      chart.out);
	svg_text(chart.out, chart.note);
	fputs("</text>\n", chart.out);
	chart.y = TOP;
	draw_bars("ns per packet over an empty program (net), by number of flows; lines: noise",
		  "net_ns", 1);
	draw_bars("Larch's rate over that of others, within one run; right of the line: Larch is "
		  "faster",
		  "ratio", 2);
	draw_one(count_of("ratio"));
	draw_profile();
}

static int run(void)
{
	json_error_t why;

	chart.rows = json_load_file(chart.input, 0, &why);
	if (!json_is_array(chart.rows)) {
		fprintf(stderr, "benchchart: %s: %s\n", chart.input,
			chart.rows ? "not an array" : why.text);
		json_decref(chart.rows);
		return -EINVAL;
	}
	chart.out = fopen(chart.output, "we");
	if (!chart.out) {
		fprintf(stderr, "benchchart: %s: %s\n", chart.output, strerror(errno));
		json_decref(chart.rows);
		return -EIO;
	}
	draw();
	json_decref(chart.rows);
	return svg_end(chart.out);
}

static const struct option_row rows[] = {
	{"input", "FILE", "the figures (build/bench.json)", option_text, &chart.input, 0, 0},
	{"output", "FILE", "the picture (build/bench.svg)", option_text, &chart.output, 0, 0},
	{"note", "TEXT", "a line below the title", option_text, &chart.note, 0, 0},
	{},
};

int main(int argc, char **argv)
{
	int first = options_parse(rows,
				  "usage: benchchart [options]\n\nDraws the figures of make bench.",
				  argc, argv);

	if (first <= 0)
		return first ? 2 : 0;
	return run() ? 1 : 0;
}
