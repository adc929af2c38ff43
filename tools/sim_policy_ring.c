// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rivals whose choice is a ring of weights, by the flow's hash: equal ones, configured ones, and
 * such as are computed each second from latencies: inverse to them, or by KnapsackLB's curves
 * (Gandhi et al., CoNEXT 2023), which estimate each backend's latency at any weight.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "larch/tuple.h"
#include "ring.h"
#include "sim_policy.h"

#define UNITS	  1000 /* in which weights are handed out */
#define POINTS	  16   /* of a backend's curve that are remembered */
#define EXPLORE	  0.2  /* weights differ by up to this part, so that curves show */
#define EXPLORING 10   /* seconds of it at the begin; less later */
#define LATER	  0.04
#define SMOOTH	  0.5 /* of a weight's way to the computed one, a second */

enum ring_kind { RING_EVEN, RING_WEIGHTED, RING_INVERSE, RING_KNAPSACK };

/* A weight's share of all flows, and the latency that it brought. */
struct point {
	double share, us;
};

struct ring_backend {
	double sum_us, count; /* of this second */
	double latency_us;    /* of the last one that had any */
	bool usable;
	struct point point[POINTS];
	size_t points;
};

struct ring_node {
	struct larch_ring ring;
	double weight[SIM_BACKENDS];
	struct ring_backend backend[SIM_BACKENDS];
};

struct rings {
	struct sim_world *world;
	enum ring_kind kind;
	struct ring_builder *builder;
	struct prng prng;
	unsigned ticks;
	struct ring_node node[SIM_NODES];
};

static size_t backends_of(const struct rings *rings)
{
	return rings->world->scenario->backends;
}

static void build(struct rings *rings, struct ring_node *node)
{
	double weight[SIM_BACKENDS];

	for (size_t i = 0; i < backends_of(rings); i++) {
		node->backend[i].usable = rings->world->server[i].usable;
		weight[i] = node->backend[i].usable ? node->weight[i] : 0;
	}
	ring_build(rings->builder, weight, NULL, &node->ring);
}

/* ---- inverse latency ---- */

static void weigh_inverse(struct rings *rings, struct ring_node *node)
{
	for (size_t i = 0; i < backends_of(rings); i++) {
		if (node->backend[i].latency_us > 0)
			node->weight[i] = 1 / node->backend[i].latency_us;
	}
}

/* ---- knapsack ---- */

static void remember(struct ring_backend *backend, double share)
{
	struct point point = {share, backend->latency_us};

	for (size_t i = POINTS - 1; i > 0; i--)
		backend->point[i] = backend->point[i - 1];
	backend->point[0] = point;
	if (backend->points < POINTS)
		backend->points++;
}

/* Least squares of latency = low + steep * share^2, neither below 0. */
static void fit(const struct ring_backend *backend, double *low, double *steep)
{
	double n = (double)backend->points, x = 0, y = 0, xx = 0, xy = 0, spread;

	for (size_t i = 0; i < backend->points; i++) {
		double square = backend->point[i].share * backend->point[i].share;

		x += square;
		y += backend->point[i].us;
		xx += square * square;
		xy += square * backend->point[i].us;
	}
	spread = n * xx - x * x;
	*steep = spread > 1e-12 * xx * n ? fmax((n * xy - x * y) / spread, 0) : 0;
	*low = (y - *steep * x) / n;
	if (*low < 0) {
		*low = 0;
		*steep = x > 0 ? y / x : 0;
	}
	/* A curve that is flat where it was seen still has an end. */
	if (x > 0)
		*steep = fmax(*steep, 0.2 * y / x);
}

