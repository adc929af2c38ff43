// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the learner learns from: one row for each client cell of one service, with a decayed tally
 * for each member (backend of the service).
 */
#pragma once

#include <stddef.h>

#include "larch/plan.h"

/* Decayed sums of one row (or of a node of the tree) at one member. */
struct tally {
	double connects;
	double connect_us;
	double responses;
	double work_us; /* server times, deflated by the load at their request */
};

struct table {
	size_t rows;
	size_t members;
	const struct larch_features *features; /* [rows] */
	const struct tally *tally;	       /* [rows][members] */
	unsigned ignored;		       /* features that no split may ask for, as bits */
};

/* Decayed flows that a row stands for: at each member its connects or responses, the larger. */
static inline double table_flows(const struct table *table, size_t row)
{
	double flows = 0;

	for (size_t i = 0; i < table->members; i++) {
		const struct tally *tally = &table->tally[row * table->members + i];

		flows += tally->connects > tally->responses ? tally->connects : tally->responses;
	}
	return flows;
}

/* What a request costs at one member when nothing else is there, us. */
struct cost {
	double net;
	double service;
};
