// SPDX-License-Identifier: BSD-2-Clause
/*
 * A flow is one timer that goes from station to station: SYN, first ACK, request, backend, answer,
 * thought, next request. The balancer stands at the clients' end of the way: half a round trip
 * before the backend, and it sees an answer by its ACK, when the client has it.
 */
#include "sim_flow.h"

#include <math.h>
#include <stdlib.h>

#include "larch/tuple.h"
#include "lib/container.h"
#include "sim_measure.h"
#include "sim_policy.h"

#define BLOCK	     256 /* flows that are allocated at once */
#define SYN_AGAIN    SIM_SECOND
#define DELAYED_ACK  (40 * SIM_SECOND / 1000) /* Linux: of an answer that fits one segment */
#define PURPOSE	     0x666c6f77
#define FIRST_PORT   32768
#define CLIENT_PORTS 28232

static const __u64 hash_seed[2] = {0x0123456789abcdefull, 0xfedcba9876543210ull};

static void arm(struct sim_flow *flow, uint64_t due_ns, void (*fire)(struct timer *timer))
{
	flow->timer.fire = fire;
	if (timers_arm(&flow->world->timers, &flow->timer, due_ns))
		abort();
}

static struct sim_flow *flow_of(struct timer *timer)
{
	return container_of(timer, struct sim_flow, timer);
}

static struct sim_count *count_of(const struct sim_flow *flow)
{
	return &flow->world->count[flow->node][flow->backend];
}

/* ---- memory ---- */

static void add_block(struct sim_world *world)
{
	struct sim_flow *block = calloc(BLOCK, sizeof(*block));
	struct sim_flow **blocks =
		realloc(world->block, (world->blocks + 1) * sizeof(*world->block));

	if (!block || !blocks)
		abort();
	world->block = blocks;
	world->block[world->blocks++] = block;
	for (size_t i = 0; i < BLOCK; i++) {
		block[i].next = world->free;
		world->free = &block[i];
	}
}

static struct sim_flow *flow_new(struct sim_world *world)
{
	struct sim_flow *flow;

	if (!world->free)
		add_block(world);
	flow = world->free;
	world->free = flow->next;
	*flow = (struct sim_flow){.world = world};
	return flow;
}

/* ---- the way ---- */

/* Half a round trip, with its jitter. */
static uint64_t way_ns(struct sim_flow *flow)
{
	double jitter = flow->world->scenario->jitter;

	return (uint64_t)(flow->world->net_ns[flow->class][flow->backend] / 2 *
			  (1 + jitter * (2 * prng_unit(&flow->prng) - 1)));
}

/* Work that is expected of each of the flow's requests, s. */
static double expected_work(const struct sim_flow *flow)
{
	const struct sim_scenario *scenario = flow->world->scenario;

	return scenario->work * scenario->class[flow->class].work;
}

static void flow_end(struct sim_flow *flow)
{
	struct sim_world *world = flow->world;

	count_of(flow)->connections--;
	flow->next = world->free;
	world->free = flow;
}

static void flow_request(struct timer *timer);

/* The balancer learns that the answer has come. */
static void flow_acknowledge(struct sim_flow *flow, bool timed)
{
	struct sim_world *world = flow->world;

	count_of(flow)->in_flight--;
	if (world->policy->answered)
		world->policy->answered(world->self, flow, timed);
}

static void flow_late_ack(struct timer *timer)
{
	struct sim_flow *flow = flow_of(timer);

	flow_acknowledge(flow, false);
	arm(flow, flow->thought_ns, flow_request);
}

static void flow_ack_and_request(struct timer *timer)
{
	flow_acknowledge(flow_of(timer), false);
	flow_request(timer);
}

/* An answer of one segment is acknowledged late, or with the next request. */
static void flow_think(struct sim_flow *flow, bool timed)
{
	uint64_t now_ns = flow->world->now_ns;
	double think = prng_exponential(&flow->prng) * flow->world->scenario->think;

	flow->thought_ns = now_ns + (uint64_t)(think * SIM_SECOND);
	if (timed)
		arm(flow, flow->thought_ns, flow_request);
	else if (flow->thought_ns <= now_ns + DELAYED_ACK)
		arm(flow, flow->thought_ns, flow_ack_and_request);
	else
		arm(flow, now_ns + DELAYED_ACK, flow_late_ack);
}

