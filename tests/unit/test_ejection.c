// SPDX-License-Identifier: BSD-2-Clause
/* Backends that clients find dead leave the rings, and come back. */
#include <criterion/criterion.h>

#include "clock.h"
#include "ejection.h"
#include "larch/measure.h"
#include "larch/score.h"

#define LOOK_NS (100 * NS_PER_MS)
#define CROWD	LARCH_SILENCE_WAIT

static struct ejection ejection;
static struct ejection_rules rules = {.first_ns = 5 * NS_PER_S};
static uint64_t now = 1000 * NS_PER_S;

/* So many seconds of trouble, or of peace; returns how often it has changed. */
static unsigned pass(double seconds, bool trouble)
{
	unsigned changes = 0;

	for (uint64_t end = now + (uint64_t)(seconds * 1e9); now < end; now += LOOK_NS)
		changes += ejection_watch(&ejection, trouble, true, &rules, now) != EJECTION_STAYS;
	return changes;
}

Test(ejection, trouble_that_lasts_sends_it_out_within_a_second)
{
	cr_assert_eq(pass(0.3, true), 0);
	cr_assert_eq(pass(0.2, true), 1);
	cr_assert(ejection.out);
}

Test(ejection, trouble_that_passes_does_not)
{
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(pass(0.3, true), 0);
		cr_assert_eq(pass(0.1, false), 0);
	}
}

Test(ejection, it_comes_back_by_itself)
{
	pass(0.5, true);
	cr_assert_eq(pass(4.5, false), 0);
	cr_assert_eq(pass(1, false), 1);
	cr_assert_not(ejection.out);
}

Test(ejection, who_fails_again_soon_is_out_longer_each_time)
{
	uint64_t last = 0;

	for (int i = 0; i < 6; i++) {
		while (!ejection.out)
			pass(0.1, true);
		cr_assert(ejection.lasts_ns > last || ejection.lasts_ns == 600 * NS_PER_S);
		last = ejection.lasts_ns;
		while (ejection.out)
			pass(0.1, true);
	}
	cr_assert_eq(last, 600 * NS_PER_S);
}

Test(ejection, a_good_minute_is_forgiven)
{
	pass(10, true);
	pass(100, true);
	cr_assert(ejection.lasts_ns > rules.first_ns);
	pass(1000, false);
	pass(0.5, true);
	cr_assert(ejection.out);
	cr_assert_eq(ejection.lasts_ns, rules.first_ns);
}

/* Two short outages that have nothing to do with each other: the second is as short as the first.
 */
Test(ejection, two_outages_minutes_apart_are_two_first_ones)
{
	pass(5, true);
	pass(70, false);
	pass(5, true);
	cr_assert(ejection.out);
	cr_assert_eq(ejection.lasts_ns, rules.first_ns);
	pass(50, false);
	pass(1, true); /* it must stay now, but that is no good minute */
	pass(20, false);
	pass(1, true);
	cr_assert(ejection.out);
	cr_assert_gt(ejection.lasts_ns, rules.first_ns);
}

Test(ejection, one_that_flaps_changes_twice_a_minute_at_most)
{
	uint64_t at[1000];
	size_t changes = 0;

	for (int second = 0; second < 3600; second++) {
		for (int i = 0; i < 10; i++, now += LOOK_NS) {
			if (ejection_watch(&ejection, i < 5, true, &rules, now) != EJECTION_STAYS)
				at[changes++] = now;
		}
	}
	cr_assert_gt(changes, 4);
	for (size_t i = 2; i < changes; i++)
		cr_assert_geq(at[i] - at[i - 2], 60 * NS_PER_S);
}

Test(ejection, nobody_goes_whom_the_service_needs)
{
	for (int i = 0; i < 100; i++, now += LOOK_NS)
		cr_assert_eq(ejection_watch(&ejection, true, false, &rules, now), EJECTION_STAYS);
	rules.first_ns = 0;
	cr_assert_eq(pass(10, true), 0);
}

Test(ejection, three_fresh_failures_in_a_row_are_trouble)
{
	struct larch_live live = {.failures = 2, .asked = (uint32_t)(now >> 20)};

	cr_assert_null(ejection_trouble(&live, CROWD, now));
	live.failures = 3;
	cr_assert_not_null(ejection_trouble(&live, CROWD, now + NS_PER_S / 2));
	cr_assert_null(ejection_trouble(&live, CROWD, now + 3 * NS_PER_S));
}

