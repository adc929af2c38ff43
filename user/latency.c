// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads percentiles out of latency histograms. A bucket stands for a run of whole microseconds;
 * its samples are taken to be spread evenly from the first of them to the last. So the error is
 * less than the bucket's width (an eighth of the value), and none below 16 us.
 *
 * In: counts by larch_latency_bucket(). Out: microseconds.
 */
#include "latency.h"

void latency_add(struct latency *to, const struct latency *from, double factor)
{
	for (unsigned i = 0; i < LARCH_LATENCY_BUCKETS; i++)
		to->bucket[i] += from->bucket[i] * factor;
}

double latency_count(const struct latency *latency)
{
	double count = 0;

	for (unsigned i = 0; i < LARCH_LATENCY_BUCKETS; i++)
		count += latency->bucket[i];
	return count;
}

double latency_value(unsigned bucket, double fraction)
{
	double first = (double)larch_unpack(bucket, LARCH_LATENCY_MANTISSA);
	double last = (double)larch_unpack(bucket + 1, LARCH_LATENCY_MANTISSA) - 1;

	return first + (last - first) * fraction;
}

double latency_quantile(const struct latency *latency, double q)
{
	double wanted = q * latency_count(latency);
	double value = 0;

	for (unsigned i = 0; i < LARCH_LATENCY_BUCKETS; i++) {
		double here = latency->bucket[i];

		if (here <= 0)
			continue;
		if (wanted <= here)
			return latency_value(i, wanted > 0 ? wanted / here : 0);
		wanted -= here;
		value = latency_value(i, 1); /* for what rounding leaves behind the last one */
	}
	return value;
}

double latency_mean(const struct latency *latency)
{
	double count = 0, sum = 0;

	for (unsigned i = 0; i < LARCH_LATENCY_BUCKETS; i++) {
		count += latency->bucket[i];
		sum += latency->bucket[i] * latency_value(i, 0.5);
	}
	return count > 0 ? sum / count : 0;
}
