// SPDX-License-Identifier: BSD-2-Clause
/* What `signal: auto` comes down to, and back: by which evidence, how soon, how often. */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>

#include "fallback.h"

static struct fallback fallback;
static struct larch_evidence counted;

static void begin(void)
{
	fallback_begin(&fallback, LARCH_SIGNAL_RESPONSE);
	memset(&counted, 0, sizeof(counted));
	fallback_tick(&fallback, &counted, 1);
}

TestSuite(fallback, .init = begin);

/* A second of 100 sessions of 3 requests each, all in turn. */
static const struct larch_evidence good = {
	.opened = 100,
	.sessions = 100,
	.requests = 300,
	.answered = 300,
	.timed = 300,
};

static void add(const struct larch_evidence *more)
{
	uint64_t *to = (uint64_t *)&counted;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < sizeof(counted) / sizeof(*to); i++)
		to[i] += from[i];
}

/* So many seconds of this, as far as the signal lets it be seen; until the signal changes. */
static unsigned seconds_of(const struct larch_evidence *more, unsigned most)
{
	struct larch_evidence connects = {.opened = more->opened, .unclear = more->unclear};

	for (unsigned i = 1; i <= most; i++) {
		if (fallback.signal >= LARCH_SIGNAL_RESPONSE)
			add(more);
		else if (fallback.signal == LARCH_SIGNAL_CONNECT)
			add(&connects);
		if (fallback_tick(&fallback, &counted, 1))
			return i;
	}
	return 0;
}

static struct larch_evidence overlapping(unsigned percent)
{
	struct larch_evidence some = good;

	some.overlapping = some.requests * percent / 100;
	return some;
}

static void expect_fall(struct larch_evidence bad, enum larch_signal signal, const char *reason)
{
	cr_assert_eq(seconds_of(&bad, 100), 2);
	cr_assert_eq(fallback.signal, signal);
	cr_assert_str_eq(fallback.reason, reason);
}

Test(fallback, what_comes_in_turn_is_timed_by_response)
{
	cr_assert_eq(seconds_of(&good, 10000), 0);
	cr_assert_eq(fallback.signal, LARCH_SIGNAL_RESPONSE);
	cr_assert_null(fallback.reason);
}

Test(fallback, a_server_that_speaks_first_is_timed_by_connect)
{
	struct larch_evidence bad = good;

	bad.server_first = 90;
	expect_fall(bad, LARCH_SIGNAL_CONNECT, "the server speaks first");
}

Test(fallback, requests_that_do_not_wait_are_not_timed)
{
	expect_fall(overlapping(20), LARCH_SIGNAL_CONNECT, "requests do not wait for answers");
}

Test(fallback, answers_that_come_too_soon_are_not_timed)
{
	struct larch_evidence bad = good;

	bad.early = 100;
	expect_fall(bad, LARCH_SIGNAL_CONNECT,
		    "answers come sooner than their requests can have arrived");
}

Test(fallback, where_hardly_any_answer_is_timed_connects_have_to_do)
{
	struct larch_evidence bad = good;

	bad.timed = 3;
	expect_fall(bad, LARCH_SIGNAL_CONNECT, "hardly any answer can be timed");
}

Test(fallback, without_clear_connects_nothing_is_timed)
{
	struct larch_evidence bad = good;

	bad.unclear = 100;
	expect_fall(bad, LARCH_SIGNAL_NONE, "SYNs are sent more than once");
}

Test(fallback, connect_may_fall_to_none)
{
	struct larch_evidence bad = overlapping(100);

	seconds_of(&bad, 10);
	cr_assert_eq(fallback.signal, LARCH_SIGNAL_CONNECT);
	bad.unclear = bad.opened;
	cr_assert_gt(seconds_of(&bad, 50), 0);
	cr_assert_eq(fallback.signal, LARCH_SIGNAL_NONE);
}

/* Connections that are kept are timed by their first answer alone, if the others are small. */
Test(fallback, long_sessions_of_small_answers_are_no_evidence)
{
	struct larch_evidence kept = {
		.opened = 25, .sessions = 25, .requests = 5000, .answered = 5000, .timed = 25};

	cr_assert_eq(seconds_of(&kept, 1000), 0);
}

Test(fallback, answers_that_take_long_are_no_evidence)
{
	struct larch_evidence slow = good;

	slow.answered = slow.timed = 0;
	cr_assert_eq(seconds_of(&slow, 10), 0);
	cr_assert_eq(seconds_of(&good, 10), 0);
}

