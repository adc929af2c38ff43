// SPDX-License-Identifier: BSD-2-Clause
// A log-linear histogram of nanoseconds: exact below 256, then 128 buckets per power of two, so
// that a quantile is off by at most 0.4 %. Values from 2^42 ns (73 minutes) share the last bucket.
#ifndef TOOLS_LIB_HISTOGRAM_H
#define TOOLS_LIB_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 4608

struct histogram {
	uint64_t count;
	uint64_t sum;
	uint64_t min;
	uint64_t max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);

// The smallest recorded value that the share q (0 to 1) of all values does not exceed, within
// the error above; 0 of an empty histogram.
uint64_t histogram_quantile(const struct histogram *h, double q);

// The exact mean; 0 of an empty histogram.
double histogram_mean(const struct histogram *h);

#endif
