// SPDX-License-Identifier: BSD-2-Clause
/* Points over time, by tick and by minute. See series.h. */
#include "series.h"

#include <string.h>

static struct series_value summarise(const struct latency *latency)
{
	return (struct series_value){
		.samples = (float)latency_count(latency),
		.mean_us = (float)latency_mean(latency),
		.p50_us = (float)latency_quantile(latency, 0.50),
		.p95_us = (float)latency_quantile(latency, 0.95),
		.p99_us = (float)latency_quantile(latency, 0.99),
	};
}

static void append(struct series_line *line, time_t when, bool learned,
		   const struct latency response[JUDGE_ARMS],
		   const struct latency connect[JUDGE_ARMS])
{
	struct series_point *point = &line->point[line->count++ % SERIES_POINTS];

	point->when = when;
	point->learned = learned;
	for (unsigned arm = 0; arm < JUDGE_ARMS; arm++) {
		point->response[arm] = summarise(&response[arm]);
		point->connect[arm] = summarise(&connect[arm]);
	}
}

/* The minute that has been added up is over. */
static void end_minute(struct series *series)
{
	append(&series->minutes, (series->minute + 1) * 60, series->learned, series->response,
	       series->connect);
	memset(series->response, 0, sizeof(series->response));
	memset(series->connect, 0, sizeof(series->connect));
}

void series_add(struct series *series, time_t when, bool learned,
		const struct latency response[JUDGE_ARMS], const struct latency connect[JUDGE_ARMS])
{
	time_t minute = when / 60;

	if (series->ticks.count && minute != series->minute)
		end_minute(series);
	series->minute = minute;
	series->learned = learned;
	for (unsigned arm = 0; arm < JUDGE_ARMS; arm++) {
		latency_add(&series->response[arm], &response[arm], 1);
		latency_add(&series->connect[arm], &connect[arm], 1);
	}
	append(&series->ticks, when, learned, response, connect);
}

size_t series_count(const struct series_line *line)
{
	return line->count < SERIES_POINTS ? line->count : SERIES_POINTS;
}

const struct series_point *series_at(const struct series_line *line, size_t index)
{
	return &line->point[(line->count - series_count(line) + index) % SERIES_POINTS];
}
