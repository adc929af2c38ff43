// SPDX-License-Identifier: BSD-2-Clause
/*
 * What an earlier larchd, or `ip link`, left in the kernel: which maps go on, and whether this
 * version can work with them. Nothing is changed here. See datapath_kernel.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datapath_kernel.h"
#include "log.h"

/* Of all programs on our interfaces. */
#define FAMILY_MAPS (CONFIG_MAX_INTERFACES * DATAPATH_PROGRAM_MAPS)

/* The maps that belong together: a program's, those of its like, and those pinned beside them. */
struct family {
	uint32_t settings; /* id of larch_settings; 0: there is no family */
	uint32_t abi;	   /* 0: no daemon has ever worked with it */
	bool runs;	   /* by a program, rather than pins alone */
	bool pinned;	   /* the pins are of this family */
	uint32_t map_ids[FAMILY_MAPS];
	uint32_t count;
};

struct shape {
	enum bpf_map_type type;
	uint32_t key_size, value_size, flags, entries;
};

static struct shape shape_of(const struct bpf_map *map)
{
	return (struct shape){
		.type = bpf_map__type(map),
		.key_size = bpf_map__key_size(map),
		.value_size = bpf_map__value_size(map),
		.flags = bpf_map__map_flags(map),
		.entries = bpf_map__max_entries(map),
	};
}

/* A map must have the shape that this version uses (the flow table may be of any size). */
static bool shape_fits(const struct bpf_map *map, int fd)
{
	struct shape now = shape_of(map);
	struct bpf_map_info had = {};
	uint32_t size = sizeof(had);

	return bpf_obj_get_info_by_fd(fd, &had, &size) == 0 && had.type == now.type &&
	       had.key_size == now.key_size && had.value_size == now.value_size &&
	       had.map_flags == now.flags &&
	       (had.max_entries == now.entries || strcmp(bpf_map__name(map), "larch_flows") == 0);
}

static int open_pin(const struct datapath *datapath, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", datapath->kernel->pins, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

uint32_t datapath_abi(int settings)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info), zero = 0, abi = 0;
	void *value;

	if (bpf_obj_get_info_by_fd(settings, &info, &size) != 0 ||
	    info.type != BPF_MAP_TYPE_ARRAY || info.value_size < sizeof(abi))
		return 0;
	value = calloc(1, info.value_size);
	if (value && bpf_map_lookup_elem(settings, &zero, value) == 0)
		memcpy(&abi, value, sizeof(abi));
	free(value);
	return abi;
}

/* Takes the descriptor of the settings over; false: there are none. */
static bool family_begin(struct family *family, int settings)
{
	if (settings < 0)
		return false;
	family->settings = datapath_map_id(settings);
	family->abi = datapath_abi(settings);
	family->count = 0;
	close(settings);
	return family->settings != 0;
}

/* What runs on an interface, if it is ours. */
static bool find_program(const char *interface, struct bpf_prog_info *info, uint32_t *map_ids)
{
	int fd = datapath_program(interface, info, map_ids, DATAPATH_PROGRAM_MAPS);

	if (fd < 0)
		return false;
	close(fd);
	if (info->nr_map_ids > DATAPATH_PROGRAM_MAPS)
		info->nr_map_ids = DATAPATH_PROGRAM_MAPS;
	return datapath_is_larch(info);
}

static void family_join(struct family *family, const uint32_t *map_ids, uint32_t count)
{
	int settings = datapath_map_named("larch_settings", map_ids, count);
	bool ours = settings >= 0 && datapath_map_id(settings) == family->settings;

	if (settings >= 0)
		close(settings);
	if (!ours || family->count + count > FAMILY_MAPS)
		return;
	memcpy(&family->map_ids[family->count], map_ids, count * sizeof(*map_ids));
	family->count += count;
}

/*
 * The family of the first of our programs on the interfaces. Somebody may have put our program
 * there once more, with empty maps of its own, over the one whose maps are pinned: these hold the
 * flows.
 */
static bool find_running(struct family *family, const struct family *pins,
			 const struct config_interface *interfaces, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t map_ids[DATAPATH_PROGRAM_MAPS];
		struct bpf_prog_info info;

		if (!find_program(interfaces[i].name, &info, map_ids) ||
		    !family_begin(family,
				  datapath_map_named("larch_settings", map_ids, info.nr_map_ids)))
			continue;
		if (!family->abi && pins->abi) {
			log_warning("%s: the program that runs there (id %u) has maps of its own "
				    "that were never in use; those that are pinned go on",
				    interfaces[i].name, info.id);
			continue;
		}
		log_info("%s: adopting the program that runs there (id %u) and its maps",
			 interfaces[i].name, info.id);
		family->runs = true;
		return true;
	}
	return false;
}

