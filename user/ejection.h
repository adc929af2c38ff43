// SPDX-License-Identifier: BSD-2-Clause
/*
 * When a backend that clients find dead leaves the rings, and when it comes back. The live scores
 * avoid it within milliseconds, flow by flow; this is the slower decision that everybody sees.
 *
 * Out: it has shown the same trouble for AFTER without an answer. Back: after a time that grows if
 * it fails again before it has been well for a minute. A backend that is back is not sent out again
 * within a minute of that, so that one that flaps changes its state at most twice a minute; the
 * live scores know of it meanwhile. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "larch/backend.h"
#include "larch/service.h"

struct ejection_rules {
	uint64_t first_ns; /* for so long a backend is out at first; 0: never */
};

struct ejection {
	bool out;
	uint64_t troubled_ns; /* since when; 0: it is not */
	uint64_t back_ns;     /* when it is to come back, or came; 0: it never was out */
	uint64_t lasts_ns;    /* of the last ejection; 0: it is forgiven */
	uint64_t unwell_ns;   /* when it last was in trouble, or out */
};

enum ejection_change { EJECTION_STAYS, EJECTION_OUT, EJECTION_BACK };

/*
 * How many of a service's requests nobody answers, lately: clients vanish, or give up, or ask for
 * what takes long. All of them waiting at one backend may be chance, unless they are many.
 */
struct ejection_odds {
	uint64_t requests, answered; /* all that have been counted */
	double asked, given;	     /* recent ones, decayed */
	bool marked;
};

/* A tick: all that has been counted so far, `seconds` after the last one. */
void ejection_count(struct ejection_odds *odds, const struct larch_evidence *now, double seconds);

/* So many who wait are no chance; LARCH_WAIT_MOST: any number may be. */
unsigned ejection_crowd(const struct ejection_odds *odds);

/*
 * What clients meet there: NULL, or why it seems dead. A static string. `crowd`: so many must wait
 * for answers, and have asked at different times: those of one moment may have vanished together.
 */
const char *ejection_trouble(const struct larch_live *live, unsigned crowd, uint64_t now);

/*
 * One look, several a second; trouble: what ejection_trouble() said; may: the service can do
 * without it. Tells what has changed.
 */
enum ejection_change ejection_watch(struct ejection *ejection, bool trouble, bool may,
				    const struct ejection_rules *rules, uint64_t now);

/*
 * What an earlier daemon of this host knew: when it was to come back, or came, and how long it was
 * out. Nothing is taken that cannot be: the clock begins anew when the host does.
 */
void ejection_restore(struct ejection *ejection, uint64_t back_ns, uint64_t lasts_ns, uint64_t now);

/* Does the next ejection depend on the last one still? */
bool ejection_matters(const struct ejection *ejection, uint64_t now);
