// SPDX-License-Identifier: BSD-2-Clause
/*
 * All jobs in service advance alike, so that one virtual clock tells when each is done: it runs at
 * the station's speed and, where the workers are shared by more jobs than they are, slower.
 */
#include "sim_station.h"

#include <errno.h>
#include <math.h>

#include "lib/container.h"

static double rate(const struct sim_station *station)
{
	double jobs = (double)station->active.count;

	return jobs > station->workers ? station->speed * station->workers / jobs : station->speed;
}

static void advance(struct sim_station *station, uint64_t now_ns)
{
	station->virtual_ns += (double)(now_ns - station->updated_ns) * rate(station);
	station->updated_ns = now_ns;
}

/* Moving an armed timer cannot fail; sim_station_submit() arms it first. */
static int arm(struct sim_station *station)
{
	const struct timer *first = timers_first(&station->active);
	double left;

	if (!first || rate(station) <= 0) {
		timers_disarm(station->timers, &station->next);
		return 0;
	}
	left = fmax((double)first->due_ns - station->virtual_ns, 0) / rate(station);
	return timers_arm(station->timers, &station->next,
			  station->updated_ns + (uint64_t)ceil(left));
}

static bool has_room(const struct sim_station *station)
{
	return station->sharing || (double)station->active.count < station->workers;
}

static int enter(struct sim_station *station, struct sim_job *job)
{
	return timers_arm(&station->active, &job->finish,
			  (uint64_t)station->virtual_ns + job->work_ns);
}

static void take_waiting(struct sim_station *station)
{
	struct sim_job *job = station->first;

	if (!job || !has_room(station) || enter(station, job))
		return;
	station->first = job->next;
	station->waiting--;
}

static void finish(struct timer *timer)
{
	struct sim_station *station = container_of(timer, struct sim_station, next);
	struct timer *first = timers_first(&station->active);
	struct sim_job *job = container_of(first, struct sim_job, finish);

	advance(station, timer->due_ns);
	timers_disarm(&station->active, first);
	take_waiting(station);
	arm(station);
	job->done(job);
}

void sim_station_init(struct sim_station *station, struct timers *timers, double workers,
		      bool sharing)
{
	*station = (struct sim_station){
		.timers = timers,
		.next.fire = finish,
		.workers = workers,
		.speed = 1,
		.sharing = sharing,
	};
}

void sim_station_close(struct sim_station *station)
{
	timers_close(&station->active);
}

int sim_station_submit(struct sim_station *station, struct sim_job *job, uint64_t now_ns)
{
	int error;

	advance(station, now_ns);
	if (has_room(station)) {
		error = enter(station, job);
		return error ? error : arm(station);
	}
	job->next = NULL;
	if (station->waiting++)
		station->last->next = job;
	else
		station->first = job;
	station->last = job;
	return 0;
}

void sim_station_set_speed(struct sim_station *station, double speed, uint64_t now_ns)
{
	advance(station, now_ns);
	station->speed = speed;
	arm(station);
}

void sim_station_die(struct sim_station *station, uint64_t now_ns)
{
	struct timer *served;

	advance(station, now_ns);
	while ((served = timers_first(&station->active))) {
		timers_disarm(&station->active, served);
		container_of(served, struct sim_job, finish)
			->lost(container_of(served, struct sim_job, finish));
	}
	while (station->waiting) {
		struct sim_job *job = station->first;

		station->first = job->next;
		station->waiting--;
		job->lost(job);
	}
	arm(station);
}
