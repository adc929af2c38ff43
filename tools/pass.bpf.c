/* SPDX-License-Identifier: GPL-2.0-only */
/* Passes everything. A veth peer must run some XDP program to receive what XDP_TX sends back. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "frame.h"

SEC(FRAME_SECTION)
int pass(struct xdp_md *context)
{
	(void)context;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
