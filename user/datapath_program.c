// SPDX-License-Identifier: BSD-2-Clause
/* The programs on interfaces: whose they are, attaching and detaching ours. See datapath.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "datapath.h"
#include "datapath_kernel.h"
#include "log.h"

static int program_info(uint32_t id, struct bpf_prog_info *info, uint32_t *map_ids, uint32_t count)
{
	uint32_t size = sizeof(*info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		return -errno;
	memset(info, 0, sizeof(*info));
	info->map_ids = (uintptr_t)map_ids;
	info->nr_map_ids = count;
	if (bpf_obj_get_info_by_fd(fd, info, &size) != 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* The one that packets meet first, if programs run in several modes at once; 0: none. */
static uint32_t program_on(unsigned index)
{
	static const int modes[] = {0, XDP_FLAGS_HW_MODE, XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
	uint32_t id = 0;

	for (size_t i = 0; id == 0 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (bpf_xdp_query_id((int)index, modes[i], &id) != 0)
			id = 0;
	}
	return id;
}

int datapath_program(const char *interface, struct bpf_prog_info *info, uint32_t *map_ids,
		     uint32_t count)
{
	unsigned index = if_nametoindex(interface);
	uint32_t id;

	if (index == 0)
		return -ENODEV;
	id = program_on(index);
	return id ? program_info(id, info, map_ids, count) : -ENOENT;
}

bool datapath_is_larch(const struct bpf_prog_info *info)
{
	return info->type == BPF_PROG_TYPE_XDP && strcmp(info->name, "larch") == 0;
}

uint32_t datapath_map_id(int fd)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
}

int datapath_map_named(const char *name, const uint32_t *map_ids, uint32_t count)
{
	for (uint32_t i = 0; i < count && i < DATAPATH_PROGRAM_MAPS; i++) {
		struct bpf_map_info info = {};
		uint32_t size = sizeof(info);
		int fd = bpf_map_get_fd_by_id(map_ids[i]);

		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && strcmp(info.name, name) == 0)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

bool datapath_is_in_use(int settings)
{
	bool used = settings >= 0 && datapath_abi(settings);

	if (settings >= 0)
		close(settings);
	return used;
}

/* Equal programs may work on other maps, which nobody fills. */
static bool has_our_maps(const struct datapath *datapath, const struct bpf_prog_info *info,
			 const uint32_t *map_ids)
{
	const struct bpf_map *settings = datapath->kernel->object->maps.larch_settings;
	uint32_t ours = datapath_map_id(bpf_map__fd(settings));

	for (uint32_t i = 0; i < info->nr_map_ids && i < DATAPATH_PROGRAM_MAPS; i++) {
		if (map_ids[i] == ours)
			return true;
	}
	return false;
}

/* What runs on an interface. */
struct running {
	int fd; /* -1: nothing */
	bool generic;
	struct bpf_prog_info info;
	uint32_t map_ids[DATAPATH_PROGRAM_MAPS];
};

static bool is_generic(const char *interface)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	return bpf_xdp_query((int)if_nametoindex(interface), 0, &query) == 0 &&
	       query.attach_mode == XDP_ATTACHED_SKB;
}

static bool is_among(uint32_t id, const uint32_t *ids, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* Is it this program, with our maps and no others? */
static bool is_running(const struct running *running, int program)
{
	uint32_t map_ids[DATAPATH_PROGRAM_MAPS];
	struct bpf_prog_info info = {
		.map_ids = (uintptr_t)map_ids,
		.nr_map_ids = DATAPATH_PROGRAM_MAPS,
	};
	uint32_t size = sizeof(info);

	if (running->fd < 0 || bpf_obj_get_info_by_fd(program, &info, &size) != 0 ||
	    memcmp(running->info.tag, info.tag, sizeof(info.tag)) != 0 ||
	    running->info.nr_map_ids != info.nr_map_ids || info.nr_map_ids > DATAPATH_PROGRAM_MAPS)
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids; i++) {
		if (!is_among(map_ids[i], running->map_ids, info.nr_map_ids))
			return false;
	}
	return true;
}

