// SPDX-License-Identifier: BSD-2-Clause
// Percentiles of parts of a run, and how fast new flows recovered.
//
// recovered_s is about new flows alone: the first requests of learned flows, connect included, in
// windows of WINDOW_S that slide by STEP_S. Their p99 in the LEVEL_S before the slowing is the
// level before. Recovered is the first window from the slowing on whose p99 is at most LIMIT times
// that, if at least STAY of the windows that begin in the HOLD_S after it are so too: a stall of
// this host lifts a few windows of any run, a backend that is still used lifts all. Its time is
// that of the window's begin; 0 if the windows never left the level.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "verdict.h"

#define WINDOW_S       0.5
#define STEP_S	       0.05
#define LEVEL_S	       10.0
#define LIMIT	       1.25
#define HOLD_S	       5.0
#define STAY	       0.9
#define SHARE_WINDOW_S 0.2
#define AVOIDED	       0.2
#define RETURNED       0.5

static bool passes(const struct filter *filter, const struct sample *sample)
{
	return (filter->arm < 0 || sample->arm == filter->arm) &&
	       (filter->prefix < 0 || sample->prefix == filter->prefix) &&
	       (!filter->first_only || sample->first);
}

// The first sample at or after that time.
static size_t sample_at(const struct run *run, double at_s)
{
	size_t low = 0, high = run->samples;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (run->sample[middle].at_s < at_s)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int by_value(const void *left, const void *right)
{
	float a = *(const float *)left, b = *(const float *)right;

	return a < b ? -1 : a > b;
}

double run_quantile(const struct run *run, const struct filter *filter, double begin_s,
		    double end_s, double q)
{
	size_t from = sample_at(run, begin_s), count = 0;
	size_t to = filter->by_flow ? run->samples : sample_at(run, end_s);
	float *value = malloc((to - from + 1) * sizeof(*value));
	double out = NAN;

	if (!value)
		return NAN;
	for (size_t i = from; i < to; i++) {
		const struct sample *sample = &run->sample[i];

		if (filter->by_flow && (sample->flow_s < begin_s || sample->flow_s >= end_s))
			continue;
		if (passes(filter, sample))
			value[count++] = sample->latency_ms;
	}
	if (count) {
		size_t rank = (size_t)ceil(q * (double)count);

		qsort(value, count, sizeof(*value), by_value);
		out = value[rank ? rank - 1 : 0];
	}
	free(value);
	return out;
}

// Share of new learned flows that a backend got.
static double backend_share(const struct run *run, int backend, double begin_s, double end_s)
{
	size_t all = 0, its = 0;

	for (size_t i = sample_at(run, begin_s); i < run->samples; i++) {
		const struct sample *sample = &run->sample[i];

		if (sample->at_s >= end_s)
			break;
		if (!sample->first || sample->arm != ARM_LEARNED)
			continue;
		all++;
		its += sample->backend == backend;
	}
	return all ? (double)its / (double)all : NAN;
}

static double window_p99(const struct run *run, double at_s)
{
	const struct filter new_flows = {.arm = ARM_LEARNED, .prefix = -1, .first_only = true};

	return run_quantile(run, &new_flows, at_s, at_s + WINDOW_S, 0.99);
}

static double recovered(const struct run *run, const struct phase *slow, struct recovery *out)
{
	size_t count = (size_t)((slow->end_s - slow->begin_s - WINDOW_S) / STEP_S);
	size_t hold = (size_t)(HOLD_S / STEP_S);
	bool *good = calloc(count + 1, sizeof(*good));
	double result = INFINITY;

	for (size_t i = 0; good && i < count; i++) {
		double p99 = window_p99(run, slow->begin_s + (double)i * STEP_S);

		good[i] = p99 <= out->limit_ms;
		out->worst_ms = fmax(out->worst_ms, p99);
	}
	for (size_t i = 0; good && i + hold <= count && isinf(result); i++) {
		size_t held = 0;

		for (size_t j = i; j < i + hold; j++)
			held += good[j];
		if (good[i] && (double)held >= STAY * (double)hold)
			result = (double)i * STEP_S;
	}
	free(good);
	return result;
}

static double until_share(const struct run *run, int backend, const struct phase *phase,
			  double share, bool below)
{
	for (double at = phase->begin_s; at + SHARE_WINDOW_S <= phase->end_s; at += STEP_S) {
		double now = backend_share(run, backend, at, at + SHARE_WINDOW_S);

		if (below ? now <= share : now >= share)
			return at - phase->begin_s;
	}
	return INFINITY;
}

int run_recovery(const struct run *run, const char *slow_backend, struct recovery *out)
{
	const struct filter new_flows = {.arm = ARM_LEARNED, .prefix = -1, .first_only = true};
	const struct phase *slow = run_phase(run, "slow"), *back = run_phase(run, "back");
	int backend = -1;

	for (size_t i = 0; i < run->backends; i++)
		if (!strcmp(run->backend[i], slow_backend))
			backend = (int)i;
	if (!slow || !back || backend < 0 || slow->begin_s < LEVEL_S)
		return -EINVAL;
	*out = (struct recovery){0};
	out->before_ms =
		run_quantile(run, &new_flows, slow->begin_s - LEVEL_S, slow->begin_s, 0.99);
	out->limit_ms = LIMIT * out->before_ms;
	out->recovered_s = recovered(run, slow, out);
	out->share_before = backend_share(run, backend, slow->begin_s - LEVEL_S, slow->begin_s);
	out->avoided_s = until_share(run, backend, slow, AVOIDED * out->share_before, true);
	out->returned_s = until_share(run, backend, back, RETURNED * out->share_before, false);
	return 0;
}
