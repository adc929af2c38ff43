// SPDX-License-Identifier: BSD-2-Clause
// The middle of some measurements, and how far they scatter.
#ifndef TOOLS_LIB_SPREAD_H
#define TOOLS_LIB_SPREAD_H

#include <stddef.h>

// Median, half the distance between the quartiles, and what all but the smallest twentieth reach;
// all 0 of no values.
struct spread {
	double median, noise, low;
};

struct spread spread_of(const double *value, size_t count);

// The same of the differences, or of the quotients, pair by pair: what both share drops out.
struct spread spread_difference(const double *value, const double *floor, size_t count);
struct spread spread_ratio(const double *value, const double *by, size_t count);

#endif
