// SPDX-License-Identifier: BSD-2-Clause
/*
 * What would have had to differ for another candidate to take a flow, one thing at a time: computed
 * by asking the fast loop's own functions again with other values. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "explain.h"

#define INSTEAD_NEVER (-1)

/* The largest values with which the candidate would have been taken; INSTEAD_NEVER: none would do.
 */
struct instead {
	bool there;	    /* it is a candidate of a backend that was not chosen */
	int64_t in_flight;  /* requests in flight */
	int64_t slowdown;   /* in LARCH_SLOWDOWN_ONE, from LARCH_SLOWDOWN_ONE on */
	int64_t service_us; /* server time */
	int64_t net_us;	    /* connect time */
	/*
	 * And of the chosen backend the least requests in flight at which this candidate would have
	 * been taken: INSTEAD_NEVER if another one would be, or none up to 65535.
	 */
	int64_t chosen_in_flight;
};

/* out[LARCH_CANDIDATES]. Only where live scores decided; else nothing is there. */
void instead_find(const struct explain *explain, struct instead *out);
