// SPDX-License-Identifier: BSD-2-Clause
/* The way of health checks: see datapath_health.h. */
#include "datapath_health.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "datapath.h"
#include "datapath_kernel.h"
#include "health.skel.h"
#include "larch/health.h"
#include "log.h"

/* Where among the filters of tc: one place, so that the next daemon finds what the last one left.
 */
#define FILTER_HANDLE	1
#define FILTER_PRIORITY LARCH_HEALTH_TABLE

#define LOOPBACK "lo"

static struct bpf_tc_hook hook(void)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)if_nametoindex(LOOPBACK),
		.attach_point = BPF_TC_EGRESS,
	};
}

static struct bpf_tc_opts filter(int program)
{
	return (struct bpf_tc_opts){
		.sz = sizeof(struct bpf_tc_opts),
		.handle = FILTER_HANDLE,
		.priority = FILTER_PRIORITY,
		.prog_fd = program,
	};
}

static int put(struct datapath_kernel *kernel)
{
	struct bpf_tc_opts where = filter(bpf_program__fd(kernel->health->progs.larch_health));
	struct bpf_tc_hook lo = hook();
	int error = bpf_tc_hook_create(&lo);

	kernel->health_hook = error == 0;
	if (error && error != -EEXIST)
		return error;
	where.flags = BPF_TC_F_REPLACE;
	return bpf_tc_attach(&lo, &where);
}

int datapath_health_attach(struct datapath *datapath)
{
	struct datapath_kernel *kernel = datapath->kernel;
	int error = 0;

	if (!kernel->health) {
		kernel->health = health_bpf__open();
		error = kernel->health ? datapath_share_maps(datapath, kernel->health->obj)
				       : -errno;
		if (!error)
			error = health_bpf__load(kernel->health);
	}
	if (!error)
		error = put(kernel);
	if (error) {
		log_error("cannot put the program for health checks on " LOOPBACK ": %s",
			  strerror(-error));
		datapath_health_detach(datapath);
	}
	return error;
}

bool datapath_health_attached(const struct datapath *datapath)
{
	const struct health_bpf *health = datapath->kernel->health;
	struct bpf_tc_hook lo = hook();
	struct bpf_tc_opts found = filter(0);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (!health || bpf_tc_query(&lo, &found) != 0)
		return false;
	return bpf_obj_get_info_by_fd(bpf_program__fd(health->progs.larch_health), &info, &size) ==
		       0 &&
	       info.id == found.prog_id;
}

void datapath_health_detach(struct datapath *datapath)
{
	struct datapath_kernel *kernel = datapath->kernel;
	struct bpf_tc_hook lo = hook();
	struct bpf_tc_opts where = filter(0);

	if (!kernel->health)
		return;
	if (datapath_health_attached(datapath)) {
		bpf_tc_detach(&lo, &where);
		/* The place for filters was made for this one; others may have come since. */
		if (kernel->health_hook && bpf_tc_hook_destroy(&lo) != 0)
			log_debug("the place for filters on " LOOPBACK " stays");
	}
	health_bpf__destroy(kernel->health);
	kernel->health = NULL;
}
