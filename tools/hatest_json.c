// SPDX-License-Identifier: BSD-2-Clause
// All figures as JSON:
//
// {"version", "short", "seed", "target" or null, "met",
//  "scenarios": [{"name", "title", "about", "met", "disturbed", "error" or null,
//    "duration_s", "warm_s",
//    "events": [{"at_s", "end_s", "what"}],
//    "runs": [{"balancer", "requests", "in_time", "availability", "late", "rejected", "refused",
//      "broken", "broken_long", "abandoned", "lost", "detect_s", "recover_s", "impaired_s",
//      "imbalance", "generator_late_p99_ms", "drops": {outcome: packets} or null,
//      "before", "during", "after": {"begin_s", "end_s", "requests", "p50_ms", "p99_ms",
//      "p999_ms"},
//      "series": {"step_s", "p99_ms": [...], "failed": [...]}}],
//    "thresholds": [{"name", "bound", "value", "judged", "met"}]}]}
//
// Times are seconds from the begin of what counts. null: not measured, or nothing to measure;
// "never" for times that did not come. failed: share of a step's requests without an answer in
// time. disturbed: thresholds were not met, but the load itself was late.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hatest.h"

#define STEP_S 0.25

static json_t *real(double value)
{
	if (isnan(value))
		return json_null();
	if (isinf(value))
		return json_string("never");
	return json_real(round(value * 1e6) / 1e6);
}

// Names of files and outputs of commands may be anything; and what was cut, was cut at a byte.
static json_t *words(const char *text)
{
	json_t *out = json_string(text);
	char *plain = out ? NULL : strdup(text);

	for (char *at = plain; at && *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	if (plain)
		out = json_string(plain);
	free(plain);
	return out;
}

static json_t *count(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *part_json(const struct hatest_span *span, const struct hatest_quantiles *part)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "begin_s", real(span->begin_s), "end_s",
			 real(span->end_s), "requests", count(part->count), "p50_ms",
			 real(part->p50), "p99_ms", real(part->p99), "p999_ms", real(part->p999));
}

static json_t *series_json(const struct hatest_samples *samples,
			   const struct hatest_scenario *scenario)
{
	json_t *p99 = json_array(), *failed = json_array();

	for (double at = 0; at + STEP_S <= scenario->load.duration_s + 1e-9; at += STEP_S) {
		json_array_append_new(p99, real(hatest_window_p99(samples, at, at + STEP_S)));
		json_array_append_new(failed,
				      real(hatest_window_failed(samples, scenario->load.in_time_s,
								at, at + STEP_S)));
	}
	return json_pack("{s:f, s:o, s:o}", "step_s", STEP_S, "p99_ms", p99, "failed", failed);
}

static json_t *run_json(const struct hatest_run *run, const struct hatest_scenario *scenario)
{
	static const char *const names[] = {"before", "during", "after"};
	const struct hatest_metrics *m = &run->metrics;
	json_t *out = json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"balancer", run->balancer, "requests", count(m->meant), "in_time",
		count(m->in_time), "availability", real(m->availability), "late", count(m->late),
		"rejected", count(m->rejected), "refused", count(m->refused), "broken",
		count(m->broken), "broken_long", count(m->broken_long), "abandoned",
		count(m->abandoned), "lost", real(m->lost), "detect_s", real(m->detect_s),
		"recover_s", real(m->recover_s), "impaired_s", real(m->impaired_s), "imbalance",
		real(m->imbalance), "generator_late_p99_ms", real(run->late_p99_ms));

	json_object_set(out, "drops", run->drops ? run->drops : json_null());
	for (size_t i = 0; i < 3; i++)
		json_object_set_new(out, names[i], part_json(&m->span[i], &m->part[i]));
	json_object_set_new(out, "series", series_json(&run->samples, scenario));
	return out;
}

static json_t *events_json(const struct hatest_result *result)
{
	json_t *out = json_array();

	for (size_t i = 0; i < result->actions; i++)
		json_array_append_new(out, json_pack("{s:o, s:o, s:o}", "at_s",
						     real(result->action[i].at_s), "end_s",
						     real(result->action[i].end_s), "what",
						     words(result->action[i].label)));
	return out;
}

static json_t *verdicts_json(const struct hatest_result *result)
{
	json_t *out = json_array();

	for (size_t i = 0; i < result->verdicts; i++) {
		const struct hatest_verdict *v = &result->verdict[i];

		json_array_append_new(out,
				      json_pack("{s:s, s:o, s:o, s:b, s:b}", "name", v->name,
						"bound", real(v->bound), "value", real(v->value),
						"judged", v->judged, "met", v->met));
	}
	return out;
}

static json_t *result_json(const struct hatest_result *result)
{
	const struct hatest_scenario *scenario = &result->scenario;
	bool ran = !*result->error;
	json_t *runs = json_array();

	for (size_t i = 0; ran && i < result->runs; i++)
		json_array_append_new(runs, run_json(&result->run[i], scenario));
	return json_pack("{s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
			 words(scenario->name), "title", words(scenario->title), "about",
			 words(scenario->about), "met", result->met, "disturbed", result->disturbed,
			 "error", ran ? json_null() : words(result->error), "duration_s",
			 real(scenario->load.duration_s), "warm_s", real(scenario->load.warm_s),
			 "events", events_json(result), "runs", runs, "thresholds",
			 verdicts_json(result));
}

json_t *hatest_json(const struct hatest_result *results, size_t count_of,
		    const struct hatest_options *options)
{
	json_t *all = json_array();
	bool met = true;

	for (size_t i = 0; i < count_of; i++) {
		met &= results[i].met;
		if (json_array_append_new(all, result_json(&results[i]))) {
			json_decref(all);
			return NULL; // better none than one that lacks something
		}
	}
	return json_pack("{s:i, s:b, s:o, s:o, s:b, s:o}", "version", 1, "short", options->is_short,
			 "seed", count(options->seed), "target",
			 options->has_target ? json_string(options->target_text) : json_null(),
			 "met", met, "scenarios", all);
}
