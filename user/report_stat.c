// SPDX-License-Identifier: BSD-2-Clause
/*
 * {"rows":[{"pxname","svname","type","status","weight","scur","qcur","stot","bin","packets",
 *           "evicted","ctime","rtime","share","slowdown"}]}
 *
 * HAProxy's names where they match: pxname service, svname FRONTEND or the backend, type 0 or 2,
 * scur flows now, qcur requests in flight, stot flows since the maps were created, bin bytes from
 * clients, ctime and rtime mean connect and server time, ms. A backend's counters are of all the
 * services that it is in.
 */
#include <math.h>
#include <string.h>

#include "controller.h"
#include "report.h"

#define TYPE_FRONTEND 0
#define TYPE_SERVER   2

static json_t *ms(double us)
{
	return report_real(us / 1000);
}

static void add_traffic(json_t *row, const struct larch_traffic *traffic, bool known)
{
	json_object_set_new(row, "stot",
			    known ? json_integer((json_int_t)traffic->flows) : json_null());
	json_object_set_new(row, "bin",
			    known ? json_integer((json_int_t)traffic->bytes) : json_null());
	json_object_set_new(row, "packets",
			    known ? json_integer((json_int_t)traffic->packets) : json_null());
	json_object_set_new(row, "evicted",
			    known ? json_integer((json_int_t)traffic->evicted) : json_null());
}

static json_t *frontend(const struct controller *controller, const struct service *service)
{
	struct larch_traffic traffic = {};
	bool known = report_is_live(controller) &&
		     datapath_service_traffic(controller->datapath, service->id, &traffic) == 0;
	json_t *row = json_pack("{s:s, s:s, s:i, s:s}", "pxname", service->config->name, "svname",
				"FRONTEND", "type", TYPE_FRONTEND, "status", "OPEN");

	add_traffic(row, &traffic, known);
	if (known) /* evictions are counted for backends alone */
		json_object_del(row, "evicted");
	return row;
}

static const char *status(const struct report_member *member)
{
	static const char *const text[] = {
		[LIFECYCLE_ACTIVE] = "UP",	[LIFECYCLE_WARMING] = "UP",
		[LIFECYCLE_DRAINING] = "DRAIN", [LIFECYCLE_MAINTENANCE] = "MAINT",
		[LIFECYCLE_DOWN] = "DOWN",
	};

	return text[member->state];
}

static json_t *server(const struct controller *controller, const struct service *service,
		      size_t index)
{
	struct larch_traffic traffic = {};
	struct report_member member;
	bool known;
	json_t *row;

	report_member(controller, service, index, &member);
	known = report_is_live(controller) &&
		datapath_backend_traffic(controller->datapath, member.backend, &traffic) == 0;
	row = json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:i, s:o, s:o, s:o, s:o}", "pxname",
			service->config->name, "svname", member.name, "type", TYPE_SERVER, "status",
			status(&member), "weight", (json_int_t)member.weight, "scur",
			(json_int_t)member.flows, "qcur", member.in_flight, "ctime",
			ms(member.net_us), "rtime", ms(member.service_us), "share",
			report_real(member.share), "slowdown", report_real(member.slowdown));
	add_traffic(row, &traffic, known);
	return row;
}

static json_t *one_service(struct controller *controller, struct service *service,
			   const json_t *request)
{
	json_t *rows = json_array();

	(void)request;
	json_array_append_new(rows, frontend(controller, service));
	for (size_t i = 0; i < service->members; i++)
		json_array_append_new(rows, server(controller, service, i));
	return rows;
}

json_t *report_stat(struct controller *controller, const json_t *request)
{
	json_t *each = report_each(controller, request, one_service), *rows, *service;
	size_t i;

	if (json_object_get(each, "error"))
		return each;
	rows = json_array();
	json_array_foreach (json_object_get(each, "services"), i, service)
		json_array_extend(rows, service);
	json_decref(each);
	return json_pack("{s:o}", "rows", rows);
}
