// SPDX-License-Identifier: BSD-2-Clause
/*
 * `larchctl -o svg tree`: the tree as a picture that needs nothing else. From left to right:
 * questions, then one row for each leaf: who they are, and a bar with each backend's share.
 */
#include <math.h>
#include <string.h>

#include "columns.h"
#include "larchctl.h"

#define STEP	 185 /* pixels between levels */
#define ROW	 66  /* height of a leaf's row */
#define TITLE	 64  /* height above the first row of a service */
#define LEGEND	 22  /* height of a line of the legend */
#define MARGIN	 20
#define BAR	 460 /* length of 100 % */
#define BAR_HIGH 18
#define LETTERS	 100 /* of a leaf's clients */
#define KEYS	 5   /* backends in a line of the legend */

/* A service's picture while it is drawn. */
struct drawing {
	FILE *to;
	const json_t *service;
	double top;    /* of its first row */
	double leaf_x; /* where leaves are written */
	unsigned row;  /* leaves drawn so far */
};

/* Text within an element or an attribute. Control characters are none of XML's. */
static void print_xml(FILE *to, const char *text, size_t most)
{
	for (size_t i = 0; text[i]; i++) {
		/* Not within a character. */
		if (i >= most && ((unsigned char)text[i] & 0xc0) != 0x80) {
			fputs("...", to);
			return;
		}
		switch (text[i]) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			fputc((unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i], to);
		}
	}
}

static void print_text(FILE *to, double x, double y, const char *class, const char *text,
		       size_t most)
{
	fprintf(to, "<text x=\"%.0f\" y=\"%.0f\" class=\"%s\">", x, y, class);
	print_xml(to, text, most);
	fputs("</text>\n", to);
}

/* Neighbours on the wheel are far apart; the lightness of every other round differs. */
static void print_colour(FILE *to, size_t backend)
{
	fprintf(to, "hsl(%zu,%d%%,%d%%)", backend * 137 % 360, backend % 2 ? 45 : 60,
		backend / 3 % 2 ? 45 : 62);
}

static unsigned depth_of(const json_t *node)
{
	const json_t *yes = json_object_get(node, "yes");
	unsigned left, right;

	if (!yes)
		return 0;
	left = depth_of(yes);
	right = depth_of(json_object_get(node, "no"));
	return 1 + (left > right ? left : right);
}

static void draw_share(FILE *to, const json_t *backend, size_t number, double x, double y)
{
	double share = larchctl_number(backend, "share");
	char part[COLUMNS_NUMBER], net[COLUMNS_NUMBER], service[COLUMNS_NUMBER];

	fprintf(to, "<rect x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%d\" fill=\"", x, y,
		share * BAR, BAR_HIGH);
	print_colour(to, number);
	fputs("\"><title>", to);
	print_xml(to, larchctl_text(backend, "backend"), LETTERS);
	fprintf(to, ": %s, %s + %s</title></rect>\n", larchctl_part(backend, "share", part),
		larchctl_us(backend, "net_us", net), larchctl_us(backend, "service_us", service));
	if (share * BAR < 60)
		return;
	fprintf(to, "<text x=\"%.1f\" y=\"%.0f\" class=\"share\">", x + share * BAR / 2,
		y + BAR_HIGH - 5);
	print_xml(to, larchctl_text(backend, "backend"), (size_t)(share * BAR / 7) - 6);
	fprintf(to, " %.0f %%</text>\n", 100 * share);
}

/* The backend with the largest share of those after `last`, in order of shares. */
static size_t find_next(const json_t *backends, size_t last)
{
	double below = larchctl_number(json_array_get(backends, last), "share"), most = -1;
	size_t found = SIZE_MAX, i;
	const json_t *backend;

	json_array_foreach (backends, i, backend) {
		double share = larchctl_number(backend, "share");
		bool later = last == SIZE_MAX || share < below || (share == below && i > last);

		if (!later || share <= most)
			continue;
		most = share;
		found = i;
	}
	return found;
}

/* The backends with the largest shares, with what they cost. */
static void draw_costs(FILE *to, const json_t *leaf, double x, double y)
{
	const json_t *backends = json_object_get(leaf, "backends");
	char part[COLUMNS_NUMBER], net[COLUMNS_NUMBER], service[COLUMNS_NUMBER];
	size_t at = find_next(backends, SIZE_MAX);

	fprintf(to, "<text x=\"%.0f\" y=\"%.0f\" class=\"small\">", x, y);
	for (int told = 0; told < 3 && at != SIZE_MAX; told++, at = find_next(backends, at)) {
		const json_t *backend = json_array_get(backends, at);

		fputs(told ? "; " : "", to);
		print_xml(to, larchctl_text(backend, "backend"), 20);
		fprintf(to, " %s, %s + %s", larchctl_part(backend, "share", part),
			larchctl_us(backend, "net_us", net),
			larchctl_us(backend, "service_us", service));
	}
	fputs("</text>\n", to);
}

