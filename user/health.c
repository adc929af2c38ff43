// SPDX-License-Identifier: BSD-2-Clause
/* Scheduling of health checks: see health.h. A heap of those that wait, a list of those that run.
 */
#include "health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOWHERE	     UINT32_MAX
#define SPREAD	     0.6180339887498949 /* golden ratio: parts of an interval that never crowd */
#define JITTER_PARTS 5 /* the interval by so many: from a tenth early to one late */

struct target {
	bool used;
	struct health_timing timing;
	struct health_opinion opinion;
	uint64_t at;	  /* ns: it waits until then, or runs since then */
	uint32_t heap;	  /* its place among those that wait; NOWHERE */
	uint32_t running; /* its place among those that run; NOWHERE */
};

struct health {
	struct target *target;
	uint32_t room, used; /* places, and the targets in them */
	uint32_t *heap;	     /* those that wait; [0] is due first */
	uint32_t waiting;
	uint32_t *running;
	uint32_t running_count, most;
	uint64_t random;
	double phase; /* of the next one added, in parts of its interval */
};

int health_new(struct health **out, uint32_t most, uint64_t seed)
{
	struct health *health = calloc(1, sizeof(*health));

	*out = NULL;
	if (!health)
		return -ENOMEM;
	health->running = calloc(most, sizeof(*health->running));
	if (!health->running) {
		free(health);
		return -ENOMEM;
	}
	health->most = most;
	health->random = seed;
	*out = health;
	return 0;
}

