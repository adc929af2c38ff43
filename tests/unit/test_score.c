// SPDX-License-Identifier: BSD-2-Clause
/* The fast loop's score: who is suspect is avoided whatever he costs, and tried again. */
#include <criterion/criterion.h>
#include <stdint.h>

#include "larch/measure.h"

#define NOW    (1000ull << 30)
#define SECOND 1000000000ull

static const struct larch_cost near_cost = {.net = 200, .service = 100};
static const struct larch_cost far_cost = {.net = 80000, .service = 100};

static struct larch_live idle_live(void)
{
	return (struct larch_live){
		.asked = NOW >> 20,
		.concurrency = 4,
		.share = (1u << 16) / 4,
		.service_us = 100,
		.patience_us = LARCH_SILENCE_LEAST,
	};
}

static bool near_is_taken(const struct larch_live *near, uint64_t now)
{
	struct larch_live far = idle_live();

	return larch_score(&near_cost, near, now) < larch_score(&far_cost, &far, now);
}

/* A backend that refuses at once owes nothing and is never slow: that must not attract flows. */
Test(score, a_near_backend_that_refuses_everything_is_avoided)
{
	struct larch_live near = idle_live();

	cr_assert(near_is_taken(&near, NOW));
	near.failures = LARCH_SUSPECT_FAILURES;
	cr_assert(!near_is_taken(&near, NOW));
}

Test(score, few_failures_are_no_suspicion)
{
	struct larch_live near = idle_live();

	near.failures = LARCH_SUSPECT_FAILURES - 1;
	cr_assert(near_is_taken(&near, NOW));
}

/* One flow every two seconds: the others see that it has been asked, and wait for its answer. */
Test(score, who_is_suspect_is_tried_again_by_one)
{
	const __u64 later = NOW + ((__u64)LARCH_TRIED << 20);
	struct larch_live near = idle_live();

	near.failures = 1000000;
	cr_assert(!near_is_taken(&near, later - 1));
	cr_assert(near_is_taken(&near, later));
	larch_connect_begins(&near, later);
	cr_assert(!near_is_taken(&near, later));
	larch_accepted(&near);
	larch_connect_ends(&near);
	cr_assert(near_is_taken(&near, later));
}

/* The score was asked for by a CPU whose clock was read before the failure. */
Test(score, a_failure_of_this_moment_counts)
{
	struct larch_live near = idle_live();

	near.failures = LARCH_SUSPECT_FAILURES;
	near.asked++;
	cr_assert(!near_is_taken(&near, NOW));
}

/* So many ask for answers, or to be connected, at this time. */
static void ask(struct larch_live *live, unsigned clients, __u64 now)
{
	while (clients--)
		larch_answer_awaited(live, now);
}

static void open_flows(struct larch_live *live, unsigned clients, __u64 now)
{
	while (clients--)
		larch_connect_begins(live, now);
}

Test(score, a_near_backend_that_has_fallen_silent_is_avoided)
{
	struct larch_live near = idle_live();

	ask(&near, LARCH_SILENCE_WAIT, NOW);
	cr_assert(near_is_taken(&near, NOW + 10000000));
	cr_assert(!near_is_taken(&near, NOW + SECOND));
	larch_gave(&near, NOW + SECOND);
	cr_assert(near_is_taken(&near, NOW + SECOND));
}

/* The kernel takes connections for a server that hangs. */
Test(score, connections_are_no_answers)
{
	struct larch_live near = idle_live();

	ask(&near, LARCH_SILENCE_WAIT, NOW);
	for (int i = 0; i < 10; i++) {
		open_flows(&near, 1, NOW + SECOND);
		larch_accepted(&near);
		larch_connect_ends(&near);
	}
	cr_assert(!near_is_taken(&near, NOW + SECOND));
}

Test(score, a_backend_that_takes_no_connections_is_avoided)
{
	struct larch_live near = idle_live();

	open_flows(&near, LARCH_SILENCE_WAIT, NOW);
	cr_assert(near_is_taken(&near, NOW + 10000000));
	cr_assert(!near_is_taken(&near, NOW + SECOND));
	larch_accepted(&near);
	larch_connect_ends(&near);
	cr_assert(near_is_taken(&near, NOW + SECOND));
}

/* Who connects and asks nothing is owed nothing. */
Test(score, flows_that_never_ask_are_no_silence)
{
	struct larch_live near = idle_live();

	for (int i = 0; i < 100; i++) {
		open_flows(&near, 1, NOW);
		larch_accepted(&near);
		larch_connect_ends(&near);
	}
	near.in_flight = 1;
	near.asked = (NOW + SECOND) >> 20;
	cr_assert(near_is_taken(&near, NOW + SECOND));
}

