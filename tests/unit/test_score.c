// SPDX-License-Identifier: BSD-2-Clause
/* The fast loop's score: who is suspect is avoided whatever he costs, and tried again. */
#include <criterion/criterion.h>
#include <stdint.h>

#include "larch/score.h"

#define NOW    (1000ull << 30)
#define SECOND 1000000000ull

static const struct larch_cost near_cost = {.net = 200, .service = 100};
static const struct larch_cost far_cost = {.net = 80000, .service = 100};

static struct larch_live idle_live(void)
{
	return (struct larch_live){
		.answered = NOW,
		.concurrency = 4,
		.share = (1u << 16) / 4,
		.service_us = 100,
		.patience_us = LARCH_SILENCE_LEAST,
	};
}

static bool near_is_taken(const struct larch_live *near, uint64_t now)
{
	struct larch_live far = idle_live();

	far.answered = now;
	return larch_score(&near_cost, near, now) < larch_score(&far_cost, &far, now);
}

/* A backend that refuses at once owes nothing and is never slow: that must not attract flows. */
Test(score, a_near_backend_that_refuses_everything_is_avoided)
{
	struct larch_live near = idle_live();

	cr_assert(near_is_taken(&near, NOW));
	near.failures = LARCH_SUSPECT_FAILURES;
	near.failed = NOW;
	cr_assert(!near_is_taken(&near, NOW));
}

Test(score, few_failures_are_no_suspicion)
{
	struct larch_live near = idle_live();

	near.failures = LARCH_SUSPECT_FAILURES - 1;
	near.failed = NOW;
	cr_assert(near_is_taken(&near, NOW));
}

Test(score, who_is_suspect_is_tried_again)
{
	struct larch_live near = idle_live();

	near.failures = 1000000;
	near.failed = NOW;
	cr_assert(!near_is_taken(&near, NOW + LARCH_SUSPECT_NS - 1));
	cr_assert(near_is_taken(&near, NOW + LARCH_SUSPECT_NS));
}

/* The score was asked for by a CPU whose clock was read before the failure. */
Test(score, a_failure_of_this_moment_counts)
{
	struct larch_live near = idle_live();

	near.failures = LARCH_SUSPECT_FAILURES;
	near.failed = NOW + 1000;
	cr_assert(!near_is_taken(&near, NOW));
}

Test(score, a_near_backend_that_has_fallen_silent_is_avoided)
{
	struct larch_live near = idle_live();

	near.in_flight = 1;
	cr_assert(near_is_taken(&near, NOW + 10000000));
	cr_assert(!near_is_taken(&near, NOW + SECOND));
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

Test(score, of_suspects_alone_the_cheapest_is_taken)
{
	struct larch_live near = idle_live(), far = idle_live();

	near.failures = far.failures = 9;
	near.failed = far.failed = NOW;
	cr_assert_lt(larch_score(&near_cost, &near, NOW), larch_score(&far_cost, &far, NOW));
}
