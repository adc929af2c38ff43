// SPDX-License-Identifier: BSD-2-Clause
/* The interfaces that the program is to run on: attaching it, and what becomes of it there. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "controller.h"
#include "log.h"

const struct config_interface *controller_interfaces(const struct controller *controller,
						     size_t *count)
{
	if (controller->options.interface_count) {
		*count = controller->options.interface_count;
		return controller->options.interfaces;
	}
	*count = controller->config ? controller->config->interface_count : 0;
	return controller->config ? controller->config->interfaces : NULL;
}

/* What may help. */
static const char *attach_hint(const struct config_interface *interface, int error)
{
	if (error == -ERANGE || (error != -EBUSY && interface->frags == CONFIG_FRAGS_OFF))
		return " (the MTU may be more than the driver takes: lower it, or leave frags at "
		       "auto)";
	if (error == -EOPNOTSUPP)
		return " (the driver has no native XDP; mode: generic works everywhere, slowly)";
	return "";
}

static int attach(struct controller *controller, const struct config_interface *interface)
{
	int error = datapath_attach(controller->datapath, interface);

	if (error)
		log_error("%s: cannot attach: %s%s", interface->name, strerror(-error),
			  attach_hint(interface, error));
	return error;
}

static void look(struct controller *controller, const struct config_interface *interface,
		 struct interface_state *out)
{
	out->index = if_nametoindex(interface->name);
	out->attached = out->index && datapath_attached(controller->datapath, interface->name);
}

int controller_attach(struct controller *controller)
{
	struct interface_state *state;
	size_t count;
	const struct config_interface *list = controller_interfaces(controller, &count);
	int first = 0;

	if (count == 0)
		log_warning("no interface is configured: the program runs only where ip link "
			    "attaches it");
	state = calloc(count + 1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		int error = attach(controller, &list[i]);

		look(controller, &list[i], &state[i]);
		first = first ? first : error;
	}
	free(controller->interface);
	controller->interface = state;
	controller->interface_count = count;
	return first;
}

void controller_watch_interfaces(struct controller *controller)
{
	size_t count;
	const struct config_interface *list = controller_interfaces(controller, &count);

	for (size_t i = 0; i < count && i < controller->interface_count; i++) {
		struct interface_state before = controller->interface[i], now;

		look(controller, &list[i], &now);
		if (now.index && now.index != before.index && !now.attached &&
		    attach(controller, &list[i]) == 0)
			now.attached = true;
		if (before.attached && !now.attached)
			log_warning("%s: %s", list[i].name,
				    now.index ? "somebody has taken the program off; 'larchctl "
						"reload' attaches it again"
					      : "the interface is gone; when it comes back the "
						"program is attached again");
		controller->interface[i] = now;
	}
}