/* The answer is with the client. */
static void flow_answered(struct timer *timer)
{
	struct sim_flow *flow = flow_of(timer);
	struct sim_world *world = flow->world;
	bool timed = flow->first || prng_unit(&flow->prng) > world->scenario->one_segment;

	sim_measure_latency(world, flow->meant_ns, world->now_ns - flow->meant_ns);
	flow->first = false;
	if (timed)
		flow_acknowledge(flow, true);
	if (--flow->left && !world->ended) {
		flow_think(flow, timed);
		return;
	}
	if (!timed)
		flow_acknowledge(flow, false);
	flow_end(flow);
}

static void flow_give_up(struct timer *timer)
{
	struct sim_flow *flow = flow_of(timer);
	struct sim_world *world = flow->world;

	world->lost++;
	sim_measure_latency(world, flow->meant_ns, world->now_ns - flow->meant_ns);
	count_of(flow)->in_flight--;
	if (world->policy->given_up)
		world->policy->given_up(world->self, flow, true);
	flow_end(flow);
}

static void flow_served(struct sim_job *job)
{
	struct sim_flow *flow = container_of(job, struct sim_flow, job);

	flow->world->server[flow->backend].pending--;
	arm(flow, flow->world->now_ns + way_ns(flow), flow_answered);
}

/* The backend will not answer any more. */
static void flow_lost(struct sim_job *job)
{
	struct sim_flow *flow = container_of(job, struct sim_flow, job);

	flow->world->server[flow->backend].pending--;
	arm(flow, flow->sent_ns + SIM_PATIENCE, flow_give_up);
}

static void flow_reaches_backend(struct timer *timer)
{
	struct sim_flow *flow = flow_of(timer);
	struct sim_world *world = flow->world;
	double work = expected_work(flow) * SIM_SECOND;

	if (world->scenario->deviation > 0)
		work *= prng_lognormal(&flow->prng, world->scenario->deviation);
	flow->job = (struct sim_job){
		.work_ns = (uint64_t)work + 1,
		.done = flow_served,
		.lost = flow_lost,
	};
	if (world->server[flow->backend].dead)
		flow_lost(&flow->job);
	else if (sim_station_submit(&world->server[flow->backend].station, &flow->job,
				    world->now_ns))
		abort();
}

static void flow_send(struct sim_flow *flow)
{
	struct sim_world *world = flow->world;

	flow->sent_ns = world->now_ns;
	world->requests++;
	count_of(flow)->in_flight++;
	if (world->policy->requested)
		world->policy->requested(world->self, flow);
	world->server[flow->backend].pending++;
	arm(flow, world->now_ns + way_ns(flow), flow_reaches_backend);
}

static void flow_request(struct timer *timer)
{
	struct sim_flow *flow = flow_of(timer);

	if (flow->world->ended) {
		flow_end(flow);
		return;
	}
	flow->meant_ns = flow->world->now_ns;
	flow_send(flow);
}

static void flow_connected(struct timer *timer)
{
	struct sim_flow *flow = flow_of(timer);

	flow->world->server[flow->backend].connecting--;
	count_of(flow)->in_flight--;
	if (flow->world->policy->connected)
		flow->world->policy->connected(flow->world->self, flow);
	flow_send(flow);
}

static void flow_syn(struct sim_flow *flow);

static void flow_syn_again(struct timer *timer)
{
	struct sim_flow *flow = flow_of(timer);
	struct sim_world *world = flow->world;
	struct sim_count *before = count_of(flow);

	if (world->now_ns >= flow->opened_ns + SIM_PATIENCE) {
		world->lost++;
		sim_measure_latency(world, flow->meant_ns, SIM_PATIENCE);
		before->in_flight--;
		if (world->policy->given_up)
			world->policy->given_up(world->self, flow, false);
		flow_end(flow);
		return;
	}
	flow->clock.again = true;
	if (world->policy->again)
		flow->backend = world->policy->again(world->self, flow);
	before->in_flight--;
	before->connections--;
	count_of(flow)->in_flight++;
	count_of(flow)->connections++;
	flow_syn(flow);
}

