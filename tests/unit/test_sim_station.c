// SPDX-License-Identifier: BSD-2-Clause
// The simulator's backends: against the theory of queues, and what happens to jobs in service.
#include <criterion/criterion.h>
#include <math.h>

#include "../../tools/lib/container.h"
#include "../../tools/lib/prng.h"
#include "../../tools/sim_station.h"

#define MANY	500000
#define MEAN_NS 1e6

struct task {
	struct sim_job job;
	uint64_t arrived_ns, ended_ns;
	bool lost;
};

static struct timers timers;
static struct sim_station station;
static struct task tasks[MANY];
static uint64_t now_ns;
static size_t order[MANY], ended_count;

static void ended(struct sim_job *job)
{
	struct task *task = container_of(job, struct task, job);

	task->ended_ns = now_ns;
	order[ended_count++] = (size_t)(task - tasks);
}

static void lost(struct sim_job *job)
{
	container_of(job, struct task, job)->lost = true;
}

static void teardown(void)
{
	sim_station_close(&station);
	timers_close(&timers);
}

TestSuite(sim_station, .fini = teardown);

static void run_until(uint64_t until_ns)
{
	while (timers_step(&timers, until_ns, &now_ns))
		;
	now_ns = until_ns;
}

static void submit(size_t number, uint64_t work_ns, uint64_t at_ns)
{
	run_until(at_ns);
	tasks[number] = (struct task){
		.job = {.work_ns = work_ns, .done = ended, .lost = lost},
		.arrived_ns = at_ns,
	};
	cr_assert_eq(sim_station_submit(&station, &tasks[number].job, at_ns), 0);
}

/* Mean time from arrival to end of many jobs, Poisson and exponential, in mean service times. */
static double mean_stay(double workers, bool sharing, double load, double speed)
{
	struct prng arrivals = prng_seed(1, 7), works = prng_seed(1, 8);
	double at = 0, sum = 0;

	sim_station_init(&station, &timers, workers, sharing);
	sim_station_set_speed(&station, speed, 0);
	for (size_t i = 0; i < MANY; i++) {
		at += prng_exponential(&arrivals) * MEAN_NS / (load * workers * speed);
		submit(i, (uint64_t)(prng_exponential(&works) * MEAN_NS), (uint64_t)at);
	}
	run_until(UINT64_MAX);
	for (size_t i = 0; i < MANY; i++)
		sum += (double)(tasks[i].ended_ns - tasks[i].arrived_ns);
	return sum / MANY / MEAN_NS * speed;
}

/* Mean wait in M/M/c (Erlang C), in mean service times. */
static double erlang_wait(double workers, double load)
{
	double blocked = 1, busy = load * workers;

	for (double k = 1; k <= workers; k++)
		blocked = busy * blocked / (k + busy * blocked);
	return blocked / (1 - load * (1 - blocked)) / (workers * (1 - load));
}

/* The macros of Criterion evaluate what they compare more than once. */
static void is_about(double value, double theory, double tolerance)
{
	cr_assert_float_eq(value, theory, tolerance * theory, "%.4f, by theory %.4f", value,
			   theory);
}

Test(sim_station, one_worker_waits_as_in_theory)
{
	is_about(mean_stay(1, false, 0.7, 1) - 1, erlang_wait(1, 0.7), 0.03);
}

Test(sim_station, several_workers_wait_as_in_theory)
{
	is_about(mean_stay(4, false, 0.8, 1) - 1, erlang_wait(4, 0.8), 0.03);
}

Test(sim_station, slow_workers_are_slower_in_all)
{
	is_about(mean_stay(4, false, 0.8, 0.25) - 1, erlang_wait(4, 0.8), 0.03);
}

/* M/M/1-PS: a stay of 1 / (1 - load); with more workers the number of jobs is that of M/M/c. */
Test(sim_station, a_shared_worker_keeps_jobs_as_in_theory)
{
	is_about(mean_stay(1, true, 0.7, 1), 1 / 0.3, 0.03);
}

Test(sim_station, shared_workers_keep_jobs_as_in_theory)
{
	is_about(mean_stay(4, true, 0.8, 1), 1 + erlang_wait(4, 0.8), 0.03);
}

Test(sim_station, first_come_is_first_served)
{
	sim_station_init(&station, &timers, 1, false);
	for (size_t i = 0; i < 5; i++)
		submit(i, 10, i);
	run_until(1000);
	for (size_t i = 0; i < 5; i++) {
		cr_assert_eq(order[i], i);
		cr_assert_eq(tasks[i].ended_ns, 10 * (i + 1));
	}
}

Test(sim_station, a_job_in_service_feels_a_change_of_speed)
{
	sim_station_init(&station, &timers, 1, false);
	submit(0, 100, 0);
	run_until(50);
	sim_station_set_speed(&station, 0.1, 50);
	run_until(150);
	sim_station_set_speed(&station, 1, 150);
	run_until(1000);
	cr_assert_eq(tasks[0].ended_ns, 190);
}

Test(sim_station, all_stands_still_at_speed_0)
{
	sim_station_init(&station, &timers, 1, false);
	submit(0, 100, 0);
	submit(1, 100, 0);
	run_until(50);
	sim_station_set_speed(&station, 0, 50);
	run_until(5000);
	cr_assert_eq(ended_count, 0);
	sim_station_set_speed(&station, 1, 5000);
	run_until(10000);
	cr_assert_eq(tasks[1].ended_ns, 5150);
}

Test(sim_station, who_dies_loses_all_and_begins_anew)
{
	sim_station_init(&station, &timers, 1, false);
	for (size_t i = 0; i < 3; i++)
		submit(i, 100, 0);
	run_until(10);
	sim_station_die(&station, 10);
	for (size_t i = 0; i < 3; i++)
		cr_assert(tasks[i].lost);
	cr_assert_eq(sim_station_jobs(&station), 0);
	submit(3, 100, 20);
	run_until(1000);
	cr_assert_eq(ended_count, 1);
	cr_assert_eq(tasks[3].ended_ns, 120);
}
