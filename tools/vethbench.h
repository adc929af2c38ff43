// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the two sides of vethbench share: vethbench.bpf.c sends and counts, vethbench.c says how
 * much and reads the clock. The BPF side includes vmlinux.h first.
 */
#pragma once

#include "bench.h"

/* Bytes of every frame: with the checksum that a wire would add, 64. */
#define VETH_FRAME 60

/*
 * Paths take turns after so many packets: few enough that most turns are over before something else
 * gets the CPU. A run has at most so many turns.
 */
#define VETH_BLOCK  4096
#define VETH_BLOCKS 1024
#define VETH_PATHS  2

/* A way through a balancer and back: out by an interface, in again by the same. */
struct veth_path {
	struct bench_walk walk; /* where the path is in its flows */
	__u32 ifindex;
	__u32 network; /* first three bytes of the address where packets must go, host byte order */
};

struct veth_block {
	__u64 ns;
	__u64 received;
};

/* The one run: written by user space before, by the programs meanwhile. */
struct veth_run {
	struct veth_path path[VETH_PATHS];
	__u32 paths;
	__u32 tcp_flags;
	__u64 sent;
	__u64 received;
	__u64 began;	     /* the block that is being sent: when, ns */
	__u64 received_then; /* and what had come back by then */
	struct veth_block block[VETH_BLOCKS];
};
