// SPDX-License-Identifier: BSD-2-Clause
/*
 * {"version","pid","uptime_s","adopted",
 *  "config":{"file","loaded","ok","error","last_good"},  (last_good: the file in force, or null)
 *  "state":null or {"file","ok","error","refused"},
 *  "warnings":["..."],
 *  "names":[{"host","addresses","trouble","doubted","next_s"}],
 *  "interfaces":[{"name","mode","index","attached","link","problem"}],
 *  "routes":null or {...}: see report.h,
 *  "flow_table":{"entries","open","syn","closing","fill"},
 *  "cells":{"used","limit"},
 *  "services":[{"service","id","state","reason","learning","signal","signal_auto","signal_reason",
 *               "generation","digest","leaves","published","age_ticks","backends","usable",
 *               "control_one_in","flood":null or {"present","since_s","floods","lasted_s"},
 *               "agents":null or {"answer","next_try_s"}}],
 *  "nodes":null or {...}: see report_nodes.c,
 *  "tick":{"interval_ms","ticks","stages":[{"stage","last_us","most_us","mean_us"}]},
 *  "outcomes":[{"outcome","number","verdict","packets","bytes","text"}]}
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "controller.h"
#include "outcomes.h"
#include "report.h"

#define NEARLY_FULL 0.8

static void lower(const char *text, char *out, size_t size)
{
	size_t i = 0;

	for (; text[i] && i + 1 < size; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	out[i] = '\0';
}

static json_t *outcome(const struct controller *controller, const struct packet_outcome *outcome)
{
	struct larch_counter sum;
	char name[32], verdict[16];

	if (!report_is_live(controller) ||
	    datapath_outcome(controller->datapath, outcome->number, &sum) != 0)
		return NULL;
	lower(outcome->name, name, sizeof(name));
	lower(outcome->verdict, verdict, sizeof(verdict));
	return json_pack("{s:s, s:i, s:s, s:I, s:I, s:s}", "outcome", name, "number",
			 outcome->number, "verdict", verdict, "packets", (json_int_t)sum.packets,
			 "bytes", (json_int_t)sum.bytes, "text", outcome->text);
}

static json_t *all_outcomes(const struct controller *controller)
{
	json_t *list = json_array();
	size_t count;
	const struct packet_outcome *all = outcomes_all(&count);

	for (size_t i = 0; i < count; i++) {
		json_t *item = outcome(controller, &all[i]);

		if (item)
			json_array_append_new(list, item);
	}
	return list;
}

static json_t *config(const struct controller *controller)
{
	char when[32] = "";
	struct tm local;

	if (localtime_r(&controller->reloaded, &local))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", &local);
	return json_pack("{s:o, s:s, s:b, s:o, s:o}", "file",
			 report_string(controller->options.config_file), "loaded", when, "ok",
			 !controller->reload_failed && !controller->last_good[0], "error",
			 report_string(report_config_error(controller)), "last_good",
			 report_string(controller->last_good[0] ? controller_config_file(controller)
								: NULL));
}

/* Closing flows give way when a new one needs their place. */
static double fill(const struct controller *controller, bool closing)
{
	const struct flows_count *flows = &controller->flows;
	double entries = controller->datapath
				 ? (double)controller->datapath->buckets * LARCH_BUCKET_FLOWS
				 : 0;

	double taken = (double)flows->open + flows->syn + (closing ? flows->closing : 0);

	return entries > 0 ? taken / entries : 0;
}

static json_t *flow_table(const struct controller *controller)
{
	const struct flows_count *flows = &controller->flows;
	uint64_t buckets = controller->datapath ? controller->datapath->buckets : 0;

	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "entries",
			 (json_int_t)(buckets * LARCH_BUCKET_FLOWS), "open",
			 (json_int_t)flows->open, "syn", (json_int_t)flows->syn, "closing",
			 (json_int_t)flows->closing, "fill", report_real(fill(controller, true)));
}

static size_t usable(const struct service *service)
{
	size_t count = 0;

	for (size_t i = 0; i < service->members; i++)
		count += service->member[i].usable && service->member[i].weight;
	return count;
}

static json_t *one_service(struct controller *controller, struct service *service,
			   const json_t *request)
{
	const struct generation *current = service->current;

	(void)request;
	return json_pack(
		"{s:s, s:i, s:s, s:o, s:s, s:s, s:b, s:o, s:I, s:o, s:I, s:I, s:i, s:I, s:I, s:i, "
		"s:o, s:o}",
		"service", service->config->name, "id", service->id, "state", report_state(service),
		"reason", report_string(service->reason), "learning",
		config_learning_text(service->config->learning), "signal",
		config_signal_text(service_signal(service)), "signal_auto",
		service->config->signal_auto, "signal_reason",
		report_string(service_signal_reason(service)), "generation",
		(json_int_t)(current ? current->plan.generation : 0), "digest",
		current ? report_digest(current->plan.digest) : json_null(), "leaves",
		(json_int_t)(current ? current->leaves : 0), "published",
		(json_int_t)service->published, "age_ticks", service->age, "backends",
		(json_int_t)service->members, "usable", (json_int_t)usable(service),
		"control_one_in", (int)arm_one_in(&service->arm), "flood",
		report_flood_json(controller, service), "agents", report_agents_json(service));
}

