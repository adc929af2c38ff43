// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rivals that look at counts of this moment: least connections, least requests in flight, both
 * relative to the configured weight and over all backends; and two random choices by the product
 * of latency and requests in flight, as Finagle and others do.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "sim_policy.h"

#define EWMA_NS 1e9 /* time constant of the latency's mean */

struct average {
	double us;
	uint64_t updated_ns;
};

struct live {
	struct sim_world *world;
	struct prng prng;
	struct average latency[SIM_NODES][SIM_BACKENDS];
};

static double weight_of(const struct sim_world *world, size_t backend)
{
	return world->scenario->backend[backend].weight;
}

static double connections(const struct live *live, size_t node, size_t backend)
{
	return (double)(live->world->count[node][backend].connections + 1) /
	       weight_of(live->world, backend);
}

static double in_flight(const struct live *live, size_t node, size_t backend)
{
	return (double)(live->world->count[node][backend].in_flight + 1) /
	       weight_of(live->world, backend);
}

/* The least of all; ties, which are many, by chance. */
static size_t least(struct live *live, size_t node,
		    double (*load)(const struct live *live, size_t node, size_t backend))
{
	size_t backends = live->world->scenario->backends, best = 0;
	size_t first = prng_below(&live->prng, backends);
	double smallest = INFINITY;

	for (size_t i = 0; i < backends; i++) {
		size_t at = (first + i) % backends;
		double here = load(live, node, at);

		if (live->world->server[at].usable && here < smallest) {
			smallest = here;
			best = at;
		}
	}
	return best;
}

static size_t choose_connections(void *self, struct sim_flow *flow)
{
	return least(self, flow->node, connections);
}

static size_t choose_in_flight(void *self, struct sim_flow *flow)
{
	return least(self, flow->node, in_flight);
}

static double product(const struct live *live, size_t node, size_t backend)
{
	const struct average *latency = &live->latency[node][backend];

	if (!live->world->server[backend].usable)
		return INFINITY;
	return (latency->us + 1) * (double)(live->world->count[node][backend].in_flight + 1);
}

static size_t choose_of_two(void *self, struct sim_flow *flow)
{
	struct live *live = self;
	size_t backends = live->world->scenario->backends;
	size_t one = prng_below(&live->prng, backends);
	size_t other =
		(one + 1 + prng_below(&live->prng, backends > 1 ? backends - 1 : 1)) % backends;

	return product(live, flow->node, other) < product(live, flow->node, one) ? other : one;
}

static void average_answer(void *self, struct sim_flow *flow, bool timed)
{
	struct live *live = self;
	struct average *latency = &live->latency[flow->node][flow->backend];
	uint64_t now = flow->world->now_ns;
	double us, old;

	if (!timed)
		return;
	us = (double)(now - flow->sent_ns) / 1000;
	old = latency->updated_ns ? exp(-(double)(now - latency->updated_ns) / EWMA_NS) : 0;
	latency->us = old * latency->us + (1 - old) * us;
	latency->updated_ns = now;
}

static int live_open(struct sim_world *world, const void *option, void **self)
{
	struct live *live = calloc(1, sizeof(*live));

	(void)option;
	if (!live)
		return -ENOMEM;
	live->world = world;
	live->prng = prng_seed(world->seed, 4);
	*self = live;
	return 0;
}

const struct sim_policy sim_policy_least_connections = {
	.name = "least_connections",
	.help = "fewest open flows for their weight, of all backends",
	.open = live_open,
	.close = free,
	.choose = choose_connections,
	.again = choose_connections,
};

const struct sim_policy sim_policy_least_in_flight = {
	.name = "least_in_flight",
	.help = "fewest requests in flight for their weight, of all backends",
	.open = live_open,
	.close = free,
	.choose = choose_in_flight,
	.again = choose_in_flight,
};

const struct sim_policy sim_policy_p2c_ewma = {
	.name = "p2c_ewma",
	.help = "the better of two by mean latency times requests in flight",
	.open = live_open,
	.close = free,
	.choose = choose_of_two,
	.again = choose_of_two,
	.answered = average_answer,
};