/* Long polls at a backend that others ask for short things, now and then. */
Test(score, one_or_two_long_requests_are_no_silence)
{
	struct larch_live near = idle_live();

	ask(&near, LARCH_SILENCE_WAIT - 1, NOW);
	cr_assert_eq(larch_silence(&near, NOW + SECOND), 0);
	larch_gave(&near, NOW + SECOND);
	ask(&near, LARCH_SILENCE_WAIT - 1, NOW + SECOND);
	cr_assert_eq(larch_silence(&near, NOW + 2 * SECOND), 0);
}

/* The long ones began hours ago; that was no time in which others waited in vain. */
Test(score, silence_begins_with_the_first_who_waits_since_the_last_answer)
{
	struct larch_live near = idle_live();
	const __u64 now = NOW + 7200 * SECOND;

	ask(&near, LARCH_SILENCE_WAIT, NOW);
	larch_gave(&near, NOW);
	ask(&near, LARCH_SILENCE_WAIT, now);
	cr_assert_eq(larch_silence(&near, now), 0);
	cr_assert_eq(larch_silent_ns(&near, now + SECOND) >> 20, SECOND >> 20);
}

Test(score, uploads_are_no_silence)
{
	struct larch_live near = idle_live();

	ask(&near, LARCH_SILENCE_WAIT, NOW);
	for (int i = 0; i < LARCH_UPLOAD * LARCH_SILENCE_WAIT; i++)
		larch_uploads(&near);
	cr_assert_gt(larch_silence(&near, NOW + SECOND), LARCH_SILENCE_SUSPECT,
		     "a kernel takes that much, though nobody reads it");
	larch_uploads(&near);
	cr_assert_eq(larch_silence(&near, NOW + SECOND), 0);
	larch_gave(&near, NOW + SECOND);
	cr_assert_eq(near.uploads, 0);
}

Test(score, who_has_not_been_asked_for_long_is_not_silent)
{
	const __u64 later = NOW + ((__u64)LARCH_TRIED << 20);
	struct larch_live near = idle_live();

	ask(&near, LARCH_SILENCE_WAIT, NOW);
	cr_assert(near_is_taken(&near, later));
	ask(&near, 1, later);
	cr_assert(!near_is_taken(&near, later), "the one who tries it has found nothing yet");
}

Test(score, where_nobody_waits_there_is_no_silence)
{
	struct larch_live near = idle_live();

	ask(&near, LARCH_SILENCE_WAIT, NOW);
	for (int i = 0; i < LARCH_SILENCE_WAIT; i++)
		larch_released(&near);
	cr_assert(near_is_taken(&near, NOW + SECOND));
}

/* More than can be counted, and clocks of CPUs that differ. */
Test(score, a_crowd_that_waits_is_silence)
{
	struct larch_live near = idle_live();

	ask(&near, 100000, NOW);
	cr_assert_eq(near.requests.count, LARCH_WAIT_MOST);
	cr_assert_gt(larch_silence(&near, NOW + SECOND), LARCH_SILENCE_SUSPECT);
	cr_assert_eq(larch_silence(&near, NOW - 5000000), 0);
}

/* Answers as slow as they may count never make a suspect. */
Test(score, slow_answers_are_no_suspicion)
{
	struct larch_live near = idle_live();

	near.slowdown = LARCH_SLOWDOWN_ONE;
	near.updated = NOW;
	for (int i = 0; i < 1000; i++)
		near.slowdown = larch_slowdown_sample(near.slowdown, 60000000, 1);
	cr_assert_leq(near.slowdown, LARCH_SLOWDOWN_SAMPLE_MOST);
	cr_assert(near_is_taken(&near, NOW));
}

/* Connects that nobody will complete, in any number, are no work: those who are served say who is
 * busy. */
Test(score, a_flood_of_syns_makes_nobody_look_busy)
{
	struct larch_live near = idle_live(), flooded = idle_live();
	struct larch_measurement found = {.server_us = 100, .now = NOW};

	near.in_flight = flooded.in_flight = 2;
	for (int i = 0; i < 10000; i++)
		larch_connect_begins(&flooded, NOW);
	cr_assert_leq(larch_queue(&flooded), 2 * larch_queue(&near) + near.concurrency);
	cr_assert(near_is_taken(&flooded, NOW));
	found.queue = larch_request_begins(&flooded, NOW);
	cr_assert_eq(found.queue, 2);
	cr_assert_eq(larch_work_us(&flooded, &found), 100);
}

/* Two clients a tenth of a second connect, and nobody is let in; requests may take 100 ms. */
Test(score, connects_do_not_wait_for_requests_before_them)
{
	struct larch_live near = idle_live();
	__u64 now = NOW;

	near.service_us = 18000;
	near.patience_us = LARCH_SILENCE * 4 * 28000;
	for (int i = 0; i < 4; i++, now += 50000000)
		larch_connect_begins(&near, now);
	cr_assert(!near_is_taken(&near, now));
	cr_assert(larch_sick(&near, now));
	cr_assert_eq(larch_silence(&near, NOW + 20000000), 0, "the way has its time");
	larch_accepted(&near);
	cr_assert(near_is_taken(&near, now));
}

