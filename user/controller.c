// SPDX-License-Identifier: BSD-2-Clause
/* Beginning, reload and end of the controller. See controller.h. */
#include <errno.h>
#include <linux/if_ether.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "controller.h"
#include "larch/backend.h"
#include "log.h"
#include "notify.h"
#include "publisher.h"
#include "remember.h"

#define CANNOT_ATTACH "%s: cannot attach: %s"

/* Why the file gives way to the last good configuration; "": it does not. */
struct refusal {
	char text[sizeof(((struct controller *)NULL)->last_good)];
};

struct service *controller_service(struct controller *controller, const char *name)
{
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		struct service *service = &controller->service[i];

		if (service->used && service->config && strcmp(service->config->name, name) == 0)
			return service;
	}
	return NULL;
}

/* The server's address, if an earlier daemon can have written such an entry. */
static bool entry_address(const struct larch_backend *entry, struct in6_addr *address)
{
	bool ipv4 = entry->ethertype == htons(ETH_P_IP);

	if (entry->tunnel != LARCH_TUNNEL_LOCAL &&
	    entry->tunnel != (ipv4 ? LARCH_TUNNEL_IPV4 : LARCH_TUNNEL_IPV6))
		return false;
	memcpy(address, entry->outer_destination, sizeof(*address));
	if (ipv4) {
		memset(address, 0, sizeof(*address));
		address->s6_addr32[2] = htonl(0xffff);
		address->s6_addr32[3] = entry->outer_destination[0];
	}
	return netlink_watchable(address);
}

/* Ids of an earlier daemon: the kernel's table of backends says to whom they belong. */
static void adopt_backends(struct controller *controller)
{
	unsigned removed = 0;

	for (uint32_t id = 0; id < LARCH_MAX_BACKENDS; id++) {
		struct registry_backend *backend = &controller->registry.backend[id];
		struct larch_backend entry;

		struct in6_addr address;

		if (datapath_get_backend(controller->datapath, id, &entry) != 0 ||
		    entry.tunnel == LARCH_TUNNEL_NONE)
			continue;
		if (!entry_address(&entry, &address) ||
		    registry_find(&controller->registry, &address) != LARCH_NO_BACKEND) {
			publisher_remove_backend(controller->datapath, id);
			removed++;
			continue;
		}
		backend->used = true;
		backend->address = address;
		snprintf(backend->name, sizeof(backend->name), "former-%u", id);
		backend->nexthop.ready = entry.ready != 0;
		backend->nexthop.direct = entry.ready == LARCH_READY_DIRECT;
	}
	if (removed)
		log_warning("%u entries of backends in the kernel were damaged; removed", removed);
}

bool controller_seed_differs(const struct controller *controller)
{
	const struct config_seed *seed = &controller->config->seed;

	return *seed->file &&
	       memcmp(controller->datapath->settings->seed, seed->word, sizeof(seed->word)) != 0;
}

static void check_seed(const struct controller *controller)
{
	if (controller_seed_differs(controller))
		log_warning("%s: the tables that run were made with another seed, which stays as "
			    "long as they do: this node hashes unlike those with the file's. "
			    "'larchd --detach' removes them when it ends",
			    controller->config->seed.file);
}

/* Another flow table might have been made. */
static bool is_too_much(int error)
{
	return error == -ENOMEM || error == -E2BIG;
}

static int open_kernel_part(struct controller *controller)
{
	const struct config_seed *seed = &controller->config->seed;
	size_t count;
	const struct config_interface *list = controller_interfaces(controller, &count);
	int error = datapath_open(&controller->datapath, controller->options.pin_directory, list,
				  count, controller->config->flow_entries);

	if (error) {
		log_error("cannot open the kernel part: %s%s", strerror(-error),
			  error == -EPERM ? " (larchd needs root, or CAP_BPF and CAP_NET_ADMIN)"
					  : "");
		if (is_too_much(error))
			snprintf(controller->reload_error, sizeof(controller->reload_error),
				 "flow_table.entries: %u: %s", controller->config->flow_entries,
				 strerror(-error));
		return error;
	}
	controller->fresh = !controller->datapath->adopted;
	if (controller->datapath->adopted)
		adopt_backends(controller);
	if (controller->datapath->settings->abi == LARCH_ABI &&
	    controller->datapath->settings->bucket_mask != controller->datapath->buckets - 1)
		log_warning("the settings in the kernel did not fit the flow table; repaired");
	error = publisher_settings(controller->datapath, *seed->file ? seed->word : NULL);
	if (error)
		log_error("cannot write the settings: %s", strerror(-error));
	else
		check_seed(controller);
	return error;
}

