// SPDX-License-Identifier: BSD-2-Clause
// The report: one HTML file that needs nothing else and runs nothing. In: results. Out: the file.
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "hatest.h"
#include "lib/svg.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	"style-src 'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<title>Larch: high-availability test</title>\n<style>\n"
	"body{font:15px/1.5 system-ui,sans-serif;color:#1e293b;background:#fff;margin:0 auto;"
	"max-width:1000px;padding:24px}\n"
	"h1{font-size:24px}h2{font-size:19px;margin:36px 0 4px}p{margin:4px 0 12px}\n"
	"table{border-collapse:collapse;width:100%;font-size:14px;margin:8px 0 16px}\n"
	"th,td{border-bottom:1px solid #cbd5e1;padding:4px 8px;text-align:right;"
	"font-variant-numeric:tabular-nums}\n"
	"th:first-child,td:first-child,.l{text-align:left}th{color:#475569;font-weight:600}\n"
	".scroll{overflow-x:auto}.met{color:#0f766e;font-weight:600}.not{color:#be123c;"
	"font-weight:600}.note{color:#475569}\n"
	"svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#475569}"
	"svg .key{fill:#1e293b}.grid{stroke:#e2e8f0}.event{fill:#fecdd3;fill-opacity:.45}"
	"polyline{fill:none;stroke-width:1.8;stroke-linejoin:round}\n"
	".s1{fill:#0d9488}.s2{fill:#f59e0b}.s3{fill:#6366f1}.s4{fill:#94a3b8}.s5{fill:#ec4899}"
	".s6{fill:#84cc16}.s7{fill:#0ea5e9}.s0{fill:#78350f}\n";

static void cell(FILE *out, const char *class, const char *text)
{
	fprintf(out, "<td%s%s%s>", *class ? " class=\"" : "", class, *class ? "\"" : "");
	svg_text(out, text);
	fputs("</td>", out);
}

static void cell_count(FILE *out, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.0f", value);
	cell(out, "", isnan(value) ? "-" : text);
}

static const char *state(const struct hatest_result *result)
{
	if (*result->error)
		return "could not run";
	if (result->disturbed)
		return "this host was too busy to say";
	return result->met ? "met" : "not met";
}

static void write_summary_row(FILE *out, const struct hatest_result *result)
{
	const struct hatest_metrics *m = &result->run[0].metrics;
	char text[32];

	fputs("<tr><td><a href=\"#", out);
	svg_text(out, result->scenario.name);
	fputs("\">", out);
	svg_text(out, result->scenario.name);
	fputs("</a></td>", out);
	cell(out, "l", result->scenario.title);
	if (!*result->error) {
		cell(out, "", hatest_percent(m->availability, text));
		cell(out, "", hatest_ms(m->part[0].p99, text));
		cell(out, "", hatest_ms(m->part[1].p99, text));
		cell(out, "", hatest_seconds(m->detect_s, text));
		cell(out, "", hatest_seconds(m->recover_s, text));
		cell_count(out, (double)(m->broken + m->broken_long));
	} else {
		fputs("<td colspan=\"6\"></td>", out);
	}
	cell(out, result->met ? "met" : "not", state(result));
	fputs("</tr>\n", out);
}

static void write_summary(FILE *out, const struct hatest_result *results, size_t count)
{
	fputs("<div class=\"scroll\"><table><tr><th>scenario</th><th class=\"l\">what "
	      "happens</th><th>available</th><th>p99 before, ms</th><th>during</th>"
	      "<th>detected</th><th>recovered</th><th>broken</th><th>thresholds</th></tr>\n",
	      out);
	for (size_t i = 0; i < count; i++)
		write_summary_row(out, &results[i]);
	fputs("</table></div>\n", out);
}

static void write_run_row(FILE *out, const struct hatest_run *run)
{
	const struct hatest_metrics *m = &run->metrics;
	char text[32];

	fputs("<tr>", out);
	cell(out, "", run->balancer);
	cell(out, "", hatest_percent(m->availability, text));
	for (size_t i = 0; i < 3; i++) {
		cell(out, "", hatest_ms(m->part[i].p50, text));
		cell(out, "", hatest_ms(m->part[i].p99, text));
		cell(out, "", hatest_ms(m->part[i].p999, text));
	}
	cell(out, "", hatest_seconds(m->detect_s, text));
	cell(out, "", hatest_seconds(m->recover_s, text));
	cell(out, "", hatest_seconds(m->impaired_s, text));
	cell_count(out, (double)m->refused);
	cell_count(out, (double)m->broken);
	cell_count(out, (double)m->broken_long);
	cell_count(out, m->lost);
	snprintf(text, sizeof(text), "%.2f", m->imbalance);
	cell(out, "", isnan(m->imbalance) ? "-" : text);
	fputs("</tr>\n", out);
}

