// SPDX-License-Identifier: BSD-2-Clause
/*
 * The oracle: knows every distance, the mean work of each class, and the state of every backend at
 * this moment: its speed, and all that is sent to it and not served. It takes the smallest response
 * that it expects. What it does not know is how much work a single request will be.
 */
#include <errno.h>
#include <math.h>

#include "sim_policy.h"

/* Work that a worker can do while the request waits for one, or shares it, s. */
static double expected_s(const struct sim_flow *flow, size_t backend)
{
	const struct sim_world *world = flow->world;
	const struct sim_scenario *scenario = world->scenario;
	const struct sim_server *server = &world->server[backend];
	double speed = scenario->backend[backend].speed / (server->slow * server->noisy);
	double workers = scenario->backend[backend].workers;
	double work = scenario->work * scenario->class[flow->class].work;
	double net = world->net_ns[flow->class][backend] / SIM_SECOND, wait = 0;

	if (server->dead)
		return INFINITY;
	if (server->paused)
		net += (double)(server->paused_until_ns - world->now_ns) / SIM_SECOND;
	if (scenario->backend[backend].sharing)
		return net + work / speed * fmax(1, (server->pending + 1) / workers);
	if (server->pending + 1 > workers)
		wait = server->pending_work / server->pending * (server->pending + 1 - workers) /
		       workers;
	return net + (wait + work) / speed;
}

static size_t oracle_choose(void *self, struct sim_flow *flow)
{
	double least = INFINITY;
	size_t best = 0;

	(void)self;
	for (size_t i = 0; i < flow->world->scenario->backends; i++) {
		double expected = expected_s(flow, i);

		if (expected < least) {
			least = expected;
			best = i;
		}
	}
	return best;
}

static int oracle_open(struct sim_world *world, const void *option, void **self)
{
	(void)option;
	*self = world;
	return 0;
}

static void oracle_close(void *self)
{
	(void)self;
}

const struct sim_policy sim_policy_oracle = {
	.name = "oracle",
	.help = "knows everything but the work of a single request",
	.open = oracle_open,
	.close = oracle_close,
	.choose = oracle_choose,
	.again = oracle_choose,
};
