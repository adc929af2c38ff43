// SPDX-License-Identifier: BSD-2-Clause
// When health checks begin, and what verdicts come to.
#include <criterion/criterion.h>
#include <stdlib.h>

#include "clock.h"
#include "health.h"

#define MS NS_PER_MS

static const struct health_timing usual = {2000 * MS, 1000 * MS, 2, 3};

static struct health *new_health(uint32_t most)
{
	struct health *health;

	cr_assert_eq(health_new(&health, most, 1), 0);
	return health;
}

static uint32_t add(struct health *health, const struct health_timing *timing, uint64_t now)
{
	uint32_t target;

	cr_assert_eq(health_add(health, timing, now, &target), 0);
	return target;
}

/* ---- verdicts ---- */

/* Up and down as letters; what is thought after each: '?' unknown. */
static void expect_thoughts(uint32_t rise, uint32_t fall, const char *verdicts,
			    const char *thoughts)
{
	struct health_opinion opinion = {};

	for (size_t i = 0; verdicts[i]; i++) {
		char before = !opinion.known ? '?' : opinion.up ? 'U' : 'd', after;
		bool changed = health_judge(&opinion, rise, fall,
					    verdicts[i] == 'U'	 ? HEALTH_UP
					    : verdicts[i] == 'd' ? HEALTH_DOWN
								 : HEALTH_UNKNOWN);

		after = !opinion.known ? '?' : opinion.up ? 'U' : 'd';
		cr_expect_eq(after, thoughts[i], "%s: %zu: %c", verdicts, i, after);
		cr_expect_eq(changed, before != after, "%s: %zu", verdicts, i);
	}
}

Test(health, the_first_verdict_decides_at_once)
{
	expect_thoughts(2, 3, "d", "d");
	expect_thoughts(2, 3, "U", "U");
	expect_thoughts(2, 3, "??d", "??d");
}

Test(health, it_takes_fall_in_a_row_to_go_down_and_rise_to_come_back)
{
	expect_thoughts(2, 3, "UddUdddddUdUU",
			"UUUUUUdddddd"
			"U");
	expect_thoughts(1, 1, "UdUd", "UdUd");
}

Test(health, what_could_not_be_checked_neither_counts_nor_interrupts)
{
	expect_thoughts(2, 3, "Ud?d?d", "UUUUUd");
	expect_thoughts(2, 3, "dU?U", "dddU");
}

/* ---- times ---- */

/* Lets checks take `took` each, for so long; begun[] counts them by target, and by 100 ms. */
static void let_run(struct health *health, uint64_t took, uint64_t until, unsigned *begun,
		    unsigned *per_100ms, uint32_t *most_running)
{
	uint64_t end[4096] = {}, now = 0;
	uint32_t target;

	while ((now = health_wake(health, 0)) < until) {
		for (uint32_t i = 0; i < 4096; i++) {
			if (end[i] && end[i] <= now) {
				end[i] = 0;
				health_done(health, i, HEALTH_UP, now);
			}
		}
		while (health_next(health, now, &target)) {
			begun[target]++;
			per_100ms[now / (100 * MS)]++;
			if (took)
				end[target] = now + took;
			else
				health_done(health, target, HEALTH_UP, now);
		}
		if (health_running(health) > *most_running)
			*most_running = health_running(health);
	}
}

Test(health, a_thousand_targets_make_no_stampede)
{
	struct health *health = new_health(2000);
	static unsigned begun[4096], per_100ms[1000];
	uint32_t most = 0;

	for (int i = 0; i < 1000; i++)
		add(health, &usual, 0);
	let_run(health, 0, 60000 * MS, begun, per_100ms, &most);
	/* 50 in each 100 ms, on average. */
	for (int i = 0; i < 18; i++)
		cr_expect(per_100ms[i] >= 48 && per_100ms[i] <= 52, "%d: %u", i, per_100ms[i]);
	for (int i = 18; i < 600; i++)
		cr_expect(per_100ms[i] >= 15 && per_100ms[i] <= 85, "%d: %u", i, per_100ms[i]);
	for (int i = 0; i < 1000; i++)
		cr_expect(begun[i] >= 28 && begun[i] <= 32, "%d: %u", i, begun[i]);
	health_free(health);
}

Test(health, jitter_is_at_most_a_tenth_either_way_and_not_always_the_same)
{
	struct health *health = new_health(1);
	uint64_t before = 0, least = HEALTH_NEVER, most = 0;
	uint32_t target;

	add(health, &usual, 0);
	for (int i = 0; i < 200; i++) {
		uint64_t now = health_wake(health, 0);

		cr_assert(health_next(health, now, &target));
		health_done(health, target, HEALTH_UP, now + 500 * MS);
		if (i) {
			least = now - before < least ? now - before : least;
			most = now - before > most ? now - before : most;
		}
		before = now;
	}
	cr_expect(least >= 1800 * MS && least < 1830 * MS);
	cr_expect(most <= 2200 * MS && most > 2170 * MS);
	health_free(health);
}

