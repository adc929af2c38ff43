// SPDX-License-Identifier: BSD-2-Clause
/* Entries of larch_access. See datapath.h. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "datapath.h"
#include "datapath_kernel.h"

#define BATCH 1024

struct batch {
	struct larch_access key[BATCH];
	uint32_t verdict[BATCH];
};

/* The map's descriptor. -ENOENT: this program has none. */
static int find_map(const struct datapath *datapath)
{
	int fd = bpf_object__find_map_fd_by_name(datapath->kernel->object->obj, "larch_access");

	return fd < 0 ? -ENOENT : fd;
}

int datapath_each_access(const struct datapath *datapath,
			 void (*visit)(void *context, const struct larch_access *key,
				       uint32_t verdict),
			 void *context)
{
	struct batch *batch = malloc(sizeof(*batch));
	struct larch_access position;
	int map = find_map(datapath), error = map < 0 ? map : 0;
	bool begun = false;

	if (!batch)
		return -ENOMEM;
	while (error == 0) {
		uint32_t count = BATCH;

		if (bpf_map_lookup_batch(map, begun ? &position : NULL, &position, batch->key,
					 batch->verdict, &count, NULL) != 0)
			error = -errno;
		if (error != 0 && error != -ENOENT)
			break;
		for (uint32_t i = 0; i < count; i++)
			visit(context, &batch->key[i], batch->verdict[i]);
		begun = true;
	}
	free(batch);
	return error == -ENOENT ? 0 : error;
}

int datapath_put_access(struct datapath *datapath, const struct larch_access *key, uint32_t verdict)
{
	int map = find_map(datapath);

	if (map < 0)
		return map;
	return bpf_map_update_elem(map, key, &verdict, BPF_ANY) == 0 ? 0 : -errno;
}

int datapath_remove_access(struct datapath *datapath, const struct larch_access *key)
{
	int map = find_map(datapath);

	if (map < 0)
		return map;
	return bpf_map_delete_elem(map, key) == 0 || errno == ENOENT ? 0 : -errno;
}
