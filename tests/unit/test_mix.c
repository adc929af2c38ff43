// SPDX-License-Identifier: BSD-2-Clause
/* Services that share backends: what one is like must not make another one's backend suspect. */
#include <criterion/criterion.h>
#include <string.h>

#include "larch/measure.h"
#include "publisher.h"

#define C   4
#define NOW (1000ull << 30)
#define MS  1000000ull

static const struct mix_part fast = {.demand = 900, .cost = {.net = 500, .service = 1000}};
static const struct mix_part slow = {.demand = 100, .cost = {.net = 500, .service = 200000}};
static const struct mix_part unknown = {.demand = 5000};

/* Backend 0 as the packet path sees it, if it owes an answer and has been silent since NOW. */
static struct larch_live live_with(const struct mix_part *part, size_t parts)
{
	static struct larch_live live[1];
	struct datapath datapath = {.live = live};
	struct mix mix = mix_of(part, parts);

	memset(live, 0, sizeof(live));
	publisher_live(&datapath, 0, C, &mix);
	live->updated = NOW;
	for (int i = 0; i < LARCH_SILENCE_WAIT; i++)
		larch_answer_awaited(live, NOW);
	return *live;
}

Test(mix, of_one_service_is_that_service)
{
	struct larch_live live = live_with(&fast, 1);

	cr_assert_eq(live.service_us, 1000);
	cr_assert_eq(live.concurrency, C + C / 2);
	cr_assert_eq(live.share, (1u << 16) / C);
	cr_assert_eq(live.patience_us, 8 * C * 1500);
}

Test(mix, a_slow_answer_of_one_service_is_no_silence_to_the_other)
{
	const struct mix_part both[][2] = {{fast, slow}, {slow, fast}};

	for (size_t i = 0; i < 2; i++) {
		struct larch_live live = live_with(both[i], 2);

		cr_assert_eq(larch_slowdown(&live, NOW + 800 * MS), LARCH_SLOWDOWN_ONE);
		live.asked = (__u32)((NOW + 10000 * MS) >> 20);
		cr_assert_gt(larch_slowdown(&live, NOW + 10000 * MS), LARCH_SLOWDOWN_NOISE);
	}
}

/* Behind nine requests of 1 ms and one of 200 ms. */
Test(mix, a_request_waits_for_those_of_both_services)
{
	struct mix_part both[] = {fast, slow};
	struct larch_live live = live_with(both, 2);
	struct larch_cost own = {.net = 500, .service = 1000};

	cr_assert_eq(live.service_us, 20900);
	cr_assert_eq(larch_predicted(&own, &live, live.concurrency + C - 1), 1000 + 20900);
}

/* What comes first or last changes nothing: once, whoever published last had it all. */
Test(mix, does_not_depend_on_the_order_of_services)
{
	struct mix_part one[] = {fast, slow}, other[] = {slow, fast};
	struct larch_live a = live_with(one, 2), b = live_with(other, 2);

	cr_assert_eq(a.service_us, b.service_us);
	cr_assert_eq(a.patience_us, b.patience_us);
	cr_assert_eq(a.concurrency, b.concurrency);
}

Test(mix, a_service_that_knows_nothing_says_nothing)
{
	struct mix_part both[] = {unknown, fast};
	struct larch_live live = live_with(both, 2);

	cr_assert_eq(live.service_us, 1000);
	live = live_with(&unknown, 1);
	cr_assert_eq(live.service_us, 0);
	cr_assert_eq(live.patience_us, 0);
	cr_assert_eq(live.concurrency, C);
	cr_assert_eq(larch_slowdown(&live, NOW + 100000 * MS), LARCH_SLOWDOWN_ONE);
}

Test(mix, without_any_demand_all_count_alike)
{
	struct mix_part both[] = {fast, slow};

	both[0].demand = both[1].demand = 0;
	cr_assert_eq(live_with(both, 2).service_us, 100500);
}

/* Samples of 1 us, true or faked, must not make a pause of the host a silence. */
Test(mix, nobody_is_silent_within_ten_milliseconds)
{
	struct mix_part part = {.demand = 1, .cost = {.net = 1, .service = 1}};
	struct larch_live live = live_with(&part, 1);

	cr_assert_eq(larch_slowdown(&live, NOW + 10 * MS), LARCH_SLOWDOWN_ONE);
}

Test(mix, absurd_costs_stay_within_bounds)
{
	struct mix_part part = {.demand = 1, .cost = {.net = 60e6, .service = 1}};
	struct larch_live live = live_with(&part, 1);

	cr_assert_eq(live.concurrency, 65535);
	part.cost = (struct cost){60e6, 60e6};
	live = live_with(&part, 1);
	cr_assert_eq(live.patience_us, 8u * C * 120000000u);
}
