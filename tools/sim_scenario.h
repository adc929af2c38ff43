// SPDX-License-Identifier: BSD-2-Clause
/*
 * What happens in a simulation: backends, classes of clients, load, and what goes wrong when. Read
 * from YAML, as strictly as larchd's configuration; those of tools/scenarios are built in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define SIM_BACKENDS 64
#define SIM_CLASSES  64
#define SIM_EVENTS   16

/* Phases that come at random, with exponential times between them and lengths; s. */
struct sim_phases {
	double every; /* mean time from one to the next; 0: none */
	double length;
	double factor; /* what is slower, or more, meanwhile */
};

struct sim_backend {
	uint32_t workers;
	uint32_t weight; /* as an operator would configure it */
	double speed;	 /* 1: a second of work takes a second */
	bool sharing;	 /* workers are shared by all requests; else first come, first served */
};

struct sim_range {
	double low, high;
};

/* Round trips from some clients by each backend, s. */
struct sim_net {
	double fixed[SIM_BACKENDS]; /* 0: drawn by seed and source, */
	struct sim_range near, far; /* uniformly from one of these, */
	double part;		    /* from `near` for this part of the backends */
};

/* Clients that are alike. */
struct sim_class {
	char name[CONFIG_NAME_MAX];
	uint32_t source;   /* first /24 of its clients, as larch_source_ipv4() gives it */
	uint32_t prefixes; /* /24s in a row */
	uint16_t port;
	uint8_t hops;
	double share; /* of all flows, relative to the others' */
	double work;  /* of a request, relative to sim_scenario.work */
	struct sim_net net;
};

enum sim_event_kind {
	SIM_SLOW,   /* a backend is slower by a factor */
	SIM_DEAD,   /* a backend answers nothing, and forgets what it had */
	SIM_MOVE,   /* the clients of a class come another way: all distances are drawn again */
	SIM_DETOUR, /* the way from a class to a backend takes another time */
};

struct sim_event {
	enum sim_event_kind kind;
	double at, length; /* s; length 0: it stays so */
	size_t backend, class;
	double factor; /* SLOW; DETOUR: the round trip, s */
};

struct sim_scenario {
	char name[CONFIG_NAME_MAX];
	double duration; /* s */
	double measured_from, measured_to;
	double load;		  /* of all workers together */
	double work;		  /* mean work of a request, s */
	double deviation;	  /* of the work, relative to the class's mean (lognormal) */
	double requests;	  /* mean number of a flow's (geometric) */
	double think;		  /* mean time between an answer and the next request, s */
	double jitter;		  /* of each way, relative, to both sides */
	double one_segment;	  /* part of the answers that fit one segment */
	struct sim_phases noise;  /* of each backend: slower by the factor */
	struct sim_phases pauses; /* of each backend: nothing is served */
	struct sim_phases bursts; /* of all clients: more flows by the factor */
	size_t backends, classes, events;
	struct sim_backend backend[SIM_BACKENDS];
	struct sim_class class[SIM_CLASSES];
	struct sim_event event[SIM_EVENTS];
};

/* Names of those built in, ending with NULL. */
extern const char *const sim_scenario_names[];

/*
 * A built-in scenario, or a file. 0; -EINVAL: *errors says why; another -errno: it cannot be read.
 */
int sim_scenario_load(const char *name, struct sim_scenario *out, struct config_errors *errors);

/* The same from a text. */
int sim_scenario_parse(const char *text, size_t length, struct sim_scenario *out,
		       struct config_errors *errors);

/* Flows a second that make the load, without bursts. */
double sim_scenario_flow_rate(const struct sim_scenario *scenario);