static json_t *services(struct controller *controller)
{
	json_t *each = report_each(controller, NULL, one_service);
	json_t *list = json_incref(json_object_get(each, "services"));

	json_decref(each);
	return list;
}

static json_t *stages(const struct controller *controller)
{
	json_t *list = json_array();

	for (size_t i = 0; i < STAGES; i++) {
		const struct stage_time *time = &controller->stage[i];
		double ticks = controller->ticks ? (double)controller->ticks : 1;

		json_array_append_new(
			list, json_pack("{s:s, s:o, s:o, s:o}", "stage", stage_names[i], "last_us",
					report_real((double)time->last_ns / 1000), "most_us",
					report_real((double)time->most_ns / 1000), "mean_us",
					report_real((double)time->sum_ns / 1000 / ticks)));
	}
	return list;
}

static json_t *tick(const struct controller *controller)
{
	return json_pack(
		"{s:I, s:I, s:o}", "interval_ms",
		(json_int_t)(controller->config ? controller->config->learning.interval_ms : 0),
		"ticks", (json_int_t)controller->ticks, "stages", stages(controller));
}

static void warn(json_t *list, const char *format, const char *name)
{
	json_array_append_new(list, json_sprintf(format, name));
}

static void warn_of_flood(json_t *list, const struct controller *controller,
			  const struct service *service)
{
	struct report_flood flood;

	if (report_flood(controller, service, &flood) && flood.present)
		json_array_append_new(
			list, json_sprintf("%s: FLOOD for %.0f s: more than %u new flows a second; "
					   "what is beyond is sent by the ring, not remembered",
					   service->config->name, flood.since_s,
					   service->config->new_flows));
}

static void warn_of_panic(json_t *list, const struct service *service)
{
	const struct lifecycle_count *count = &service->count;

	if (count->panic)
		json_array_append_new(
			list, json_sprintf("%s: PANIC: only %zu of %zu backends are well; all that "
					   "can be reached take flows",
					   service->config->name, count->well, count->meant));
}

/* A server that is also the balancer: what it answers meets no XDP program on its way out. */
static void warn_of_own(json_t *list, const struct controller *controller,
			const struct service *service)
{
	for (size_t i = 0; service->config->mode == LARCH_MODE_NAT && i < service->members; i++) {
		const struct registry_backend *backend =
			&controller->registry.backend[service->member[i].backend];

		if (backend->nexthop.local)
			json_array_append_new(
				list, json_sprintf("%s: backend %s is this host itself, whose "
						   "answers nat does not see: it takes no flows; "
						   "use ipip, gue or l2, or another server",
						   service->config->name, backend->name));
	}
}

static void warn_of_returns(json_t *list, const struct controller *controller)
{
	char text[RETURNS_TEXT];

	for (size_t i = 0; i < controller->returns.count; i++)
		warn(list, "%s", returns_text(controller, &controller->returns.trouble[i], text));
}

/* What an operator has to know first. */
static json_t *warnings(struct controller *controller)
{
	json_t *list = json_array();

	report_saved_warnings(list, controller);
	if (controller->reload_failed)
		warn(list, "the last reload was refused: %s", controller->reload_error);
	report_warn_of_interfaces(list, controller);
	report_warn_of_routes(list, controller);
	warn_of_returns(list, controller);
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		if (!service->used || !service->members)
			continue;
		warn_of_flood(list, controller, service);
		warn_of_own(list, controller, service);
		warn_of_panic(list, service);
		if (usable(service) == 0)
			warn(list, "%s: no backend can take new flows", service->config->name);
		else if (2 * usable(service) < service->members)
			warn(list, "%s: less than half of its backends can take new flows",
			     service->config->name);
		if (service->agents.silent)
			warn(list,
			     "%s: no agent answers: packets of flows that nobody remembers go by "
			     "the ring; run the agent on its backends, or set agent: false",
			     service->config->name);
		if (service->state == SERVICE_JUDGED)
			warn(list, "%s: learning was worse than control and is switched off",
			     service->config->name);
	}
	report_nodes_warn(controller, list);
	report_names_warnings(controller, list);
	if (fill(controller, false) > NEARLY_FULL)
		warn(list, "%s", "the flow table is nearly full");
	if ((double)controller->cells > NEARLY_FULL * LARCH_MAX_CELLS)
		warn(list, "%s", "the table of client cells is nearly full");
	return list;
}

json_t *report_status(struct controller *controller, const json_t *request)
{
	uint64_t uptime = (clock_now() - controller->started_ns) / NS_PER_S;

	(void)request;
	return json_pack(
		"{s:s, s:i, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:i}, s:o, s:o, s:o, "
		"s:o, s:o}",
		"version", LARCH_VERSION, "pid", (int)getpid(), "uptime_s", (json_int_t)uptime,
		"adopted", controller->datapath && controller->datapath->adopted, "config",
		config(controller), "state", report_saved(controller), "warnings",
		warnings(controller), "interfaces", report_interfaces(controller), "routes",
		report_routes(controller, ~0ull), "flow_table", flow_table(controller), "cells",
		"used", (json_int_t)controller->cells, "limit", LARCH_MAX_CELLS, "services",
		services(controller), "nodes", report_nodes(controller), "names",
		report_names_json(controller), "tick", tick(controller), "outcomes",
		all_outcomes(controller));
}
