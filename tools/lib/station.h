// SPDX-License-Identifier: BSD-2-Clause
// A queue before C workers, first come first served: what makes the lab server saturate like a
// real backend. It runs in the time of the timers that it is given, real or virtual.
#ifndef TOOLS_LIB_STATION_H
#define TOOLS_LIB_STATION_H

#include <stdbool.h>
#include <stdint.h>

#include "timers.h"

enum job_state { JOB_IDLE, JOB_QUEUED, JOB_IN_SERVICE };

struct job {
	struct timer timer; // while in service
	struct station *station;
	struct job *prev, *next; // neighbours in the queue, or among those in service
	enum job_state state;
	uint64_t arrived_ns;
	uint64_t service_ns; // at speed 1
	uint64_t started_ns;
	// Called when the worker is done; due_ns is the exact end, even if its timer fired late.
	void (*done)(struct job *job, uint64_t due_ns);
};

struct job_list {
	struct job *first, *last;
	uint64_t count;
};

struct station {
	struct timers *timers;
	uint64_t workers;
	uint64_t queue_limit;
	double speed;	     // 0.5: service takes twice as long
	struct timer resume; // armed while paused
	struct job_list queued;
	struct job_list in_service;
	uint64_t served_ns; // worker time of the finished jobs
};

void station_init(struct station *s, struct timers *timers, uint64_t workers, uint64_t queue_limit);

// Begins the job, whose service_ns and done are set, or queues it. Returns 0, -ENOBUFS if the
// queue is full, or -ENOMEM.
int station_submit(struct station *s, struct job *job, uint64_t now_ns);

// Takes a queued job back: true. A job in service stays until its worker is done with it: false.
bool station_withdraw(struct station *s, struct job *job);

// Applies to the jobs that begin from now on.
void station_set_speed(struct station *s, double speed);

// Everything stands still for the duration, as in a garbage collection: jobs in service take that
// much longer, none begins. Returns 0 or -ENOMEM.
int station_pause(struct station *s, uint64_t duration_ns, uint64_t now_ns);

// Worker time spent until now, jobs in service included.
uint64_t station_busy_ns(const struct station *s, uint64_t now_ns);

#endif
