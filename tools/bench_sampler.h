// SPDX-License-Identifier: BSD-2-Clause
/*
 * Looks at fixed intervals of CPU time where this thread is in the kernel: the perf event
 * cpu-clock, which needs no counters of the CPU.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SAMPLER_PERIOD_NS 100000
#define SAMPLER_DEPTH	  64

struct sampler {
	int fd;
	void *ring;
};

/* Addresses from the innermost function outwards. */
typedef void sampler_take(void *context, const uint64_t *address, size_t depth);

/* 0 or -errno. Samples are taken between start and stop. */
int sampler_open(struct sampler *sampler);
void sampler_close(struct sampler *sampler);
void sampler_start(struct sampler *sampler);

/* Hands over the samples since; their number must fit the ring: about 2000. */
void sampler_stop(struct sampler *sampler, sampler_take *take, void *context);
