// SPDX-License-Identifier: BSD-2-Clause
/*
 * When to check whom, and what the answers come to. Many targets, each with an interval: their
 * first checks are spread over it, and each later one is up to a tenth early or late, so that they
 * neither begin together nor come to. Never more than so many run at once; those that are due then
 * wait, the longest waiting first. Verdicts change what is thought only when so many agree in a
 * row; the first of all decides at once. Pure: the caller says what time it is (ns).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HEALTH_NEVER UINT64_MAX

struct health_timing {
	uint64_t interval_ns, timeout_ns;
	uint32_t rise, fall; /* at least 1 */
};

enum health_verdict {
	HEALTH_UP,
	HEALTH_DOWN,
	HEALTH_UNKNOWN, /* it could not be checked: nothing changes */
};

/* What is thought of a target. */
struct health_opinion {
	bool known; /* false: it was never checked, and is to be treated as up */
	bool up;
	uint32_t row; /* verdicts in a row that say otherwise */
};

struct health;

/* At most `most` checks run at once. The seed makes jitter differ between hosts. 0 or -ENOMEM. */
int health_new(struct health **out, uint32_t most, uint64_t seed);
void health_free(struct health *health);

/*
 * A target to be checked from now on; its number, which it keeps until it is removed, in *out. The
 * lowest number that is free is taken. 0 or -ENOMEM.
 */
int health_add(struct health *health, const struct health_timing *timing, uint64_t now,
	       uint32_t *out);

/* Other times from the next check on; what is thought of it stays. */
void health_change(struct health *health, uint32_t target, const struct health_timing *timing);

/* Of a check that runs nothing comes any more. */
void health_remove(struct health *health, uint32_t target);

/* Begins the next check that is due: its target; false: none. It runs until health_done(). */
bool health_next(struct health *health, uint64_t now, uint32_t *target);

/* A check that has run for longer than `grace` beyond its timeout; false: none. It still runs. */
bool health_overdue(const struct health *health, uint64_t now, uint64_t grace, uint32_t *target);

/* When health_next() or health_overdue() will have something to say; HEALTH_NEVER. */
uint64_t health_wake(const struct health *health, uint64_t grace);

/* Ends a check that runs. True: what is thought of the target has changed, or is known now. */
bool health_done(struct health *health, uint32_t target, enum health_verdict verdict, uint64_t now);

/* Has the target a check that runs? */
bool health_runs(const struct health *health, uint32_t target);

/* Checks that run. */
uint32_t health_running(const struct health *health);

struct health_opinion health_opinion(const struct health *health, uint32_t target);

/* Takes one more verdict into an opinion. True: it has changed, or is the first. */
bool health_judge(struct health_opinion *opinion, uint32_t rise, uint32_t fall,
		  enum health_verdict verdict);