/* A SYN is sent again after 1 s, 3 s, 7 s. */
static void flow_syn(struct sim_flow *flow)
{
	struct sim_world *world = flow->world;
	uint64_t age_ns = world->now_ns - flow->opened_ns;

	if (world->server[flow->backend].dead) {
		arm(flow, world->now_ns + age_ns + SYN_AGAIN, flow_syn_again);
		return;
	}
	world->server[flow->backend].connecting++;
	arm(flow, world->now_ns + way_ns(flow) + way_ns(flow), flow_connected);
}

/* ---- arrivals ---- */

static size_t draw_class(struct sim_world *world)
{
	double at = prng_unit(&world->arrivals) * world->share[world->scenario->classes - 1];
	size_t class = 0;

	while (class + 1 < world->scenario->classes && world->share[class] < at)
		class ++;
	return class;
}

static uint64_t hash_of(struct sim_flow *flow)
{
	const struct sim_class *class = &flow->world->scenario->class[flow->class];
	uint16_t port = (uint16_t)(FIRST_PORT + prng_below(&flow->prng, CLIENT_PORTS));
	struct larch_tuple tuple = {
		.source = {0, 0, 0, flow->source},
		.source_port = port,
		.destination_port = class->port,
		.protocol = 6,
	};

	return larch_hash(&tuple, 0, hash_seed);
}

static void draw_flow(struct sim_flow *flow)
{
	struct sim_world *world = flow->world;
	const struct sim_scenario *scenario = world->scenario;
	const struct sim_class *class;
	uint64_t address;

	flow->prng = prng_seed(world->seed, PURPOSE + (world->flows++ << 32));
	flow->class = draw_class(world);
	class = &scenario->class[flow->class];
	address = ((uint64_t) class->source << 8) + prng_below(&flow->prng, class->prefixes << 8);
	flow->source = (uint32_t)address;
	flow->hash = hash_of(flow);
	flow->node = prng_below(&flow->prng, world->nodes);
	flow->left = 1;
	if (scenario->requests > 1)
		flow->left +=
			(uint32_t)(prng_exponential(&flow->prng) / -log1p(-1 / scenario->requests));
	flow->first = true;
	flow->opened_ns = world->now_ns;
}

static void flow_open(struct sim_world *world)
{
	struct sim_flow *flow = flow_new(world);

	draw_flow(flow);
	flow->backend = world->policy->choose(world->self, flow);
	flow->meant_ns = world->now_ns + (uint64_t)world->net_ns[flow->class][flow->backend];
	count_of(flow)->connections++;
	count_of(flow)->in_flight++;
	sim_measure_choice(world, flow);
	if (world->policy->opened)
		world->policy->opened(world->self, flow);
	flow_syn(flow);
}

/* Poisson, at the rate of a burst, of which outside of bursts only a part are flows. */
static void arrive(struct timer *timer)
{
	struct sim_world *world = container_of(timer, struct sim_world, arrival);
	double most = world->scenario->bursts.every > 0 ? world->scenario->bursts.factor : 1;
	double gap = prng_exponential(&world->arrivals) / (world->rate * most);

	if (prng_unit(&world->arrivals) * most <= world->burst_factor)
		flow_open(world);
	if (timers_arm(&world->timers, timer, timer->due_ns + (uint64_t)gap + 1))
		abort();
}

void sim_flow_begin(struct sim_world *world)
{
	const struct sim_scenario *scenario = world->scenario;
	double sum = 0;

	for (size_t i = 0; i < scenario->classes; i++)
		world->share[i] = sum += scenario->class[i].share;
	world->rate = sim_scenario_flow_rate(scenario) / SIM_SECOND;
	world->arrivals = prng_seed(world->seed, 1);
	world->arrival.fire = arrive;
	if (timers_arm(&world->timers, &world->arrival, 1))
		abort();
}