/* An adopted plan knows more than the first samples after a restart: those gather for a while. */
static void set_warm_up(struct controller *controller)
{
	const struct config_learning *learning = &controller->config->learning;
	bool published = false;

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++)
		published |= controller->datapath->active[i].generation != 0;
	if (published)
		controller->warm_ticks =
			(uint64_t)ceil(learning->half_life_server * 1000 / learning->interval_ms);
}

static int open_netlink(struct controller *controller)
{
	int error = netlink_open(&controller->netlink, controller_nexthop_changed, controller);

	if (!error)
		error = netlink_routes_open(&controller->announce.kernel);
	if (error)
		log_error("cannot open netlink: %s", strerror(-error));
	return error;
}

static bool names_interface(const struct larch_config *config, const char *name)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		if (strcmp(config->interfaces[i].name, name) == 0)
			return true;
	}
	return false;
}

/*
 * Can the program be attached to the interfaces that are new? One that was configured before and
 * is away now is no reason to refuse: the status shows it.
 */
static int check_interfaces(struct controller *controller, const struct larch_config *config)
{
	for (size_t i = 0; !controller->options.interface_count && i < config->interface_count;
	     i++) {
		const char *name = config->interfaces[i].name;
		bool known = controller->config && names_interface(controller->config, name);
		int error = known ? 0 : datapath_attachable(name);

		if (!error)
			continue;
		snprintf(controller->reload_error, sizeof(controller->reload_error), CANNOT_ATTACH,
			 name, error == -EBUSY ? "another XDP program is there" : strerror(-error));
		return error;
	}
	return 0;
}

/* Of the interfaces that the file names; those of the command line are not its fault. */
static void note_unattached(struct controller *controller)
{
	size_t count;
	const struct config_interface *list = controller_interfaces(controller, &count);

	for (size_t i = 0; !controller->options.interface_count && i < controller->interface_count;
	     i++) {
		if (!controller->interface[i].error)
			continue;
		snprintf(controller->reload_error, sizeof(controller->reload_error), CANNOT_ATTACH,
			 list[i].name, strerror(-controller->interface[i].error));
		return;
	}
}

/* Attaches last, and begins what needs packets: health checks and announcements. */
static int begin(struct controller *controller)
{
	int error = controller_attach(controller);

	if (error)
		note_unattached(controller);
	else
		error = checks_open(&controller->checks, controller);
	if (error)
		return error;
	checks_follow(controller->checks);
	controller_set_routes(controller);
	returns_look(controller);
	return 0;
}

/* What can be known before anything is changed. */
static int check_first(struct controller *controller, const struct larch_config *config)
{
	int error = check_interfaces(controller, config);

	if (error)
		log_error("%s", controller->reload_error);
	return error;
}

/*
 * If it fails, the configuration is the controller's (controller->config) or still the caller's;
 * and if that may be the configuration's fault, `reload_error` says why. wary: there is another one
 * to try, so that this one is to change as little as possible if it cannot be applied.
 */
static int open_with(struct controller *controller, struct loaded *loaded, bool wary)
{
	int error;

	controller->config = loaded->config;
	naming_ask(controller, loaded->config);
	error = open_kernel_part(controller);
	if (!error)
		error = open_netlink(controller);
	if (error)
		return error;
	set_warm_up(controller);
	nodes_look(controller);
	controller->config = NULL;
	if (wary)
		error = check_first(controller, loaded->config);
	if (error)
		return error;
	naming_settle(controller, loaded, NAMING_BEGIN_MS);
	error = controller_apply(controller, loaded->config);
	if (error) {
		log_error("cannot apply the configuration: %s", strerror(-error));
		snprintf(controller->reload_error, sizeof(controller->reload_error),
			 "cannot be applied: %s", strerror(-error));
		return error;
	}
	naming_take(controller, loaded);
	return begin(controller);
}

/*
 * Opens with the file; or, if `why` says for what reason that is refused, with the last good
 * configuration. The state is the caller's if it fails; `why` then says why the file should give
 * way to the last good one, or nothing.
 */
static int open_once(struct controller **out, const struct controller_options *options,
		     struct state *state, struct refusal *why)
{
	struct controller *controller = calloc(1, sizeof(*controller));
	struct loaded loaded = {};
	bool other = false;
	int error;

