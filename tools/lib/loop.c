// SPDX-License-Identifier: BSD-2-Clause
// Waits with epoll_pwait2, whose timeout is in nanoseconds: no timer descriptor to set and read.
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"

#define EVENTS_PER_TURN 256
#define TIMERS_PER_TURN 256
#define TIMER_SLACK_NS	10000UL

int loop_open(struct loop *loop)
{
	*loop = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
	if (loop->epoll < 0)
		return -errno;
	// The kernel may delay a wake-up by 50 us unless told otherwise.
	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
	loop->now_ns = clock_now();
	return 0;
}

static void loop_release_retired(struct loop *loop)
{
	while (loop->retired) {
		struct watch *watch = loop->retired;

		loop->retired = watch->next_retired;
		watch->release(watch);
	}
}

void loop_close(struct loop *loop)
{
	loop_release_retired(loop);
	timers_close(&loop->timers);
	close(loop->epoll);
}

int loop_watch(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) ? -errno : 0;
}

static int loop_wait(struct loop *loop, struct epoll_event *events)
{
	const struct timer *first = timers_first(&loop->timers);
	struct timespec left = {0};
	uint64_t now = clock_now();

	if (first && first->due_ns > now) {
		left.tv_sec = (time_t)((first->due_ns - now) / NS_PER_S);
		left.tv_nsec = (long)((first->due_ns - now) % NS_PER_S);
	}
	return epoll_pwait2(loop->epoll, events, EVENTS_PER_TURN, first ? &left : NULL, NULL);
}

static void loop_dispatch(struct loop *loop, const struct epoll_event *event)
{
	struct watch *watch = event->data.ptr;

	if (watch->fd < 0)
		return;
	loop->now_ns = clock_now();
	watch->ready(watch, event->events);
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[EVENTS_PER_TURN];

	while (!loop->stopped) {
		int count = loop_wait(loop, events);

		if (count < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < count; i++)
			loop_dispatch(loop, &events[i]);
		loop->now_ns = clock_now();
		timers_run(&loop->timers, loop->now_ns, TIMERS_PER_TURN);
		loop_release_retired(loop);
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

void loop_retire(struct loop *loop, struct watch *watch, void (*release)(struct watch *watch))
{
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
	watch->release = release;
	watch->next_retired = loop->retired;
	loop->retired = watch;
}

int loop_watch_signals(struct loop *loop, struct watch *watch)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	watch->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (watch->fd < 0)
		return -errno;
	return loop_watch(loop, watch, EPOLLIN);
}
