// SPDX-License-Identifier: BSD-2-Clause
/*
 * Several services may share a backend: what its requests are like, all of them together. Pure.
 *
 * A request waits behind those of every service, so that what it waits for is the mean over all,
 * weighted by how many there are. How long a backend may be silent, the slowest service says: in
 * flight may be its requests alone. So no service makes another one's backend suspect; a fast one
 * pays for it in that a silent backend is found later, by its queue first.
 */
#pragma once

#include <stddef.h>

#include "table.h"

/* One service at the backend. */
struct mix_part {
	double demand; /* requests per second there */
	struct cost cost;
};

struct mix {
	struct cost mean; /* us; 0: not known */
	double slowest;	  /* net and service of the service where they are largest, us */
};

/* Services of unknown cost (service 0) say nothing. Without any demand all count alike. */
struct mix mix_of(const struct mix_part *part, size_t parts);
