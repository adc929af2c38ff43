// SPDX-License-Identifier: BSD-2-Clause
// The heap of timers. Knows no clock: its caller says what time it is.
#include "timers.h"

#include <errno.h>
#include <stdlib.h>

static bool timer_before(const struct timer *a, const struct timer *b)
{
	return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->order < b->order);
}

static void heap_put(struct timers *t, size_t place, struct timer *timer)
{
	t->heap[place] = timer;
	timer->place = place;
}

static void heap_rise(struct timers *t, struct timer *timer)
{
	size_t place = timer->place;

	while (place > 1 && timer_before(timer, t->heap[place / 2])) {
		heap_put(t, place, t->heap[place / 2]);
		place /= 2;
	}
	heap_put(t, place, timer);
}

static void heap_sink(struct timers *t, struct timer *timer)
{
	size_t place = timer->place;

	for (size_t child; (child = 2 * place) <= t->count; place = child) {
		if (child < t->count && timer_before(t->heap[child + 1], t->heap[child]))
			child++;
		if (!timer_before(t->heap[child], timer))
			break;
		heap_put(t, place, t->heap[child]);
	}
	heap_put(t, place, timer);
}

static int heap_grow(struct timers *t)
{
	size_t room = t->room ? t->room * 2 : 64;
	struct timer **heap;

	if (t->count + 1 < t->room)
		return 0;
	heap = realloc(t->heap, room * sizeof(struct timer *));
	if (!heap)
		return -ENOMEM;
	t->heap = heap;
	t->room = room;
	return 0;
}

void timers_close(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){0};
}

int timers_arm(struct timers *t, struct timer *timer, uint64_t due_ns)
{
	if (!timer_armed(timer)) {
		int err = heap_grow(t);

		if (err)
			return err;
		heap_put(t, ++t->count, timer);
	}
	timer->due_ns = due_ns;
	timer->order = t->next_order++;
	heap_rise(t, timer);
	heap_sink(t, timer);
	return 0;
}

void timers_disarm(struct timers *t, struct timer *timer)
{
	struct timer *last;

	if (!timer_armed(timer))
		return;
	last = t->heap[t->count--];
	if (last != timer) {
		heap_put(t, timer->place, last);
		heap_rise(t, last);
		heap_sink(t, last);
	}
	timer->place = 0;
}

struct timer *timers_first(const struct timers *t)
{
	return t->count ? t->heap[1] : NULL;
}

size_t timers_run(struct timers *t, uint64_t now_ns, size_t limit)
{
	struct timer *first;
	size_t fired = 0;

	while (fired < limit && (first = timers_first(t)) && first->due_ns <= now_ns) {
		timers_disarm(t, first);
		first->fire(first);
		fired++;
	}
	return fired;
}

bool timers_step(struct timers *t, uint64_t until_ns, uint64_t *now_ns)
{
	const struct timer *first = timers_first(t);

	if (!first || first->due_ns > until_ns)
		return false;
	if (first->due_ns > *now_ns)
		*now_ns = first->due_ns;
	timers_run(t, first->due_ns, 1);
	return true;
}
