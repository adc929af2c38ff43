// SPDX-License-Identifier: BSD-2-Clause
/*
 * The program for frames in several buffers, on the maps of the other one. Loaded when an interface
 * needs it. See datapath.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

#include "datapath.h"
#include "datapath_kernel.h"
#include "larch.frags.skel.h"
#include "log.h"

int datapath_share_maps(const struct datapath *datapath, struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const struct bpf_map *ours = bpf_object__find_map_by_name(
			datapath->kernel->object->obj, bpf_map__name(map));
		int error = ours ? bpf_map__reuse_fd(map, bpf_map__fd(ours)) : -ENOENT;

		if (!error)
			error = bpf_map__set_pin_path(map, NULL);
		if (error)
			return error;
	}
	return 0;
}

static int load(struct datapath *datapath)
{
	struct larch_frags_bpf *frags = larch_frags_bpf__open();
	int error = frags ? datapath_share_maps(datapath, frags->obj) : -errno;

	if (!error)
		error = larch_frags_bpf__load(frags);
	if (!error)
		error = datapath_pin(datapath, bpf_program__fd(frags->progs.larch),
				     DATAPATH_FRAGS_PIN);
	if (error) {
		log_error("cannot load the program for jumbo frames: %s", strerror(-error));
		larch_frags_bpf__destroy(frags);
		return error;
	}
	datapath->kernel->frags = frags;
	return 0;
}

int datapath_frags_program(struct datapath *datapath)
{
	int error = datapath->kernel->frags ? 0 : load(datapath);

	return error ? error : bpf_program__fd(datapath->kernel->frags->progs.larch);
}

void datapath_frags_close(struct datapath *datapath)
{
	larch_frags_bpf__destroy(datapath->kernel->frags);
}