static void find_family(const struct datapath *datapath, struct family *family,
			const struct config_interface *interfaces, size_t count)
{
	struct family pins = {};

	memset(family, 0, sizeof(*family));
	family_begin(&pins, open_pin(datapath, "larch_settings"));
	if (!find_running(family, &pins, interfaces, count)) {
		family->settings = pins.settings;
		family->abi = pins.abi;
	}
	family->pinned = pins.settings == family->settings;
	for (size_t i = 0; family->settings && i < count; i++) {
		uint32_t map_ids[DATAPATH_PROGRAM_MAPS];
		struct bpf_prog_info info;

		if (find_program(interfaces[i].name, &info, map_ids))
			family_join(family, map_ids, info.nr_map_ids);
	}
}

#define GOES_ON                                                                                    \
	"it changes nothing, and traffic goes on. Start the larchd that they are of; or give all " \
	"flows up: take traffic off this host, 'ip link set dev IFACE xdp off' on each "           \
	"interface ('xdpgeneric off' if it says xdpgeneric), 'rm -rf %s "                          \
	"/sys/fs/bpf/tc/globals/larch_*', and start this one again"

static int refuse_version(const struct datapath *datapath, const struct family *family)
{
	log_error("the maps in the kernel are of ABI %u, this larchd (" LARCH_VERSION
		  ") is of ABI %u: " GOES_ON,
		  family->abi, LARCH_ABI, datapath->kernel->pins);
	return -EPROTONOSUPPORT;
}

static int refuse_shape(const struct datapath *datapath, const struct bpf_map *map)
{
	log_error("map %s in the kernel, and so all of them, are of a larchd with other maps than "
		  "this one (" LARCH_VERSION "): " GOES_ON,
		  bpf_map__name(map), datapath->kernel->pins);
	return -EPROTONOSUPPORT;
}

/* The family's map of that name, as a new descriptor, or -ENOENT. */
static int find_map(const struct datapath *datapath, const struct family *family,
		    const struct bpf_map *map)
{
	int fd = datapath_map_named(bpf_map__name(map), family->map_ids, family->count);

	if (fd >= 0 || !family->pinned)
		return fd;
	fd = open_pin(datapath, bpf_map__name(map));
	/* A version that came and went again may have left it: nothing that runs needs it so. */
	if (fd >= 0 && family->runs && !shape_fits(map, fd)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

static int adopt_map(struct datapath *datapath, const struct family *family, struct bpf_map *map)
{
	int fd = find_map(datapath, family, map), error;

	if (fd == -ENOENT && family->abi)
		log_info("map %s is new with this version", bpf_map__name(map));
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	error = shape_fits(map, fd) ? bpf_map__reuse_fd(map, fd) : refuse_shape(datapath, map);
	close(fd);
	if (!error)
		datapath->adopted = true;
	return error;
}

/* Do all maps that there are fit? */
static bool all_fit(const struct datapath *datapath, const struct family *family)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, datapath->kernel->object->obj)
	{
		int fd = find_map(datapath, family, map);
		bool fits = fd == -ENOENT || (fd >= 0 && shape_fits(map, fd));

		if (fd >= 0)
			close(fd);
		if (!fits)
			return false;
	}
	return true;
}

int datapath_adopt(struct datapath *datapath, const struct config_interface *interfaces,
		   size_t count)
{
	struct family *family = malloc(sizeof(*family));
	struct bpf_map *map;
	int error = 0;

	if (!family)
		return -ENOMEM;
	find_family(datapath, family, interfaces, count);
	if (family->abi && family->abi != LARCH_ABI)
		error = refuse_version(datapath, family);
	if (family->settings && !family->abi && !all_fit(datapath, family)) {
		log_info("maps of another version are there, but were never in use: they are not "
			 "adopted");
		family->settings = 0;
	}
	bpf_object__for_each_map(map, datapath->kernel->object->obj)
	{
		bpf_map__set_pin_path(map, NULL);
		if (!error && family->settings)
			error = adopt_map(datapath, family, map);
	}
	free(family);
	return error;
}
