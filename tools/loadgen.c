// SPDX-License-Identifier: BSD-2-Clause
// An open-loop HTTP load generator: flows begin on a fixed schedule whatever the servers do, and
// latency counts from the intended times, so that a stalled server cannot hide its own queue.
//
// In: options. Out: NDJSON on stdout, a log of requests in a file. Exit status: 0 if the run
// completed, broken flows or not; 1 if it could not; 2 for bad options.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "loadgen.h"
#include "clock.h"

#define OTHER_DESCRIPTORS 32

static struct loadgen loadgen = {
	.options =
		{
			.requests = 3,
			.gap_ms = 20,
			.duration_s = 10,
			.body = 4000,
			.timeout_ms = 10000,
			.long_interval_ms = 1000,
			.interval_ms = 1000,
			.max_open = 10000,
			.host = "lab",
		},
};
static struct timer stop_timer, report_timer;
static int report_error;

void loadgen_check_done(struct loadgen *g)
{
	if (g->stopping && arrivals_done() && !g->open)
		loop_stop(&g->loop);
}

static void stop_fire(struct timer *timer)
{
	(void)timer;
	loadgen.stopping = true;
	flows_close_idle_long(&loadgen);
	loadgen_check_done(&loadgen);
}

static void report_fire(struct timer *timer)
{
	report_error = report_interval(&loadgen);
	if (report_error || timers_arm(&loadgen.loop.timers, timer,
				       timer->due_ns + clock_from_ms(loadgen.options.interval_ms)))
		loop_stop(&loadgen.loop);
}

// The first signal ends the schedule and lets the open flows finish, the second drops them too.
static void signal_ready(struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (loadgen.interrupted)
		flows_abort(&loadgen);
	loadgen.interrupted = true;
	arrivals_stop(&loadgen);
	stop_fire(&stop_timer);
}

// As many descriptors as flows may be open; fewer flows if that is not allowed.
static void limit_open(struct loadgen *g)
{
	struct rlimit limit;
	uint64_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	most = limit.rlim_max > OTHER_DESCRIPTORS ? limit.rlim_max - OTHER_DESCRIPTORS : 1;
	if (g->options.max_open > most) {
		g->options.max_open = most;
		fprintf(stderr, "loadgen: at most %llu flows open, by the limit of open files\n",
			(unsigned long long)most);
	}
}

static int loadgen_open(struct loadgen *g, struct watch *signals)
{
	int err = loop_open(&g->loop);

	limit_open(g);
	if (!err)
		err = tallies_open(g);
	if (!err)
		err = loop_watch_signals(&g->loop, signals);
	if (err)
		fprintf(stderr, "loadgen: cannot start: %s\n", strerror(-err));
	if (!err)
		err = sources_probe(&g->options);
	if (!err)
		err = log_open(g);
	return err;
}

static int loadgen_start(struct loadgen *g)
{
	int err;

	g->start_ns = clock_now();
	g->loop.now_ns = g->start_ns;
	g->end_ns = g->start_ns + (uint64_t)(g->options.duration_s * (double)NS_PER_S);
	stop_timer.fire = stop_fire;
	report_timer.fire = report_fire;
	err = timers_arm(&g->loop.timers, &stop_timer, g->end_ns);
	if (!err)
		err = timers_arm(&g->loop.timers, &report_timer,
				 g->start_ns + clock_from_ms(g->options.interval_ms));
	if (!err)
		err = arrivals_start(g);
	return err ? err : report_start(g);
}

static int loadgen_run(struct loadgen *g)
{
	int err = loadgen_start(g);

	if (!err)
		err = loop_run(&g->loop);
	if (!err)
		err = report_error;
	if (!err)
		err = report_interval(g);
	if (!err)
		err = report_summary(g);
	if (err)
		fprintf(stderr, "loadgen: the run did not complete: %s\n", strerror(-err));
	return err;
}

int main(int argc, char **argv)
{
	struct watch signals = {.fd = -1, .ready = signal_ready};
	int rest = loadgen_parse(&loadgen.options, argc, argv), err;

	if (rest <= 0)
		return rest ? 2 : 0;
	err = loadgen_open(&loadgen, &signals);
	if (!err)
		err = loadgen_run(&loadgen);
	flows_abort(&loadgen);
	if (log_close(&loadgen) && !err)
		err = -EIO;
	loop_close(&loadgen.loop);
	tallies_close(&loadgen);
	return err ? 1 : 0;
}
