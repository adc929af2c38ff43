// SPDX-License-Identifier: BSD-2-Clause
/*
 * One service in the controller: its members, what was learned of them, what was published. Owner:
 * the controller, which ticks it; the reports read it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "agents.h"
#include "arm.h"
#include "cells.h"
#include "config.h"
#include "ejection.h"
#include "fallback.h"
#include "generation.h"
#include "judge.h"
#include "learner.h"
#include "lifecycle.h"
#include "ring.h"
#include "series.h"

struct controller;

#define SERVICE_HISTORY 32 /* generations of a service that are remembered */

/* What the learner of a service is doing. */
enum service_state {
	SERVICE_OFF,	 /* learning: off, or nothing can be timed */
	SERVICE_WAITING, /* not enough samples yet, or none fresh: the last generation stays */
	SERVICE_SHADOW,	 /* learns, but all flows go by the control ring */
	SERVICE_LEARNED, /* the learned arm is steered by what was learned */
	SERVICE_JUDGED,	 /* learned was worse than control: switched off for a while */
	SERVICE_FOLLOWS, /* steers by what another node has learned */
};

/* One generation that was published, for the record. */
struct service_event {
	uint32_t generation;
	uint64_t digest;
	time_t when;
	char why[120];
	size_t leaves;
	double expected_gain; /* relative */
	double moved_share;   /* largest move of a share */
	size_t moved_slots;   /* of the global ring */
	json_t *changes; /* what it moved for whom, and why: report_change(); NULL: not known */
};

struct service {
	bool used;
	uint16_t id;
	const struct config_service *config; /* in the configuration in force */
	struct learner_member member[LARCH_MAX_MEMBERS];
	struct lifecycle life[LARCH_MAX_MEMBERS]; /* of each member */
	size_t members;
	struct lifecycle_count count; /* of the members */
	bool members_changed;	      /* since the last publication */
	struct agents agents;	      /* of the second chance */
	struct ring_builder *builder;
	struct cells *cells;
	struct arm arm; /* the control arm's size */
	struct judge *judge;
	struct fallback fallback; /* what it is timed by, if that is left to us */
	struct ejection_odds odds;
	struct judge_report report; /* after the last tick */
	bool judged_steering;	    /* the judge's evidence is of learning that steered */
	char verdict[120];	    /* that the next publication carries out; "": none */
	struct judge *connect;	    /* compares connect times; they decide nothing */
	struct larch_connects connects_seen[JUDGE_ARMS]; /* in the kernel, at the last tick */
	bool connects_known;				 /* connects_seen is set */
	struct series series;
	struct cells_statistics counted; /* of the last tick */
	struct generation *current;	 /* what the kernel steers by; NULL before the first */
	struct generation *shadow;	 /* the last one trained, published or not; NULL: none */
	enum service_state state;
	const char *reason;    /* why the state is not SERVICE_LEARNED; NULL */
	unsigned age;	       /* ticks since the last publication */
	uint64_t published_ns; /* when that was; 0: never */
	struct service_event event[SERVICE_HISTORY]; /* ring buffer, at published % size */
	uint64_t published;			     /* generations, since the daemon began */
};

/* Half-lives in ticks, as the samples want them. */
struct cells_options service_half_lives(const struct config_learning *learning);

/* Begins a service without configuration and members; `signal` was timed before. 0 or -ENOMEM. */
int service_open(struct service *service, uint16_t id, const struct config_learning *learning,
		 enum larch_signal signal);

/* Publishes for members that have changed, without new learning. Errors have been logged. */
void service_republish(struct controller *controller, struct service *service, const char *why);

/* What all services ask of a backend, and its concurrency, feed the fast loop. */
void service_publish_live(struct controller *controller, uint32_t backend);

/* What its flows are timed by now: as configured, or what became of `auto`. */
enum larch_signal service_signal(const struct service *service);

/* A tick's look at whether its requests can be timed. */
void service_choose_signal(struct controller *controller, struct service *service);

/* Why `auto` has fallen back from response; NULL: it has not, or somebody chose. */
const char *service_signal_reason(const struct service *service);

/* The service's part of a tick, after the samples have been read. Errors have been logged. */
void service_tick(struct controller *controller, struct service *service);

/* Frees what it owns; the kernel's tables stay as they are. */
void service_close(struct service *service);
