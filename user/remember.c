// SPDX-License-Identifier: BSD-2-Clause
/* From the controller to the state file, and back: see remember.h. */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "controller.h"
#include "endpoint.h"
#include "remember.h"
#include "report.h"
#include "state.h"

static const char *const order_words[] = {
	[LIFECYCLE_NO_ORDER] = "",
	[LIFECYCLE_DRAIN] = "drain",
	[LIFECYCLE_MAINTAIN] = "maintenance",
};

/* Backends that are as at the beginning are not worth a line. */
static bool is_plain(const struct lifecycle *life)
{
	return life->order == LIFECYCLE_NO_ORDER && !*life->unfit &&
	       !ejection_matters(&life->ejection, clock_now()) &&
	       (life->state == LIFECYCLE_ACTIVE || life->state == LIFECYCLE_WARMING);
}

/* Null: its clients have not found it dead, or that is long ago. */
static json_t *ejection_of(const struct lifecycle *life)
{
	if (!ejection_matters(&life->ejection, clock_now()))
		return json_null();
	return json_pack("{s:s, s:I, s:I}", "reason", life->ejected, "back_ns",
			 (json_int_t)life->ejection.back_ns, "lasts_ns",
			 (json_int_t)life->ejection.lasts_ns);
}

static json_t *one_member(const struct controller *controller, const struct service *service,
			  const struct lifecycle *life)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:o}", "service",
			 service->config->name, "backend",
			 report_backend(controller, life->backend), "order",
			 order_words[life->order], "deadline", (json_int_t)life->deadline, "unfit",
			 life->unfit, "state", lifecycle_text(life->state), "since",
			 (json_int_t)life->since, "ejection", ejection_of(life));
}

static json_t *all_members(const struct controller *controller)
{
	json_t *list = json_array();

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		for (size_t j = 0; service->used && service->config && j < service->members; j++) {
			if (!is_plain(&service->life[j]))
				json_array_append_new(
					list, one_member(controller, service, &service->life[j]));
		}
	}
	return list;
}

static json_t *all_fitted(const struct controller *controller)
{
	json_t *list = json_array();
	char address[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < LARCH_MAX_BACKENDS; i++) {
		const struct registry_backend *backend = &controller->registry.backend[i];

		if (!backend->used || backend->origin != CONCURRENCY_FITTED)
			continue;
		json_array_append_new(list,
				      json_pack("{s:s, s:I}", "address",
						endpoint_address_text(&backend->address, address),
						"concurrency", (json_int_t)backend->concurrency));
	}
	return list;
}

/* Takes the value over. */
static void keep(struct controller *controller, const char *section, json_t *value)
{
	const json_t *before = state_get(controller->state, section);
	bool nothing = !value || (json_is_array(value) && json_array_size(value) == 0);

	if (json_equal(before, value) || (!before && nothing))
		json_decref(value);
	else
		state_set(controller->state, section, value);
}

void remember(struct controller *controller)
{
	if (!controller->state)
		return;
	if (controller->members_kept != controller->members_news)
		keep(controller, "members", all_members(controller));
	controller->members_kept = controller->members_news;
	if (controller->fitted_kept != controller->fitted_news)
		keep(controller, "concurrency", all_fitted(controller));
	controller->fitted_kept = controller->fitted_news;
	keep(controller, "withdrawn", controller_withdrawn(controller));
}

void remember_now(struct controller *controller)
{
	remember(controller);
	state_sync(controller->state);
}

static bool is_of(const json_t *line, const char *key, const char *name)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text && strcmp(text, name) == 0;
}

/* It stays out for as long as is left: what clients met there was a moment ago. */
static void take_ejection(const json_t *ejection, struct lifecycle *life)
{
	const char *reason = json_string_value(json_object_get(ejection, "reason"));
	json_int_t back = json_integer_value(json_object_get(ejection, "back_ns"));
	json_int_t lasts = json_integer_value(json_object_get(ejection, "lasts_ns"));

	if (!reason || back <= 0 || lasts <= 0)
		return;
	ejection_restore(&life->ejection, (uint64_t)back, (uint64_t)lasts, clock_now());
	if (life->ejection.out)
		snprintf(life->ejected, sizeof(life->ejected), "%s",
			 *reason ? reason : "as before the restart");
}

static void take(const json_t *line, const char *unfit, struct lifecycle *life)
{
	json_int_t since = json_integer_value(json_object_get(line, "since"));

	for (int i = LIFECYCLE_DRAIN; i <= LIFECYCLE_MAINTAIN; i++) {
		if (is_of(line, "order", order_words[i]))
			life->order = (enum lifecycle_order)i;
	}
	/* A drain that was over is over still; another one waits for the first walk. */
	if (life->order != LIFECYCLE_NO_ORDER)
		life->ordered_ns = is_of(line, "state", lifecycle_text(LIFECYCLE_MAINTENANCE))
					   ? 0
					   : clock_now();
	if (life->order == LIFECYCLE_DRAIN)
		life->deadline = json_integer_value(json_object_get(line, "deadline"));
	if (unfit)
		snprintf(life->unfit, sizeof(life->unfit), "%s", unfit);
	for (int i = 0; lifecycle_text((enum lifecycle_state)i); i++) {
		if (is_of(line, "state", lifecycle_text((enum lifecycle_state)i)))
			life->state = (enum lifecycle_state)i;
	}
	if (since > 0 && since <= life->since)
		life->since = since;
}

void remember_member(const struct controller *controller, const struct service *service,
		     struct lifecycle *life)
{
	const json_t *line;
	size_t i;

	json_array_foreach (state_get(controller->state, "members"), i, line) {
		/* Without a check nobody would ever find it well again. */
		const char *unfit = service->config->health
					    ? json_string_value(json_object_get(line, "unfit"))
					    : NULL;

		if (!is_of(line, "service", service->config->name) ||
		    !is_of(line, "backend", report_backend(controller, life->backend)))
			continue;
		take(line, unfit, life);
		if (service->config->eject_for > 0 && service->config->signal != LARCH_SIGNAL_NONE)
			take_ejection(json_object_get(line, "ejection"), life);
	}
}

uint32_t remember_concurrency(const struct controller *controller, const struct in6_addr *address)
{
	char text[INET6_ADDRSTRLEN];
	const json_t *line;
	size_t i;

	endpoint_address_text(address, text);
	json_array_foreach (state_get(controller->state, "concurrency"), i, line) {
		json_int_t value = json_integer_value(json_object_get(line, "concurrency"));

		if (is_of(line, "address", text) && value >= 1 && value <= CONCURRENCY_MOST)
			return (uint32_t)value;
	}
	return 0;
}

void remember_withdrawn(struct controller *controller)
{
	const json_t *withdrawn = state_get(controller->state, "withdrawn");

	if (withdrawn)
		controller_remember_withdrawn(controller, withdrawn);
}
