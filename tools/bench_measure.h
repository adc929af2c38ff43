// SPDX-License-Identifier: BSD-2-Clause
/*
 * Running packets: the wrapper of bench.bpf.c, blocks of packets through one target, and the
 * comparison of targets in one run.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "bench.h"

#define MEASURE_TARGETS 4
#define MEASURE_ROUNDS	200 /* at most */

struct bpf_object;
struct profile;
struct world;

struct wrapper {
	struct bpf_object *object;
	int slot; /* the map bench_target */
	struct bench_walk *walk;
};

int wrapper_open(struct wrapper *wrapper, const char *file);
void wrapper_close(struct wrapper *wrapper);

/* Descriptor of one of its programs; -ENOENT. */
int wrapper_program(const struct wrapper *wrapper, const char *name);

/* What packets are handed to: a balancer, or a floor. */
struct target {
	int program;
	struct world *world; /* NULL: a floor */
	uint64_t count;	     /* where the wrapper is in this target's flows */
	double ns[MEASURE_ROUNDS];
};

struct measurement {
	int program;	  /* of the wrapper */
	uint32_t bits;	  /* 2^bits flows */
	uint32_t packets; /* in a block */
	uint32_t rounds;
	uint32_t outcome;	 /* what becomes of every packet */
	int clear;		 /* each block begins with an empty flow table */
	struct profile *profile; /* takes samples meanwhile; may be NULL */
};

/* A block of packets through a target; *ns: CPU time per packet, may be NULL. */
int measure_block(struct wrapper *wrapper, const struct measurement *what, struct target *target,
		  double *ns);

/*
 * All targets in turn, block by block, every round; fills target.ns[rounds]. *share: the part of
 * the balancers' packets that had the outcome; the rest was forwarded otherwise, or -EPROTO.
 */
int measure_rounds(struct wrapper *wrapper, const struct measurement *what, struct target *target,
		   size_t targets, double *share);
