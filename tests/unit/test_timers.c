// SPDX-License-Identifier: BSD-2-Clause
// The heap of timers, in virtual time.
#include <criterion/criterion.h>

#include "../../tools/lib/container.h"
#include "../../tools/lib/prng.h"
#include "../../tools/lib/timers.h"

#define COUNT 1000

struct alarm {
	struct timer timer;
	uint64_t number;
};

static struct timers timers;
static struct alarm alarms[COUNT];
static uint64_t fired[2 * COUNT];
static size_t fired_count;

static void note(struct timer *timer)
{
	fired[fired_count++] = container_of(timer, struct alarm, timer)->number;
}

static void setup(void)
{
	for (size_t i = 0; i < COUNT; i++)
		alarms[i] = (struct alarm){.timer.fire = note, .number = i};
}

static void teardown(void)
{
	timers_close(&timers);
}

TestSuite(timers, .init = setup, .fini = teardown);

static void arm(size_t number, uint64_t due_ns)
{
	cr_assert_eq(timers_arm(&timers, &alarms[number].timer, due_ns), 0);
}

Test(timers, fire_in_the_order_of_their_times)
{
	struct prng p = prng_seed(1, 1);

	for (size_t i = 0; i < COUNT; i++)
		arm(i, prng_below(&p, 500));
	cr_assert_eq(timers_run(&timers, 500, COUNT), COUNT);
	for (size_t i = 1; i < COUNT; i++)
		cr_assert_leq(alarms[fired[i - 1]].timer.due_ns, alarms[fired[i]].timer.due_ns);
}

Test(timers, of_one_moment_fire_in_the_order_of_arming)
{
	for (size_t i = 0; i < COUNT; i++)
		arm(i, 7);
	timers_run(&timers, 7, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		cr_assert_eq(fired[i], i);
}

Test(timers, do_not_fire_before_they_are_due)
{
	arm(0, 100);
	cr_assert_eq(timers_run(&timers, 99, COUNT), 0);
	cr_assert(timer_armed(&alarms[0].timer));
	cr_assert_eq(timers_run(&timers, 100, COUNT), 1);
	cr_assert_not(timer_armed(&alarms[0].timer));
}

Test(timers, disarmed_ones_never_fire_and_the_rest_keep_their_order)
{
	struct prng p = prng_seed(2, 1);

	for (size_t i = 0; i < COUNT; i++)
		arm(i, prng_below(&p, 10000));
	for (size_t i = 0; i < COUNT; i += 3)
		timers_disarm(&timers, &alarms[i].timer);
	timers_run(&timers, 10000, COUNT);
	cr_assert_eq(fired_count, COUNT - (COUNT + 2) / 3);
	for (size_t i = 0; i < fired_count; i++)
		cr_assert_neq(fired[i] % 3, 0);
	for (size_t i = 1; i < fired_count; i++)
		cr_assert_leq(alarms[fired[i - 1]].timer.due_ns, alarms[fired[i]].timer.due_ns);
}

Test(timers, arming_again_moves_instead_of_adding)
{
	arm(0, 10);
	arm(1, 20);
	arm(0, 30);
	cr_assert_eq(timers_first(&timers), &alarms[1].timer);
	cr_assert_eq(timers_run(&timers, 100, COUNT), 2);
	cr_assert_eq(fired[1], 0);
}

Test(timers, virtual_time_steps_from_one_to_the_next_and_never_back)
{
	uint64_t now_ns = 15;

	arm(0, 10);
	arm(1, 20);
	arm(2, 31);
	cr_assert(timers_step(&timers, 30, &now_ns));
	cr_assert_eq(now_ns, 15);
	cr_assert(timers_step(&timers, 30, &now_ns));
	cr_assert_eq(now_ns, 20);
	cr_assert_not(timers_step(&timers, 30, &now_ns));
	cr_assert_eq(now_ns, 20);
	cr_assert_eq(fired_count, 2);
}

static void again(struct timer *timer)
{
	fired_count++;
	timers_arm(&timers, timer, 0);
}

Test(timers, one_that_arms_itself_for_the_past_does_not_run_for_ever)
{
	alarms[0].timer.fire = again;
	arm(0, 0);
	cr_assert_eq(timers_run(&timers, 1, 5), 5);
}
