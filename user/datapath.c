// SPDX-License-Identifier: BSD-2-Clause
/* Finding, loading, pinning and attaching the kernel part. See datapath.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datapath.h"
#include "datapath_capture.h"
#include "datapath_health.h"
#include "datapath_kernel.h"
#include "datapath_ticks.h"
#include "log.h"

static int forward_libbpf_log(enum libbpf_print_level level, const char *format, va_list arguments)
{
	enum log_level ours = level == LIBBPF_WARN ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG;

	log_vline(ours, format, arguments);
	return 0;
}

/* Lets `map` be the one that the running program uses, if it uses one of that name. */
static int adopt_from_program(struct bpf_map *map, const uint32_t *map_ids, uint32_t count)
{
	int fd = datapath_map_named(bpf_map__name(map), map_ids, count);
	int error = fd < 0 ? -ENOENT : bpf_map__reuse_fd(map, fd);

	if (fd >= 0)
		close(fd);
	return error;
}

static int adopt_from_pin(struct bpf_map *map, const char *directory)
{
	char path[256];
	int fd, error;

	snprintf(path, sizeof(path), "%s/%s", directory, bpf_map__name(map));
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	error = bpf_map__reuse_fd(map, fd);
	close(fd);
	return error;
}

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

/* An adopted map must have the shape that this version uses (the flow table may be of any size). */
static bool shape_fits(const struct shape *had, const struct bpf_map *map)
{
	struct shape now = shape_of(map);

	return had->type == now.type && had->key_size == now.key_size &&
	       had->value_size == now.value_size && had->flags == now.flags &&
	       (had->entries == now.entries || strcmp(bpf_map__name(map), "larch_flows") == 0);
}

static int adopt_map(struct datapath *datapath, struct bpf_map *map, const uint32_t *map_ids,
		     uint32_t count)
{
	struct shape shape = shape_of(map);
	int error = adopt_from_program(map, map_ids, count);

	bpf_map__set_pin_path(map, NULL);
	if (error == -ENOENT && count == 0)
		error = adopt_from_pin(map, datapath->kernel->pins);
	if (error == -ENOENT)
		return 0;
	if (error)
		return error;
	datapath->adopted = true;
	if (shape_fits(&shape, map))
		return 0;
	log_error(
		"map %s was made by another version of larch and does not fit; detach its program "
		"(ip link set dev IFACE xdp off), remove %s and what stands in "
		"/sys/fs/bpf/tc/globals, then start again",
		bpf_map__name(map), datapath->kernel->pins);
	return -EEXIST;
}

/*
 * Somebody may have put our program there once more, with empty maps of its own, over the one whose
 * maps are pinned: these hold the flows.
 */
static bool pins_are_better(const struct datapath *datapath, const uint32_t *map_ids,
			    uint32_t count)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/larch_settings", datapath->kernel->pins);
	return !datapath_is_in_use(datapath_map_named("larch_settings", map_ids, count)) &&
	       datapath_is_in_use(bpf_obj_get(path));
}

/* The maps of the first of our programs found on the interfaces; *count 0: none runs. */
static void find_running_maps(const struct datapath *datapath,
			      const struct config_interface *interfaces, size_t interface_count,
			      uint32_t *map_ids, uint32_t *count)
{
	*count = 0;
	for (size_t i = 0; i < interface_count; i++) {
		struct bpf_prog_info info;
		int fd =
			datapath_program(interfaces[i].name, &info, map_ids, DATAPATH_PROGRAM_MAPS);

		if (fd < 0)
			continue;
		close(fd);
		if (!datapath_is_larch(&info))
			continue;
		if (pins_are_better(datapath, map_ids, info.nr_map_ids)) {
			log_warning("%s: the program that runs there (id %u) has maps of its own "
				    "that were never in use; those in %s go on",
				    interfaces[i].name, info.id, datapath->kernel->pins);
			continue;
		}
		log_info("%s: adopting the program that runs there (id %u) and its maps",
			 interfaces[i].name, info.id);
		*count = info.nr_map_ids;
		return;
	}
}

int datapath_pin(const struct datapath *datapath, int fd, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", datapath->kernel->pins, name);
	unlink(path);
	return bpf_obj_pin(fd, path) == 0 ? 0 : -errno;
}

/* Is it this very map that is pinned there? */
static bool is_pinned(const struct bpf_map *map, const char *path)
{
	int fd = bpf_obj_get(path);
	bool same = fd >= 0 && datapath_map_id(fd) == datapath_map_id(bpf_map__fd(map));

	if (fd >= 0)
		close(fd);
	return same;
}

