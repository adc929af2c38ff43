// SPDX-License-Identifier: BSD-2-Clause
/* Entries of larch_quic. See datapath.h. */
#include <bpf/bpf.h>
#include <errno.h>

#include "datapath.h"
#include "datapath_kernel.h"

static int map_of(const struct datapath *datapath)
{
	return bpf_map__fd(datapath->kernel->object->maps.larch_quic);
}

int datapath_each_quic(const struct datapath *datapath,
		       void (*visit)(void *context, const struct larch_quic *key, uint32_t backend),
		       void *context)
{
	struct larch_quic key, next;
	const struct larch_quic *at = NULL;
	uint32_t backend;

	while (bpf_map_get_next_key(map_of(datapath), at, &next) == 0) {
		if (bpf_map_lookup_elem(map_of(datapath), &next, &backend) == 0)
			visit(context, &next, backend);
		key = next;
		at = &key;
	}
	return errno == ENOENT ? 0 : -errno;
}

int datapath_put_quic(struct datapath *datapath, const struct larch_quic *key, uint32_t backend)
{
	return bpf_map_update_elem(map_of(datapath), key, &backend, BPF_ANY) == 0 ? 0 : -errno;
}

int datapath_remove_quic(struct datapath *datapath, const struct larch_quic *key)
{
	return bpf_map_delete_elem(map_of(datapath), key) == 0 || errno == ENOENT ? 0 : -errno;
}
