// SPDX-License-Identifier: BSD-2-Clause
/*
 * {"services":[{"service","state","reason","learned",
 *    "vips":[{"protocol","address","port","route":null or {"announced","since","for_s","reason"}}],
 *    "signal","signal_reason","policy":{...},
 *    "flood":null or {"present","since_s","floods","lasted_s"},
 *    "agents":null or {"answer","next_try_s"},
 *    "nodes":null or {...}: see report_nodes.c,
 *    "backends":[{"backend","id","address","weight","share","flows","silent","in_flight",
 *                 "net_us","service_us","slowdown","concurrency","concurrency_from",
 *                 "state","reason","age_s",
 *                 "check":null or {"verdict","age_s","ms","reason"}}],
 *    "well","meant","panic"}],
 *  "leaving":[{"backend","id","address","flows","silent"}],
 *  "banners":["..."]}
 *
 * "concurrency_from": "configured", "fitted" or "assumed".
 * "age_s": since when a backend is in its state. "well": of those that are meant to take flows;
 * "panic": too few are, and all that can be reached take flows. "leaving" are servers that are not
 * configured any more and still have flows; "silent": of the flows, for about an hour or longer.
 * "banners": what makes all of it look wrong.
 */
#include <string.h>

#include "clock.h"
#include "controller.h"
#include "endpoint.h"
#include "estimate.h"
#include "report.h"

/* "verdict" is up, down, or unknown: it could not be asked. */
static json_t *last_check(const struct controller *controller, const struct service *service,
			  uint16_t backend)
{
	static const char *const words[] = {"up", "down", "unknown"};
	struct check_result last;

	if (!checks_last(controller->checks, service->id, backend, &last) || !last.at_ns)
		return json_null();
	return json_pack("{s:s, s:f, s:f, s:s}", "verdict", words[last.verdict], "age_s",
			 (double)(clock_now() - last.at_ns) / (double)NS_PER_S, "ms",
			 last.us / 1000.0, "reason", last.reason);
}

static json_t *one_backend(const struct controller *controller, const struct service *service,
			   size_t index)
{
	struct report_member member;
	char address[INET6_ADDRSTRLEN];

	report_member(controller, service, index, &member);
	endpoint_address_text(&controller->registry.backend[member.backend].address, address);
	return json_pack(
		"{s:s, s:i, s:s, s:I, s:o, s:I, s:I, s:i, s:o, s:o, s:o, s:I, s:s, s:s, s:o, s:I, "
		"s:o}",
		"backend", member.name, "id", member.backend, "address", address, "weight",
		(json_int_t)member.weight, "share", report_real(member.share), "flows",
		(json_int_t)member.flows, "silent",
		(json_int_t)controller->flows.silent[member.backend], "in_flight", member.in_flight,
		"net_us", report_real(member.net_us), "service_us", report_real(member.service_us),
		"slowdown", report_real(member.slowdown), "concurrency",
		(json_int_t)member.concurrency, "concurrency_from",
		estimate_origin_text(member.concurrency_from), "state",
		lifecycle_text(member.state), "reason", report_string(member.reason), "age_s",
		report_age(member.since), "check", last_check(controller, service, member.backend));
}

static json_t *one_vip(const struct controller *controller, const struct larch_vip *vip)
{
	json_t *out = report_vip(vip);

	json_object_set_new(out, "route", report_route(controller, vip));
	return out;
}

static json_t *one_service(struct controller *controller, struct service *service,
			   const json_t *request)
{
	json_t *vips = json_array(), *backends = json_array();

	(void)request;
	for (size_t i = 0; i < service->config->vip_count; i++)
		json_array_append_new(vips, one_vip(controller, &service->config->vips[i]));
	for (size_t i = 0; i < service->members; i++)
		json_array_append_new(backends, one_backend(controller, service, i));
	return json_pack(
		"{s:s, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:I, s:I, s:b, s:o}",
		"service", service->config->name, "state", report_state(service), "reason",
		report_string(service->reason), "learned", report_is_learned(service), "vips", vips,
		"policy", report_policy(service->config), "flood",
		report_flood_json(controller, service), "agents", report_agents_json(service),
		"backends", backends, "signal", config_signal_text(service_signal(service)),
		"signal_reason", report_string(service_signal_reason(service)), "well",
		(json_int_t)service->count.well, "meant", (json_int_t)service->count.meant, "panic",
		service->count.panic, "nodes", report_nodes_service(controller, service));
}

static json_t *leaving(const struct controller *controller)
{
	json_t *list = json_array();
	char address[INET6_ADDRSTRLEN];

	for (int i = 0; i < LARCH_MAX_BACKENDS; i++) {
		const struct registry_backend *backend = &controller->registry.backend[i];

		if (!backend->used || backend->configured)
			continue;
		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:s, s:I, s:I}", "backend",
						backend->name, "id", i, "address",
						endpoint_address_text(&backend->address, address),
						"flows", (json_int_t)controller->flows.flows[i],
						"silent", (json_int_t)controller->flows.silent[i]));
	}
	return list;
}

json_t *report_list(struct controller *controller, const json_t *request)
{
	json_t *answer = report_each(controller, request, one_service);

	json_t *banners = json_array();

	report_saved_warnings(banners, controller);
	if (!json_object_get(answer, "error"))
		json_object_set_new(answer, "leaving", leaving(controller));
	json_object_set_new(answer, "banners", banners);
	return answer;
}