static int pin_all(const struct datapath *datapath)
{
	struct bpf_map *map;
	int error;

	bpf_object__for_each_map(map, datapath->kernel->object->obj)
	{
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", datapath->kernel->pins, bpf_map__name(map));
		if (is_pinned(map, path))
			continue;
		error = datapath_pin(datapath, bpf_map__fd(map), bpf_map__name(map));
		if (error)
			return error;
	}
	return datapath_pin(datapath, bpf_program__fd(datapath->kernel->object->progs.larch),
			    DATAPATH_PIN);
}

/* Maps `count` entries of an array from entry `first` on, which must begin a page. */
static void *map_entries(const struct bpf_map *map, size_t first, size_t count)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t value = (bpf_map__value_size(map) + 7ul) & ~7ul;
	size_t size = (value * count + page - 1) & ~(page - 1);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map),
			    (off_t)(value * first));

	return memory == MAP_FAILED ? NULL : memory;
}

static void *map_memory(const struct bpf_map *map)
{
	return map_entries(map, 0, bpf_map__max_entries(map));
}

_Static_assert(sizeof(struct larch_ring) * LARCH_BANKS * LARCH_RINGS % 4096 == 0,
	       "a service's rings begin a page");
_Static_assert(sizeof(struct larch_costs) * LARCH_BANKS * LARCH_MAX_LEAVES % 4096 == 0,
	       "a service's costs begin a page");

int datapath_bank(struct datapath *datapath, uint32_t service, uint32_t bank,
		  struct datapath_bank *out)
{
	struct datapath_kernel *kernel = datapath->kernel;

	if (service >= LARCH_MAX_SERVICES || bank >= LARCH_BANKS)
		return -EINVAL;
	if (!kernel->rings[service])
		kernel->rings[service] =
			map_entries(kernel->object->maps.larch_rings,
				    larch_ring_index(service, 0, 0), LARCH_BANKS * LARCH_RINGS);
	if (!kernel->costs[service])
		kernel->costs[service] = map_entries(kernel->object->maps.larch_costs,
						     larch_costs_index(service, 0, 0),
						     LARCH_BANKS * LARCH_MAX_LEAVES);
	if (!kernel->rings[service] || !kernel->costs[service])
		return -ENOMEM;
	out->plan = &kernel->plans[larch_bank_index(service, bank)];
	out->rings = kernel->rings[service] + bank * LARCH_RINGS;
	out->costs = kernel->costs[service] + bank * LARCH_MAX_LEAVES;
	return 0;
}

static int map_all(struct datapath *datapath)
{
	struct larch_bpf *object = datapath->kernel->object;

	datapath->settings = map_memory(object->maps.larch_settings);
	datapath->active = map_memory(object->maps.larch_active);
	datapath->kernel->plans = map_memory(object->maps.larch_plans);
	datapath->live = map_memory(object->maps.larch_live);
	datapath->vips = map_memory(object->maps.larch_vips);
	datapath->services = map_memory(object->maps.larch_services);
	datapath->pressure = map_memory(object->maps.larch_pressure);
	datapath->connects = map_memory(object->maps.larch_connects);
	datapath->flows = map_memory(object->maps.larch_flows);
	datapath->buckets = bpf_map__max_entries(object->maps.larch_flows);
	datapath->backends = bpf_map__fd(object->maps.larch_backends);
	datapath->cells = bpf_map__fd(object->maps.larch_cells);
	datapath->access = bpf_map__fd(object->maps.larch_access);
	datapath->outcomes = bpf_map__fd(object->maps.larch_outcomes);
	datapath->service_traffic = bpf_map__fd(object->maps.larch_svc_count);
	datapath->backend_traffic = bpf_map__fd(object->maps.larch_bck_count);
	datapath->leaf_traffic = bpf_map__fd(object->maps.larch_leaf_cnt);
	datapath->evidence = bpf_map__fd(object->maps.larch_evidence);
	return datapath->settings && datapath->active && datapath->kernel->plans &&
			       datapath->live && datapath->vips && datapath->services &&
			       datapath->pressure && datapath->connects && datapath->flows
		       ? 0
		       : -ENOMEM;
}

static int check_version(const struct datapath *datapath)
{
	uint32_t abi = datapath->settings->abi;

	if (abi == 0 || abi == LARCH_ABI)
		return 0;
	log_error("the maps in the kernel speak version %u, this larchd speaks %u", abi, LARCH_ABI);
	return -EEXIST;
}

