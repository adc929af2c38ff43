// SPDX-License-Identifier: BSD-2-Clause
/*
 * user/datapath.h over the maps of stub_maps.c: opening hands out the maps of bpf/maps.h, and there
 * is nothing to pin or attach. Entries are written by the daemon's own user/datapath_maps.c.
 */
#include "datapath_kernel.h"

#include <errno.h>
#include <stdlib.h>

#include "datapath.h"
#include "datapath_health.h"
#include "stub.h"
#include "maps.h"

#define MEMORY(map) stub_values(STUB_MAP(&(map)))
#define HANDLE(map) stub_descriptor(STUB_MAP(&(map)))

/* Of a map in the skeleton that datapath_open() makes. */
int bpf_map__fd(const struct bpf_map *map)
{
	return stub_descriptor((const struct stub_map *)(const void *)map);
}

int datapath_open(struct datapath **out, const char *pin_directory,
		  const struct config_interface *interfaces, size_t interface_count,
		  uint32_t flow_entries)
{
	static struct larch_bpf object;
	static struct datapath_kernel kernel = {.object = &object};
	struct datapath *datapath = calloc(1, sizeof(*datapath));

	(void)pin_directory;
	(void)interfaces;
	(void)interface_count;
	if (!datapath)
		return -ENOMEM;
	datapath->kernel = &kernel;
	object.maps.larch_quic = (void *)STUB_MAP(&larch_quic);
	datapath->settings = MEMORY(larch_settings);
	datapath->active = MEMORY(larch_active);
	datapath->live = MEMORY(larch_live);
	datapath->vips = MEMORY(larch_vips);
	datapath->services = MEMORY(larch_services);
	datapath->pressure = MEMORY(larch_pressure);
	datapath->connects = MEMORY(larch_connects);
	datapath->bands = MEMORY(larch_bands);
	datapath->flows = MEMORY(larch_flows);
	datapath->buckets = flow_entries / LARCH_BUCKET_FLOWS;
	datapath->backends = HANDLE(larch_backends);
	datapath->cells = HANDLE(larch_cells);
	datapath->access = HANDLE(larch_access);
	datapath->outcomes = HANDLE(larch_outcomes);
	datapath->service_traffic = HANDLE(larch_svc_count);
	datapath->backend_traffic = HANDLE(larch_bck_count);
	datapath->evidence = HANDLE(larch_evidence);
	datapath->cpus = 1;
	*out = datapath;
	return 0;
}

void datapath_close(struct datapath *datapath)
{
	free(datapath);
}

/* All of the bank is touched, since it is about to be written. */
int datapath_bank(struct datapath *datapath, uint32_t service, uint32_t bank,
		  struct datapath_bank *out)
{
	uint32_t plan = larch_bank_index(service, bank), ring = larch_ring_index(service, bank, 0),
		 costs = larch_costs_index(service, bank, 0);

	(void)datapath;
	out->plan = bpf_map_lookup_elem(&larch_plans, &plan);
	out->rings = bpf_map_lookup_elem(&larch_rings, &ring);
	out->costs = bpf_map_lookup_elem(&larch_costs, &costs);
	for (uint32_t i = 0; i < LARCH_RINGS; i++, ring++)
		bpf_map_lookup_elem(&larch_rings, &ring);
	for (uint32_t i = 0; i < LARCH_MAX_LEAVES; i++, costs++)
		bpf_map_lookup_elem(&larch_costs, &costs);
	return 0;
}

int datapath_attach(struct datapath *datapath, const struct config_interface *interface)
{
	(void)datapath;
	(void)interface;
	return 0;
}

int datapath_detach(struct datapath *datapath, const char *interface)
{
	(void)datapath;
	(void)interface;
	return 0;
}

int datapath_health_attach(struct datapath *datapath)
{
	(void)datapath;
	return 0;
}

bool datapath_health_attached(const struct datapath *datapath)
{
	(void)datapath;
	return true;
}

void datapath_health_detach(struct datapath *datapath)
{
	(void)datapath;
}

uint32_t datapath_tick_rate(const struct datapath *datapath)
{
	(void)datapath;
	return STUB_HZ;
}

uint32_t datapath_ticks(const struct datapath *datapath)
{
	(void)datapath;
	return (uint32_t)bpf_jiffies64();
}

uint32_t datapath_stamp(const struct datapath *datapath)
{
	return datapath_ticks(datapath) >> datapath->settings->stamp_shift & LARCH_STAMP_MASK;
}

void datapath_unpin(struct datapath *datapath)
{
	(void)datapath;
}

int datapath_attachable(const char *interface)
{
	(void)interface;
	return 0;
}

void datapath_look(const struct datapath *datapath, const char *interface,
		   struct datapath_found *out)
{
	(void)datapath;
	(void)interface;
	*out = (struct datapath_found){.runs = DATAPATH_OURS, .id = 1};
}
