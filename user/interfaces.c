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

static void tell_error(const struct config_interface *interface, int error)
{
	log_error("%s: cannot attach: %s%s", interface->name, strerror(-error),
		  attach_hint(interface, error));
}

static void look(struct controller *controller, const struct config_interface *interface,
		 struct interface_state *out)
{
	out->index = if_nametoindex(interface->name);
	out->up = out->index && netlink_link_is_up(controller->netlink, (int)out->index);
	datapath_look(controller->datapath, interface->name, &out->found);
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
		int error = datapath_attach(controller->datapath, &list[i]);

		if (error)
			tell_error(&list[i], error);
		look(controller, &list[i], &state[i]);
		state[i].error = error;
		first = first ? first : error;
	}
	free(controller->interface);
	controller->interface = state;
	controller->interface_count = count;
	return first;
}

/* What a look has found to differ from the one before it. */
static void tell(const char *name, const struct interface_state *before,
		 const struct interface_state *now)
{
	bool same = now->index == before->index;

	if (before->index && !now->index)
		log_warning("%s: the interface is gone; when it comes back the program is attached "
			    "again",
			    name);
	else if (same && before->up && !now->up)
		log_warning("%s: the link is down", name);
	else if (same && !before->up && now->up)
		log_info("%s: the link is up", name);
	if (now->found.runs == DATAPATH_FOREIGN && now->found.id != before->found.id)
		log_error("%s: ANOTHER XDP PROGRAM ('%s', id %u) stands in the place of Larch's; "
			  "it is not overwritten, and no packet that arrives there is balanced: "
			  "'ip link set dev %s xdp off' removes it",
			  name, now->found.name, now->found.id, name);
}

/*
 * Puts the program where none is; once a tick, so that whoever else wants the place is not fought
 * over and over.
 */
static void put_back(struct controller *controller, const struct config_interface *interface,
		     const struct interface_state *before, struct interface_state *now)
{
	bool taken = now->index == before->index && before->found.runs == DATAPATH_OURS;

	if (now->found.runs != DATAPATH_FREE && now->found.runs != DATAPATH_UNUSED)
		return;
	if (now->index == before->index && before->tried == controller->ticks + 1)
		return;
	now->tried = controller->ticks + 1;
	now->error = datapath_attach(controller->datapath, interface);
	look(controller, interface, now);
	if (!now->index || now->error == -ENODEV) /* it is going away with its program */
		return;
	if (now->error && now->error != before->error)
		tell_error(interface, now->error);
	if (taken)
		log_warning("%s: SOMEBODY HAS TAKEN THE PROGRAM OFF; it is %s (to take Larch off, "
			    "end larchd first)",
			    interface->name, now->error ? "not back yet" : "put back");
}

void controller_watch_interfaces(struct controller *controller)
{
	size_t count;
	const struct config_interface *list = controller_interfaces(controller, &count);

	for (size_t i = 0; i < count && i < controller->interface_count; i++) {
		struct interface_state before = controller->interface[i], now = before;

		look(controller, &list[i], &now);
		put_back(controller, &list[i], &before, &now);
		tell(list[i].name, &before, &now);
		controller->interface[i] = now;
	}
}

const char *controller_cut_off(const struct controller *controller)
{
	bool runs = false, foreign = false;

	for (size_t i = 0; i < controller->interface_count; i++) {
		const struct interface_state *state = &controller->interface[i];

		if (state->found.runs == DATAPATH_OURS && state->up)
			return NULL;
		runs |= state->found.runs == DATAPATH_OURS;
		foreign |= state->found.runs == DATAPATH_FOREIGN;
	}
	if (!controller->interface_count)
		return NULL;
	if (runs)
		return "no interface with Larch's program has a link";
	return foreign ? "another XDP program stands in the place of Larch's"
		       : "Larch's program is on no interface";
}