Test(fallback, a_few_exceptions_are_no_evidence)
{
	struct larch_evidence some = overlapping(5);

	some.early = 30;
	some.server_first = 10;
	some.unclear = 20;
	cr_assert_eq(seconds_of(&some, 1000), 0);
}

Test(fallback, one_bad_moment_is_no_evidence)
{
	struct larch_evidence bad = overlapping(100);

	for (int i = 0; i < 100; i++) {
		cr_assert_eq(seconds_of(&bad, 1), 0);
		cr_assert_eq(seconds_of(&good, 1), 0);
	}
}

Test(fallback, little_traffic_takes_longer)
{
	struct larch_evidence one = {
		.opened = 1, .sessions = 1, .server_first = 1, .requests = 1, .answered = 1};

	cr_assert_eq(seconds_of(&one, 100), 40);
	cr_assert_eq(fallback.signal, LARCH_SIGNAL_CONNECT);
}

Test(fallback, what_was_counted_before_is_no_evidence)
{
	struct larch_evidence bad = overlapping(100);

	for (int i = 0; i < 100; i++)
		add(&bad);
	fallback_begin(&fallback, LARCH_SIGNAL_RESPONSE);
	cr_assert_not(fallback_tick(&fallback, &counted, 1));
	cr_assert_eq(seconds_of(&good, 100), 0);
}

static unsigned rest_of(const struct larch_evidence *evidence)
{
	unsigned seconds = seconds_of(evidence, 100000);

	cr_assert_eq(fallback.signal, LARCH_SIGNAL_WATCH);
	cr_assert_not_null(fallback.reason);
	return seconds;
}

Test(fallback, after_a_rest_response_comes_back_if_the_evidence_has_gone)
{
	struct larch_evidence bad = overlapping(50);

	seconds_of(&bad, 10);
	cr_assert_eq(rest_of(&good), (unsigned)FALLBACK_REST);
	cr_assert_eq(seconds_of(&good, 10), 2);
	cr_assert_eq(fallback.signal, LARCH_SIGNAL_RESPONSE);
	cr_assert_null(fallback.reason);
}

Test(fallback, rests_double_while_the_evidence_stays)
{
	struct larch_evidence bad = overlapping(50);
	double rest = FALLBACK_REST;

	seconds_of(&bad, 10);
	for (int i = 0; i < 12; i++) {
		cr_assert_eq(rest_of(&bad), (unsigned)rest);
		cr_assert_eq(seconds_of(&bad, 10), 1, "the first window must end the trial");
		cr_assert_eq(fallback.signal, LARCH_SIGNAL_CONNECT);
		rest = rest * 2 < FALLBACK_REST_MOST ? rest * 2 : FALLBACK_REST_MOST;
	}
	cr_assert_eq(rest, FALLBACK_REST_MOST);
}

Test(fallback, after_response_has_lasted_rests_are_short_again)
{
	struct larch_evidence bad = overlapping(50);

	seconds_of(&bad, 10);
	rest_of(&bad);
	seconds_of(&bad, 10);
	rest_of(&good);
	seconds_of(&good, 10);
	cr_assert_eq(seconds_of(&good, 200), 0);
	seconds_of(&bad, 10);
	cr_assert_eq(rest_of(&good), (unsigned)FALLBACK_REST);
}

/* Else a service on the edge would go to and fro. */
Test(fallback, the_way_back_asks_for_less_than_the_way_down)
{
	struct larch_evidence edge = overlapping(8), bad = overlapping(50);

	cr_assert_eq(seconds_of(&edge, 1000), 0);
	seconds_of(&bad, 10);
	rest_of(&edge);
	seconds_of(&edge, 10);
	cr_assert_eq(fallback.signal, LARCH_SIGNAL_CONNECT);
}

Test(fallback, while_nobody_asks_it_is_watched_and_nothing_changes)
{
	struct larch_evidence bad = overlapping(50), none = {};

	seconds_of(&bad, 10);
	rest_of(&none);
	cr_assert_eq(seconds_of(&none, 10000), 0);
	cr_assert_eq(fallback.signal, LARCH_SIGNAL_WATCH);
}

Test(fallback, what_had_fallen_back_before_a_restart_is_watched_first)
{
	fallback_begin(&fallback, LARCH_SIGNAL_CONNECT);
	cr_assert_eq(fallback.signal, LARCH_SIGNAL_WATCH);
	cr_assert_not_null(fallback.reason);
	cr_assert_not(fallback_tick(&fallback, &counted, 1));
	cr_assert_eq(seconds_of(&good, 10), 2);
	cr_assert_eq(fallback.signal, LARCH_SIGNAL_RESPONSE);
}
