// SPDX-License-Identifier: BSD-2-Clause
/*
 * Prequal (Wydrowski et al., NSDI 2024): each flow sends probes to some random backends, whose
 * answers (requests in flight, and the latency that they bring) wait in a small pool. Of the cold
 * ones (in flight below a quantile of what was probed) the least latency wins; if all are hot, the
 * fewest in flight. Probes take no time here, to the rival's advantage.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "sim_policy.h"

#define POOL   16
#define PROBES 3
#define USES   2
#define AGE_NS SIM_SECOND
#define HOT    0.84 /* quantile, 2^-0.25 */
#define RECENT 64   /* probes of which the quantile is taken */
#define BANDS  64   /* of requests in flight */
#define WEIGHT 0.1  /* of one answer in its band's mean */

struct probe {
	size_t backend;
	double in_flight, us;
	uint64_t probed_ns;
	unsigned uses;
};

struct pool {
	struct probe probe[POOL];
	size_t count;
	double recent[RECENT];
	size_t at, filled;
};

struct prequal {
	struct sim_world *world;
	struct prng prng;
	struct pool pool[SIM_NODES];
	/* What each backend knows: server times by the requests that they met. */
	double band_us[SIM_BACKENDS][BANDS];
};

static size_t band_of(double in_flight)
{
	return in_flight < BANDS - 1 ? (size_t)in_flight : BANDS - 1;
}

/* Of the nearest band that has seen anything. */
static double latency_at(const struct prequal *prequal, size_t backend, double in_flight)
{
	size_t band = band_of(in_flight);

	for (size_t away = 0; away < BANDS; away++) {
		if (band >= away && prequal->band_us[backend][band - away] > 0)
			return prequal->band_us[backend][band - away];
		if (band + away < BANDS && prequal->band_us[backend][band + away] > 0)
			return prequal->band_us[backend][band + away];
	}
	return 0;
}

static void drop(struct pool *pool, size_t at)
{
	pool->count--;
	for (; at < pool->count; at++)
		pool->probe[at] = pool->probe[at + 1];
}

static void probe(struct prequal *prequal, struct pool *pool)
{
	const struct sim_world *world = prequal->world;
	size_t backend = prng_below(&prequal->prng, world->scenario->backends);
	double in_flight = world->server[backend].pending;

	if (world->server[backend].dead)
		return;
	if (pool->count == POOL)
		drop(pool, 0);
	pool->probe[pool->count++] = (struct probe){
		.backend = backend,
		.in_flight = in_flight,
		.us = latency_at(prequal, backend, in_flight),
		.probed_ns = world->now_ns,
		.uses = USES,
	};
	pool->recent[pool->at++ % RECENT] = in_flight;
	if (pool->filled < RECENT)
		pool->filled++;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static double hot_from(const struct pool *pool)
{
	double sorted[RECENT];

	for (size_t i = 0; i < pool->filled; i++)
		sorted[i] = pool->recent[i];
	qsort(sorted, pool->filled, sizeof(*sorted), compare);
	return pool->filled ? sorted[(size_t)(HOT * (double)(pool->filled - 1))] : 0;
}

/* Hot ones come behind all cold ones, by requests in flight. */
static double rank(const struct probe *at, double hot)
{
	return at->in_flight > hot ? 1e12 + at->in_flight : at->us;
}

static size_t prequal_choose(void *self, struct sim_flow *flow)
{
	struct prequal *prequal = self;
	struct pool *pool = &prequal->pool[flow->node];
	uint64_t now = flow->world->now_ns;
	double hot, least = INFINITY;
	size_t best = POOL, backend;

	while (pool->count && pool->probe[0].probed_ns + AGE_NS < now)
		drop(pool, 0);
	hot = hot_from(pool);
	for (size_t i = 0; i < pool->count; i++) {
		if (rank(&pool->probe[i], hot) < least) {
			least = rank(&pool->probe[i], hot);
			best = i;
		}
	}
	backend = best < POOL ? pool->probe[best].backend
			      : prng_below(&prequal->prng, flow->world->scenario->backends);
	if (best < POOL) {
		pool->probe[best].in_flight++; /* what it is about to get */
		pool->probe[best].us = latency_at(prequal, backend, pool->probe[best].in_flight);
		if (--pool->probe[best].uses == 0)
			drop(pool, best);
	}
	for (unsigned i = 0; i < PROBES; i++)
		probe(prequal, pool);
	return backend;
}

static void prequal_answered(void *self, struct sim_flow *flow, bool timed)
{
	struct prequal *prequal = self;
	const struct sim_world *world = flow->world;
	double response_us = (double)(world->now_ns - flow->sent_ns) / 1000;
	double us = response_us - world->net_ns[flow->class][flow->backend] / 1000;
	double *band;

	(void)timed; /* the backend itself knows */
	band = &prequal->band_us[flow->backend][band_of(world->server[flow->backend].pending)];
	*band = *band > 0 ? *band + WEIGHT * (us - *band) : us;
}

static int prequal_open(struct sim_world *world, const void *option, void **self)
{
	struct prequal *prequal = calloc(1, sizeof(*prequal));

	(void)option;
	if (!prequal)
		return -ENOMEM;
	prequal->world = world;
	prequal->prng = prng_seed(world->seed, 5);
	*self = prequal;
	return 0;
}

const struct sim_policy sim_policy_prequal = {
	.name = "prequal",
	.help = "probes of requests in flight and latency, hot and cold",
	.open = prequal_open,
	.close = free,
	.choose = prequal_choose,
	.again = prequal_choose,
	.answered = prequal_answered,
};
