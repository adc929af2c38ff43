// SPDX-License-Identifier: BSD-2-Clause
// The event loop of both tools: file descriptors by epoll, timers by the heap, one thread.
#ifndef TOOLS_LIB_LOOP_H
#define TOOLS_LIB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "timers.h"

struct watch {
	int fd; // -1: closed
	void (*ready)(struct watch *watch, uint32_t events);
	void (*release)(struct watch *watch);
	struct watch *next_retired;
};

struct loop {
	int epoll;
	bool stopped;
	uint64_t now_ns; // CLOCK_MONOTONIC, read before each callback
	struct timers timers;
	struct watch *retired;
};

// All return 0 or -errno.
int loop_open(struct loop *loop);
void loop_close(struct loop *loop);
int loop_watch(struct loop *loop, struct watch *watch, uint32_t events);

// Runs callbacks until loop_stop() is called.
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

// Closes the descriptor now and calls release at the end of this turn, when no event that was
// fetched earlier can name the watch any more. Its ready callback is not called again.
void loop_retire(struct loop *loop, struct watch *watch, void (*release)(struct watch *watch));

// Watches for SIGINT and SIGTERM, which from now on come as events on the watch's descriptor.
int loop_watch_signals(struct loop *loop, struct watch *watch);

#endif
