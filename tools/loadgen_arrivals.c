// SPDX-License-Identifier: BSD-2-Clause
// The schedule of new flows. Times, sources, addresses and targets come from seeded streams and
// do not depend on how the run goes: the same seed offers the same load to every balancer.
#include <errno.h>
#include <stdlib.h>

#include "loadgen.h"
#include "clock.h"
#include "lib/container.h"

#define STARTS_PER_TURN 64
#define LONG_SPREAD_NS	NS_PER_S // long flows begin within this time, or within their interval

static struct arrivals {
	struct loadgen *g;
	struct timer timer;
	struct timer long_timer;
	struct prng times, choices, long_choices;
	double next_ns; // from the start
	uint64_t long_begun;
	double weights[MAX_SOURCES]; // running sum
	bool stopped;
} arrivals;

static const struct target *choose_target(struct arrivals *a, struct prng *choices, int family)
{
	const struct loadgen_options *options = &a->g->options;
	const struct target *fitting[MAX_TARGETS] = {0};
	size_t count = 0;

	for (size_t i = 0; i < options->target_count; i++)
		if (options->targets[i].endpoint.address.family == family)
			fitting[count++] = &options->targets[i];
	return fitting[prng_below(choices, count)]; // there is one: the options were checked
}

static struct source *choose_source(struct arrivals *a)
{
	struct loadgen_options *options = &a->g->options;
	size_t low = 0, high = options->source_count - 1;
	double point = prng_unit(&a->choices) * a->weights[high];

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (a->weights[middle] < point)
			low = middle + 1;
		else
			high = middle;
	}
	return &options->sources[low];
}

static struct flow_plan plan_short(struct arrivals *a)
{
	struct source *source = choose_source(a);
	uint32_t host = (uint32_t)prng_below(&a->choices, source->count);

	return (struct flow_plan){
		.source = source,
		.client = prefix_host(&source->prefix, host, source->count),
		.target = choose_target(a, &a->choices, source->prefix.base.family),
		.due_ns = a->g->start_ns + (uint64_t)a->next_ns,
	};
}

// Round robin over the sources, and over the addresses of each.
static struct flow_plan plan_long(struct arrivals *a, uint64_t number, uint64_t due_ns)
{
	struct loadgen_options *options = &a->g->options;
	struct source *source = &options->sources[number % options->source_count];
	uint32_t host = (uint32_t)(number / options->source_count % source->count);

	return (struct flow_plan){
		.source = source,
		.client = prefix_host(&source->prefix, host, source->count),
		.target = choose_target(a, &a->long_choices, source->prefix.base.family),
		.due_ns = due_ns,
		.is_long = true,
	};
}

static void arrivals_advance(struct arrivals *a)
{
	double gap = a->g->options.even ? 1 : prng_exponential(&a->times);

	a->next_ns += gap * 1e9 / a->g->options.rate;
}

static void arrivals_arm(struct arrivals *a)
{
	uint64_t due_ns = a->g->start_ns + (uint64_t)a->next_ns;

	if (due_ns >= a->g->end_ns || timers_arm(&a->g->loop.timers, &a->timer, due_ns)) {
		a->stopped = true;
		loadgen_check_done(a->g);
	}
}

static void begin_flow(struct arrivals *a, const struct flow_plan *plan)
{
	struct loadgen *g = a->g;

	histogram_add(g->late, g->loop.now_ns > plan->due_ns ? g->loop.now_ns - plan->due_ns : 0);
	if (g->open >= g->options.max_open)
		g->not_started++;
	else
		flow_start(g, plan);
}

static bool arrival_is_due(const struct arrivals *a)
{
	uint64_t due_ns = a->g->start_ns + (uint64_t)a->next_ns;

	return due_ns <= a->g->loop.now_ns && due_ns < a->g->end_ns;
}

static void arrivals_fire(struct timer *timer)
{
	struct arrivals *a = container_of(timer, struct arrivals, timer);

	for (int i = 0; i < STARTS_PER_TURN && arrival_is_due(a); i++) {
		struct flow_plan plan = plan_short(a);

		begin_flow(a, &plan);
		arrivals_advance(a);
	}
	arrivals_arm(a);
}

static uint64_t long_due_ns(const struct arrivals *a, uint64_t number)
{
	uint64_t spread_ns = clock_from_ms(a->g->options.long_interval_ms);

	if (spread_ns > LONG_SPREAD_NS)
		spread_ns = LONG_SPREAD_NS;
	return a->g->start_ns + spread_ns * number / a->g->options.long_count;
}

static void long_fire(struct timer *timer)
{
	struct arrivals *a = container_of(timer, struct arrivals, long_timer);
	uint64_t due_ns = timer->due_ns;

	for (int i = 0; i < STARTS_PER_TURN && due_ns <= a->g->loop.now_ns; i++) {
		struct flow_plan plan = plan_long(a, a->long_begun++, due_ns);

		begin_flow(a, &plan);
		if (a->long_begun == a->g->options.long_count)
			return;
		due_ns = long_due_ns(a, a->long_begun);
	}
	timers_arm(&a->g->loop.timers, timer, due_ns);
}

int arrivals_start(struct loadgen *g)
{
	struct arrivals *a = &arrivals;
	double sum = 0;

	a->g = g;
	a->timer.fire = arrivals_fire;
	a->long_timer.fire = long_fire;
	a->times = prng_seed(g->options.seed, 1);
	a->choices = prng_seed(g->options.seed, 2);
	a->long_choices = prng_seed(g->options.seed, 3);
	for (size_t i = 0; i < g->options.source_count; i++)
		a->weights[i] = sum += g->options.sources[i].weight;
	if (g->options.long_count && timers_arm(&g->loop.timers, &a->long_timer, g->start_ns))
		return -ENOMEM;
	if (g->options.rate <= 0) {
		a->stopped = true;
		return 0;
	}
	arrivals_advance(a);
	arrivals_arm(a);
	return 0;
}

void arrivals_stop(struct loadgen *g)
{
	timers_disarm(&g->loop.timers, &arrivals.timer);
	timers_disarm(&g->loop.timers, &arrivals.long_timer);
	arrivals.stopped = true;
}

bool arrivals_done(void)
{
	return arrivals.stopped;
}
