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
 * Paths take turns of this length, or a batch more: short enough that most are over before
 * something else gets the CPU, whatever a packet costs. A measurement has at most so many turns.
 */
#define VETH_TURN_NS 1000000
#define VETH_TURNS   1024
#define VETH_BATCH   64 /* packets that the kernel sends at once */
#define VETH_PATHS   2

/* A way through a balancer and back: out by an interface, in again by the same. */
struct veth_path {
	struct bench_walk walk; /* where the path is in its flows */
	__u32 ifindex;
	__u32 network; /* first three bytes of the address where packets must go, host byte order */
};

struct veth_turn {
	__u64 ns;
	__u64 received; /* packets */
};

/* Written by user space before, by the programs meanwhile. */
struct veth_run {
	struct veth_path path[VETH_PATHS];
	__u32 paths;
	__u32 tcp_flags;
	__u64 sent;	     /* in this call of the kernel */
	__u64 received;	     /* likewise */
	__u64 began;	     /* the present turn, ns */
	__u64 received_then; /* what had come back by then */
	__u64 turns;	     /* that have ended, in all calls */
	struct veth_turn turn[VETH_TURNS];
};
