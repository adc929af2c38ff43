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

int datapath_program(const char *interface, struct bpf_prog_info *info, uint32_t *map_ids,
		     uint32_t count)
{
	unsigned index = if_nametoindex(interface);
	uint32_t id = 0;

	if (index == 0)
		return -ENODEV;
	if (bpf_xdp_query_id((int)index, 0, &id) != 0 || id == 0)
		return -ENOENT;
	return program_info(id, info, map_ids, count);
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

/* Attaches; `old` is the descriptor of the program to replace, or -1. */
static int set_program(const struct datapath *datapath, const struct config_interface *interface,
		       int old)
{
	uint32_t mode =
		interface->mode == CONFIG_XDP_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	int fd = bpf_program__fd(datapath->kernel->object->progs.larch);
	LIBBPF_OPTS(bpf_xdp_attach_opts, options);
	int index = (int)if_nametoindex(interface->name);

	if (old < 0)
		return bpf_xdp_attach(index, fd, mode | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	options.old_prog_fd = old;
	return bpf_xdp_attach(index, fd, mode | XDP_FLAGS_REPLACE, &options);
}

int datapath_attach(struct datapath *datapath, const struct config_interface *interface)
{
	struct bpf_prog_info info = {}, mine = {};
	uint32_t size = sizeof(mine), map_ids[DATAPATH_PROGRAM_MAPS];
	int old = datapath_program(interface->name, &info, map_ids, DATAPATH_PROGRAM_MAPS);
	int error;

	if (old == -ENODEV)
		return -ENODEV;
	if (old >= 0 && !datapath_is_larch(&info)) {
		log_error("%s: another XDP program is attached ('%s', id %u); remove it with "
			  "'ip link set dev %s xdp off' if it is not needed",
			  interface->name, info.name, info.id, interface->name);
		close(old);
		return -EBUSY;
	}
	error = bpf_obj_get_info_by_fd(bpf_program__fd(datapath->kernel->object->progs.larch),
				       &mine, &size);
	if (!error && old >= 0 && memcmp(info.tag, mine.tag, sizeof(mine.tag)) == 0 &&
	    has_our_maps(datapath, &info, map_ids)) {
		log_info("%s: the program that runs there is this version's; left in place",
			 interface->name);
	} else if (!error) {
		error = set_program(datapath, interface, old);
		if (!error)
			log_info("%s: program %s", interface->name,
				 old >= 0 ? "replaced without a gap" : "attached");
	}
	if (old >= 0)
		close(old);
	return error;
}

int datapath_detach(struct datapath *datapath, const char *interface)
{
	struct bpf_prog_info info;
	LIBBPF_OPTS(bpf_xdp_attach_opts, options);
	int old = datapath_program(interface, &info, NULL, 0);
	int error;

	(void)datapath;
	if (old < 0)
		return old == -ENOENT ? 0 : old;
	options.old_prog_fd = old;
	error = datapath_is_larch(&info) ? bpf_xdp_detach((int)if_nametoindex(interface),
							  XDP_FLAGS_REPLACE, &options)
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

bool datapath_attached(const struct datapath *datapath, const char *interface)
{
	uint32_t map_ids[DATAPATH_PROGRAM_MAPS];
	struct bpf_prog_info info;
	int fd = datapath_program(interface, &info, map_ids, DATAPATH_PROGRAM_MAPS);

	if (fd < 0)
		return false;
	close(fd);
	return datapath_is_larch(&info) && has_our_maps(datapath, &info, map_ids);
}
