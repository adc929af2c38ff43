// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the benchmark's two sides agree on: bench.bpf.c writes packets of numbered flows, bench.c
 * sets up the balancer for them. The BPF side includes vmlinux.h first.
 */
#pragma once

#include "larch/types.h"

/* Bytes of every frame; what the packet does not fill is padding. */
#define BENCH_FRAME 128

/* The services' addresses, host byte order, and ports. */
#define BENCH_VIP_IPV4	0xc6120001u /* 198.18.0.1 */
#define BENCH_VIP_HIGH	0x20010db8u /* first and last word of 2001:db8::1 */
#define BENCH_VIP_LOW	1u
#define BENCH_PORT	80
#define BENCH_ELSEWHERE 0xcb000000u /* 203.0.0.0: addresses that are no service's */

/* Flow n comes from prefix n % 256: 10.0.PREFIX.0/24 or 2001:db9:PREFIX::/48. */
#define BENCH_PREFIXES	  256
#define BENCH_CLIENT_IPV4 0x0a000000u
#define BENCH_CLIENT_HIGH 0x20010db9u

/* Where the wrapper is in its flows: it visits each once a round, every round in another order. */
struct bench_walk {
	__u64 count; /* packets so far */
	__u32 bits;  /* there are 2^bits flows */
	__u32 padding;
};