static void write_runs(FILE *out, const struct hatest_result *result)
{
	fputs("<div class=\"scroll\"><table><tr><th rowspan=\"2\">balancer</th><th "
	      "rowspan=\"2\">available</th><th colspan=\"3\">before: p50, p99, p99.9 ms</th><th "
	      "colspan=\"3\">during</th><th colspan=\"3\">after</th><th rowspan=\"2\">detected</th>"
	      "<th rowspan=\"2\">recovered</th><th rowspan=\"2\">impaired</th><th "
	      "rowspan=\"2\">refused</th><th rowspan=\"2\">broken</th><th rowspan=\"2\">long "
	      "broken</th><th rowspan=\"2\">lost</th><th rowspan=\"2\">imbalance</th></tr><tr>",
	      out);
	for (int i = 0; i < 3; i++)
		fputs("<th>p50</th><th>p99</th><th>p99.9</th>", out);
	fputs("</tr>\n", out);
	for (size_t i = 0; i < result->runs; i++)
		write_run_row(out, &result->run[i]);
	fputs("</table></div>\n", out);
}

static void write_verdicts(FILE *out, const struct hatest_result *result)
{
	char text[32];

	if (!result->verdicts)
		return;
	fputs("<table><tr><th>threshold</th><th>asked</th><th>got</th><th></th></tr>\n", out);
	for (size_t i = 0; i < result->verdicts; i++) {
		const struct hatest_verdict *v = &result->verdict[i];

		fputs("<tr>", out);
		cell(out, "", v->name);
		fprintf(out, "<td>at %s %s</td>", v->least ? "least" : "most",
			hatest_value(v, v->bound, text));
		cell(out, "", hatest_value(v, v->value, text));
		cell(out,
		     !v->judged ? "note"
		     : v->met	? "met"
				: "not",
		     !v->judged ? "too short to judge"
		     : v->met	? "met"
				: "not met");
		fputs("</tr>\n", out);
	}
	fputs("</table>\n", out);
}

static void write_drops(FILE *out, const struct hatest_run *run)
{
	const char *name;
	json_t *packets;

	if (!json_object_size(run->drops))
		return;
	fprintf(out, "<p class=\"note\">Packets that %s dropped:", run->balancer);
	json_object_foreach (run->drops, name, packets)
		fprintf(out, " %s %" JSON_INTEGER_FORMAT, name, json_integer_value(packets));
	fputs("</p>\n", out);
}

static void write_result(FILE *out, const struct hatest_result *result)
{
	fputs("<h2 id=\"", out);
	svg_text(out, result->scenario.name);
	fputs("\">", out);
	svg_text(out, result->scenario.name);
	fputs(": ", out);
	svg_text(out, result->scenario.title);
	fprintf(out, " <span class=\"%s\">%s</span></h2>\n<p>", result->met ? "met" : "not",
		state(result));
	svg_text(out, *result->error ? result->error : result->scenario.about);
	fputs("</p>\n", out);
	if (*result->error)
		return;
	hatest_plot(result, out);
	write_runs(out, result);
	write_verdicts(out, result);
	for (size_t i = 0; i < result->runs; i++)
		write_drops(out, &result->run[i]);
}

static void write_head(FILE *out, const struct hatest_options *options)
{
	time_t now = (time_t)(clock_read(CLOCK_REALTIME) / NS_PER_S);
	char when[64] = "", host[256] = "";

	strftime(when, sizeof(when), "%Y-%m-%d %H:%M UTC", gmtime(&now));
	gethostname(host, sizeof(host) - 1);
	fputs(head, out);
	for (size_t i = 0; i < HATEST_BALANCERS; i++)
		fprintf(out, ".r%zu{stroke:%s}", i, hatest_colour(i));
	fputs("\n</style>\n</head>\n<body>\n<h1>Larch: high-availability test</h1>\n<p "
	      "class=\"note\">",
	      out);
	svg_text(out, host);
	fprintf(out, ", %s%s%s%s</p>\n", when, options->has_target ? ", target " : "",
		options->target_text,
		options->is_short ? ". Shortened runs: too short to say much of latency" : "");
}

static const char foot[] =
	"<h2>What the figures are</h2>\n<p class=\"note\">By the clients' clock, from the time at "
	"which each request was meant to be sent; a first request's includes the connect. "
	"<b>Available</b>: requests that got their answer in time, of all that were meant. "
	"<b>Detected</b>: until new connections avoid the backend that is in trouble. "
	"<b>Recovered</b>: until new connections wait no longer than before. <b>Impaired</b>: for "
	"how long altogether they did. <b>Lost</b>: TCP segments sent again. <b>Imbalance</b>: the "
	"busiest backend's requests over the mean. Shaded: what is done to the lab.</p>\n"
	"</body>\n</html>\n";

int hatest_html(const struct hatest_result *results, size_t count,
		const struct hatest_options *options, const char *file)
{
	FILE *out = fopen(file, "we");
	int failed;

	if (!out)
		return -errno;
	write_head(out, options);
	write_summary(out, results, count);
	for (size_t i = 0; i < count; i++)
		write_result(out, &results[i]);
	fputs(foot, out);
	failed = ferror(out);
	return fclose(out) || failed ? -EIO : 0;
}
