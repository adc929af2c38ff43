// SPDX-License-Identifier: BSD-2-Clause
// What the requests of a run say. Pure. Times are intended times; latency counts from them, and a
// first request's includes the connect.
//
// availability: of all requests that were meant, those of broken connections included, the share
//   that got a 200 within in_time.
// p50, p99, p99.9: of the short connections' requests that were answered or timed out, in three
//   parts of the run: up to UNDER_WAY_S before the first event, from there to the end of the last
//   one's effect (at least LEAST_S), and after it.
// detected: the begin of the first window of SHARE_S in which the backends that the first event
//   hits get less than a fifth of the share of new connections that they had before. What is
//   refused, or whose first SYN nobody answered, counts as theirs.
// recovered: new connections alone, in windows of WINDOW_S that slide by STEP_S; a window is as
//   before if all but one in a hundred (or one) got an answer after at most LIMIT times the p99
//   of all before (or MARGIN_MS more). Recovered is the first window from the event on that is so,
//   if at least STAY of those that begin in the HOLD_S after it are so, too. 0: it was never worse.
// impaired: the time of all windows, from the event on, that were not as before.
#include <math.h>
#include <stdlib.h>

#include "hatest.h"

#define LEAST_S	     2.0
#define UNDER_WAY_S  0.5
#define SHARE_S	     0.5
#define AVOIDED	     0.2
#define WINDOW_S     0.5
#define STEP_S	     0.05
#define LIMIT	     1.5
#define MARGIN_MS    10
#define HOLD_S	     4.0
#define STAY	     0.9
#define SYN_AGAIN_MS 900 // a connect that took so long needed a second SYN

