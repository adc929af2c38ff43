// SPDX-License-Identifier: BSD-2-Clause
/* Random phases and the scenario's events. See sim_trouble.h. */
#include "sim_trouble.h"

#include <stdlib.h>
#include <string.h>

#include "lib/container.h"

enum purpose { BURSTS = 2, SERVERS = 16, DISTANCES = 1 << 16 };

static void arm_in(struct sim_world *world, struct timer *timer, double seconds)
{
	if (timers_arm(&world->timers, timer, world->now_ns + (uint64_t)(seconds * SIM_SECOND)))
		abort();
}

/* ---- speeds ---- */

double sim_speed(const struct sim_world *world, size_t backend)
{
	const struct sim_server *server = &world->server[backend];

	if (server->paused || server->dead)
		return 0;
	return world->scenario->backend[backend].speed / (server->slow * server->noisy);
}

static void set_speed(struct sim_server *server)
{
	struct sim_world *world = server->world;

	sim_station_set_speed(&server->station, sim_speed(world, (size_t)(server - world->server)),
			      world->now_ns);
}

/* ---- random phases ---- */

static void noise_turns(struct timer *timer)
{
	struct sim_server *server = container_of(timer, struct sim_server, noise);
	struct sim_world *world = server->world;
	const struct sim_phases *phases = &world->scenario->noise;
	bool begins = server->noisy == 1;

	server->noisy = begins ? phases->factor : 1;
	set_speed(server);
	arm_in(world, timer,
	       prng_exponential(&server->prng) * (begins ? phases->length : phases->every));
}

static void pause_turns(struct timer *timer)
{
	struct sim_server *server = container_of(timer, struct sim_server, pause);
	struct sim_world *world = server->world;
	const struct sim_phases *phases = &world->scenario->pauses;
	double length;

	server->paused = !server->paused;
	length =
		prng_exponential(&server->prng) * (server->paused ? phases->length : phases->every);
	server->paused_until_ns = world->now_ns + (uint64_t)(length * SIM_SECOND);
	set_speed(server);
	arm_in(world, timer, length);
}

static void burst_turns(struct timer *timer)
{
	struct sim_world *world = container_of(timer, struct sim_world, burst);
	const struct sim_phases *phases = &world->scenario->bursts;
	bool begins = world->burst_factor == 1;

	world->burst_factor = begins ? phases->factor : 1;
	arm_in(world, timer,
	       prng_exponential(&world->bursts) * (begins ? phases->length : phases->every));
}

/* ---- distances ---- */

static double draw_from(struct prng *prng, const struct sim_range *range)
{
	return range->low + (range->high - range->low) * prng_unit(prng);
}

/* Round trips of a class; classes of one source have the same. `turn`: how often they moved. */
static void draw_distances(struct sim_world *world, size_t number, uint64_t turn)
{
	const struct sim_class *class = &world->scenario->class[number];
	size_t backends = world->scenario->backends, order[SIM_BACKENDS];
	struct prng prng = prng_seed(world->seed, DISTANCES + class->source + (turn << 40));

	for (size_t i = 0; i < backends; i++)
		order[i] = i;
	for (size_t i = backends; i > 1; i--) {
		size_t other = prng_below(&prng, i), last = order[i - 1];

		order[i - 1] = order[other];
		order[other] = last;
	}
	for (size_t i = 0; i < backends; i++) {
		bool near = (double)i < class->net.part * (double)backends;
		double net = draw_from(&prng, near ? &class->net.near : &class->net.far);
		double fixed = class->net.fixed[order[i]];

		world->net_ns[number][order[i]] = (fixed > 0 ? fixed : net) * SIM_SECOND;
	}
}

/* ---- events ---- */

static void health_sees(struct timer *timer)
{
	struct sim_server *server = container_of(timer, struct sim_server, health);

	server->usable = !server->dead;
}

static void set_dead(struct sim_world *world, size_t backend, bool dead)
{
	struct sim_server *server = &world->server[backend];

	server->dead = dead;
	if (dead)
		sim_station_die(&server->station, world->now_ns);
	set_speed(server);
	arm_in(world, &server->health, (double)SIM_HEALTH_NS / SIM_SECOND);
}

static void happen(struct sim_world *world, const struct sim_event *event, bool begins)
{
	switch (event->kind) {
	case SIM_SLOW:
		world->server[event->backend].slow = begins ? event->factor : 1;
		set_speed(&world->server[event->backend]);
		break;
	case SIM_DEAD:
		set_dead(world, event->backend, begins);
		break;
	case SIM_MOVE:
		draw_distances(world, event->class, begins);
		break;
	case SIM_DETOUR:
		if (begins)
			world->net_ns[event->class][event->backend] = event->factor * SIM_SECOND;
		else
			draw_distances(world, event->class, 0);
		break;
	}
}

static void event_turns(struct timer *timer)
{
	struct sim_happening *happening = container_of(timer, struct sim_happening, timer);

	happen(happening->world, happening->event, happening->begins);
}

static void arm_event(struct sim_world *world, struct sim_happening *happening,
		      const struct sim_event *event, bool begins)
{
	*happening = (struct sim_happening){
		.timer.fire = event_turns, .world = world, .event = event, .begins = begins};
	if (begins || event->length > 0)
		arm_in(world, &happening->timer, event->at + (begins ? 0 : event->length));
}

static void begin_events(struct sim_world *world)
{
	const struct sim_scenario *scenario = world->scenario;

	for (size_t i = 0; i < scenario->events; i++) {
		const struct sim_event *event = &scenario->event[i];

		arm_event(world, &world->begin[i], event, true);
		arm_event(world, &world->end[i], event, false);
		if (event->kind > SIM_DEAD || world->trace.to_ns)
			continue;
		world->trace.backend = event->backend;
		world->trace.from_ns = (uint64_t)(event->at * SIM_SECOND);
		world->trace.to_ns = (uint64_t)((event->at + event->length) * SIM_SECOND);
	}
}

static void begin_server(struct sim_world *world, size_t number)
{
	const struct sim_scenario *scenario = world->scenario;
	struct sim_server *server = &world->server[number];

	server->world = world;
	server->slow = server->noisy = 1;
	server->usable = true;
	server->prng = prng_seed(world->seed, SERVERS + number);
	server->noise.fire = noise_turns;
	server->pause.fire = pause_turns;
	server->health.fire = health_sees;
	set_speed(server);
	if (scenario->noise.every > 0)
		arm_in(world, &server->noise,
		       prng_exponential(&server->prng) * scenario->noise.every);
	if (scenario->pauses.every > 0)
		arm_in(world, &server->pause,
		       prng_exponential(&server->prng) * scenario->pauses.every);
}

void sim_trouble_begin(struct sim_world *world)
{
	const struct sim_scenario *scenario = world->scenario;

	for (size_t i = 0; i < scenario->classes; i++)
		draw_distances(world, i, 0);
	for (size_t i = 0; i < scenario->backends; i++)
		begin_server(world, i);
	world->bursts = prng_seed(world->seed, BURSTS);
	world->burst.fire = burst_turns;
	world->burst_factor = 1;
	if (scenario->bursts.every > 0)
		arm_in(world, &world->burst,
		       prng_exponential(&world->bursts) * scenario->bursts.every);
	begin_events(world);
}
