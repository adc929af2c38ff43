// SPDX-License-Identifier: BSD-2-Clause
/* `larchctl announce` and `withdraw`: see request_routes.h. */
#include "request_routes.h"

#include "controller.h"
#include "report.h"

static json_t *order(struct controller *controller, const json_t *request, bool announced)
{
	const json_t *wanted = json_object_get(request, "service");
	const char *name = json_string_value(wanted);
	struct service *service = name ? controller_service(controller, name) : NULL;

	if (wanted && !name)
		return report_error(REPORT_USAGE, "service: expected a name");
	if (wanted && !service)
		return report_error(REPORT_NOT_FOUND, "there is no service %s", name);
	if (controller_order_routes(controller, service, announced) != 0)
		return report_error(REPORT_REFUSED,
				    "larchd announces nothing: the configuration has no 'routes'");
	return json_pack("{s:b, s:o, s:o}", "announced", announced, "service", report_string(name),
			 "routes",
			 report_routes(controller, service ? 1ull << service->id : ~0ull));
}

json_t *request_announce(struct controller *controller, const json_t *request)
{
	return order(controller, request, true);
}

json_t *request_withdraw(struct controller *controller, const json_t *request)
{
	return order(controller, request, false);
}
