// SPDX-License-Identifier: BSD-2-Clause
/* The fall from response to connect to none, and the way back. See fallback.h. */
#include "fallback.h"

#include <stddef.h>
#include <string.h>

/* A window is judged when it holds many, or some and enough time has passed. */
#define WINDOW_MANY 200
#define WINDOW_SOME 20
#define WINDOW_S    3.0
#define WINDOWS	    2 /* in a row must agree before anything changes */

/*
 * Shares that are too much. On the way back half of that is, so that a service on the edge does not
 * go to and fro. Of early answers there are always some: a connect may have waited for an address
 * to be resolved, or for a radio to wake.
 */
#define MUCH_UNCLEAR	  0.9
#define MUCH_SERVER_FIRST 0.5
#define MUCH_OVERLAPPING  0.1
#define MUCH_EARLY	  0.25
#define LITTLE_TIMED	  0.05

struct opinion {
	enum larch_signal signal;
	const char *reason;
};

/* Enough of them, and too great a share? */
static bool much(uint64_t part, uint64_t all, double share)
{
	return all >= WINDOW_SOME && (double)part > share * (double)all;
}

/*
 * A session whose answers fit one segment is timed once, by its first. Where not even that comes
 * about, requests teach nothing.
 */
static bool little_timed(const struct larch_evidence *window)
{
	uint64_t expected =
		window->sessions < window->answered ? window->sessions : window->answered;

	return expected >= WINDOW_SOME && (double)window->timed < LITTLE_TIMED * (double)expected;
}

static struct opinion judge(const struct larch_evidence *window, double part)
{
	const char *reason = NULL;

	if (much(window->unclear, window->opened, MUCH_UNCLEAR))
		return (struct opinion){LARCH_SIGNAL_NONE, "SYNs are sent more than once"};
	if (much(window->server_first, window->sessions, part * MUCH_SERVER_FIRST))
		reason = "the server speaks first";
	else if (much(window->overlapping, window->requests, part * MUCH_OVERLAPPING))
		reason = "requests do not wait for answers";
	else if (much(window->early, window->answered, part * MUCH_EARLY))
		reason = "answers come sooner than their requests can have arrived";
	else if (little_timed(window))
		reason = "hardly any answer can be timed";
	return (struct opinion){reason ? LARCH_SIGNAL_CONNECT : LARCH_SIGNAL_RESPONSE, reason};
}

static void change(struct fallback *fallback, struct opinion opinion)
{
	fallback->signal = opinion.signal;
	fallback->reason = opinion.reason;
	fallback->agree = 0;
	fallback->state_s = 0;
	fallback->window_s = 0;
	memset(&fallback->window, 0, sizeof(fallback->window));
}

/* The next rest is longer, unless response has lasted for longer than this one. */
static void fall(struct fallback *fallback, struct opinion opinion)
{
	bool lasted =
		fallback->signal == LARCH_SIGNAL_RESPONSE && fallback->state_s > fallback->rest_s;

	if (lasted || fallback->rest_s <= 0)
		fallback->rest_s = FALLBACK_REST;
	else if (fallback->rest_s < FALLBACK_REST_MOST / 2)
		fallback->rest_s *= 2;
	else
		fallback->rest_s = FALLBACK_REST_MOST;
	change(fallback, opinion);
}

void fallback_begin(struct fallback *fallback, enum larch_signal before)
{
	*fallback = (struct fallback){.signal = LARCH_SIGNAL_RESPONSE};
	if (before == LARCH_SIGNAL_CONNECT || before == LARCH_SIGNAL_WATCH) {
		fallback->signal = LARCH_SIGNAL_WATCH;
		fallback->reason = "as before the restart, until its requests have been seen";
	}
}

/* What was counted since the last tick goes into the window. */
static void count(struct fallback *fallback, const struct larch_evidence *now, double seconds)
{
	const uint64_t *after = (const uint64_t *)now;
	uint64_t *before = (uint64_t *)&fallback->last;
	uint64_t *sum = (uint64_t *)&fallback->window;

	for (size_t i = 0; i < sizeof(*now) / sizeof(*after); i++) {
		if (fallback->marked && after[i] > before[i])
			sum[i] += after[i] - before[i];
		before[i] = after[i];
	}
	fallback->marked = true;
	fallback->window_s += seconds;
	fallback->state_s += seconds;
}

static bool is_full(const struct fallback *fallback)
{
	const struct larch_evidence *window = &fallback->window;
	uint64_t most = window->opened > window->requests ? window->opened : window->requests;

	return most >= WINDOW_MANY || (most >= WINDOW_SOME && fallback->window_s >= WINDOW_S);
}

/* Timed by response, or by connect: only what speaks for less counts. */
static bool stay_or_fall(struct fallback *fallback, struct opinion opinion)
{
	fallback->agree = opinion.signal < fallback->signal ? fallback->agree + 1 : 0;
	if (fallback->agree < WINDOWS)
		return false;
	fall(fallback, opinion);
	return true;
}

/* Watched: the first window that speaks against it ends it. */
static bool try(struct fallback *fallback, struct opinion opinion)
{
	if (opinion.signal != LARCH_SIGNAL_RESPONSE) {
		fall(fallback, opinion);
		return true;
	}
	if (++fallback->agree < WINDOWS)
		return false;
	change(fallback, opinion);
	return true;
}

static bool end_window(struct fallback *fallback)
{
	bool watched = fallback->signal == LARCH_SIGNAL_WATCH;
	struct opinion opinion = judge(&fallback->window, watched ? 0.5 : 1);

	memset(&fallback->window, 0, sizeof(fallback->window));
	fallback->window_s = 0;
	return watched ? try(fallback, opinion) : stay_or_fall(fallback, opinion);
}

bool fallback_tick(struct fallback *fallback, const struct larch_evidence *now, double seconds)
{
	count(fallback, now, seconds);
	if (fallback->signal < LARCH_SIGNAL_RESPONSE && fallback->state_s >= fallback->rest_s) {
		change(fallback, (struct opinion){LARCH_SIGNAL_WATCH, fallback->reason});
		return true;
	}
	return is_full(fallback) && end_window(fallback);
}
