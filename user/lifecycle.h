// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whether a backend of a service takes new flows, and why: one state, from what the configuration,
 * the operator, the network, health checks and the packet path say of it. The first that applies:
 *
 *   maintenance   the operator's order, or his order to drain has been carried out
 *   draining      the operator's order, or weight 0: no new flows; those that it has go on
 *   down          cannot be reached, fails its health check, or was ejected for what clients met
 *   warming       is new, or was down, a moment ago: its part of the new flows still grows
 *   active
 *
 * If too few of a service's backends are well, health is doubted, not the backends: all that can be
 * reached take flows (panic). No state ever breaks a flow. Pure; the time is given.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ejection.h"

#define LIFECYCLE_STATES(X)                                                                        \
	X(ACTIVE, "active")                                                                        \
	X(WARMING, "warming")                                                                      \
	X(DRAINING, "draining")                                                                    \
	X(MAINTENANCE, "maintenance")                                                              \
	X(DOWN, "down")

enum lifecycle_state {
#define X(name, text) LIFECYCLE_##name,
	LIFECYCLE_STATES(X)
#undef X
};

/* What the operator wants of it. */
enum lifecycle_order { LIFECYCLE_NO_ORDER, LIFECYCLE_DRAIN, LIFECYCLE_MAINTAIN };

#define LIFECYCLE_REASON 128

struct lifecycle {
	uint16_t backend; /* id */

	/* what is said of it */
	enum lifecycle_order order;
	time_t deadline;	      /* of the drain, wall clock, for people and the next
					 daemon; 0: none */
	uint64_t deadline_ns;	      /* the same by the clock that never jumps; 0: not known yet */
	uint64_t ordered_ns;	      /* when the order was taken */
	uint32_t weight;	      /* configured */
	uint32_t flows;		      /* in the flow table, of all services, at the last walk */
	const char *unreachable;      /* why no packet gets there; NULL: some do */
	char unfit[LIFECYCLE_REASON]; /* why its health check fails; "": it does not */
	char ejected[LIFECYCLE_REASON]; /* why it was ejected; "": it is not */

	struct ejection ejection; /* what its clients met */

	/* what follows */
	enum lifecycle_state state;
	char reason[LIFECYCLE_REASON]; /* "": none */
	time_t since;		       /* wall clock */
	bool takes;		       /* new flows, of its weight */
	double cold;		       /* part of its flows that it does not get yet; 0: none */
	uint64_t warm_ns;	       /* when its slow start began; 0: it had none */
	uint64_t begun_ns;	       /* until it has settled it needs none; 0: it does */
};

struct lifecycle_rules {
	uint64_t slow_start_ns; /* 0: a backend has its full part at once */
	double panic_threshold; /* part of the backends that must be well; 0: no panic */
};

/* Monotonic and wall clock. */
struct lifecycle_now {
	uint64_t ns;
	time_t wall;
};

/* A service's backends together. */
struct lifecycle_count {
	size_t meant; /* to take flows, by weight and orders */
	size_t well;  /* of these */
	bool panic;   /* some take flows although they are not well */
};

/* Begins with a backend. warm: it is not new, only we are: without a slow start, if it is well. */
void lifecycle_begin(struct lifecycle *life, uint16_t backend, bool warm,
		     const struct lifecycle_now *now);

/* Works out the states of a service's members from what is said of them. */
void lifecycle_update(struct lifecycle *life, size_t members, const struct lifecycle_rules *rules,
		      const struct lifecycle_now *now, struct lifecycle_count *count);

/* "active", ...; NULL for what is no state. */
const char *lifecycle_text(enum lifecycle_state state);
