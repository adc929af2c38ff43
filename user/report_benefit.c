// SPDX-License-Identifier: BSD-2-Clause
/*
 * benefit: {"services":[{"service","state","reason","ticks","enough","verdict","sentence",
 *    "tried_again_ticks","control_one_in","learned":{"samples"},"control":{"samples"},
 *    "values":[{"value":"mean|p50|p95|p99","learned_us","control_us","ratio","low","high"}],
 *    "connect":{"enough","learned":{"samples"},"control":{"samples"},"values":[...]},
 *    "leaves":[...] (report_leaves.c),"series":{...} (report_series.c),
 *    "prefixes":[{"prefix","learned":{"samples","mean_us","p50_us","p95_us"},"control":{...},
 *                 "ratio"}]}]}
 * history: {"services":[{"service","published","generations":[{"generation","digest","when","why",
 *    "leaves","expected_gain","moved_share","moved_slots","changes":[...]}]}]}, oldest first;
 *    changes: report_change.c, those that moved most flows first.
 *
 * ratio: control / learned; above 1 learning helps; low and high: its 95 % interval. verdict:
 * "better", "worse", "no difference", "not enough", or "not steering" (both arms go the same way).
 * Values are null while an arm has no samples. "limit" of the request bounds the prefixes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cidr.h"
#include "controller.h"
#include "report.h"

#define PREFIXES_USUAL 20
#define PREFIXES_MOST  1000

static json_t *value(const char *name, const struct judge_quantile *quantile)
{
	static const struct judge_quantile unknown = {NAN, NAN, NAN, NAN, NAN};

	if (!(quantile->ratio > 0)) /* an arm has no samples */
		quantile = &unknown;
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "value", name, "learned_us",
			 report_real(quantile->learned_us), "control_us",
			 report_real(quantile->control_us), "ratio", report_real(quantile->ratio),
			 "low", report_real(quantile->ratio_low), "high",
			 report_real(quantile->ratio_high));
}

/* Both arms go the same way: whatever differs is chance. */
static bool is_idle(const struct service *service)
{
	return !service->judged_steering && service->state != SERVICE_JUDGED &&
	       service->state != SERVICE_FOLLOWS;
}

static const char *verdict(const struct service *service)
{
	const struct judge_report *report = &service->report;

	if (is_idle(service))
		return "not steering";
	if (!report->enough)
		return "not enough";
	if (report->mean.ratio_low > 1)
		return "better";
	return report->mean.ratio_high < 1 ? "worse" : "no difference";
}

static json_t *sentence(const struct service *service)
{
	const struct judge_report *report = &service->report;
	const struct judge_quantile *mean = &report->mean;
	const char *found = verdict(service);

	if (service->state == SERVICE_OFF)
		return json_string("Nothing is compared: learning is off.");
	if (is_idle(service))
		return json_sprintf("Both arms go the same way, for learning steers nothing (%s): "
				    "how they differ is chance.",
				    service->reason ? service->reason : report_state(service));
	if (strcmp(found, "not enough") == 0)
		return json_sprintf("Too little to judge by yet: %.0f learned and %.0f control "
				    "samples in %llu ticks; %d of each in %d ticks are needed.",
				    report->learned_samples, report->control_samples,
				    (unsigned long long)report->ticks, JUDGE_SAMPLES,
				    JUDGE_LEAST_BLOCKS);
	if (strcmp(found, "no difference") == 0)
		return json_sprintf("No difference can be told: without learning the mean takes "
				    "%.3f times as long (95 %% interval %.3f to %.3f).",
				    mean->ratio, mean->ratio_low, mean->ratio_high);
	return json_sprintf("Learning is %s: without it the mean takes %.2f times as long (95 %% "
			    "interval %.2f to %.2f).",
			    found, mean->ratio, mean->ratio_low, mean->ratio_high);
}

static json_t *arm(const struct latency *latency)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "samples", report_real(latency_count(latency)),
			 "mean_us", report_real(latency_mean(latency)), "p50_us",
			 report_real(latency_quantile(latency, 0.5)), "p95_us",
			 report_real(latency_quantile(latency, 0.95)));
}

