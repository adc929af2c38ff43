// SPDX-License-Identifier: BSD-2-Clause
/* Entries of the maps that are reached by system calls. See datapath.h. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath.h"

#define BATCH 256

static int result(int returned)
{
	return returned == 0 ? 0 : -errno;
}

int datapath_put_backend(struct datapath *datapath, uint32_t id,
			 const struct larch_backend *backend)
{
	return result(bpf_map_update_elem(datapath->backends, &id, backend, BPF_ANY));
}

int datapath_get_backend(const struct datapath *datapath, uint32_t id,
			 struct larch_backend *backend)
{
	return result(bpf_map_lookup_elem(datapath->backends, &id, backend));
}

struct batch {
	struct larch_cell cell[BATCH];
	struct larch_samples samples[BATCH];
};

int datapath_each_cell(const struct datapath *datapath,
		       void (*visit)(void *context, const struct larch_cell *cell,
				     const struct larch_samples *samples),
		       void *context)
{
	struct batch *batch = malloc(sizeof(*batch));
	uint32_t position = 0, count, size = BATCH;
	bool begun = false;
	int error = 0;

	if (!batch)
		return -ENOMEM;
	while (error == 0) {
		count = size;
		error = result(bpf_map_lookup_batch(datapath->cells, begun ? &position : NULL,
						    &position, batch->cell, batch->samples, &count,
						    NULL));
		if (error != 0 && error != -ENOENT)
			break;
		for (uint32_t i = 0; i < count; i++)
			visit(context, &batch->cell[i], &batch->samples[i]);
		begun = true;
	}
	free(batch);
	return error == -ENOENT ? 0 : error;
}

int datapath_reserve_cell(struct datapath *datapath, const struct larch_cell *cell)
{
	const struct larch_samples none = {};
	int error = result(bpf_map_update_elem(datapath->cells, cell, &none, BPF_NOEXIST));

	return error == -EEXIST ? 0 : error;
}

int datapath_remove_cell(struct datapath *datapath, const struct larch_cell *cell)
{
	return result(bpf_map_delete_elem(datapath->cells, cell));
}

int datapath_outcome(const struct datapath *datapath, uint32_t outcome, struct larch_counter *sum)
{
	struct larch_counter each[datapath->cpus];

	memset(sum, 0, sizeof(*sum));
	if (bpf_map_lookup_elem(datapath->outcomes, &outcome, each) != 0)
		return -errno;
	for (unsigned i = 0; i < datapath->cpus; i++) {
		sum->packets += each[i].packets;
		sum->bytes += each[i].bytes;
	}
	return 0;
}

static int sum_traffic(const struct datapath *datapath, int map, uint32_t id,
		       struct larch_traffic *sum)
{
	struct larch_traffic each[datapath->cpus];

	memset(sum, 0, sizeof(*sum));
	if (bpf_map_lookup_elem(map, &id, each) != 0)
		return -errno;
	for (unsigned i = 0; i < datapath->cpus; i++) {
		sum->packets += each[i].packets;
		sum->bytes += each[i].bytes;
		sum->flows += each[i].flows;
		sum->evicted += each[i].evicted;
	}
	return 0;
}

int datapath_service_traffic(const struct datapath *datapath, uint32_t id,
			     struct larch_traffic *sum)
{
	return sum_traffic(datapath, datapath->service_traffic, id, sum);
}

int datapath_backend_traffic(const struct datapath *datapath, uint32_t id,
			     struct larch_traffic *sum)
{
	return sum_traffic(datapath, datapath->backend_traffic, id, sum);
}

int datapath_leaf_traffic(const struct datapath *datapath, uint32_t service, uint32_t leaf,
			  struct larch_traffic *sum)
{
	return sum_traffic(datapath, datapath->leaf_traffic, larch_leaf_index(service, leaf), sum);
}

int datapath_evidence(const struct datapath *datapath, uint32_t id, struct larch_evidence *sum)
{
	struct larch_evidence each[datapath->cpus];

	memset(sum, 0, sizeof(*sum));
	if (bpf_map_lookup_elem(datapath->evidence, &id, each) != 0)
		return -errno;
	for (unsigned i = 0; i < datapath->cpus; i++) {
		sum->opened += each[i].opened;
		sum->unclear += each[i].unclear;
		sum->sessions += each[i].sessions;
		sum->server_first += each[i].server_first;
		sum->requests += each[i].requests;
		sum->overlapping += each[i].overlapping;
		sum->answered += each[i].answered;
		sum->early += each[i].early;
		sum->timed += each[i].timed;
	}
	return 0;
}
