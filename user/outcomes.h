// SPDX-License-Identifier: BSD-2-Clause
/* The balancer's outcomes of a packet (larch/outcome.h) by number: names and meaning. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct packet_outcome {
	uint32_t number;
	const char *name;    /* "FORWARD_NEW" */
	const char *verdict; /* "FORWARD", "PASS" or "DROP" */
	const char *text;    /* what it means, in words */
};

/* All of them, by ascending number; sets *count. */
const struct packet_outcome *outcomes_all(size_t *count);

/* Its name; "no outcome" for a number that is none. */
const char *outcomes_name(uint32_t number);
