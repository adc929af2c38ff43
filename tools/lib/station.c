// SPDX-License-Identifier: BSD-2-Clause
// The queue and the workers. A worker that gets its next job from the queue begins it when the
// last one was due to end, not when the timer happened to fire: capacity is exactly workers divided
// by service time, however busy the machine is.
#include "station.h"

#include <errno.h>

#include "container.h"

static void list_append(struct job_list *list, struct job *job)
{
	job->prev = list->last;
	job->next = NULL;
	if (list->last)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
	list->count++;
}

static void list_remove(struct job_list *list, struct job *job)
{
	if (job->prev)
		job->prev->next = job->next;
	else
		list->first = job->next;
	if (job->next)
		job->next->prev = job->prev;
	else
		list->last = job->prev;
	list->count--;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void job_end(struct timer *timer);

static int job_arm(struct station *s, struct job *job, uint64_t start_ns)
{
	uint64_t service_ns = (uint64_t)((double)job->service_ns / s->speed);

	job->timer.fire = job_end;
	return timers_arm(s->timers, &job->timer, start_ns + service_ns);
}

static void job_enter(struct station *s, struct job *job, uint64_t start_ns)
{
	job->started_ns = start_ns;
	job->state = JOB_IN_SERVICE;
	list_append(&s->in_service, job);
}

static bool station_has_room(const struct station *s)
{
	return s->in_service.count < s->workers && !timer_armed(&s->resume);
}

// Gives waiting jobs to free workers. One that cannot have a timer waits for the next chance.
static void station_begin_waiting(struct station *s, uint64_t free_ns)
{
	while (s->queued.first && station_has_room(s)) {
		struct job *job = s->queued.first;
		uint64_t start_ns = later(free_ns, job->arrived_ns);

		if (job_arm(s, job, start_ns))
			return;
		list_remove(&s->queued, job);
		job_enter(s, job, start_ns);
	}
}

static void job_end(struct timer *timer)
{
	struct job *job = container_of(timer, struct job, timer);
	struct station *s = job->station;
	uint64_t due_ns = timer->due_ns;

	list_remove(&s->in_service, job);
	job->state = JOB_IDLE;
	s->served_ns += due_ns - job->started_ns;
	station_begin_waiting(s, due_ns);
	job->done(job, due_ns);
}

static void station_resume(struct timer *timer)
{
	struct station *s = container_of(timer, struct station, resume);

	station_begin_waiting(s, timer->due_ns);
}

void station_init(struct station *s, struct timers *timers, uint64_t workers, uint64_t queue_limit)
{
	*s = (struct station){
		.timers = timers,
		.workers = workers,
		.queue_limit = queue_limit,
		.speed = 1,
		.resume.fire = station_resume,
	};
}

int station_submit(struct station *s, struct job *job, uint64_t now_ns)
{
	job->station = s;
	job->arrived_ns = now_ns;
	if (!s->queued.count && station_has_room(s)) {
		int err = job_arm(s, job, now_ns);

		if (!err)
			job_enter(s, job, now_ns);
		return err;
	}
	if (s->queued.count >= s->queue_limit)
		return -ENOBUFS;
	job->state = JOB_QUEUED;
	list_append(&s->queued, job);
	return 0;
}

bool station_withdraw(struct station *s, struct job *job)
{
	if (job->state != JOB_QUEUED)
		return job->state == JOB_IDLE;
	list_remove(&s->queued, job);
	job->state = JOB_IDLE;
	return true;
}

void station_set_speed(struct station *s, double speed)
{
	s->speed = speed;
}

int station_pause(struct station *s, uint64_t duration_ns, uint64_t now_ns)
{
	uint64_t until_ns = now_ns + duration_ns;
	uint64_t from_ns = timer_armed(&s->resume) ? s->resume.due_ns : now_ns;
	int err;

	if (until_ns <= from_ns)
		return 0;
	err = timers_arm(s->timers, &s->resume, until_ns);
	if (err)
		return err;
	for (struct job *job = s->in_service.first; job; job = job->next)
		timers_arm(s->timers, &job->timer, job->timer.due_ns + until_ns - from_ns);
	return 0;
}

uint64_t station_busy_ns(const struct station *s, uint64_t now_ns)
{
	uint64_t busy_ns = s->served_ns;

	for (const struct job *job = s->in_service.first; job; job = job->next)
		if (now_ns > job->started_ns)
			busy_ns += now_ns - job->started_ns;
	return busy_ns;
}
