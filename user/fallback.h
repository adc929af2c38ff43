// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a service with `signal: auto` is timed by. It begins with response; what BPF counts of its
 * flows tells whether requests and answers come in turn. If not, it falls back to connect, and to
 * none if connects cannot be timed either. After a rest its requests are watched for a while,
 * without timing them; if they can be timed now, response is back, else the next rest is twice as
 * long. Pure: time is what the caller says has passed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "larch/service.h"

#define FALLBACK_REST	   60.0 /* seconds; doubles */
#define FALLBACK_REST_MOST 3600.0

struct fallback {
	enum larch_signal signal; /* to be timed by now; WATCH: connects are timed */
	const char *reason;	  /* why it is less than response; NULL: it is not */
	struct larch_evidence last, window;
	bool marked;	/* `last` holds what was counted at the last tick */
	unsigned agree; /* windows in a row that spoke for another signal */
	double window_s;
	double state_s; /* since the signal changed */
	double rest_s;	/* how long it rests before requests are watched again */
};

/* `before`: what the service was timed by under an earlier daemon, else RESPONSE. */
void fallback_begin(struct fallback *fallback, enum larch_signal before);

/* A tick: all that has been counted so far, `seconds` after the last one. True: signal changed. */
bool fallback_tick(struct fallback *fallback, const struct larch_evidence *now, double seconds);
