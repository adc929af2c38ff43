// SPDX-License-Identifier: BSD-2-Clause
/*
 * How both arms went over time: the last ticks, and the last hour minute by minute. Numbers alone
 * are kept of what is past. Pure: the caller says what time it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "judge.h"
#include "latency.h"

#define SERIES_POINTS 60

struct series_value {
	float samples, mean_us, p50_us, p95_us, p99_us; /* all 0 without samples */
};

struct series_point {
	time_t when;  /* it ended */
	bool learned; /* the learned arm was steered by what was learned, at its end */
	struct series_value response[JUDGE_ARMS], connect[JUDGE_ARMS];
};

struct series_line {
	size_t count;				  /* ever added; the last SERIES_POINTS are there */
	struct series_point point[SERIES_POINTS]; /* at count % SERIES_POINTS */
};

struct series {
	struct series_line ticks, minutes;
	time_t minute; /* that is being added up, since 1970 */
	struct latency response[JUDGE_ARMS], connect[JUDGE_ARMS]; /* so far, in this minute */
	bool learned;
};

/* Adds what one tick that ended at `when` measured. Minutes without a tick have no point. */
void series_add(struct series *series, time_t when, bool learned,
		const struct latency response[JUDGE_ARMS],
		const struct latency connect[JUDGE_ARMS]);

size_t series_count(const struct series_line *line);

/* The points from the oldest (0) on. */
const struct series_point *series_at(const struct series_line *line, size_t index);
