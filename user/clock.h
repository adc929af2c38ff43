// SPDX-License-Identifier: BSD-2-Clause
/* Time as one 64-bit count of nanoseconds. */
#pragma once

#include <stdint.h>
#include <time.h>

#define NS_PER_MS 1000000ULL
#define NS_PER_S  1000000000ULL

static inline uint64_t clock_read(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* The monotonic clock: the one of bpf_ktime_get_ns(). */
static inline uint64_t clock_now(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

/* Seconds since the epoch. */
static inline double clock_wall(void)
{
	return (double)clock_read(CLOCK_REALTIME) / (double)NS_PER_S;
}

static inline double clock_ms(uint64_t ns)
{
	return (double)ns / (double)NS_PER_MS;
}

static inline uint64_t clock_from_ms(double ms)
{
	return (uint64_t)(ms * (double)NS_PER_MS);
}
