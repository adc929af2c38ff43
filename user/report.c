// SPDX-License-Identifier: BSD-2-Clause
/* What all reports share. See report.h. */
#include <arpa/inet.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controller.h"
#include "endpoint.h"
#include "report.h"

json_t *report_error(const char *kind, const char *format, ...)
{
	char text[512];
	va_list arguments;
	json_t *quoted;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	quoted = json_string(text); /* NULL if the end was cut within a character */
	return json_pack("{s:o, s:s}", "error", quoted ? quoted : json_string("refused"), "kind",
			 kind);
}

static json_t *each_service(struct controller *controller, const json_t *request,
			    report_service_fn *each)
{
	json_t *services = json_array();

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		struct service *service = &controller->service[i];

		if (service->used)
			json_array_append_new(services, each(controller, service, request));
	}
	return services;
}

json_t *report_each(struct controller *controller, const json_t *request, report_service_fn *each)
{
	const json_t *wanted = json_object_get(request, "service");
	const char *name = json_string_value(wanted);
	struct service *service;

	if (!wanted)
		return json_pack("{s:o}", "services", each_service(controller, request, each));
	if (!name)
		return report_error(REPORT_USAGE, "service: expected a name");
	service = controller_service(controller, name);
	if (!service)
		return report_error(REPORT_NOT_FOUND, "there is no service %s", name);
	return json_pack("{s:[o]}", "services", each(controller, service, request));
}

json_t *report_real(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

json_int_t report_age(time_t since)
{
	time_t now = time(NULL);

	return since && now > since ? (json_int_t)(now - since) : 0;
}

json_t *report_string(const char *text)
{
	return text ? json_string(text) : json_null();
}

json_t *report_digest(uint64_t digest)
{
	return json_sprintf("%016llx", (unsigned long long)digest);
}

json_t *report_vip(const struct larch_vip *vip)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr binary;

	memcpy(&binary, vip->address, sizeof(binary));
	return json_pack("{s:s, s:s, s:i}", "protocol",
			 vip->protocol == IPPROTO_UDP ? "udp" : "tcp", "address",
			 endpoint_address_text(&binary, address), "port", ntohs(vip->port));
}

const char *report_state(const struct service *service)
{
	static const char *const names[] = {
		[SERVICE_OFF] = "off",	     [SERVICE_WAITING] = "waiting",
		[SERVICE_SHADOW] = "shadow", [SERVICE_LEARNED] = "learned",
		[SERVICE_JUDGED] = "judged", [SERVICE_FOLLOWS] = "follows",
	};

	return names[service->state];
}

const char *report_backend(const struct controller *controller, uint32_t id)
{
	if (id >= LARCH_MAX_BACKENDS || !controller->registry.backend[id].used)
		return "?";
	return controller->registry.backend[id].name;
}

int report_is_live(const struct controller *controller)
{
	return controller->datapath && controller->datapath->kernel;
}

int report_is_learned(const struct service *service)
{
	return service->current && service->current->plan.flags & LARCH_PLAN_LEARNED;
}

const char *report_interface(const struct controller *controller, uint64_t index)
{
	size_t count;
	const struct config_interface *list = controller_interfaces(controller, &count);

	for (size_t i = 0; i < count; i++) {
		if (index && if_nametoindex(list[i].name) == index)
			return list[i].name;
	}
	return NULL;
}

static struct service *service_with(struct controller *controller, const struct larch_tuple *tuple,
				    __be16 port)
{
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		struct service *service = &controller->service[i];

		for (size_t j = 0; service->used && j < service->config->vip_count; j++) {
			const struct larch_vip *vip = &service->config->vips[j];

			if (vip->port == port && vip->protocol == tuple->protocol &&
			    memcmp(vip->address, tuple->destination, sizeof(vip->address)) == 0)
				return service;
		}
	}
	return NULL;
}

/* As service_find() in bpf/service.h. */
struct service *report_service_of(struct controller *controller, const struct larch_tuple *tuple)
{
	struct service *service = service_with(controller, tuple, tuple->destination_port);

	return service ? service : service_with(controller, tuple, 0);
}
