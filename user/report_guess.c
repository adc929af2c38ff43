// SPDX-License-Identifier: BSD-2-Clause
/* Typical values of the features that a 5-tuple does not show. See report_guess.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>

#include "cidr.h"
#include "controller.h"
#include "endpoint.h"
#include "report.h"
#include "report_guess.h"

/* How well a row of cells fits the flow; of equal fits, the one with more flows is typical. */
enum fit { FIT_NONE, FIT_SERVICE, FIT_PORT, FIT_SOURCE };

static enum fit fit_of(const struct larch_features *row, const struct larch_tuple *tuple)
{
	/* The cell of all others says nothing. */
	if (row->value[LARCH_FEATURE_INGRESS] == 0 && row->value[LARCH_FEATURE_SOURCE] == 0)
		return FIT_NONE;
	if (row->value[LARCH_FEATURE_SOURCE] == endpoint_source(tuple))
		return FIT_SOURCE;
	if (row->value[LARCH_FEATURE_PORT] == ntohs(tuple->destination_port))
		return FIT_PORT;
	return FIT_SERVICE;
}

static enum fit find_typical(struct service *service, const struct larch_tuple *tuple,
			     struct larch_features *out)
{
	enum fit best = FIT_NONE;
	double most = 0;
	struct table table;

	if (!service->cells || cells_table(service->cells, &table) != 0)
		return FIT_NONE;
	for (size_t row = 0; row < table.rows; row++) {
		enum fit fit = fit_of(&table.features[row], tuple);
		double flows;

		if (fit == FIT_NONE || fit < best)
			continue;
		flows = table_flows(&table, row);
		if (fit == best && flows <= most)
			continue;
		best = fit;
		most = flows;
		*out = table.features[row];
	}
	return best;
}

static void assume(struct report_guess *out, const struct controller *controller, const char *what,
		   unsigned feature, uint64_t value, enum fit fit)
{
	static const char *const because[] = {
		[FIT_NONE] = "the usual; nothing was measured yet",
		[FIT_SERVICE] = "typical of the service's clients",
		[FIT_PORT] = "typical of the clients of this port",
		[FIT_SOURCE] = "as measured of this client's prefix",
	};
	char text[CIDR_TEXT];

	json_array_append_new(out->assumed, json_sprintf("%s: %s (%s)", what,
							 report_value(controller, feature, value,
								      text, sizeof(text)),
							 because[fit]));
}

static void take_typical(const struct controller *controller, struct service *service,
			 const struct larch_tuple *tuple, const json_t *request,
			 struct report_guess *out)
{
	struct larch_features typical = {};
	enum fit fit = find_typical(service, tuple, &typical);
	bool nat = service->config->mode == LARCH_MODE_NAT; /* has neither hops nor ingress */
	const struct config_interface *interface;
	size_t count;

	if (fit == FIT_NONE) {
		interface = controller_interfaces(controller, &count);
		typical.value[LARCH_FEATURE_SIZE] = larch_usual_size_class(tuple->ipv6);
		typical.value[LARCH_FEATURE_INGRESS] =
			count ? if_nametoindex(interface[0].name) : 0;
	}
	out->hops = (uint32_t)typical.value[LARCH_FEATURE_HOPS];
	out->size = (uint32_t)typical.value[LARCH_FEATURE_SIZE];
	out->ingress = (uint32_t)typical.value[LARCH_FEATURE_INGRESS];
	if (!nat && !json_object_get(request, "hops"))
		assume(out, controller, "hops", LARCH_FEATURE_HOPS, out->hops, fit);
	if (!json_object_get(request, "size"))
		assume(out, controller, "first packet", LARCH_FEATURE_SIZE, out->size, fit);
	if (!nat && !json_object_get(request, "interface"))
		assume(out, controller, "ingress", LARCH_FEATURE_INGRESS, out->ingress, fit);
}

/* A whole number of the request within 0..most. False: something else is there. */
static bool take_number(const json_t *request, const char *name, uint32_t most, uint32_t *out)
{
	const json_t *value = json_object_get(request, name);
	json_int_t number = json_integer_value(value);

	if (value && (!json_is_integer(value) || number < 0 || number > most))
		return false;
	if (value)
		*out = (uint32_t)number;
	return true;
}

int report_guess(const struct controller *controller, struct service *service,
		 const struct larch_tuple *tuple, const json_t *request, struct report_guess *out,
		 const char **why)
{
	const json_t *interface = json_object_get(request, "interface");
	const char *name = json_string_value(interface);
	uint32_t bytes = 0;

	*out = (struct report_guess){};
	*why = "hops: expected 0 to 255";
	if (!take_number(request, "hops", UINT8_MAX, &out->hops))
		return -EINVAL;
	*why = "size: expected 0 to 65535 bytes";
	if (!take_number(request, "size", UINT16_MAX, &bytes))
		return -EINVAL;
	*why = "interface: there is no such interface";
	if (interface && (!name || !if_nametoindex(name)))
		return -EINVAL;
	out->assumed = json_array();
	take_typical(controller, service, tuple, request, out);
	take_number(request, "hops", UINT8_MAX, &out->hops);
	if (json_object_get(request, "size"))
		out->size = larch_size_class(bytes);
	if (name)
		out->ingress = if_nametoindex(name);
	return 0;
}