/* However many there are: who is said to be dead by forged SYNs alone would lose its clients. */
Test(score, more_connects_than_could_be_served_are_no_silence)
{
	const int floods[] = {100, LARCH_WAIT_MOST, 10000};

	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
		struct larch_live live = idle_live();

		live.service_us = 18000;
		live.patience_us = LARCH_SILENCE * 4 * 28000;
		for (int j = 0; j < floods[i]; j++)
			larch_connect_begins(&live, NOW);
		cr_expect(!larch_sick(&live, NOW + 200000000), "%d", floods[i]);
	}
}

Test(score, connects_count_as_the_requests_that_they_will_be)
{
	struct larch_live live = idle_live();

	larch_connect_begins(&live, NOW);
	larch_connect_begins(&live, NOW);
	cr_assert_eq(larch_queue(&live), 2);
	larch_gave(&live, NOW);
	larch_connect_ends(&live);
	cr_assert_eq(larch_request_begins(&live, NOW), 0);
	cr_assert_eq(larch_queue(&live), 2);
	/* Counts of several CPUs may be seen in any order. */
	live.connecting = 5;
	cr_assert_leq(larch_queue(&live), 4);
	live.connecting = -1;
	cr_assert_eq(larch_queue(&live), 2);
}

/* One answer that took for ever is a tail; a second of them is trouble. */
Test(score, slowness_is_found_within_a_dozen_answers_and_not_by_one)
{
	__u32 slowdown = LARCH_SLOWDOWN_ONE;
	int answers = 0;

	slowdown = larch_slowdown_sample(slowdown, 60000000, 1);
	cr_assert_lt(slowdown, LARCH_SLOWDOWN_NOISE);
	for (; slowdown < LARCH_SLOWDOWN_SICK; answers++)
		slowdown = larch_slowdown_sample(slowdown, 60000000, 1);
	cr_assert_leq(answers, 12);
}

Test(score, who_is_slow_or_suspect_is_sick)
{
	struct larch_live live = idle_live();

	cr_assert(!larch_sick(&live, NOW));
	live.slowdown = LARCH_SLOWDOWN_SICK;
	live.updated = NOW;
	cr_assert(larch_sick(&live, NOW));
	cr_assert(!larch_sick(&live, NOW + SECOND));
	live.failures = LARCH_SUSPECT_FAILURES;
	cr_assert(larch_sick(&live, NOW + SECOND));
}

/* Who waited while it hung learned nothing of what it is like. */
Test(score, answers_after_a_silence_are_neither_work_nor_slowness)
{
	struct larch_live live = idle_live();
	struct larch_measurement late = {
		.response_us = 1000000, .server_us = 1000000, .now = NOW + SECOND};
	struct larch_measurement next = {
		.response_us = 800, .server_us = 800, .now = NOW + SECOND + 10000000};

	live.service_us = 200;
	ask(&live, 9, NOW);
	larch_gave(&live, late.now);
	cr_assert_eq(larch_work_us(&live, &late), 200);
	larch_slowdown_learn(&live, &near_cost, &late);
	cr_assert_eq(live.slowdown, 0);
	late.now += 5000000; /* the next of them */
	larch_gave(&live, late.now);
	cr_assert_eq(larch_work_us(&live, &late), 200);
	cr_assert_eq(larch_work_us(&live, &next), 800, "asked after the silence");
}

static __u64 work_at(struct larch_live *live, __u64 now)
{
	struct larch_measurement found = {.response_us = 800, .server_us = 800, .now = now};

	return larch_work_us(live, &found);
}

/* What is passing belongs to the fast loop, what lasts to the tree. */
Test(score, slowness_is_taken_out_of_the_work_unless_it_lasts)
{
	struct larch_live live = idle_live();
	struct larch_cost cost = near_cost;
	struct larch_measurement found = {.response_us = 1000, .server_us = 800};

	cr_assert_eq(work_at(&live, NOW), 800);
	for (found.now = NOW; found.now < NOW + 20 * SECOND; found.now += SECOND / 100)
		larch_slowdown_learn(&live, &cost, &found);
	cr_assert_geq(live.slowdown, 6 * LARCH_SLOWDOWN_ONE);
	cr_assert_leq(work_at(&live, found.now), 800 / 6);
	for (; found.now < NOW + 31 * SECOND; found.now += SECOND / 100)
		larch_slowdown_learn(&live, &cost, &found);
	cr_assert_eq(work_at(&live, found.now), 800);
	cost.service = 800;
	for (; found.now < NOW + 33 * SECOND; found.now += SECOND / 100)
		larch_slowdown_learn(&live, &cost, &found);
	cr_assert_eq(live.slow_since, 0);
}

Test(score, of_suspects_alone_the_cheapest_is_taken)
{
	struct larch_live near = idle_live(), far = idle_live();

	near.failures = far.failures = 9;
	cr_assert_lt(larch_score(&near_cost, &near, NOW), larch_score(&far_cost, &far, NOW));
}
