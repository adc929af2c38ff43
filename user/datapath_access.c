// SPDX-License-Identifier: BSD-2-Clause
/* Entries of larch_access. See datapath.h. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "datapath.h"

#define BATCH 1024

struct batch {
	struct larch_access key[BATCH];
	uint32_t verdict[BATCH];
};

int datapath_each_access(const struct datapath *datapath,
			 void (*visit)(void *context, const struct larch_access *key,
				       uint32_t verdict),
			 void *context)
{
	struct batch *batch = malloc(sizeof(*batch));
	struct larch_access position;
	bool begun = false;
	int error = 0;

	if (!batch)
		return -ENOMEM;
	while (error == 0) {
		uint32_t count = BATCH;

		if (bpf_map_lookup_batch(datapath->access, begun ? &position : NULL, &position,
					 batch->key, batch->verdict, &count, NULL) != 0)
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
	return bpf_map_update_elem(datapath->access, key, &verdict, BPF_ANY) == 0 ? 0 : -errno;
}

int datapath_remove_access(struct datapath *datapath, const struct larch_access *key)
{
	int error = bpf_map_delete_elem(datapath->access, key) == 0 ? 0 : -errno;

	return error == -ENOENT ? 0 : error;
}