static json_t *one_prefix(const struct cells_prefix *prefix)
{
	double learned = latency_mean(&prefix->arm[LARCH_ARM_LEARNED]);
	double control = latency_mean(&prefix->arm[LARCH_ARM_CONTROL]);
	char text[CIDR_TEXT];

	return json_pack("{s:s, s:o, s:o, s:o}", "prefix",
			 prefix->source ? cidr_source_text(prefix->source, text) : "others",
			 "learned", arm(&prefix->arm[LARCH_ARM_LEARNED]), "control",
			 arm(&prefix->arm[LARCH_ARM_CONTROL]), "ratio",
			 report_real(learned > 0 && control > 0 ? control / learned : NAN));
}

static json_t *prefixes(const struct service *service, const json_t *request)
{
	json_int_t limit = json_integer_value(json_object_get(request, "limit"));
	struct cells_prefix *prefix;
	json_t *list = json_array();
	size_t count;

	if (limit < 1 || limit > PREFIXES_MOST)
		limit = limit < 1 ? PREFIXES_USUAL : PREFIXES_MOST;
	prefix = service->cells ? calloc((size_t)limit, sizeof(*prefix)) : NULL;
	count = prefix ? cells_prefixes(service->cells, prefix, (size_t)limit) : 0;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, one_prefix(&prefix[i]));
	free(prefix);
	return list;
}

static json_t *values(const struct judge_report *report)
{
	return json_pack("[o,o,o,o]", value("mean", &report->mean), value("p50", &report->p50),
			 value("p95", &report->p95), value("p99", &report->p99));
}

static json_t *connect_times(const struct service *service)
{
	struct judge_report report = {};

	if (service->connect)
		judge_compare(service->connect, JUDGE_BLOCKS, &report);
	return json_pack("{s:b, s:{s:o}, s:{s:o}, s:o}", "enough", report.enough, "learned",
			 "samples", report_real(report.learned_samples), "control", "samples",
			 report_real(report.control_samples), "values", values(&report));
}

static json_t *benefit(struct controller *controller, struct service *service,
		       const json_t *request)
{
	const struct judge_report *report = &service->report;

	return json_pack(
		"{s:s, s:s, s:o, s:I, s:b, s:s, s:o, s:i, s:i, s:{s:o}, s:{s:o}, s:o, s:o, s:o, "
		"s:o, s:o}",
		"service", service->config->name, "state", report_state(service), "reason",
		report_string(service->reason), "ticks", (json_int_t)report->ticks, "enough",
		report->enough, "verdict", verdict(service), "sentence", sentence(service),
		"tried_again_ticks", service->judge ? judge_off_ticks(service->judge) : 0,
		"control_one_in", (int)arm_one_in(&service->arm), "learned", "samples",
		report_real(report->learned_samples), "control", "samples",
		report_real(report->control_samples), "values", values(report), "connect",
		connect_times(service), "leaves", report_leaves(controller, service), "series",
		report_series(&service->series), "prefixes", prefixes(service, request));
}

json_t *report_benefit(struct controller *controller, const json_t *request)
{
	return report_each(controller, request, benefit);
}

static json_t *one_event(const struct service_event *event)
{
	char when[32] = "";
	struct tm local;

	if (localtime_r(&event->when, &local))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", &local);
	return json_pack("{s:I, s:o, s:s, s:s, s:I, s:o, s:o, s:I, s:O}", "generation",
			 (json_int_t)event->generation, "digest", report_digest(event->digest),
			 "when", when, "why", event->why, "leaves", (json_int_t)event->leaves,
			 "expected_gain", report_real(event->expected_gain), "moved_share",
			 report_real(event->moved_share), "moved_slots",
			 (json_int_t)event->moved_slots, "changes",
			 event->changes ? event->changes : json_null());
}

static json_t *history(struct controller *controller, struct service *service,
		       const json_t *request)
{
	uint64_t first =
		service->published > SERVICE_HISTORY ? service->published - SERVICE_HISTORY : 0;
	json_t *list = json_array();

	(void)controller;
	(void)request;
	for (uint64_t i = first; i < service->published; i++)
		json_array_append_new(list, one_event(&service->event[i % SERVICE_HISTORY]));
	return json_pack("{s:s, s:I, s:o}", "service", service->config->name, "published",
			 (json_int_t)service->published, "generations", list);
}

json_t *report_history(struct controller *controller, const json_t *request)
{
	return report_each(controller, request, history);
}
