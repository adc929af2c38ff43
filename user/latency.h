// SPDX-License-Identifier: BSD-2-Clause
/* Percentiles of the log-linear latency histograms that BPF fills. Pure. */
#pragma once

#include <stdint.h>

#include "larch/minifloat.h"

struct latency {
	double bucket[LARCH_LATENCY_BUCKETS]; /* counts by larch_latency_bucket() */
};

void latency_add(struct latency *to, const struct latency *from, double factor);
double latency_count(const struct latency *latency);

/* Mean in us, each sample taken to lie in the middle of its bucket; 0 if empty. */
double latency_mean(const struct latency *latency);

/* The q-quantile in us (0 <= q <= 1), interpolated within its bucket; 0 if empty. */
double latency_quantile(const struct latency *latency, double q);

/* What lies at a fraction (0..1) of the way from a bucket's first microsecond to its last. */
double latency_value(unsigned bucket, double fraction);
