// SPDX-License-Identifier: BSD-2-Clause
/* The mean and the slowest of a backend's services. See mix.h. */
#include <math.h>

#include "mix.h"

/* So little that it counts only where there is no more. */
#define NO_DEMAND 1e-6

struct mix mix_of(const struct mix_part *part, size_t parts)
{
	struct mix mix = {};
	double all = 0;

	for (size_t i = 0; i < parts; i++) {
		const struct cost *cost = &part[i].cost;
		double weight = fmax(part[i].demand, NO_DEMAND);

		if (!(cost->service > 0))
			continue;
		all += weight;
		mix.mean.net += weight * cost->net;
		mix.mean.service += weight * cost->service;
		mix.slowest = fmax(mix.slowest, cost->net + cost->service);
	}
	if (all > 0) {
		mix.mean.net /= all;
		mix.mean.service /= all;
	}
	return mix;
}
