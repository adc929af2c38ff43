// SPDX-License-Identifier: BSD-2-Clause
/* Finding, loading, pinning and attaching the kernel part. See datapath.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
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

static void unpin(const struct datapath *datapath, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", datapath->kernel->pins, name);
	unlink(path);
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
	/* The other program is pinned again when it is needed: not that of an earlier version. */
	unpin(datapath, DATAPATH_FRAGS_PIN);
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
	datapath->bands = map_memory(object->maps.larch_bands);
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
			       datapath->pressure && datapath->connects && datapath->bands &&
			       datapath->flows
		       ? 0
		       : -ENOMEM;
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
	int error;

	if (!object)
		return -errno;
	datapath->kernel->object = object;
	bpf_map__set_max_entries(object->maps.larch_flows, buckets_for(flow_entries));
	error = datapath_adopt(datapath, interfaces, interface_count);
	if (error)
		return error;
	error = larch_bpf__load(object);
	if (error)
		return error;
	error = map_all(datapath);
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

/* Maps that only another version knows are pinned there, too. */
static void unpin_maps(const struct datapath *datapath)
{
	DIR *folder = opendir(datapath->kernel->pins);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)) != NULL) {
		if (strncmp(entry->d_name, "larch_", strlen("larch_")) == 0)
			unlinkat(dirfd(folder), entry->d_name, 0);
	}
	if (folder)
		closedir(folder);
}

void datapath_unpin(struct datapath *datapath)
{
	struct bpf_map *map;
	char path[256];

	bpf_object__for_each_map(map, datapath->kernel->object->obj)
	{
		/* Where iproute2 pins, for all interfaces: those of another program stay. */
		snprintf(path, sizeof(path), "/sys/fs/bpf/tc/globals/%s", bpf_map__name(map));
		if (is_pinned(map, path))
			unlink(path);
	}
	unpin_maps(datapath);
	unpin(datapath, DATAPATH_PIN);
	unpin(datapath, DATAPATH_FRAGS_PIN);
	snprintf(path, sizeof(path), "%s/" DATAPATH_CAPTURE_LOCK, datapath->kernel->pins);
	rmdir(path);
	rmdir(datapath->kernel->pins);
}
