// SPDX-License-Identifier: BSD-2-Clause
/* The interfaces, as they are when somebody asks. See report.h. */
#include <net/if.h>
#include <stdio.h>

#include "controller.h"
#include "report.h"

/* Why the program is not there: NULL: it is, or nobody knows. */
static const char *problem(const char *interface, const struct datapath_found *found, char out[160])
{
	switch (found->runs) {
	case DATAPATH_OURS:
		return NULL;
	case DATAPATH_GONE:
		return "there is no such interface";
	case DATAPATH_FREE:
		return "no XDP program is there";
	case DATAPATH_UNUSED:
		return "Larch's program is there with maps that nobody fills";
	case DATAPATH_FOREIGN:
		break;
	}
	snprintf(out, 160,
		 "ANOTHER XDP PROGRAM is there ('%s', id %u); 'ip link set dev %s xdp off' removes "
		 "it",
		 found->name, found->id, interface);
	return out;
}

static void look(const struct controller *controller, const char *interface,
		 struct datapath_found *found)
{
	*found = (struct datapath_found){.runs = DATAPATH_GONE};
	if (report_is_live(controller))
		datapath_look(controller->datapath, interface, found);
}

static json_t *link_of(const struct controller *controller, unsigned index)
{
	if (!controller->netlink)
		return json_null();
	return json_boolean(netlink_link_is_up(controller->netlink, (int)index));
}

json_t *report_interfaces(const struct controller *controller)
{
	json_t *out = json_array();
	size_t count;
	const struct config_interface *list = controller_interfaces(controller, &count);

	for (size_t i = 0; i < count; i++) {
		unsigned index = if_nametoindex(list[i].name);
		struct datapath_found found;
		char text[160];

		look(controller, list[i].name, &found);
		json_array_append_new(
			out,
			json_pack("{s:s, s:s, s:i, s:b, s:o, s:o}", "name", list[i].name, "mode",
				  config_xdp_mode_text(list[i].mode), "index", index, "attached",
				  found.runs == DATAPATH_OURS, "link", link_of(controller, index),
				  "problem", report_string(problem(list[i].name, &found, text))));
	}
	return out;
}

void report_warn_of_interfaces(json_t *list, const struct controller *controller)
{
	size_t count;
	const struct config_interface *interface = controller_interfaces(controller, &count);

	for (size_t i = 0; i < count; i++) {
		const char *name = interface[i].name, *why;
		struct datapath_found found;
		char text[160];

		look(controller, name, &found);
		why = problem(name, &found, text);
		if (why)
			json_array_append_new(
				list,
				json_sprintf("%s: the program is not attached: %s", name, why));
		else if (controller->netlink &&
			 !netlink_link_is_up(controller->netlink, (int)if_nametoindex(name)))
			json_array_append_new(list, json_sprintf("%s: the link is down", name));
	}
}
