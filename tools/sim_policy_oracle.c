// SPDX-License-Identifier: BSD-2-Clause
/*
 * The oracle: knows every distance, the mean work of each class, and the state of every backend at
 * this moment: its speed, and all requests that are sent, or about to be, and not served. It takes
 * the smallest response that it expects of all backends. What it does not know is how much work a
 * single request will be.
 */
#include <errno.h>
#include <math.h>

#include "sim_policy.h"

/*
 * Each of the n requests there takes 1 / c of a service time from the flow's own: of the first one
 * less while workers are free, of those that follow as much.
 */
static double expected_s(const struct sim_flow *flow, size_t backend)
{
	const struct sim_world *world = flow->world;
	const struct sim_scenario *scenario = world->scenario;
	const struct sim_server *server = &world->server[backend];
	double speed = scenario->backend[backend].speed / (server->slow * server->noisy);
	double work = scenario->work * scenario->class[flow->class].work;
	double net = world->net_ns[flow->class][backend] / SIM_SECOND;
	double there = (server->pending + server->connecting) / scenario->backend[backend].workers;

	if (server->dead)
		return INFINITY;
	if (server->paused)
		net += (double)(server->paused_until_ns - world->now_ns) / SIM_SECOND;
	return net + work / speed * (1 + there);
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
