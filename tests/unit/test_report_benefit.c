// SPDX-License-Identifier: BSD-2-Clause
/* What benefit says where there is nothing to compare, and explain of a flow of the control arm. */
#include "clock.h"
#include "larch/score.h"
#include "report_world.h"

TestSuite(report_benefit, .init = report_begin, .fini = report_end);

/* Of a control flow whose first candidate is sick, the one that takes it is told, too. */
Test(report_benefit, explain_shows_the_candidate_that_spares_a_control_flow)
{
	struct larch_live *live = world.scene->live;
	const json_t *candidates, *taken;
	json_t *answer;
	char text[300];

	snprintf(text, sizeof(text),
		 "{\"command\":\"explain\",\"source\":\"10.1.0.1\",\"source_port\":%u,"
		 "\"destination\":\"203.0.113.10\",\"destination_port\":443,"
		 "\"protocol\":\"tcp\"}",
		 scene_port(world.scene, "10.1.0.1", LARCH_ARM_CONTROL, false));
	for (unsigned i = 0; i < SCENE_MEMBERS; i++) {
		live[SCENE_FIRST + i].failures = LARCH_SUSPECT_FAILURES;
		live[SCENE_FIRST + i].asked = (uint32_t)(clock_now() >> 20);
		answer = report_ask(text);
		candidates = json_object_get(answer, "candidates");
		taken = json_array_get(candidates, json_array_size(candidates) - 1);
		cr_expect(json_is_true(json_object_get(taken, "chosen")));
		cr_expect_str_eq(report_word(taken, "backend"),
				 report_word(json_object_get(answer, "new"), "backend"));
		json_decref(answer);
		live[SCENE_FIRST + i].failures = 0;
	}
}

static const char *benefit_verdict(double low, double high, bool enough)
{
	static char verdict[32];
	struct judge_report *report = &world.controller->service[3].report;
	json_t *answer;

	report->enough = enough;
	report->mean = (struct judge_quantile){.ratio = 1, .ratio_low = low, .ratio_high = high};
	answer = report_ask("{\"command\":\"benefit\"}");
	snprintf(verdict, sizeof(verdict), "%s",
		 report_word(report_first(answer, "services"), "verdict"));
	json_decref(answer);
	return verdict;
}

Test(report_benefit, benefit_needs_the_whole_interval_on_one_side)
{
	world.controller->service[3].judged_steering = true;
	cr_assert_str_eq(benefit_verdict(1.1, 1.3, true), "better");
	cr_assert_str_eq(benefit_verdict(0.9, 1.3, true), "no difference");
	cr_assert_str_eq(benefit_verdict(0.7, 0.9, true), "worse");
	cr_assert_str_eq(benefit_verdict(1.1, 1.3, false), "not enough");
}

/* One look in twenty finds a difference between arms that are steered alike. */
Test(report_benefit, benefit_of_what_does_not_steer_is_none)
{
	struct service *service = &world.controller->service[3];

	service->state = SERVICE_SHADOW;
	service->reason = "learns, but steers nothing";
	cr_assert_str_eq(benefit_verdict(1.1, 1.3, true), "not steering");
	service->state = SERVICE_JUDGED; /* what it was judged by stays */
	cr_assert_str_eq(benefit_verdict(0.7, 0.9, true), "worse");
}

Test(report_benefit, benefit_without_samples_has_no_values)
{
	json_t *answer = report_ask("{\"command\":\"benefit\"}");
	const json_t *value = report_first(report_first(answer, "services"), "values");

	cr_assert(json_is_null(json_object_get(value, "learned_us")));
	cr_assert(json_is_null(json_object_get(value, "ratio")));
	json_decref(answer);
}
