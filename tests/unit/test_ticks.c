// SPDX-License-Identifier: BSD-2-Clause
// The kernel's tick counter, by which flows are stamped.
#include <criterion/criterion.h>
#include <time.h>
#include <unistd.h>

#include "datapath_ticks.h"

Test(ticks, a_stamp_lasts_about_nine_seconds_at_every_usual_rate)
{
	static const uint32_t rates[] = {100, 250, 300, 1000};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		double seconds = (double)(1u << datapath_ticks_shift(rates[i])) / rates[i];

		cr_assert_geq(seconds, 6.8);
		cr_assert_leq(seconds, 10.3);
	}
}

Test(ticks, the_counter_runs_at_the_measured_rate)
{
	const struct timespec pause = {.tv_nsec = 200000000};
	int fd = datapath_ticks_open();
	uint32_t rate, begun, run;

	cr_assert_geq(fd, 0, "cannot load a program (are you root?)");
	rate = datapath_ticks_rate(fd);
	begun = datapath_ticks_read(fd);
	nanosleep(&pause, NULL);
	run = datapath_ticks_read(fd) - begun;
	/* A busy machine may sleep for longer, not for less. */
	cr_assert_geq(run + 2, rate / 5);
	cr_assert_leq(run, rate);
	close(fd);
}
