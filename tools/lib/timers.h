// SPDX-License-Identifier: BSD-2-Clause
// Timers in a binary min-heap. Earliest first; those of the same moment in the order in which
// they were armed. A timer is a member of what it belongs to and knows its place in the heap.
#ifndef TOOLS_LIB_TIMERS_H
#define TOOLS_LIB_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
	uint64_t due_ns;
	uint64_t order;
	size_t place; // in the heap, from 1; 0: not armed
	void (*fire)(struct timer *timer);
};

struct timers {
	struct timer **heap; // heap[0] is not used
	size_t count;
	size_t room;
	uint64_t next_order;
};

void timers_close(struct timers *t);

// Arms a timer, or moves it if it is armed. Returns 0 or -ENOMEM; moving cannot fail.
int timers_arm(struct timers *t, struct timer *timer, uint64_t due_ns);
void timers_disarm(struct timers *t, struct timer *timer);

// The timer that is due first, or NULL.
struct timer *timers_first(const struct timers *t);

// Takes out and fires timers due at now_ns or before, at most limit of them: one that arms itself
// again for the past must not keep its caller from other work. Returns how many were fired.
size_t timers_run(struct timers *t, uint64_t now_ns, size_t limit);

// In virtual time: fires the timer that is due first, if that is at until_ns or before, and sets
// the clock to its moment (never back). False: there is none.
bool timers_step(struct timers *t, uint64_t until_ns, uint64_t *now_ns);

static inline bool timer_armed(const struct timer *timer)
{
	return timer->place != 0;
}

#endif
