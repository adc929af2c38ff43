// SPDX-License-Identifier: BSD-2-Clause
// A scenario's plots, for the report: p99 over time by balancer, the share of requests without an
// answer in time, and who got Larch's new connections. Logarithmic milliseconds: what is worth
// seeing spans from a near backend to a retried connection.
#include <math.h>
#include <string.h>

#include "hatest.h"
#include "lib/svg.h"

#define WIDTH	 960
#define LEFT	 56
#define RIGHT	 16
#define TOP	 26
#define LATENCY	 210
#define SMALL	 70
#define GAP	 30
#define BOTTOM	 26
#define LEAST_MS 10.0
#define WINDOW_S 0.5

struct plot {
	const struct hatest_result *result;
	FILE *out;
	double duration_s, most_ms;
	double most_failed; // at the top of its frame
};

const char *hatest_colour(size_t run)
{
	static const char *const colours[] = {"#0f766e", "#dc2626", "#7c3aed", "#b45309"};

	return colours[run % 4];
}

static double x_of(const struct plot *p, double at_s)
{
	double part = fmin(1, fmax(0, at_s / p->duration_s));

	return LEFT + (WIDTH - LEFT - RIGHT) * part;
}

static double y_of_ms(const struct plot *p, double ms)
{
	double part = log(fmax(ms, LEAST_MS) / LEAST_MS) / log(p->most_ms / LEAST_MS);

	return TOP + LATENCY * (1 - fmin(1, part));
}

static double step_of(const struct plot *p)
{
	return fmax(0.1, p->duration_s / 240);
}

static double most_ms(const struct plot *p)
{
	double most = 100;

	for (size_t i = 0; i < p->result->runs; i++)
		for (double at = 0; at + WINDOW_S <= p->duration_s; at += step_of(p)) {
			double ms =
				hatest_window_p99(&p->result->run[i].samples, at, at + WINDOW_S);

			most = isnan(ms) ? most : fmax(most, ms);
		}
	return 1.3 * most;
}

static double most_failed(const struct plot *p)
{
	static const double scales[] = {0.02, 0.1, 0.25, 0.5, 1};
	double in_time = p->result->scenario.load.in_time_s, most = 0;
	size_t scale = 0;

	for (size_t i = 0; i < p->result->runs; i++)
		for (double at = 0; at + WINDOW_S <= p->duration_s; at += step_of(p))
			most = fmax(most, hatest_window_failed(&p->result->run[i].samples, in_time,
							       at, at + WINDOW_S));
	while (scale < 4 && most > scales[scale])
		scale++;
	return scales[scale];
}

static void text_at(const struct plot *p, double x, double y, const char *anchor, const char *class,
		    const char *text)
{
	fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y,
		anchor, class);
	svg_text(p->out, text);
	fputs("</text>\n", p->out);
}

// From top to bottom, what is done, while it lasts.
static void draw_events(const struct plot *p, double bottom)
{
	for (size_t i = 0; i < p->result->actions; i++) {
		const struct hatest_action *action = &p->result->action[i];
		double left = x_of(p, action->at_s), right = x_of(p, action->end_s);

		if (action->undoes)
			continue;
		fprintf(p->out,
			"<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%.1f\" "
			"class=\"event\"><title>",
			left, TOP, fmax(right - left, 1.5), bottom - TOP);
		svg_text(p->out, action->label);
		fprintf(p->out, ", %.2f s</title></rect>\n", action->at_s);
	}
	if (p->result->actions)
		text_at(p, x_of(p, p->result->action[0].at_s) + 2, TOP - 6, "start", "key",
			p->result->action[0].label);
}

static void draw_latency_grid(const struct plot *p)
{
	static const double ticks[] = {10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000};
	char text[16];

	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]) && ticks[i] < p->most_ms; i++) {
		double y = y_of_ms(p, ticks[i]);

		fprintf(p->out,
			"<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" class=\"grid\"/>", LEFT,
			y, WIDTH - RIGHT, y);
		snprintf(text, sizeof(text), "%.0f", ticks[i]);
		text_at(p, LEFT - 6, y + 4, "end", "tick", text);
	}
	text_at(p, LEFT - 6, TOP - 8, "end", "tick", "p99, ms");
}

static void draw_time(const struct plot *p, double y)
{
	double step = p->duration_s <= 12 ? 1 : p->duration_s <= 60 ? 5 : 30;
	char text[32];

	for (double at = 0; at <= p->duration_s + 1e-9; at += step) {
		snprintf(text, sizeof(text), "%.0f%s", at, at + step > p->duration_s ? " s" : "");
		text_at(p, x_of(p, at), y, "middle", "tick", text);
	}
}

