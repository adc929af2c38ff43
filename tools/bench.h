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

/* Of each family; backend n has 10.255.0.n, or aff:n::. NAT's listen on a port of their own. */
#define BENCH_MEMBERS	   24
#define BENCH_BACKENDS	   0x0aff0000u
#define BENCH_BACKEND_PORT 8080

/* Our end of the tunnels, 10.254.0.1, and what its questions are signed with. */
#define BENCH_SELF	  0x0afe0001u
#define BENCH_SEED_HIGH	  0x0123456789abcdefull /* of hashes and tokens */
#define BENCH_SEED_LOW	  0xfedcba9876543210ull
#define BENCH_STAMP_SHIFT 11 /* 8.2 s at 250 ticks a second */

/* QUIC server ids: four bytes, of which the last are the backend's number in its family. */
#define BENCH_QUIC_CONFIG 5
#define BENCH_QUIC_BYTES  4
#define BENCH_QUIC_ID	  0xc0ffee00u

/* Where the wrapper is in its flows: it visits each once a round, every round in another order. */
struct bench_walk {
	__u64 count; /* packets so far */
	__u32 bits;  /* there are 2^bits flows */
	__u32 padding;
};