/* Attaches the program in place of what runs: in its mode, since another one makes a gap. */
static int set_program(const struct config_interface *interface, const struct running *running,
		       int program)
{
	bool generic = running->fd < 0 ? interface->mode == CONFIG_XDP_GENERIC : running->generic;
	uint32_t mode = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	LIBBPF_OPTS(bpf_xdp_attach_opts, options);
	int index = (int)if_nametoindex(interface->name);

	if (running->fd < 0)
		return bpf_xdp_attach(index, program, mode | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	options.old_prog_fd = running->fd;
	return bpf_xdp_attach(index, program, mode | XDP_FLAGS_REPLACE, &options);
}

static void tell_mode(const struct config_interface *interface, const struct running *running)
{
	const char *runs = running->generic ? "generic" : "native";

	if (running->generic != (interface->mode == CONFIG_XDP_GENERIC))
		log_warning("%s: the program runs there in %s mode and stays so, though the "
			    "configuration says %s; a change makes a gap: 'ip link set dev %s "
			    "%s off', then 'larchctl reload'",
			    interface->name, runs, config_xdp_mode_text(interface->mode),
			    interface->name, running->generic ? "xdpgeneric" : "xdpdrv");
}

/* Does this refusal look like that of a driver which has frames in several buffers? */
static bool is_for_frags(int error)
{
	return error == -ERANGE || error == -EINVAL || error == -EOPNOTSUPP;
}

static int attach_frags(struct datapath *datapath, const struct config_interface *interface,
			const struct running *running)
{
	int program = datapath_frags_program(datapath);
	int error = program < 0 ? program : set_program(interface, running, program);

	if (!error)
		log_info("%s: program for jumbo frames %s", interface->name,
			 running->fd >= 0 ? "replaces another without a gap" : "attached");
	return error;
}

/* By default jumbo frames are for interfaces whose driver does not take the MTU without. */
static int attach(struct datapath *datapath, const struct config_interface *interface,
		  const struct running *running)
{
	int plain = bpf_program__fd(datapath->kernel->object->progs.larch);
	int error;

	if (interface->frags == CONFIG_FRAGS_ON)
		return attach_frags(datapath, interface, running);
	error = set_program(interface, running, plain);
	if (!error)
		log_info("%s: program %s", interface->name,
			 running->fd >= 0 ? "replaced without a gap" : "attached");
	if (!is_for_frags(error) || interface->frags == CONFIG_FRAGS_OFF)
		return error;
	return attach_frags(datapath, interface, running) == 0 ? 0 : error;
}

/* Is what runs there one of our programs that the configuration allows? */
static bool is_right(struct datapath *datapath, const struct config_interface *interface,
		     const struct running *running)
{
	int plain = bpf_program__fd(datapath->kernel->object->progs.larch), frags;

	if (running->fd < 0)
		return false;
	if (interface->frags != CONFIG_FRAGS_ON && is_running(running, plain))
		return true;
	if (interface->frags == CONFIG_FRAGS_OFF)
		return false;
	frags = datapath_frags_program(datapath);
	return frags >= 0 && is_running(running, frags);
}

int datapath_attach(struct datapath *datapath, const struct config_interface *interface)
{
	struct running running;
	int error = 0;

	running.fd = datapath_program(interface->name, &running.info, running.map_ids,
				      DATAPATH_PROGRAM_MAPS);
	if (running.fd == -ENODEV)
		return -ENODEV;
	running.generic = running.fd >= 0 && is_generic(interface->name);
	if (running.fd >= 0 && !datapath_is_larch(&running.info)) {
		log_error("%s: another XDP program is attached ('%s', id %u); remove it with "
			  "'ip link set dev %s xdp off' if it is not needed",
			  interface->name, running.info.name, running.info.id, interface->name);
		error = -EBUSY;
	} else if (is_right(datapath, interface, &running)) {
		log_info("%s: the program that runs there is this version's; left in place",
			 interface->name);
	} else {
		error = attach(datapath, interface, &running);
	}
	if (running.fd >= 0) {
		if (!error)
			tell_mode(interface, &running);
		close(running.fd);
	}
	return error;
}

int datapath_detach(struct datapath *datapath, const char *interface)
{
	struct bpf_prog_info info;
	LIBBPF_OPTS(bpf_xdp_attach_opts, options);
	int old = datapath_program(interface, &info, NULL, 0);
	uint32_t mode;
	int error;

	(void)datapath;
	if (old < 0)
		return old == -ENOENT ? 0 : old;
	mode = is_generic(interface) ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	options.old_prog_fd = old;
	error = datapath_is_larch(&info) ? bpf_xdp_detach((int)if_nametoindex(interface),
							  mode | XDP_FLAGS_REPLACE, &options)
					 : -EBUSY;
	close(old);
	return error;
}

int datapath_attachable(const char *interface)
{
	struct bpf_prog_info info;
	int fd = datapath_program(interface, &info, NULL, 0);

	if (fd < 0)
		return fd == -ENODEV ? -ENODEV : 0;
	close(fd);
	return datapath_is_larch(&info) ? 0 : -EBUSY;
}

static enum datapath_runs whose(const struct datapath *datapath, const struct bpf_prog_info *info,
				const uint32_t *map_ids)
{
	int settings;

	if (!datapath_is_larch(info))
		return DATAPATH_FOREIGN;
	if (has_our_maps(datapath, info, map_ids))
		return DATAPATH_OURS;
	settings = datapath_map_named("larch_settings", map_ids, info->nr_map_ids);
	return datapath_is_in_use(settings) ? DATAPATH_FOREIGN : DATAPATH_UNUSED;
}

void datapath_look(const struct datapath *datapath, const char *interface,
		   struct datapath_found *out)
{
	uint32_t map_ids[DATAPATH_PROGRAM_MAPS];
	struct bpf_prog_info info;
	int fd = datapath_program(interface, &info, map_ids, DATAPATH_PROGRAM_MAPS);

	*out = (struct datapath_found){.runs = fd == -ENODEV ? DATAPATH_GONE : DATAPATH_FREE};
	if (fd < 0)
		return;
	close(fd);
	out->runs = whose(datapath, &info, map_ids);
	out->id = info.id;
	memcpy(out->name, info.name, sizeof(out->name));
	out->name[sizeof(out->name) - 1] = '\0';
}