Test(ejection, silence_is_trouble_if_several_wait_beyond_patience)
{
	struct larch_live live = {.patience_us = 20000};

	for (int i = 0; i < 3; i++)
		larch_answer_awaited(&live, now + i * 50 * NS_PER_MS);
	cr_assert_null(ejection_trouble(&live, CROWD, now + NS_PER_S / 5));
	cr_assert_not_null(ejection_trouble(&live, CROWD, now + NS_PER_S / 2));
	live.requests.count = 2;
	cr_assert_null(ejection_trouble(&live, CROWD, now + NS_PER_S / 2));
	live.requests.count = 3;
	live.in_flight = 0;
	cr_assert_null(ejection_trouble(&live, CROWD, now + NS_PER_S / 2));
	live.in_flight = 1;
	live.asked = (uint32_t)((now + 100 * NS_PER_S) >> 20);
	live.patience_us = 0; /* for ever */
	cr_assert_null(ejection_trouble(&live, CROWD, now + 100 * NS_PER_S));
	live.patience_us = 1000000; /* long requests */
	live.asked = (uint32_t)((now + 3 * NS_PER_S) >> 20);
	cr_assert_null(ejection_trouble(&live, CROWD, now + 3 * NS_PER_S));
}

/* A network that fails takes all its clients at once. */
Test(ejection, who_has_asked_in_one_moment_may_have_vanished)
{
	struct larch_live live = {.patience_us = 20000};

	for (int i = 0; i < 40; i++)
		larch_answer_awaited(&live, now + i * NS_PER_MS);
	cr_assert_null(ejection_trouble(&live, CROWD, now + NS_PER_S));
	larch_answer_awaited(&live, now + NS_PER_S / 2);
	cr_assert_not_null(ejection_trouble(&live, CROWD, now + NS_PER_S));
	cr_assert_null(ejection_trouble(&live, 50, now + NS_PER_S));
}

/* Requests in vain, of a thousand. */
static unsigned crowd_of(unsigned in_vain)
{
	struct larch_evidence evidence = {};
	struct ejection_odds odds = {};

	ejection_count(&odds, &evidence, 1);
	evidence.requests = 1000;
	evidence.answered = 1000 - in_vain;
	ejection_count(&odds, &evidence, 1);
	return ejection_crowd(&odds);
}

Test(ejection, the_more_ask_in_vain_the_more_it_takes)
{
	cr_assert_eq(crowd_of(0), LARCH_SILENCE_WAIT);
	cr_assert_leq(crowd_of(10), 5);
	cr_assert_eq(crowd_of(500), 30);
	cr_assert_eq(crowd_of(1000), LARCH_WAIT_MOST);
}

/* ---- over a restart ---- */

static struct ejection restored(const struct ejection *known)
{
	struct ejection after = {};

	ejection_restore(&after, known->back_ns, known->lasts_ns, now);
	return after;
}

Test(ejection, a_restart_leaves_it_out_for_the_rest_of_its_time)
{
	pass(0.5, true);
	cr_assert_eq(pass(2, false), 0);
	ejection = restored(&ejection);
	cr_assert(ejection.out);
	cr_assert_eq(pass(2.4, false), 0);
	cr_assert_eq(pass(1, false), 1);
	cr_assert_not(ejection.out);
}

Test(ejection, a_restart_does_not_make_the_next_one_the_first)
{
	pass(0.5, true);
	pass(6, false);
	ejection = restored(&ejection);
	cr_assert_not(ejection.out);
	cr_assert_eq(pass(50, true), 0, "within a minute of its return");
	cr_assert_eq(pass(15, true), 1);
	cr_assert_eq(ejection.lasts_ns, 60 * NS_PER_S);
}

Test(ejection, what_cannot_be_is_not_restored)
{
	const struct ejection impossible[] = {
		{.back_ns = now + 10 * NS_PER_S, .lasts_ns = 5 * NS_PER_S}, /* the host's, before */
		{.back_ns = now + 1, .lasts_ns = UINT64_MAX},
		{.back_ns = now - 301 * NS_PER_S, .lasts_ns = 5 * NS_PER_S}, /* forgiven */
		{},
	};

	for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
		struct ejection after = restored(&impossible[i]);

		cr_expect_not(after.out, "%zu", i);
		cr_expect_eq(after.back_ns, 0, "%zu", i);
	}
}