Test(health, no_more_than_so_many_run_at_once_and_who_waits_longest_is_next)
{
	struct health *health = new_health(2);
	uint32_t target, order[5];

	for (int i = 0; i < 5; i++)
		add(health, &usual, (uint64_t)i * MS);
	for (int i = 0; i < 4; i += 2) {
		cr_assert(health_next(health, 9000 * MS, &order[i]));
		cr_assert(health_next(health, 9000 * MS, &order[i + 1]));
		cr_expect_not(health_next(health, 9000 * MS, &target));
		cr_expect_eq(health_running(health), 2);
		health_done(health, order[i], HEALTH_UP, 9000 * MS);
		health_done(health, order[i + 1], HEALTH_UP, 9000 * MS);
	}
	cr_assert(health_next(health, 9000 * MS, &order[4]));
	for (int i = 0; i < 5; i++) {
		for (int j = 0; j < i; j++)
			cr_expect_neq(order[i], order[j]);
	}
	health_free(health);
}

Test(health, slow_checks_of_many_share_the_room)
{
	struct health *health = new_health(64);
	static unsigned begun[4096], per_100ms[1000];
	uint32_t most = 0;
	const struct health_timing timing = {2000 * MS, 1000 * MS, 2, 3};

	/* They take all of their timeout: of 1000, 64 a second can be served. */
	for (int i = 0; i < 1000; i++)
		add(health, &timing, 0);
	let_run(health, 1000 * MS, 60000 * MS, begun, per_100ms, &most);
	cr_expect_eq(most, 64);
	for (int i = 0; i < 1000; i++)
		cr_expect(begun[i] >= 3 && begun[i] <= 5, "%d: %u", i, begun[i]);
	health_free(health);
}

Test(health, a_check_that_never_ends_is_overdue_after_timeout_and_grace)
{
	struct health *health = new_health(4);
	uint32_t target = add(health, &usual, 0), got;
	uint64_t began = health_wake(health, 0);

	cr_assert(health_next(health, began, &got));
	cr_expect_not(health_overdue(health, began + 1499 * MS, 500 * MS, &got));
	cr_expect_eq(health_wake(health, 500 * MS), began + 1500 * MS);
	cr_assert(health_overdue(health, began + 1500 * MS, 500 * MS, &got));
	cr_expect_eq(got, target);
	cr_expect_not(health_done(health, target, HEALTH_UNKNOWN, began + 1500 * MS));
	cr_expect_not(health_runs(health, target));
	cr_expect_not(health_opinion(health, target).known);
	health_free(health);
}

Test(health, targets_come_and_go_and_the_order_of_times_holds)
{
	struct health *health = new_health(8);
	bool here[300] = {};
	uint64_t now = 0;
	uint32_t target, count = 0;

	srand(7);
	for (int step = 0; step < 200000; step++) {
		uint32_t any = (uint32_t)rand() % 300;
		const struct health_timing timing = {(1 + (uint64_t)rand() % 3000) * MS, 100 * MS,
						     1, 1};

		switch (rand() % 4) {
		case 0:
			if (count < 250) {
				target = add(health, &timing, now);
				cr_assert_not(here[target]);
				here[target] = true;
				count++;
			}
			break;
		case 1:
			if (here[any] && count > 100) {
				health_remove(health, any);
				here[any] = false;
				count--;
			}
			break;
		case 2:
			if (here[any] && health_runs(health, any))
				health_done(health, any, HEALTH_UP, now);
			break;
		default:
			now += (uint64_t)rand() % (20 * MS);
			while (health_overdue(health, now, 0, &target))
				health_done(health, target, HEALTH_DOWN, now);
			while (health_next(health, now, &target))
				cr_assert(here[target]);
			/* All that is due has begun, unless there is no room. */
			cr_assert(health_running(health) == 8 || health_wake(health, 0) > now);
		}
	}
	health_free(health);
}

Test(health, without_targets_there_is_nothing_to_wait_for)
{
	struct health *health = new_health(1);
	uint32_t target = add(health, &usual, 0);

	cr_expect_neq(health_wake(health, 0), HEALTH_NEVER);
	health_remove(health, target);
	cr_expect_eq(health_wake(health, 0), HEALTH_NEVER);
	cr_expect_not(health_next(health, HEALTH_NEVER - 1, &target));
	health_free(health);
}
