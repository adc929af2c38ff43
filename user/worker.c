// SPDX-License-Identifier: BSD-2-Clause
/* Threads beside the event loop. See worker.h. */
#include "worker.h"

#include <signal.h>

#include "clock.h"

#define PATIENCE_S 2

struct timespec worker_until(uint64_t ns)
{
	uint64_t then = clock_now() + ns;

	return (struct timespec){.tv_sec = (time_t)(then / NS_PER_S),
				 .tv_nsec = (long)(then % NS_PER_S)};
}

int worker_begin(pthread_t *thread, void *(*work)(void *), void *context)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(thread, NULL, work, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

bool worker_end(pthread_t thread)
{
	struct timespec until = worker_until(PATIENCE_S * NS_PER_S);

	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
		return true;
	pthread_detach(thread);
	return false;
}
