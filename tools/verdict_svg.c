// SPDX-License-Identifier: BSD-2-Clause
// The picture: p99 of all requests over time, learned against control, phases shaded. A logarithmic
// scale, since what is worth seeing spans from a near backend to a crowded far one.
#include <errno.h>
#include <math.h>
#include <string.h>

#include "lib/svg.h"
#include "verdict.h"

#define WIDTH	 960
#define HEIGHT	 440
#define LEFT	 64
#define RIGHT	 24
#define TOP	 84
#define BOTTOM	 52
#define WINDOW_S 1.0
#define STEP_S	 0.25
#define LEAST_MS 10.0

struct picture {
	FILE *out;
	const struct run *run;
	double most_ms;
};

static const char *const shades[] = {"#f1f5f9", "#ecfdf5", "#fff1f2", "#eff6ff"};

static double x_of(const struct picture *p, double at_s)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * at_s / p->run->end_s;
}

static double y_of(const struct picture *p, double ms)
{
	double part = log(fmax(ms, LEAST_MS) / LEAST_MS) / log(p->most_ms / LEAST_MS);

	return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part;
}

static double p99_at(const struct run *run, int arm, double at_s)
{
	const struct filter filter = {.arm = arm, .prefix = -1};

	return run_quantile(run, &filter, at_s, at_s + WINDOW_S, 0.99);
}

static double most_ms(const struct run *run)
{
	double most = 100;

	for (int arm = 0; arm < ARMS; arm++)
		for (double at = 0; at + WINDOW_S <= run->end_s; at += STEP_S)
			most = fmax(most, p99_at(run, arm, at));
	return most * 1.5; // room for the phases' titles
}

static void draw_phases(const struct picture *p)
{
	for (size_t i = 0; i < p->run->phases; i++) {
		const struct phase *phase = &p->run->phase[i];
		double left = x_of(p, phase->begin_s), right = x_of(p, phase->end_s);

		fprintf(p->out,
			"<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n",
			left, TOP, right - left, HEIGHT - TOP - BOTTOM,
			shades[i % (sizeof(shades) / sizeof(shades[0]))]);
		fprintf(p->out, "<text x=\"%.1f\" y=\"%d\" class=\"phase\">", left + 6, TOP + 17);
		svg_text(p->out, phase->title);
		fputs("</text>\n", p->out);
	}
}

static void draw_grid(const struct picture *p)
{
	static const double ticks[] = {10, 20, 50, 100, 200, 500, 1000, 2000, 5000};

	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]) && ticks[i] < p->most_ms; i++) {
		double y = y_of(p, ticks[i]);

		fprintf(p->out,
			"<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" class=\"grid\"/>"
			"<text x=\"%d\" y=\"%.1f\" class=\"tick\" "
			"text-anchor=\"end\">%.0f</text>\n",
			LEFT, y, WIDTH - RIGHT, y, LEFT - 8, y + 4, ticks[i]);
	}
	for (double at = 0; at <= p->run->end_s; at += 10)
		fprintf(p->out,
			"<text x=\"%.1f\" y=\"%d\" class=\"tick\" "
			"text-anchor=\"middle\">%.0f</text>\n",
			x_of(p, at), HEIGHT - BOTTOM + 18, at);
}

static void draw_line(const struct picture *p, int arm, const char *class)
{
	fprintf(p->out, "<polyline class=\"%s\" points=\"", class);
	for (double at = 0; at + WINDOW_S <= p->run->end_s; at += STEP_S) {
		double ms = p99_at(p->run, arm, at);

		if (!isnan(ms))
			fprintf(p->out, "%.1f,%.1f ", x_of(p, at + WINDOW_S / 2), y_of(p, ms));
	}
	fputs("\"/>\n", p->out);
}

static void draw_head(const struct picture *p)
{
	svg_begin(p->out, WIDTH, HEIGHT,
		  ".phase{font-size:12px;font-weight:600;fill:#334155}polyline{fill:none;"
		  "stroke-width:2;stroke-linejoin:round}.learned{stroke:#0f766e}"
		  ".control{stroke:#dc2626}");
	fprintf(p->out,
		"<text x=\"%d\" y=\"30\" class=\"title\">Larch: p99 latency of all requests, "
		"learned against control</text>\n"
		"<text x=\"%d\" y=\"50\" class=\"note\">ms from the intended time, by the clients' "
		"clock; windows of %.0f s; logarithmic scale</text>\n",
		LEFT, LEFT, WINDOW_S);
}

static void draw_key(const struct picture *p)
{
	static const char *const key[ARMS][2] = {
		{"learned", "learned: 15 of 16 flows"},
		{"control", "control: 1 of 16, even weights"},
	};

	for (int i = 0; i < ARMS; i++) {
		int x = WIDTH - 470 + 190 * i;

		fprintf(p->out,
			"<polyline class=\"%s\" points=\"%d,68 %d,68\"/>"
			"<text x=\"%d\" y=\"72\" class=\"key\">%s</text>\n",
			key[i][0], x + 10, x + 38, x + 44, key[i][1]);
	}
	fprintf(p->out,
		"<text x=\"%d\" y=\"%d\" class=\"note\" text-anchor=\"middle\">seconds</text>\n",
		(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14);
}

int svg_write(const struct run *run, const char *path)
{
	struct picture picture = {.run = run, .most_ms = most_ms(run)};

	picture.out = fopen(path, "we");
	if (!picture.out)
		return -errno;
	draw_head(&picture);
	draw_phases(&picture);
	draw_grid(&picture);
	draw_line(&picture, ARM_CONTROL, "control");
	draw_line(&picture, ARM_LEARNED, "learned");
	draw_key(&picture);
	return svg_end(picture.out);
}
