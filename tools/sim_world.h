// SPDX-License-Identifier: BSD-2-Clause
/*
 * The world of one simulation: clients, network, backends and balancer nodes, by discrete events.
 * A policy chooses a backend for each new flow, and is told what a balancer sees of it: the
 * client's packets. The same seed gives every policy the same flows with the same work.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larch/cell.h"
#include "lib/histogram.h"
#include "lib/prng.h"
#include "lib/timers.h"
#include "sim_scenario.h"
#include "sim_station.h"

#define SIM_NODES    16
#define SIM_SECOND   1000000000ull
#define SIM_NOBODY   SIZE_MAX	      /* no backend */
#define SIM_PATIENCE (5 * SIM_SECOND) /* of a client whose request was lost */
#define SIM_HEALTH_NS                                                                              \
	(3 * SIM_SECOND) /* until health checks see that a backend died, or is back                \
			  */

struct sim_world;
struct sim_policy;

/* What the packet path remembers of a flow; for the policy that ships it. */
struct sim_clock {
	uint32_t start;	  /* as union larch_timing has it */
	uint16_t connect; /* coded, as union larch_identity has it */
	uint8_t queue;	  /* the same */
	uint8_t arm;	  /* the same */
	bool again;	  /* its SYN was sent more than once */
};

struct sim_flow {
	struct timer timer;
	struct sim_job job;
	struct sim_world *world;
	struct sim_flow *next; /* of those that are free */
	struct prng prng;      /* its own: the same whatever the policy does */
	size_t class, node, backend;
	uint32_t source; /* address of its client, host byte order */
	uint64_t hash;	 /* as the packet path hashes its tuple */
	uint32_t left;	 /* requests, the one under way included */
	bool first;	 /* none has been answered */
	uint64_t opened_ns;
	uint64_t meant_ns;   /* when the client meant to send the request under way */
	uint64_t thought_ns; /* when it sends the next one */
	uint64_t sent_ns;    /* when the balancer saw it */
	struct sim_clock clock;
};

/* What any balancer node knows of a backend without learning. */
struct sim_count {
	size_t connections; /* open flows */
	size_t in_flight;   /* requests not answered, and connects */
};

struct sim_server {
	struct sim_world *world;
	struct sim_station station;
	struct timer noise, pause, health;
	struct prng prng;
	double slow, noisy; /* factors */
	bool paused, dead;
	bool usable;	   /* as health checks see it */
	double connecting; /* flows whose first request is still to come */
	double pending;	   /* requests sent and not yet served */
	uint64_t paused_until_ns;
};

/* An event's begin or end. */
struct sim_happening {
	struct timer timer;
	struct sim_world *world;
	const struct sim_event *event;
	bool begins;
};

/* A backend that something happens to: when new flows went there. */
struct sim_trace {
	size_t backend;
	uint64_t from_ns, to_ns;
	uint64_t *flow_ns;
	size_t count, room;
};

struct sim_world {
	const struct sim_scenario *scenario;
	const struct sim_policy *policy;
	void *self; /* the policy's */
	uint64_t seed, now_ns;
	size_t nodes;
	bool ended; /* no new flows */
	int error;  /* of the policy; the simulation ends with it */
	struct timers timers;
	struct timer arrival, burst, tick;
	struct sim_happening begin[SIM_EVENTS], end[SIM_EVENTS];
	struct prng arrivals, bursts;
	double rate;		   /* flows per ns, without bursts */
	double share[SIM_CLASSES]; /* cumulative */
	double burst_factor;
	struct sim_server server[SIM_BACKENDS];
	double net_ns[SIM_CLASSES][SIM_BACKENDS]; /* round trips now */
	struct sim_count count[SIM_NODES][SIM_BACKENDS];
	struct sim_flow *free;
	struct sim_flow **block;
	size_t blocks;
	uint64_t flows, requests, lost;
	struct sim_trace trace;
	struct histogram latency; /* of requests meant to be sent in the measured time */
};

/* What one run gave; times in ms, -1: does not apply. */
struct sim_result {
	double mean, p50, p99, p999;
	double shed, readmit;
	uint64_t flows, requests, lost;
	double seconds; /* of processor time */
};

/* Runs one simulation from beginning to end. 0 or -errno. */
int sim_run(const struct sim_scenario *scenario, const struct sim_policy *policy, size_t nodes,
	    uint64_t seed, struct sim_result *out);

/* How fast a worker of the backend is now; 0: it serves nothing. */
double sim_speed(const struct sim_world *world, size_t backend);
