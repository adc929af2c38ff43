// SPDX-License-Identifier: BSD-2-Clause
// How long requests took by how many others they met: what tells a backend's concurrency.
#include <string.h>

#include "conversation.h"
#include "larch/score.h"

TestSuite(bands, .init = conversation_begin, .fini = balancer_close);

/* Another connection of the client. */
static void next_client(void)
{
	client.source_port++;
	conversation_go_on();
}

static struct larch_bands *bands(void)
{
	return &balancer.bands[live() - balancer.live];
}

/* All bands of the backend but one are empty. */
static void expect_only_band(uint32_t band)
{
	for (uint32_t i = 0; i < LARCH_BANDS; i++)
		cr_assert_eq(bands()->band[i].requests, i == band, "band %u", i);
}

Test(bands, a_time_counts_in_the_band_of_the_queue_that_it_met)
{
	const struct {
		int32_t queue;
		uint32_t band;
	} met[] = {{-3, 0}, {0, 0},  {1, 1},	{3, 3},	   {5, 4},	 {6, 5},
		   {8, 6},  {15, 7}, {100, 13}, {191, 14}, {1 << 20, 15}};

	for (size_t i = 0; i < COUNT(met); i++) {
		struct larch_samples before = samples(), found;

		memset(bands(), 0, sizeof(*bands()));
		live()->slowdown = live()->slow_since = 0;
		next_client();
		found = exchange_under_load(met[i].queue, 4);
		expect_only_band(met[i].band);
		cr_assert_eq(bands()->band[met[i].band].server_us,
			     found.server_us - before.server_us);
		cr_assert_eq(bands()->band[met[i].band].response_us,
			     found.response_us - before.response_us);
	}
}

/* With little concurrency requests that meet many take long, too: that must not be left out. */
Test(bands, what_a_slowed_backend_takes_says_nothing_of_its_concurrency_unless_that_is_why)
{
	live()->slowdown = 10 * LARCH_SLOWDOWN_ONE;
	live()->updated = FAR_FUTURE;
	live()->slow_since = (uint32_t)(clock_now() >> 20);
	exchange_under_load(6, 4);
	expect_only_band(LARCH_BANDS);
	next_client();
	exchange_under_load(24, 4);
	expect_only_band(9);
	memset(bands(), 0, sizeof(*bands()));
	live()->slow_since = (uint32_t)(clock_now() >> 20) - LARCH_SLOWDOWN_LASTS;
	next_client();
	exchange_under_load(6, 4);
	expect_only_band(5);
}
