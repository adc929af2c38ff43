// SPDX-License-Identifier: BSD-2-Clause
// How a service's backends come and go, as the configuration says it.
#include "config_accepted.h"
#include "config_refusal.h"

Test(config_lifecycle, what_is_taken_without_a_word)
{
	struct config_service web = service_of(WEB "...\n");

	cr_expect_float_eq(web.slow_start, 5, 1e-12);
	cr_expect_float_eq(web.panic_threshold, 0.5, 1e-12);
	cr_expect_float_eq(web.eject_for, 5, 1e-12);
	cr_expect_float_eq(web.eject_most, 0.3, 1e-12);
}

Test(config_lifecycle, slow_start_and_panic_can_be_chosen)
{
	struct config_service web =
		service_of(WEB "    slow_start: 2m\n    panic_threshold: 0.3\n...\n");

	cr_expect_float_eq(web.slow_start, 120, 1e-12);
	cr_expect_float_eq(web.panic_threshold, 0.3, 1e-12);
	web = service_of(WEB "    slow_start: 0s\n    panic_threshold: 0\n...\n");
	cr_expect_float_eq(web.slow_start, 0, 1e-12);
	cr_expect_float_eq(web.panic_threshold, 0, 1e-12);
}

Test(config_lifecycle, what_makes_no_sense_is_refused)
{
	EXPECT_REFUSALS(
		{WEB "    slow_start: 5\n...\n",
		 "8:17: services[0].slow_start: slow_start is '5'; expected a time from 0ms to 60m "
		 "such as 250ms, 1.5s or 2m"},
		{WEB "    slow_start: 61m\n...\n",
		 "8:17: services[0].slow_start: slow_start is '61m'; expected a time from 0ms to "
		 "60m such as 250ms, 1.5s or 2m"},
		{WEB "    panic_threshold: 50\n...\n",
		 "8:22: services[0].panic_threshold: panic_threshold is '50'; expected a number "
		 "from "
		 "0 to 1"},
		{WEB "    eject_for: 11m\n    eject_most: 2\n...\n",
		 "8:16: services[0].eject_for: eject_for is '11m'; expected a time from 0ms to 10m "
		 "such as 250ms, 1.5s or 2m\n"
		 "9:17: services[0].eject_most: eject_most is '2'; expected a number from 0 to "
		 "1"}, );
}
