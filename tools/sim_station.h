// SPDX-License-Identifier: BSD-2-Clause
/*
 * A backend of the simulator: workers that serve first come first served, or share themselves
 * among all jobs, at a speed that may change at any time, also for the jobs in service. (The lab
 * server's station, lib/station.h, serves in real time and knows neither.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/timers.h"

struct sim_station;

struct sim_job {
	struct timer finish;  /* in the station's virtual time, while in service */
	struct sim_job *next; /* in the queue */
	uint64_t work_ns;     /* at speed 1 */
	void (*done)(struct sim_job *job);
	void (*lost)(struct sim_job *job); /* the station has died */
};

struct sim_station {
	struct timers *timers; /* real time */
	struct timers active;  /* jobs in service, in virtual time: each gets 1 ns of it per ns */
	struct timer next;     /* when the first of them is done, in real time */
	struct sim_job *first, *last; /* waiting */
	size_t waiting;
	double workers, speed;
	bool sharing;
	uint64_t updated_ns; /* when virtual_ns was true */
	double virtual_ns;
};

void sim_station_init(struct sim_station *station, struct timers *timers, double workers,
		      bool sharing);
void sim_station_close(struct sim_station *station);

/* 0 or -ENOMEM. */
int sim_station_submit(struct sim_station *station, struct sim_job *job, uint64_t now_ns);

/* From now on; 0: all stands still. */
void sim_station_set_speed(struct sim_station *station, double speed, uint64_t now_ns);

/* Forgets all its jobs, telling each. */
void sim_station_die(struct sim_station *station, uint64_t now_ns);

/* Jobs waiting and in service. */
static inline size_t sim_station_jobs(const struct sim_station *station)
{
	return station->waiting + station->active.count;
}
