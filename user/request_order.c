// SPDX-License-Identifier: BSD-2-Clause
/*
 * The operator's orders: {"command":"drain"|"maintenance"|"activate","backend":NAME,
 * "service":NAME (or all that have it),"deadline":"10m" (drain alone)}. Answer:
 * {"backend","order","members":[{"service","backend","state","reason"}]}.
 */
#include <string.h>

#include "controller.h"
#include "members.h"
#include "report.h"
#include "request.h"
#include "setting.h"

#define DEADLINE_LEAST 1 /* s */
#define DEADLINE_MOST  (7 * 24 * 3600)

/* When the drain is to end; 0: whenever its flows do. false: *error is what is wrong. */
static bool read_deadline(const json_t *request, time_t *out, struct config_errors *errors)
{
	const struct setting_tree tree = {.errors = errors};
	const struct setting root = {.tree = &tree};
	struct setting setting = {.tree = &tree, .parent = &root, .key = "deadline"};
	double seconds;

	*out = 0;
	setting.value = json_object_get(request, "deadline");
	if (!setting.value)
		return true;
	if (!setting_duration(&setting, DEADLINE_LEAST, DEADLINE_MOST, &seconds))
		return false;
	*out = time(NULL) + (time_t)seconds;
	return true;
}

static json_t *obeyed(const struct controller *controller, const struct members_order *order,
		      const char *word)
{
	json_t *members = json_array();

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		for (size_t j = 0; service->used && j < service->members; j++) {
			const struct lifecycle *life = &service->life[j];

			if (!members_is_meant(controller, service, life, order))
				continue;
			json_array_append_new(
				members,
				json_pack("{s:s, s:s, s:s, s:o}", "service", service->config->name,
					  "backend", order->backend, "state",
					  lifecycle_text(life->state), "reason",
					  report_string(*life->reason ? life->reason : NULL)));
		}
	}
	return json_pack("{s:s, s:s, s:o}", "backend", order->backend, "order", word, "members",
			 members);
}

static json_t *give(struct controller *controller, const json_t *request, const char *word,
		    enum lifecycle_order order)
{
	struct members_order given = {
		.backend = json_string_value(json_object_get(request, "backend")),
		.service = json_string_value(json_object_get(request, "service")),
		.order = order,
	};
	struct config_errors errors = {};

	if (!given.backend)
		return report_error(REPORT_USAGE, "whom? expected a backend's name");
	if (!read_deadline(request, &given.deadline, &errors))
		return report_error(REPORT_USAGE, "%s", errors.error[0].text);
	if (given.deadline && order != LIFECYCLE_DRAIN)
		return report_error(REPORT_USAGE, "only a drain has a deadline");
	if (nodes_follows(controller))
		return report_error(REPORT_REFUSED,
				    "this node follows another one and takes its generations as "
				    "they are: give the order to the leader, or make this node one "
				    "('write' in place of 'follow', and 'larchctl reload')");
	if (controller_order(controller, &given) == 0)
		return report_error(REPORT_NOT_FOUND, "%s%s has %s backend '%s'",
				    given.service ? "service " : "no service", given.service ?: "",
				    given.service ? "no" : "a", given.backend);
	return obeyed(controller, &given, word);
}

json_t *request_drain(struct controller *controller, const json_t *request)
{
	return give(controller, request, "drain", LIFECYCLE_DRAIN);
}

json_t *request_maintenance(struct controller *controller, const json_t *request)
{
	return give(controller, request, "maintenance", LIFECYCLE_MAINTAIN);
}

json_t *request_activate(struct controller *controller, const json_t *request)
{
	return give(controller, request, "activate", LIFECYCLE_NO_ORDER);
}
