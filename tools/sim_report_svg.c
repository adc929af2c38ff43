// SPDX-License-Identifier: BSD-2-Clause
/* The picture of a batch: for each scenario and policy its mean and p99 over the oracle's. */
#include <errno.h>
#include <math.h>

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

static double ratio(double value, double by)
{
	return by > 0 && value >= 0 ? value / by : 0;
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

static void draw_row(const struct sim_batch *batch, size_t at, const struct sim_result *oracle,
		     int y, FILE *out)
{
	struct sim_result row = sim_batch_mean(batch, at);
	double mean = ratio(row.mean, oracle->mean), p99 = ratio(row.p99, oracle->p99);

	fprintf(out, "<text x=\"%d\" y=\"%d\" class=\"tick\" text-anchor=\"end\">", LEFT - 8,
		y + 12);
	svg_text(out, batch->cases[at].policy->name);
	fputs("</text>\n", out);
	draw_bar(out, mean, y, MEAN);
	draw_bar(out, p99, y + BAR + 1, P99);
	fprintf(out,
		"<text x=\"%.1f\" y=\"%d\" class=\"tick\">%.2f / %.2f</text>"
		"<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" class=\"one\"/>\n",
		x_of(fmax(mean, p99)) + 6, y + 12, mean, p99, x_of(1), x_of(1), y - 2,
		y + STEP - 2);
}

static void draw_title(const struct sim_case *of, int y, FILE *out)
{
	fprintf(out, "<text x=\"24\" y=\"%d\" class=\"section\">", y);
	svg_text(out, of->scenario->name);
	if (of->nodes > 1)
		fprintf(out, ", %zu nodes", of->nodes);
	fputs("</text>\n", out);
}

static int height(const struct sim_batch *batch)
{
	int y = TOP;

	for (size_t i = 0; i < batch->count; i++)
		y += STEP + (sim_batch_begins(batch, i) ? TITLE : 0);
	return y + 24;
}

static int draw_all(const struct sim_batch *batch, FILE *out)
{
	struct sim_result oracle;
	int y = TOP;

	for (size_t i = 0; i < batch->count; i++) {
		if (sim_batch_begins(batch, i)) {
			draw_title(&batch->cases[i], y + 30, out);
			y += TITLE;
		}
		if (!sim_batch_oracle(batch, i, &oracle))
			return -EINVAL;
		draw_row(batch, i, &oracle, y, out);
		y += STEP;
	}
	return 0;
}

int sim_report_svg(const struct sim_batch *batch, const char *file)
{
	FILE *out = fopen(file, "we");
	int error, closed;

	if (!out)
		return -errno;
	svg_begin(out, WIDTH, height(batch),
		  ".section{font-size:14px;font-weight:600}"
		  ".one{stroke:#be123c;stroke-dasharray:4 3}");
	fprintf(out,
		"<text x=\"24\" y=\"30\" class=\"title\">Larch and others, simulated</text>\n"
		"<text x=\"24\" y=\"50\" class=\"note\">Response times over those of an oracle: "
		"mean (upper bar) and p99 (lower bar); mean of %zu seed%s</text>\n",
		batch->seeds, batch->seeds > 1 ? "s" : "");
	error = draw_all(batch, out);
	if (error)
		fputs("larch-sim: --svg draws ratios to the policy oracle, which was not run\n",
		      stderr);
	closed = svg_end(out);
	return error ? error : closed;
}
