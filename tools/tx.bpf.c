/* SPDX-License-Identifier: GPL-2.0-only */
/* Sends everything back where it came from: the least that any balancer does in its place. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

SEC("xdp")
int tx(struct xdp_md *context)
{
	(void)context;
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