	if (!controller)
		return -ENOMEM;
	controller->options = *options;
	controller->started_ns = clock_now();
	controller->reloaded = time(NULL);
	controller->state = state;
	memcpy(controller->last_good, why->text, sizeof(why->text));
	why->text[0] = '\0';
	remember_withdrawn(controller);
	error = naming_open(&controller->naming);
	if (!error)
		error = controller_load_first(controller, &loaded);
	if (!error) {
		other = controller_has_other(controller, &loaded);
		error = open_with(controller, &loaded, other);
	}
	if (!error) {
		controller_loaded(controller, &loaded, true);
		*out = controller;
		return 0;
	}
	if (other && controller->reload_error[0])
		snprintf(why->text, sizeof(why->text), "%.200s: %.300s", options->config_file,
			 controller->reload_error);
	else if (controller_cut_off(controller))
		controller_remove_routes(controller, controller_cut_off(controller));
	if (controller->config == loaded.config)
		loaded.config = NULL;
	controller_unload(&loaded);
	controller->state = NULL;
	/* What was not there before is not left behind by a start that was refused. */
	controller_close(controller, controller->fresh);
	return error;
}

int controller_open(struct controller **out, const struct controller_options *options)
{
	struct refusal why = {};
	struct state *state = NULL;
	int error;

	if (options->state_file && state_open(&state, options->state_file) != 0)
		log_error("%s: cannot be used: larchd keeps nothing on the disk",
			  options->state_file);
	error = open_once(out, options, state, &why);
	if (error && why.text[0])
		error = open_once(out, options, state, &why);
	if (error)
		state_close(state);
	return error;
}

void controller_close(struct controller *controller, bool detach)
{
	size_t count;
	const struct config_interface *list;

	if (!controller)
		return;
	checks_close(controller->checks);
	if (detach)
		controller_remove_routes(controller, "the program is detached");
	if (detach && controller->datapath && controller->config) {
		list = controller_interfaces(controller, &count);
		for (size_t i = 0; i < count; i++)
			datapath_detach(controller->datapath, list[i].name);
		datapath_unpin(controller->datapath);
	}
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		if (controller->service[i].used)
			service_close(&controller->service[i]);
	}
	nodes_reset(&controller->nodes);
	state_close(controller->state);
	netlink_routes_close(controller->announce.kernel);
	routes_free(&controller->announce.routes);
	json_decref(controller->announce.remembered);
	naming_close(&controller->naming);
	netlink_close(controller->netlink);
	datapath_close(controller->datapath);
	config_free(controller->config);
	free(controller->entries);
	free(controller->interface);
	free(controller);
}

static void tell_left_interfaces(const struct larch_config *before, const struct larch_config *now)
{
	for (size_t i = 0; i < before->interface_count; i++) {
		const char *name = before->interfaces[i].name;

		if (!names_interface(now, name))
			log_warning("%s: not configured any more; the program stays there until "
				    "'ip link set dev %s xdp off'",
				    name, name);
	}
}

static void note_reload_error(struct controller *controller, const struct config_errors *errors,
			      int error)
{
	controller->reload_failed = true;
	if (errors->count)
		config_error_text(controller->options.config_file, &errors->error[0],
				  controller->reload_error, sizeof(controller->reload_error));
	else if (!controller->reload_error[0])
		snprintf(controller->reload_error, sizeof(controller->reload_error), "%s: %s",
			 controller->options.config_file, strerror(-error));
	if (!errors->count)
		log_error("%s", controller->reload_error);
	log_error("reload refused; the %s stays in force",
		  controller->last_good[0] ? "last good configuration" : "configuration before it");
}

static int take_over(struct controller *controller, struct loaded *loaded)
{
	int error = check_interfaces(controller, loaded->config);

	if (error)
		return error;
	naming_ask(controller, loaded->config);
	naming_settle(controller, loaded, NAMING_RELOAD_MS);
	tell_left_interfaces(controller->config, loaded->config);
	return controller_apply(controller, loaded->config);
}

static int reload(struct controller *controller, struct config_errors *errors)
{
	struct loaded loaded = {};
	int error = controller_load(controller, &loaded, errors);

	controller->reload_error[0] = '\0';
	if (!error)
		error = take_over(controller, &loaded);
	if (error) {
		if (controller->config == loaded.config)
			loaded.config = NULL;
		controller_unload(&loaded);
		naming_drop(controller);
		note_reload_error(controller, errors, error);
		return error;
	}
	check_seed(controller);
	checks_follow(controller->checks);
	controller->returns.looked_ns = 0;
	returns_look(controller);
	controller->last_good[0] = '\0';
	naming_take(controller, &loaded);
	/* What fails is logged, and shown by the status; a start would refuse it. */
	controller_loaded(controller, &loaded, controller_attach(controller) == 0);
	controller_set_routes(controller);
	controller->ticked_ns = 0; /* the interval may be another one */
	controller->reload_failed = false;
	controller->reloaded = time(NULL);
	log_info("reloaded %s", controller->options.config_file);
	return 0;
}

int controller_reload(struct controller *controller, struct config_errors *errors)
{
	int error;

	notify_reloading();
	error = reload(controller, errors);
	notify_ready(); /* also by the configuration before it */
	return error;
}
