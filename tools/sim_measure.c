// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shed: from the trouble's begin to the moment from which on the backend gets at most a fifth of
 * the new flows that it had before it. Readmit: from its end to the moment from which on it gets at
 * least four fifths. Each moment is the begin of the first window of which that is true.
 */
#include "sim_measure.h"

#include <math.h>
#include <stdlib.h>

#include "larch/tuple.h"

#define BEFORE	 (4 * SIM_SECOND) /* what is usual, is counted for so long */
#define WINDOW	 (100 * SIM_SECOND / 1000)
#define STEP	 (SIM_SECOND / 1000)
#define SHED	 0.2
#define READMIT	 0.8
#define MS	 1e6
#define AT_LEAST 20 /* flows in a window, or it tells nothing and is made longer */

void sim_measure_latency(struct sim_world *world, uint64_t meant_ns, uint64_t latency_ns)
{
	const struct sim_scenario *scenario = world->scenario;
	double meant = (double)meant_ns / SIM_SECOND;

	if (meant >= scenario->measured_from && meant < scenario->measured_to)
		histogram_add(&world->latency, latency_ns);
}

/* Flows of the control arm are not chosen for: they are left out, whatever the policy. */
void sim_measure_choice(struct sim_world *world, const struct sim_flow *flow)
{
	struct sim_trace *trace = &world->trace;

	if (!trace->to_ns || flow->backend != trace->backend ||
	    larch_hash_arm(flow->hash, 0) == LARCH_ARM_CONTROL)
		return;
	if (trace->count == trace->room) {
		size_t room = trace->room ? 2 * trace->room : 4096;
		uint64_t *flow_ns = realloc(trace->flow_ns, room * sizeof(*flow_ns));

		if (!flow_ns)
			abort();
		trace->flow_ns = flow_ns;
		trace->room = room;
	}
	trace->flow_ns[trace->count++] = world->now_ns;
}

/* Flows before a moment. */
static size_t count_before(const struct sim_trace *trace, uint64_t at_ns)
{
	size_t low = 0, high = trace->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (trace->flow_ns[middle] < at_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static double count_in(const struct sim_trace *trace, uint64_t from_ns, uint64_t length_ns)
{
	return (double)(count_before(trace, from_ns + length_ns) - count_before(trace, from_ns));
}

/* Long enough for AT_LEAST flows, as many as there are usually. */
static uint64_t window_of(double usual_per_ns)
{
	uint64_t window = WINDOW;

	while (usual_per_ns * (double)window < AT_LEAST && window < SIM_SECOND)
		window *= 2;
	return window;
}

/* Milliseconds from `from_ns` to the first window with few (or many) flows; -1: there is none. */
static double first_window(const struct sim_trace *trace, uint64_t from_ns, uint64_t to_ns,
			   double usual_per_ns, bool many)
{
	uint64_t window = window_of(usual_per_ns);

	for (uint64_t at = from_ns; at + window <= to_ns; at += STEP) {
		double part = count_in(trace, at, window) / (usual_per_ns * (double)window);

		if (many ? part >= READMIT : part <= SHED)
			return (double)(at - from_ns) / MS;
	}
	return -1;
}

/*
 * The time of a sudden fall that would have left as many flows to the backend as there were from
 * the trouble's begin to the end of the window at `shed_ms`: finer than windows are.
 */
static double fall_ms(const struct sim_trace *trace, double shed_ms, double usual_per_ns)
{
	uint64_t from = trace->from_ns;
	uint64_t to = from + (uint64_t)(shed_ms * MS) + window_of(usual_per_ns);
	double after = count_in(trace, to, SIM_SECOND) / SIM_SECOND;
	double flows = count_in(trace, from, to - from) - after * (double)(to - from);

	return after < usual_per_ns && flows > 0 ? flows / (usual_per_ns - after) / MS : 0;
}

static void measure_trace(const struct sim_world *world, struct sim_result *out)
{
	const struct sim_trace *trace = &world->trace;
	uint64_t end_ns = (uint64_t)(world->scenario->duration * SIM_SECOND);
	double usual;

	out->shed = out->readmit = -1;
	if (!trace->to_ns || trace->from_ns < BEFORE)
		return;
	usual = count_in(trace, trace->from_ns - BEFORE, BEFORE) / BEFORE;
	if (usual <= 0)
		return;
	out->shed = first_window(trace, trace->from_ns, trace->to_ns, usual, false);
	if (out->shed < 0)
		return;
	out->shed = fmax(out->shed, fall_ms(trace, out->shed, usual));
	out->readmit = first_window(trace, trace->to_ns, end_ns, usual, true);
}

/* -1: there was nothing to measure. */
static double quantile(const struct histogram *latency, double q)
{
	return latency->count ? (double)histogram_quantile(latency, q) / MS : -1;
}

void sim_measure(const struct sim_world *world, struct sim_result *out)
{
	const struct histogram *latency = &world->latency;

	*out = (struct sim_result){
		.mean = latency->count ? histogram_mean(latency) / MS : -1,
		.p50 = quantile(latency, 0.5),
		.p99 = quantile(latency, 0.99),
		.p999 = quantile(latency, 0.999),
		.flows = world->flows,
		.requests = world->requests,
		.lost = world->lost,
	};
	measure_trace(world, out);
}
