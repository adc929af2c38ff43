// SPDX-License-Identifier: BSD-2-Clause
/* The sum that concurrency.h begins with, term by term: what its shorter way must agree with. */
#pragma once

#include <math.h>
#include <stdint.h>

#define STRETCH_SCALE 1e200

static inline double stretch_of(uint32_t queue, uint32_t concurrency, double net)
{
	double part = 1, all = 0, sum = 0;

	if (net <= 0)
		return fmax(1, (queue + 1.0) / concurrency);
	/* From none at the server on: each part follows from the last one. */
	for (uint32_t m = 0;; m++) {
		all += part;
		sum += part * fmax(1, (m + 1.0) / concurrency);
		if (m == queue)
			return sum / all;
		part *= (queue - m) / (net * fmin(m + 1.0, concurrency));
		if (part > STRETCH_SCALE) {
			part /= STRETCH_SCALE;
			all /= STRETCH_SCALE;
			sum /= STRETCH_SCALE;
		}
	}
}
