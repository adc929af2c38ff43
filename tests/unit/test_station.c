// SPDX-License-Identifier: BSD-2-Clause
// The queue before the workers, in virtual time: units are nanoseconds, but any would do.
#include <criterion/criterion.h>
#include <errno.h>

#include "../../tools/lib/container.h"
#include "../../tools/lib/station.h"

#define JOBS 16

struct task {
	struct job job;
	uint64_t ended_ns;
};

static struct timers timers;
static struct station station;
static struct task tasks[JOBS];

static void ended(struct job *job, uint64_t due_ns)
{
	container_of(job, struct task, job)->ended_ns = due_ns;
}

static void teardown(void)
{
	timers_close(&timers);
}

TestSuite(station, .fini = teardown);

static void open_station(uint64_t workers, uint64_t queue)
{
	station_init(&station, &timers, workers, queue);
}

static int submit(size_t number, uint64_t service_ns, uint64_t now_ns)
{
	timers_run(&timers, now_ns, SIZE_MAX);
	tasks[number].job.service_ns = service_ns;
	tasks[number].job.done = ended;
	return station_submit(&station, &tasks[number].job, now_ns);
}

static void run_until(uint64_t now_ns)
{
	timers_run(&timers, now_ns, SIZE_MAX);
}

Test(station, one_worker_serves_in_the_order_of_arrival)
{
	open_station(1, 100);
	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(submit(i, 10, i), 0);
	run_until(1000);
	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(tasks[i].ended_ns, 10 * (i + 1));
}

Test(station, workers_serve_side_by_side)
{
	open_station(3, 100);
	for (size_t i = 0; i < 6; i++)
		submit(i, 10, 0);
	run_until(1000);
	cr_assert_eq(tasks[2].ended_ns, 10);
	cr_assert_eq(tasks[5].ended_ns, 20);
}

Test(station, late_timers_cost_no_capacity)
{
	open_station(1, 100);
	for (size_t i = 0; i < 4; i++)
		submit(i, 10, 0);
	run_until(17); // the first ended at 10; the second began then, not at 17
	run_until(40);
	cr_assert_eq(tasks[3].ended_ns, 40);
}

Test(station, full_queue_refuses)
{
	open_station(1, 2);
	cr_assert_eq(submit(0, 10, 0), 0);
	cr_assert_eq(submit(1, 10, 0), 0);
	cr_assert_eq(submit(2, 10, 0), 0);
	cr_assert_eq(submit(3, 10, 0), -ENOBUFS);
	cr_assert_eq(submit(4, 10, 11), 0);
}

Test(station, queued_job_can_be_withdrawn)
{
	open_station(1, 100);
	for (size_t i = 0; i < 3; i++)
		submit(i, 10, 0);
	cr_assert(station_withdraw(&station, &tasks[1].job));
	run_until(1000);
	cr_assert_eq(tasks[1].ended_ns, 0);
	cr_assert_eq(tasks[2].ended_ns, 20);
}

Test(station, job_in_service_holds_its_worker_to_the_end)
{
	open_station(1, 100);
	submit(0, 10, 0);
	submit(1, 10, 0);
	cr_assert_not(station_withdraw(&station, &tasks[0].job));
	run_until(1000);
	cr_assert_eq(tasks[1].ended_ns, 20);
}

Test(station, speed_applies_to_jobs_not_yet_begun)
{
	open_station(1, 100);
	submit(0, 10, 0);
	submit(1, 10, 0);
	station_set_speed(&station, 0.2);
	run_until(1000);
	cr_assert_eq(tasks[0].ended_ns, 10);
	cr_assert_eq(tasks[1].ended_ns, 60);
}

Test(station, pause_delays_what_is_in_service_and_what_waits)
{
	open_station(1, 100);
	submit(0, 10, 0);
	submit(1, 10, 0);
	cr_assert_eq(station_pause(&station, 100, 5), 0);
	submit(2, 10, 50);
	run_until(1000);
	cr_assert_eq(tasks[0].ended_ns, 110);
	cr_assert_eq(tasks[1].ended_ns, 120);
	cr_assert_eq(tasks[2].ended_ns, 130);
}

Test(station, pause_of_an_idle_station_delays_the_next_job)
{
	open_station(2, 100);
	station_pause(&station, 100, 0);
	submit(0, 10, 20);
	run_until(1000);
	cr_assert_eq(tasks[0].ended_ns, 110);
}

Test(station, overlapping_pauses_end_with_the_later_one)
{
	open_station(1, 100);
	submit(0, 10, 0);
	station_pause(&station, 100, 0);
	station_pause(&station, 100, 50);
	station_pause(&station, 10, 60);
	run_until(1000);
	cr_assert_eq(tasks[0].ended_ns, 160);
}

Test(station, busy_time_counts_finished_and_running_jobs)
{
	open_station(2, 100);
	submit(0, 10, 0);
	submit(1, 30, 0);
	run_until(20);
	cr_assert_eq(station_busy_ns(&station, 20), 10 + 20);
	run_until(100);
	cr_assert_eq(station_busy_ns(&station, 100), 10 + 30);
}