static uint32_t buckets_for(uint32_t entries)
{
	uint32_t buckets = 1;

	while (buckets * LARCH_BUCKET_FLOWS < entries && buckets < 1u << 22)
		buckets *= 2;
	return buckets;
}

static int load(struct datapath *datapath, const struct config_interface *interfaces,
		size_t interface_count, uint32_t flow_entries)
{
	struct larch_bpf *object = larch_bpf__open();
	uint32_t map_ids[DATAPATH_PROGRAM_MAPS], count;
	struct bpf_map *map;
	int error;

	if (!object)
		return -errno;
	datapath->kernel->object = object;
	find_running_maps(datapath, interfaces, interface_count, map_ids, &count);
	bpf_map__set_max_entries(object->maps.larch_flows, buckets_for(flow_entries));
	bpf_object__for_each_map(map, object->obj)
	{
		error = adopt_map(datapath, map, map_ids, count);
		if (error)
			return error;
	}
	error = larch_bpf__load(object);
	if (error)
		return error;
	error = map_all(datapath);
	if (error)
		return error;
	error = check_version(datapath);
	return error ? error : pin_all(datapath);
}

int datapath_open(struct datapath **out, const char *pin_directory,
		  const struct config_interface *interfaces, size_t interface_count,
		  uint32_t flow_entries)
{
	struct datapath *datapath = calloc(1, sizeof(*datapath));
	int error = -ENOMEM, cpus;

	libbpf_set_print(forward_libbpf_log);
	if (!datapath || !(datapath->kernel = calloc(1, sizeof(*datapath->kernel))))
		goto fail;
	datapath->kernel->lock = -1;
	datapath->kernel->ticks = -1;
	snprintf(datapath->kernel->pins, sizeof(datapath->kernel->pins), "%s", pin_directory);
	datapath->kernel->lock = error = datapath_directory(pin_directory);
	if (error < 0)
		goto fail;
	cpus = libbpf_num_possible_cpus();
	error = cpus < 0 ? cpus : 0;
	if (error)
		goto fail;
	datapath->cpus = (unsigned)cpus;
	datapath->kernel->ticks = error = datapath_ticks_open();
	if (error < 0)
		goto fail;
	error = load(datapath, interfaces, interface_count, flow_entries);
	if (error)
		goto fail;
	*out = datapath;
	return 0;
fail:
	if (datapath && datapath->kernel && datapath->kernel->lock >= 0)
		rmdir(pin_directory); /* nothing is in it unless an earlier daemon was here */
	datapath_close(datapath);
	return error;
}

void datapath_close(struct datapath *datapath)
{
	if (!datapath)
		return;
	if (datapath->kernel) {
		datapath_health_detach(datapath);
		datapath_frags_close(datapath);
		larch_bpf__destroy(datapath->kernel->object);
		if (datapath->kernel->lock >= 0)
			close(datapath->kernel->lock);
		if (datapath->kernel->ticks >= 0)
			close(datapath->kernel->ticks);
	}
	free(datapath->kernel);
	free(datapath);
}

uint32_t datapath_tick_rate(const struct datapath *datapath)
{
	return datapath_ticks_rate(datapath->kernel->ticks);
}

uint32_t datapath_ticks(const struct datapath *datapath)
{
	return datapath->kernel ? datapath_ticks_read(datapath->kernel->ticks) : 0;
}

uint32_t datapath_stamp(const struct datapath *datapath)
{
	return datapath_ticks(datapath) >> (datapath->settings->stamp_shift & 31) &
	       LARCH_STAMP_MASK;
}

static void unpin_program(const struct datapath *datapath, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", datapath->kernel->pins, name);
	unlink(path);
}

void datapath_unpin(struct datapath *datapath)
{
	struct bpf_map *map;
	char path[256];

	bpf_object__for_each_map(map, datapath->kernel->object->obj)
	{
		snprintf(path, sizeof(path), "%s/%s", datapath->kernel->pins, bpf_map__name(map));
		unlink(path);
		/* Where iproute2 pins, for all interfaces: those of another program stay. */
		snprintf(path, sizeof(path), "/sys/fs/bpf/tc/globals/%s", bpf_map__name(map));
		if (is_pinned(map, path))
			unlink(path);
	}
	unpin_program(datapath, DATAPATH_PIN);
	unpin_program(datapath, DATAPATH_FRAGS_PIN);
	snprintf(path, sizeof(path), "%s/" DATAPATH_CAPTURE_LOCK, datapath->kernel->pins);
	rmdir(path);
	rmdir(datapath->kernel->pins);
}
