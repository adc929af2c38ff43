// SPDX-License-Identifier: BSD-2-Clause
/* DNS names among the backends, and what they stand for. See report.h. */
#include <stdarg.h>
#include <stdio.h>

#include "controller.h"
#include "endpoint.h"
#include "report.h"
#include "resolver.h"

static json_t *addresses(const struct names_set *set)
{
	json_t *list = json_array();

	for (size_t i = 0; i < set->count; i++) {
		char text[INET6_ADDRSTRLEN];

		json_array_append_new(list,
				      json_string(endpoint_address_text(&set->address[i], text)));
	}
	return list;
}

/* [{"host","addresses":[],"trouble","doubted","next_s"}]; trouble: null if it resolves. */
json_t *report_names_json(const struct controller *controller)
{
	const struct resolver *resolver = controller->naming.resolver;
	struct resolver_name name;
	json_t *list = json_array();

	for (size_t i = 0; resolver && resolver_name(resolver, i, &name); i++)
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:o, s:b, s:o}", "host", name.host, "addresses",
					addresses(&name.state->now), "trouble",
					report_string(name.state->trouble), "doubted",
					name.state->doubts, "next_s", report_real(name.next_s)));
	return list;
}

__attribute__((format(printf, 2, 3))) static void add(json_t *list, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_array_append_new(list, json_string(text));
}

void report_names_warnings(const struct controller *controller, json_t *list)
{
	const struct larch_config *config = controller->config;
	const struct resolver *resolver = controller->naming.resolver;
	struct resolver_name name;
	char address[INET6_ADDRSTRLEN];

	for (size_t i = 0; resolver && resolver_name(resolver, i, &name); i++) {
		if (name.state->trouble)
			add(list, "%s does not resolve (%s); %zu addresses of it are in use",
			    name.host, name.state->trouble, name.state->now.count);
	}
	for (size_t i = 0; config && i < config->service_count; i++) {
		if (!config->services[i].member_count)
			add(list, "%s: none of its names resolves: it has no backend",
			    config->services[i].name);
	}
	for (size_t i = 0; config && i < config->left_out_count; i++)
		add(list, "%s: %s, an address of %s, is left out: it is %s",
		    config->services[config->left_out[i].service].name,
		    endpoint_address_text(&config->left_out[i].address, address),
		    config->hosts[config->left_out[i].host].name, config->left_out[i].why);
}