static void draw_leaf(struct drawing *drawing, double number, double y)
{
	const json_t *leaf = larchctl_leaf(drawing->service, number), *backend;
	double x = drawing->leaf_x;
	FILE *to = drawing->to;
	char part[COLUMNS_NUMBER];
	size_t i;

	fprintf(to,
		"<g class=\"leaf\">\n<text x=\"%.0f\" y=\"%.0f\">leaf %.0f, %s of the flows: ", x,
		y - 15, number, larchctl_part(leaf, "part", part));
	print_xml(to, larchctl_text(json_object_get(leaf, "clients"), "text"), LETTERS);
	fputs("<title>", to);
	print_xml(to, larchctl_text(json_object_get(leaf, "clients"), "text"), SIZE_MAX);
	fputs("</title></text>\n", to);
	json_array_foreach (json_object_get(leaf, "backends"), i, backend) {
		draw_share(to, backend, i, x, y - 10);
		x += larchctl_number(backend, "share") * BAR;
	}
	draw_costs(to, leaf, drawing->leaf_x, y + BAR_HIGH + 4);
	fputs("</g>\n", to);
}

static void draw_edge(FILE *to, double x, double y, double child_x, double child_y,
		      const char *label)
{
	fprintf(to, "<path d=\"M%.0f %.0f V%.0f H%.0f\"/>\n", x, y, child_y, child_x);
	print_text(to, x + 4, child_y - 4, "small", label, 8);
}

/* Draws what lies below a node; returns the height at which the node itself is. */
static double draw_node(struct drawing *drawing, const json_t *node, unsigned level)
{
	const json_t *question = json_object_get(node, "question");
	double x = MARGIN + level * STEP, yes, no, y;
	bool yes_is_leaf, no_is_leaf;
	FILE *to = drawing->to;

	if (!question) {
		y = drawing->top + drawing->row++ * ROW + ROW / 2.0;
		draw_leaf(drawing, larchctl_number(node, "leaf"), y);
		return y;
	}
	yes_is_leaf = !json_object_get(json_object_get(node, "yes"), "question");
	no_is_leaf = !json_object_get(json_object_get(node, "no"), "question");
	yes = draw_node(drawing, json_object_get(node, "yes"), level + 1);
	no = draw_node(drawing, json_object_get(node, "no"), level + 1);
	y = (yes + no) / 2;
	draw_edge(to, x + 8, y, yes_is_leaf ? drawing->leaf_x - 6 : x + STEP, yes, "yes");
	draw_edge(to, x + 8, y, no_is_leaf ? drawing->leaf_x - 6 : x + STEP, no, "no");
	fprintf(to, "<circle cx=\"%.0f\" cy=\"%.0f\" r=\"4\"/>\n", x + 8, y);
	print_text(to, x + 16, y + 4, "question", larchctl_text(question, "text"), 60);
	return y;
}

static size_t backends_of(const json_t *service)
{
	return json_array_size(
		json_object_get(json_array_get(json_object_get(service, "leaves"), 0), "backends"));
}

static double height_of(const json_t *service)
{
	size_t leaves = json_array_size(json_object_get(service, "leaves"));
	size_t lines = (backends_of(service) + KEYS - 1) / KEYS;

	return TITLE + (double)(lines * LEGEND + leaves * ROW) + MARGIN;
}

static double width_of(const json_t *service)
{
	return 2 * MARGIN + depth_of(json_object_get(service, "node")) * STEP + 7.0 * LETTERS + 60;
}

static void draw_legend(FILE *to, const json_t *service, double y)
{
	const json_t *backend;
	size_t i;

	json_array_foreach (
		json_object_get(json_array_get(json_object_get(service, "leaves"), 0), "backends"),
		i, backend) {
		double x = MARGIN + (double)(i % KEYS) * 140;

		fprintf(to, "<rect x=\"%.0f\" y=\"%.0f\" width=\"12\" height=\"12\" fill=\"", x,
			y + (double)(i / KEYS) * LEGEND - 11);
		print_colour(to, i);
		fputs("\"/>\n", to);
		print_text(to, x + 18, y + (double)(i / KEYS) * LEGEND, "small",
			   larchctl_text(backend, "backend"), 18);
	}
}

static void draw_service(FILE *to, const json_t *service, double y)
{
	const json_t *node = json_object_get(service, "node");
	struct drawing drawing = {.to = to, .service = service};

	fprintf(to, "<text x=\"%d\" y=\"%.0f\" class=\"title\">", MARGIN, y + 26);
	print_xml(to, larchctl_text(service, "service"), LETTERS);
	if (!node) {
		fputs(": no generation has been published yet</text>\n", to);
		return;
	}
	fprintf(to, ": generation %.0f, %s</text>\n", larchctl_number(service, "generation"),
		larchctl_true(service, "learned") ? "steers the learned flows" : "steers nothing");
	draw_legend(to, service, y + 50);
	drawing.top = y + TITLE + (double)((backends_of(service) + KEYS - 1) / KEYS) * LEGEND;
	drawing.leaf_x = 2 * MARGIN + depth_of(node) * STEP;
	draw_node(&drawing, node, 0);
}

void larchctl_show_svg(const json_t *services, FILE *to)
{
	double width = 600, height = MARGIN, y = 0;
	const json_t *service;
	size_t i;

	json_array_foreach (services, i, service) {
		width = fmax(width, width_of(service));
		height += height_of(service);
	}
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\">\n",
		width, height, width, height);
	fputs("<style>text{font:12px sans-serif;fill:#222}.title{font-size:17px}"
	      ".small{font-size:11px;fill:#555}"
	      ".share{font-size:11px;text-anchor:middle}"
	      ".question{paint-order:stroke;stroke:#fff;stroke-width:4px}"
	      "path{fill:none;stroke:#999}circle{fill:#555}</style>\n"
	      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
	      to);
	json_array_foreach (services, i, service) {
		draw_service(to, service, y);
		y += height_of(service);
	}
	fputs("</svg>\n", to);
}