static void draw_latency(const struct plot *p, size_t number)
{
	const struct hatest_run *run = &p->result->run[number];

	fprintf(p->out, "<polyline class=\"r%zu\" points=\"", number);
	for (double at = 0; at + WINDOW_S <= p->duration_s; at += step_of(p)) {
		double ms = hatest_window_p99(&run->samples, at, at + WINDOW_S);

		if (!isnan(ms))
			fprintf(p->out, "%.1f,%.1f ", x_of(p, at + WINDOW_S / 2), y_of_ms(p, ms));
	}
	fprintf(p->out, "\"><title>%s</title></polyline>\n", run->balancer);
}

// A small frame that begins at `top`.
static void draw_frame(const struct plot *p, double top, double most, const char *title)
{
	char text[16];

	for (int i = 0; i <= 2; i++)
		fprintf(p->out,
			"<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" class=\"grid\"/>\n",
			LEFT, top + SMALL * i / 2.0, WIDTH - RIGHT, top + SMALL * i / 2.0);
	snprintf(text, sizeof(text), "%.0f %%", 100 * most);
	text_at(p, LEFT - 6, top + 4, "end", "tick", text);
	text_at(p, LEFT - 6, top + SMALL + 4, "end", "tick", "0");
	text_at(p, LEFT, top - 6, "start", "tick", title);
}

static void draw_failed(const struct plot *p, size_t number, double top)
{
	const struct hatest_run *run = &p->result->run[number];
	double in_time = p->result->scenario.load.in_time_s;

	fprintf(p->out, "<polyline class=\"r%zu\" points=\"", number);
	for (double at = 0; at + WINDOW_S <= p->duration_s; at += step_of(p)) {
		double share = hatest_window_failed(&run->samples, in_time, at, at + WINDOW_S);

		if (!isnan(share))
			fprintf(p->out, "%.1f,%.1f ", x_of(p, at + WINDOW_S / 2),
				top + SMALL * (1 - share / p->most_failed));
	}
	fputs("\"/>\n", p->out);
}

// Bands on one another, of the first balancer.
static void draw_shares(const struct plot *p, double top)
{
	const struct hatest_samples *samples = &p->result->run[0].samples;
	double step = step_of(p) * 2, width = x_of(p, step) - x_of(p, 0) + 0.3;

	for (double at = 0; at + step <= p->duration_s; at += step) {
		double sum = 0;

		for (unsigned i = 1; i <= p->result->scenario.lab.backends; i++) {
			double share = hatest_window_share(samples, i, at, at + step);

			if (!(share > 0))
				continue;
			fprintf(p->out,
				"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
				"class=\"s%u\"/>",
				x_of(p, at), top + SMALL * sum, width, SMALL * share, i % 8);
			sum += share;
		}
	}
	fputs("\n", p->out);
	for (unsigned i = 1; i <= p->result->scenario.lab.backends; i++)
		fprintf(p->out,
			"<rect x=\"%d\" y=\"%.1f\" width=\"10\" height=\"10\" class=\"s%u\"/>"
			"<text x=\"%d\" y=\"%.1f\" class=\"tick\">b%u</text>\n",
			LEFT + 330 + 44 * (int)i, top - 15, i % 8, LEFT + 344 + 44 * (int)i,
			top - 6, i);
}

static void draw_key(const struct plot *p)
{
	double x = WIDTH - RIGHT - 110.0 * (double)p->result->runs;

	for (size_t i = 0; i < p->result->runs; i++, x += 110) {
		fprintf(p->out, "<polyline class=\"r%zu\" points=\"%.0f,12 %.0f,12\"/>", i, x,
			x + 24);
		text_at(p, x + 30, 16, "start", "key", p->result->run[i].balancer);
	}
}

void hatest_plot(const struct hatest_result *result, FILE *out)
{
	struct plot plot = {
		.result = result, .out = out, .duration_s = result->scenario.load.duration_s};
	bool shares = strcmp(result->run[0].balancer, "target") != 0;
	double failed = TOP + LATENCY + GAP, steered = failed + SMALL + GAP;
	double bottom = (shares ? steered : failed) + SMALL;
	char title[64];

	plot.most_ms = most_ms(&plot);
	plot.most_failed = most_failed(&plot);
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" role=\"img\">\n",
		WIDTH, bottom + BOTTOM);
	draw_events(&plot, bottom);
	draw_latency_grid(&plot);
	for (size_t i = result->runs; i-- > 0;)
		draw_latency(&plot, i);
	draw_frame(&plot, failed, plot.most_failed, "no answer in time");
	for (size_t i = result->runs; i-- > 0;)
		draw_failed(&plot, i, failed);
	if (shares) {
		snprintf(title, sizeof(title), "new connections that %s sent to each backend",
			 result->run[0].balancer);
		draw_frame(&plot, steered, 1, title);
		draw_shares(&plot, steered);
	}
	draw_key(&plot);
	draw_time(&plot, bottom + 18);
	fputs("</svg>\n", out);
}
