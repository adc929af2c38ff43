// SPDX-License-Identifier: BSD-2-Clause
/* The picture of a batch: for each scenario and policy its mean and p99 over the oracle's. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "lib/svg.h"
#include "sim_report.h"

#define WIDTH 960
#define LEFT  190
#define RIGHT 120
#define BAR   7
#define STEP  20
#define TITLE 44
#define TOP   64
#define MOST  4.0 /* ratios beyond it end at the edge; their figures say what they are */
#define MEAN  "#0f766e"
#define P99   "#b45309"

static int y_of(const struct sim_batch *batch, size_t scenario)
{
	return TOP + (int)scenario * (TITLE + (int)batch->policies * STEP);
}

static double ratio(double value, double by)
{
	return by > 0 ? value / by : 0;
}

static double x_of(double value)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * fmin(value / MOST, 1);
}

static void draw_bar(FILE *out, double value, int y, const char *colour)
{
	fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", LEFT,
		y, x_of(value) - LEFT, BAR, colour);
}

static void draw_row(const struct sim_batch *batch, size_t scenario, size_t policy,
		     const struct sim_result *oracle, int y, FILE *out)
{
	struct sim_result row = sim_batch_mean(batch, scenario, policy);
	double mean = ratio(row.mean, oracle->mean), p99 = ratio(row.p99, oracle->p99);

	fprintf(out, "<text x=\"%d\" y=\"%d\" class=\"tick\" text-anchor=\"end\">", LEFT - 8,
		y + 12);
	svg_text(out, batch->policy[policy]->name);
	fputs("</text>\n", out);
	draw_bar(out, mean, y, MEAN);
	draw_bar(out, p99, y + BAR + 1, P99);
	fprintf(out, "<text x=\"%.1f\" y=\"%d\" class=\"tick\">%.2f / %.2f</text>\n",
		x_of(fmax(mean, p99)) + 6, y + 12, mean, p99);
}

static void draw_scenario(const struct sim_batch *batch, size_t scenario, size_t oracle, FILE *out)
{
	struct sim_result best = sim_batch_mean(batch, scenario, oracle);
	int y = y_of(batch, scenario);

	fprintf(out, "<text x=\"24\" y=\"%d\" class=\"section\">", y + 30);
	svg_text(out, batch->scenario[scenario]->name);
	fputs("</text>\n", out);
	y += TITLE;
	for (size_t p = 0; p < batch->policies; p++, y += STEP)
		draw_row(batch, scenario, p, &best, y, out);
	fprintf(out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" class=\"one\"/>\n", x_of(1),
		x_of(1), y - (int)batch->policies * STEP - 4, y);
}

static size_t find_oracle(const struct sim_batch *batch)
{
	size_t at = 0;

	while (at < batch->policies && strcmp(batch->policy[at]->name, "oracle") != 0)
		at++;
	return at;
}

int sim_report_svg(const struct sim_batch *batch, const char *file)
{
	size_t oracle = find_oracle(batch);
	FILE *out;

	if (oracle == batch->policies) {
		fprintf(stderr, "larch-sim: --svg draws ratios to the policy oracle, which was not "
				"run\n");
		return -EINVAL;
	}
	out = fopen(file, "we");
	if (!out)
		return -errno;
	svg_begin(out, WIDTH, y_of(batch, batch->scenarios) + 24,
		  ".section{font-size:14px;font-weight:600}"
		  ".one{stroke:#be123c;stroke-dasharray:4 3}");
	fprintf(out,
		"<text x=\"24\" y=\"30\" class=\"title\">Larch and others, simulated</text>\n"
		"<text x=\"24\" y=\"50\" class=\"note\">Response times over those of an oracle: "
		"mean (upper bar) and p99 (lower bar); %zu node%s, %zu seed%s</text>\n",
		batch->nodes, batch->nodes > 1 ? "s" : "", batch->seeds,
		batch->seeds > 1 ? "s" : "");
	for (size_t s = 0; s < batch->scenarios; s++)
		draw_scenario(batch, s, oracle, out);
	return svg_end(out);
}