/* Hands out the flows unit by unit to whom one more costs all of them least. */
static void weigh_knapsack(struct rings *rings, struct ring_node *node)
{
	double low[SIM_BACKENDS], steep[SIM_BACKENDS], share[SIM_BACKENDS] = {};
	double range = rings->ticks < EXPLORING ? EXPLORE : LATER, sum = 0;
	size_t backends = backends_of(rings);

	for (size_t i = 0; i < backends; i++)
		sum += node->backend[i].usable ? node->weight[i] : 0;
	for (size_t i = 0; i < backends; i++) {
		if (node->backend[i].count > 0)
			remember(&node->backend[i], node->weight[i] / sum);
		if (!node->backend[i].points)
			return;
		fit(&node->backend[i], &low[i], &steep[i]);
	}
	for (size_t unit = 0; unit < UNITS; unit++) {
		size_t best = 0;
		double least = INFINITY;

		for (size_t i = 0; i < backends; i++) {
			double cost = low[i] + 3 * steep[i] * share[i] * share[i];

			if (node->backend[i].usable && cost < least) {
				least = cost;
				best = i;
			}
		}
		share[best] += 1.0 / UNITS;
	}
	for (size_t i = 0; i < backends; i++) {
		double wanted =
			(1 - SMOOTH) * node->weight[i] / sum + SMOOTH * fmax(share[i], 1.0 / UNITS);

		node->weight[i] = wanted * (1 + range * (2 * prng_unit(&rings->prng) - 1));
	}
}

/* ---- all of them ---- */

static void end_second(struct ring_backend *backend)
{
	if (backend->count > 0)
		backend->latency_us = backend->sum_us / backend->count;
}

static int ring_tick(void *self)
{
	struct rings *rings = self;

	for (size_t n = 0; n < rings->world->nodes; n++) {
		struct ring_node *node = &rings->node[n];

		for (size_t i = 0; i < backends_of(rings); i++)
			end_second(&node->backend[i]);
		if (rings->kind == RING_INVERSE)
			weigh_inverse(rings, node);
		if (rings->kind == RING_KNAPSACK)
			weigh_knapsack(rings, node);
		for (size_t i = 0; i < backends_of(rings); i++)
			node->backend[i].sum_us = node->backend[i].count = 0;
		build(rings, node);
	}
	rings->ticks++;
	return 0;
}

static size_t ring_choose(void *self, struct sim_flow *flow)
{
	struct rings *rings = self;

	return rings->node[flow->node]
		.ring.slot[larch_hash_slot(flow->hash, LARCH_RING_CONTROL)]
		.primary;
}

static void ring_answered(void *self, struct sim_flow *flow, bool timed)
{
	struct rings *rings = self;
	struct ring_backend *backend = &rings->node[flow->node].backend[flow->backend];

	if (!timed)
		return;
	backend->sum_us += (double)(flow->world->now_ns - flow->sent_ns) / 1000;
	backend->count++;
}

static void ring_close(void *self)
{
	struct rings *rings = self;

	ring_builder_free(rings->builder);
	free(rings);
}

static int ring_open(struct sim_world *world, const void *option, void **self)
{
	struct rings *rings = calloc(1, sizeof(*rings));
	uint64_t identity[SIM_BACKENDS];
	int error;

	if (!rings)
		return -ENOMEM;
	*self = rings;
	rings->world = world;
	rings->kind = *(const enum ring_kind *)option;
	rings->prng = prng_seed(world->seed, 3);
	for (size_t i = 0; i < world->scenario->backends; i++)
		identity[i] = ring_identity(&i, sizeof(i));
	error = ring_builder_new(&rings->builder, identity, world->scenario->backends);
	for (size_t n = 0; n < world->nodes && !error; n++) {
		for (size_t i = 0; i < world->scenario->backends; i++)
			rings->node[n].weight[i] = rings->kind == RING_WEIGHTED
							   ? world->scenario->backend[i].weight
							   : 1;
		build(rings, &rings->node[n]);
	}
	return error;
}

#define RING(variant, number, text)                                                                \
	const struct sim_policy sim_policy_##variant = {                                           \
		.name = #variant,                                                                  \
		.help = text,                                                                      \
		.option = &(const enum ring_kind){number},                                         \
		.open = ring_open,                                                                 \
		.close = ring_close,                                                               \
		.choose = ring_choose,                                                             \
		.again = ring_choose,                                                              \
		.answered = ring_answered,                                                         \
		.tick = ring_tick,                                                                 \
	}

RING(even, RING_EVEN, "equal weights, by hash");
RING(weighted, RING_WEIGHTED, "the configured weights, by hash");
RING(inverse_latency, RING_INVERSE, "weights by 1 / latency, each second");
RING(knapsack, RING_KNAPSACK, "weights by curves of latency over weight, each second");
