// SPDX-License-Identifier: BSD-2-Clause
// Whether anybody answers a service's questions, in virtual time.
#include <criterion/criterion.h>

#include "../../user/agents.h"

#define TICK 1000 /* ms */

static struct agents agents;
static uint64_t now;
static uint32_t asked, answered;

static void begin(void)
{
	agents = (struct agents){};
	now = 5000;
	asked = 70; /* counted for an earlier daemon */
	answered = 20;
	cr_assert_eq(agents_step(&agents, now, asked, answered), AGENTS_SAME);
}

TestSuite(agents, .init = begin);

/* A tick in which so many questions were asked and answers came. */
static enum agents_news tick(uint32_t questions, uint32_t answers)
{
	now += TICK;
	asked += questions;
	answered += answers;
	return agents_step(&agents, now, asked, answered);
}

/* Ticks until there is news, at most so many; *took: how many. */
static enum agents_news wait(uint32_t questions, unsigned most, unsigned *took)
{
	for (*took = 1; *took <= most; ++*took) {
		enum agents_news news = tick(questions, 0);

		if (news != AGENTS_SAME)
			return news;
	}
	return AGENTS_SAME;
}

Test(agents, without_questions_nothing_is_known)
{
	unsigned took;

	cr_expect_eq(wait(0, 1000, &took), AGENTS_SAME);
	cr_expect_not(agents.silent);
}

Test(agents, questions_that_nobody_answers_are_given_up_after_three_seconds)
{
	unsigned took;

	cr_expect_eq(wait(5, 100, &took), AGENTS_SILENT);
	cr_expect_eq(took, 4, "%u ticks", took);
	cr_expect(agents.silent);
}

Test(agents, a_retransmitting_client_is_enough)
{
	cr_expect_eq(tick(3, 0), AGENTS_SAME);
	cr_expect_eq(tick(1, 0), AGENTS_SAME);
	cr_expect_eq(tick(0, 0), AGENTS_SAME);
	cr_expect_eq(tick(0, 0), AGENTS_SILENT);
}

Test(agents, two_lost_questions_prove_nothing)
{
	unsigned took;

	tick(2, 0);
	cr_expect_eq(wait(0, 1000, &took), AGENTS_SAME);
	/* Nor does a third that has had no time to be answered yet. */
	cr_expect_eq(tick(1, 0), AGENTS_SAME);
	cr_expect_eq(tick(0, 1), AGENTS_SAME);
	cr_expect_eq(tick(0, 0), AGENTS_SAME);
}

Test(agents, a_flood_of_packets_that_are_nobodys_leaves_them_on)
{
	for (unsigned i = 0; i < 100; i++) /* most agents are late, or lose them */
		cr_assert_eq(tick(10000, i % 3 == 0), AGENTS_SAME);
}

Test(agents, pauses_double_up_to_five_minutes)
{
	static const unsigned pauses[] = {30, 60, 120, 240, 300, 300};
	unsigned took;

	for (unsigned i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
		cr_assert_eq(wait(5, 100, &took), AGENTS_SILENT);
		cr_assert_eq(wait(0, 1000, &took), AGENTS_TRIED);
		cr_assert_eq(took, pauses[i], "pause %u: %u s", i, took);
		cr_assert_not(agents.silent);
	}
}

Test(agents, a_trial_waits_for_questions)
{
	unsigned took;

	wait(5, 100, &took);
	wait(0, 1000, &took);
	cr_expect_eq(wait(0, 1000, &took), AGENTS_SAME);
	cr_expect_eq(wait(5, 1000, &took), AGENTS_SILENT);
	cr_expect_eq(took, 4);
}

Test(agents, an_agent_that_comes_later_is_noticed_and_pauses_begin_anew)
{
	unsigned took;

	wait(5, 100, &took);
	wait(0, 1000, &took);
	cr_expect_eq(tick(5, 1), AGENTS_ANSWERED);
	cr_expect_eq(tick(5, 1), AGENTS_SAME);
	cr_expect_eq(wait(5, 100, &took), AGENTS_SILENT);
	cr_expect_eq(agents.pause_ms, AGENTS_FIRST_PAUSE);
}

Test(agents, a_late_answer_ends_the_silence)
{
	unsigned took;

	wait(5, 100, &took);
	cr_expect_eq(tick(0, 1), AGENTS_ANSWERED);
	cr_expect_not(agents.silent);
}

Test(agents, counters_may_wrap_and_begin_anew)
{
	unsigned took;

	agents = (struct agents){};
	asked = UINT32_MAX;
	agents_step(&agents, now, asked, answered);
	cr_expect_eq(wait(5, 100, &took), AGENTS_SILENT);
	cr_expect_eq(took, 4);
	agents = (struct agents){};
	agents_step(&agents, now, 4000, 4000);
	asked = answered = 0; /* somebody emptied them: no worse than an answer */
	cr_expect_eq(agents_step(&agents, now + TICK, 0, 0), AGENTS_SAME);
}