void health_free(struct health *health)
{
	if (!health)
		return;
	free(health->target);
	free(health->heap);
	free(health->running);
	free(health);
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next_random(struct health *health)
{
	uint64_t z = health->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* ---- the heap ---- */

static uint64_t time_of(const struct health *health, uint32_t place)
{
	return health->target[health->heap[place]].at;
}

static void put(struct health *health, uint32_t place, uint32_t target)
{
	health->heap[place] = target;
	health->target[target].heap = place;
}

static void swap(struct health *health, uint32_t one, uint32_t other)
{
	uint32_t target = health->heap[one];

	put(health, one, health->heap[other]);
	put(health, other, target);
}

static void sift_up(struct health *health, uint32_t place)
{
	while (place && time_of(health, (place - 1) / 2) > time_of(health, place)) {
		swap(health, place, (place - 1) / 2);
		place = (place - 1) / 2;
	}
}

static void sift_down(struct health *health, uint32_t place)
{
	for (;;) {
		uint32_t child = 2 * place + 1;

		if (child >= health->waiting)
			return;
		if (child + 1 < health->waiting &&
		    time_of(health, child + 1) < time_of(health, child))
			child++;
		if (time_of(health, place) <= time_of(health, child))
			return;
		swap(health, place, child);
		place = child;
	}
}

static void heap_add(struct health *health, uint32_t target, uint64_t at)
{
	health->target[target].at = at;
	put(health, health->waiting++, target);
	sift_up(health, health->waiting - 1);
}

static void heap_take(struct health *health, uint32_t target)
{
	uint32_t place = health->target[target].heap;

	health->target[target].heap = NOWHERE;
	if (place != --health->waiting) {
		put(health, place, health->heap[health->waiting]);
		sift_up(health, place);
		sift_down(health, place);
	}
}

/* ---- those that run ---- */

static void run(struct health *health, uint32_t target, uint64_t now)
{
	health->target[target].at = now;
	health->target[target].running = health->running_count;
	health->running[health->running_count++] = target;
}

static void stop(struct health *health, uint32_t target)
{
	uint32_t place = health->target[target].running;
	uint32_t last = health->running[--health->running_count];

	health->running[place] = last;
	health->target[last].running = place;
	health->target[target].running = NOWHERE;
}

/* ---- targets ---- */

static int make_room(struct health *health)
{
	uint32_t room = health->room ? 2 * health->room : 64;
	struct target *target = realloc(health->target, room * sizeof(*target));
	uint32_t *heap;

	if (!target)
		return -ENOMEM;
	health->target = target;
	heap = realloc(health->heap, room * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	health->heap = heap;
	memset(target + health->room, 0, (room - health->room) * sizeof(*target));
	health->room = room;
	return 0;
}

int health_add(struct health *health, const struct health_timing *timing, uint64_t now,
	       uint32_t *out)
{
	uint32_t place = 0;
	int error = health->used == health->room ? make_room(health) : 0;

	if (error)
		return error;
	while (health->target[place].used)
		place++;
	health->target[place] =
		(struct target){.used = true, .timing = *timing, .running = NOWHERE};
	health->used++;
	health->phase += SPREAD;
	health->phase -= health->phase >= 1;
	heap_add(health, place, now + (uint64_t)(health->phase * (double)timing->interval_ns));
	*out = place;
	return 0;
}

void health_change(struct health *health, uint32_t target, const struct health_timing *timing)
{
	health->target[target].timing = *timing;
}

void health_remove(struct health *health, uint32_t target)
{
	struct target *gone = &health->target[target];

	if (gone->running != NOWHERE)
		stop(health, target);
	else
		heap_take(health, target);
	gone->used = false;
	health->used--;
}

/* ---- checks ---- */

bool health_next(struct health *health, uint64_t now, uint32_t *target)
{
	if (!health->waiting || health->running_count == health->most || time_of(health, 0) > now)
		return false;
	*target = health->heap[0];
	heap_take(health, *target);
	run(health, *target, now);
	return true;
}

static uint64_t deadline(const struct health *health, uint32_t target, uint64_t grace)
{
	return health->target[target].at + health->target[target].timing.timeout_ns + grace;
}

bool health_overdue(const struct health *health, uint64_t now, uint64_t grace, uint32_t *target)
{
	for (uint32_t i = 0; i < health->running_count; i++) {
		*target = health->running[i];
		if (deadline(health, *target, grace) <= now)
			return true;
	}
	return false;
}

uint64_t health_wake(const struct health *health, uint64_t grace)
{
	uint64_t wake = HEALTH_NEVER;

	if (health->waiting && health->running_count < health->most)
		wake = time_of(health, 0);
	for (uint32_t i = 0; i < health->running_count; i++) {
		uint64_t end = deadline(health, health->running[i], grace);

		wake = end < wake ? end : wake;
	}
	return wake;
}

bool health_judge(struct health_opinion *opinion, uint32_t rise, uint32_t fall,
		  enum health_verdict verdict)
{
	bool up = verdict == HEALTH_UP;

	if (verdict == HEALTH_UNKNOWN)
		return false;
	if (opinion->known && opinion->up == up) {
		opinion->row = 0;
		return false;
	}
	if (opinion->known && ++opinion->row < (up ? rise : fall))
		return false;
	*opinion = (struct health_opinion){.known = true, .up = up};
	return true;
}

/* From one beginning to the next is the interval, whatever the check took. */
static uint64_t next_time(struct health *health, const struct target *target, uint64_t now)
{
	uint64_t interval = target->timing.interval_ns, part = interval / JITTER_PARTS;
	uint64_t at = target->at + interval - part / 2;

	at += part ? next_random(health) % (part + 1) : 0;
	return at > now ? at : now;
}

bool health_done(struct health *health, uint32_t target, enum health_verdict verdict, uint64_t now)
{
	struct target *done = &health->target[target];

	stop(health, target);
	heap_add(health, target, next_time(health, done, now));
	return health_judge(&done->opinion, done->timing.rise, done->timing.fall, verdict);
}

bool health_runs(const struct health *health, uint32_t target)
{
	return health->target[target].running != NOWHERE;
}

uint32_t health_running(const struct health *health)
{
	return health->running_count;
}

struct health_opinion health_opinion(const struct health *health, uint32_t target)
{
	return health->target[target].opinion;
}
