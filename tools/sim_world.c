// SPDX-License-Identifier: BSD-2-Clause
/*
 * Begin, events and end of a simulation. What happens to a flow is in sim_flow.c, what happens to
 * backends and network in sim_trouble.c.
 */
#include "sim_world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lib/container.h"
#include "sim_flow.h"
#include "sim_measure.h"
#include "sim_policy.h"
#include "sim_trouble.h"

#define DRAIN (60 * SIM_SECOND) /* after the end, for the requests that are under way */

static void tick(struct timer *timer)
{
	struct sim_world *world = container_of(timer, struct sim_world, tick);

	if (world->policy->tick)
		world->error = world->policy->tick(world->self);
	timers_arm(&world->timers, timer, timer->due_ns + SIM_SECOND);
}

static void world_init(struct sim_world *world)
{
	const struct sim_scenario *scenario = world->scenario;

	for (size_t i = 0; i < scenario->backends; i++) {
		struct sim_server *server = &world->server[i];

		sim_station_init(&server->station, &world->timers, scenario->backend[i].workers,
				 scenario->backend[i].sharing);
	}
	world->tick.fire = tick;
	sim_trouble_begin(world);
	sim_flow_begin(world);
}

static int world_begin(struct sim_world *world)
{
	int error;

	world_init(world);
	error = world->policy->open(world, world->policy->option, &world->self);
	if (error)
		return error;
	return timers_arm(&world->timers, &world->tick, SIM_SECOND);
}

/* Until nothing is under way but what repeats itself for ever. */
static void world_play(struct sim_world *world, uint64_t until_ns)
{
	while (!world->error && timers_step(&world->timers, until_ns, &world->now_ns))
		;
	world->now_ns = until_ns;
}

static void world_end(struct sim_world *world)
{
	if (world->self)
		world->policy->close(world->self);
	for (size_t i = 0; i < world->scenario->backends; i++)
		sim_station_close(&world->server[i].station);
	for (size_t i = 0; i < world->blocks; i++)
		free(world->block[i]);
	free(world->block);
	free(world->trace.flow_ns);
	timers_close(&world->timers);
}

int sim_run(const struct sim_scenario *scenario, const struct sim_policy *policy, size_t nodes,
	    uint64_t seed, struct sim_result *out)
{
	struct sim_world *world = calloc(1, sizeof(*world));
	uint64_t began = clock_read(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t end = (uint64_t)(scenario->duration * SIM_SECOND);
	int error;

	if (!world)
		return -ENOMEM;
	histogram_reset(&world->latency);
	world->scenario = scenario;
	world->policy = policy;
	world->nodes = nodes;
	world->seed = seed;
	error = world_begin(world);
	if (!error) {
		world_play(world, end);
		world->ended = true;
		timers_disarm(&world->timers, &world->arrival);
		timers_disarm(&world->timers, &world->tick);
		world_play(world, end + DRAIN);
		error = world->error;
		sim_measure(world, out);
		out->seconds = clock_ms(clock_read(CLOCK_PROCESS_CPUTIME_ID) - began) / 1000;
	}
	world_end(world);
	free(world);
	return error;
}
