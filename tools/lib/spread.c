// SPDX-License-Identifier: BSD-2-Clause
// See spread.h.
#include <stdlib.h>
#include <string.h>

#include "spread.h"

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

struct spread spread_of(const double *value, size_t count)
{
	double sorted[count ? count : 1];

	if (!count)
		return (struct spread){};
	memcpy(sorted, value, count * sizeof(*value));
	qsort(sorted, count, sizeof(*sorted), compare);
	return (struct spread){
		.median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2,
		.noise = (sorted[3 * (count - 1) / 4] - sorted[(count - 1) / 4]) / 2,
		.low = sorted[(count - 1) / 20],
	};
}

struct spread spread_difference(const double *value, const double *floor, size_t count)
{
	double difference[count ? count : 1];

	for (size_t i = 0; i < count; i++)
		difference[i] = value[i] - floor[i];
	return spread_of(difference, count);
}

struct spread spread_ratio(const double *value, const double *by, size_t count)
{
	double ratio[count ? count : 1];

	for (size_t i = 0; i < count; i++)
		ratio[i] = value[i] / by[i];
	return spread_of(ratio, count);
}