static size_t first_at(const struct hatest_samples *samples, double at_s)
{
	size_t low = 0, high = samples->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (samples->sample[middle].at_s < at_s)
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

static bool has_failed(const struct hatest_sample *sample)
{
	return sample->status == HATEST_REFUSED || sample->status == HATEST_BROKEN;
}

// Latencies in order, of short connections in a part of the run; NULL: no memory, or none.
static float *latencies(const struct hatest_samples *samples, double begin_s, double end_s,
			bool new_only, size_t *count)
{
	size_t from = first_at(samples, begin_s), to = first_at(samples, end_s);
	float *value = malloc((to - from + 1) * sizeof(*value));

	*count = 0;
	for (size_t i = from; value && i < to; i++) {
		const struct hatest_sample *sample = &samples->sample[i];

		if (sample->is_long || (new_only && !sample->first))
			continue;
		if (!has_failed(sample))
			value[(*count)++] = sample->latency_ms;
	}
	if (value)
		qsort(value, *count, sizeof(*value), by_value);
	return value;
}

static double quantile(const float *value, size_t count, double q)
{
	size_t rank = (size_t)ceil(q * (double)count);

	return count ? (double)value[rank ? rank - 1 : 0] : NAN;
}

static void measure_part(const struct hatest_samples *samples, struct hatest_span span,
			 struct hatest_quantiles *out)
{
	size_t count = 0;
	float *value = latencies(samples, span.begin_s, span.end_s, false, &count);

	*out = (struct hatest_quantiles){
		.count = count,
		.p50 = quantile(value, count, 0.5),
		.p99 = quantile(value, count, 0.99),
		.p999 = quantile(value, count, 0.999),
	};
	free(value);
}

double hatest_window_p99(const struct hatest_samples *samples, double begin_s, double end_s)
{
	struct hatest_quantiles part;

	measure_part(samples, (struct hatest_span){begin_s, end_s}, &part);
	return part.p99;
}

static bool is_in_time(const struct hatest_sample *sample, double in_time_s)
{
	return sample->status == HATEST_OK && sample->latency_ms <= in_time_s * 1000;
}

double hatest_window_failed(const struct hatest_samples *samples, double in_time_s, double begin_s,
			    double end_s)
{
	size_t from = first_at(samples, begin_s), to = first_at(samples, end_s), failed = 0;

	for (size_t i = from; i < to; i++)
		failed += !is_in_time(&samples->sample[i], in_time_s);
	return to > from ? (double)failed / (double)(to - from) : NAN;
}

double hatest_window_share(const struct hatest_samples *samples, unsigned backend, double begin_s,
			   double end_s)
{
	size_t from = first_at(samples, begin_s), to = first_at(samples, end_s), all = 0, its = 0;

	for (size_t i = from; i < to; i++) {
		const struct hatest_sample *sample = &samples->sample[i];

		if (!sample->first || sample->is_long || !sample->backend)
			continue;
		all++;
		its += sample->backend == backend;
	}
	return all ? (double)its / (double)all : NAN;
}

static void count_requests(const struct hatest_samples *samples, double in_time_s,
			   struct hatest_metrics *out)
{
	for (size_t i = first_at(samples, 0); i < samples->count; i++) {
		const struct hatest_sample *sample = &samples->sample[i];
		bool broken = sample->status == HATEST_BROKEN || sample->status == HATEST_TIMEOUT;

		out->meant += 1u + sample->abandoned;
		out->abandoned += sample->abandoned;
		out->in_time += is_in_time(sample, in_time_s);
		out->late += sample->status == HATEST_OK && !is_in_time(sample, in_time_s);
		out->rejected += sample->status == HATEST_REJECTED;
		out->refused += sample->status == HATEST_REFUSED;
		out->broken += broken && !sample->is_long;
		out->broken_long += broken && sample->is_long;
	}
	out->availability = out->meant ? (double)out->in_time / (double)out->meant : NAN;
}

// Requests that were still under way at the first event are not of the time before it.
static double before_end(double begin_s)
{
	return begin_s > 2 * UNDER_WAY_S ? begin_s - UNDER_WAY_S : begin_s;
}

static void find_spans(const struct hatest_scenario *scenario, const struct hatest_action *actions,
		       size_t count, struct hatest_span span[3])
{
	double end_s = scenario->load.duration_s, begin = end_s, last = 0;

	for (size_t i = 0; i < count; i++) {
		begin = fmin(begin, actions[i].at_s);
		last = fmax(last, actions[i].end_s);
	}
	last = fmin(end_s, fmax(last, begin + LEAST_S));
	span[0] = (struct hatest_span){0, count ? before_end(begin) : begin};
	span[1] = (struct hatest_span){begin, last};
	span[2] = (struct hatest_span){last, end_s};
}

static bool is_hit(const struct hatest_sample *sample, uint32_t backends)
{
	if (sample->status == HATEST_REFUSED || sample->connect_ms >= SYN_AGAIN_MS)
		return true;
	return sample->backend && backends & 1u << sample->backend;
}

// Share of new connections that met one of these backends. NAN: there were none.
static double hit_share(const struct hatest_samples *samples, uint32_t backends, double begin_s,
			double end_s)
{
	size_t from = first_at(samples, begin_s), to = first_at(samples, end_s), all = 0, hits = 0;

	for (size_t i = from; i < to; i++) {
		const struct hatest_sample *sample = &samples->sample[i];

		if (!sample->first || sample->is_long)
			continue;
		all++;
		hits += is_hit(sample, backends);
	}
	return all ? (double)hits / (double)all : NAN;
}

static double detect(const struct hatest_samples *samples, const struct hatest_action *actions,
		     size_t count)
{
	const struct hatest_action *first = NULL;
	double end_s = 0, before;

	for (size_t i = 0; i < count; i++) {
		if (!first && actions[i].affects)
			first = &actions[i];
		if (first && actions[i].affects == first->affects)
			end_s = actions[i].end_s;
	}
	if (!first)
		return NAN;
	before = hit_share(samples, first->affects, 0, before_end(first->at_s));
	if (!(before > 0))
		return NAN;
	for (double at = first->at_s; at + SHARE_S <= end_s; at += STEP_S)
		if (hit_share(samples, first->affects, at, at + SHARE_S) < AVOIDED * before)
			return at - first->at_s;
	return INFINITY;
}

// Whether new connections wait no longer than that, but for one in a hundred, or one.
static bool is_as_before(const struct hatest_samples *samples, double limit_ms, double begin_s,
			 double end_s)
{
	size_t from = first_at(samples, begin_s), to = first_at(samples, end_s), all = 0, bad = 0;

	for (size_t i = from; i < to; i++) {
		const struct hatest_sample *sample = &samples->sample[i];

		if (sample->is_long || !sample->first)
			continue;
		all++;
		bad += sample->status != HATEST_OK || (double)sample->latency_ms > limit_ms;
	}
	return bad <= 1 || bad <= all / 100;
}

static double new_p99(const struct hatest_samples *samples, double begin_s, double end_s)
{
	size_t count;
	float *value = latencies(samples, begin_s, end_s, true, &count);
	double p99 = quantile(value, count, 0.99);

	free(value);
	return p99;
}

static void recover(const struct hatest_samples *samples, double begin_s, double end_s,
		    struct hatest_metrics *out)
{
	size_t count = end_s - begin_s > WINDOW_S
			       ? (size_t)((end_s - begin_s - WINDOW_S) / STEP_S + 1e-6)
			       : 0;
	double before = new_p99(samples, 0, before_end(begin_s)), bad = 0;
	double limit = fmax(before * LIMIT, before + MARGIN_MS);
	size_t hold = (size_t)(HOLD_S / STEP_S), good = 0;
	size_t least = hold < count / 2 ? hold : count / 2; // near the end there are no more
	bool *is_good = calloc(count + 1, sizeof(*is_good));

	if (!isfinite(before) || !count || !is_good)
		goto out;
	out->recover_s = INFINITY;
	for (size_t i = 0; i < count; i++) {
		double at = begin_s + (double)i * STEP_S;

		is_good[i] = is_as_before(samples, limit, at, at + WINDOW_S);
		bad += !is_good[i];
	}
	// From the last window to the first, so that `good` counts those that follow.
	for (size_t i = count; i-- > 0;) {
		size_t held = i + hold < count ? hold : count - i;

		good += is_good[i];
		if (i + hold < count)
			good -= is_good[i + hold];
		if (is_good[i] && held >= least && (double)good >= STAY * (double)held)
			out->recover_s = (double)i * STEP_S;
	}
	out->impaired_s = bad * STEP_S;
out:
	free(is_good);
}

static double imbalance(const struct hatest_samples *samples, uint32_t members)
{
	double most = 0, all = 0, count = 0, requests[HATEST_BACKENDS] = {0};

	for (size_t i = first_at(samples, 0); i < samples->count; i++)
		if (samples->sample[i].status == HATEST_OK && !samples->sample[i].is_long)
			requests[samples->sample[i].backend]++;
	for (unsigned i = 1; i < HATEST_BACKENDS; i++) {
		if (!(members & 1u << i) && !requests[i])
			continue;
		most = fmax(most, requests[i]);
		all += requests[i];
		count++;
	}
	return all > 0 ? most * count / all : NAN;
}

void hatest_measure(const struct hatest_samples *samples, const struct hatest_scenario *scenario,
		    const struct hatest_action *actions, size_t count, struct hatest_metrics *out)
{
	*out = (struct hatest_metrics){
		.detect_s = NAN, .recover_s = NAN, .impaired_s = NAN, .lost = NAN};
	count_requests(samples, scenario->load.in_time_s, out);
	find_spans(scenario, actions, count, out->span);
	for (size_t i = 0; i < 3; i++)
		measure_part(samples, out->span[i], &out->part[i]);
	out->imbalance = imbalance(samples, scenario->lab.members);
	if (!count)
		return;
	out->detect_s = detect(samples, actions, count);
	recover(samples, out->span[1].begin_s, scenario->load.duration_s, out);
}
