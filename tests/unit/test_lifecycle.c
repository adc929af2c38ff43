// SPDX-License-Identifier: BSD-2-Clause
/* Backends come and go: whether they take new flows, and why. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "clock.h"
#include "lifecycle.h"

#define MEMBERS 8

static struct lifecycle life[MEMBERS];
static struct lifecycle_now now;
static struct lifecycle_rules rules;
static struct lifecycle_count count;

static void pass(double seconds)
{
	now.ns += (uint64_t)(seconds * 1e9);
	now.wall += (time_t)seconds;
	lifecycle_update(life, MEMBERS, &rules, &now, &count);
}

static void begin(bool warm)
{
	now = (struct lifecycle_now){.ns = 100 * NS_PER_S, .wall = 1000};
	rules = (struct lifecycle_rules){.slow_start_ns = 10 * NS_PER_S, .panic_threshold = 0.5};
	for (uint16_t i = 0; i < MEMBERS; i++) {
		lifecycle_begin(&life[i], i, warm, &now);
		life[i].weight = 100;
	}
	pass(0);
}

static void settle(void)
{
	begin(true);
	pass(10);
}

static void assert_state(size_t i, enum lifecycle_state state, bool takes, const char *reason)
{
	cr_assert_eq(life[i].state, state, "%s", lifecycle_text(life[i].state));
	cr_assert_eq(life[i].takes, takes);
	cr_assert_str_eq(life[i].reason, reason);
}

Test(lifecycle, at_the_beginning_all_take_their_full_part)
{
	begin(true);
	for (size_t i = 0; i < MEMBERS; i++) {
		assert_state(i, LIFECYCLE_ACTIVE, true, "");
		cr_assert_float_eq(life[i].cold, 0, 1e-12);
	}
}

Test(lifecycle, a_next_hop_that_is_found_a_moment_later_needs_no_slow_start)
{
	begin(true);
	life[0].unreachable = "next hop not known yet";
	pass(0);
	life[0].unreachable = NULL;
	pass(1);
	assert_state(0, LIFECYCLE_ACTIVE, true, "");
}

Test(lifecycle, a_new_backend_warms_up_in_a_straight_line)
{
	begin(false);
	assert_state(0, LIFECYCLE_WARMING, true, "slow start: at 10 % of its part");
	pass(5);
	cr_assert_float_eq(life[0].cold, 0.45, 1e-9);
	pass(5);
	assert_state(0, LIFECYCLE_ACTIVE, true, "");
	cr_assert_eq(life[0].since, now.wall);
}

Test(lifecycle, without_slow_start_a_new_backend_is_active_at_once)
{
	begin(false);
	rules.slow_start_ns = 0;
	pass(0);
	assert_state(0, LIFECYCLE_ACTIVE, true, "");
}

Test(lifecycle, who_was_down_warms_up_again)
{
	settle();
	strcpy(life[2].unfit, "HTTP 503");
	pass(1);
	assert_state(2, LIFECYCLE_DOWN, false, "HTTP 503");
	cr_assert_eq(life[2].since, now.wall);
	pass(100);
	*life[2].unfit = '\0';
	pass(1);
	assert_state(2, LIFECYCLE_WARMING, true, "slow start: at 10 % of its part");
}

Test(lifecycle, the_network_is_the_first_reason)
{
	settle();
	strcpy(life[1].unfit, "timed out");
	strcpy(life[1].ejected, "resets");
	pass(1);
	assert_state(1, LIFECYCLE_DOWN, false, "timed out");
	life[1].unreachable = "no route";
	pass(1);
	assert_state(1, LIFECYCLE_DOWN, false, "no route");
}

/* An operator's order for the last member. */
static void drain(void)
{
	settle();
	life[3].order = LIFECYCLE_DRAIN;
	life[3].ordered_ns = now.ns;
}

Test(lifecycle, a_drain_ends_in_maintenance_when_no_flow_is_left)
{
	drain();
	pass(1);
	assert_state(3, LIFECYCLE_DRAINING, false, "ordered; no flow is left");
	life[3].flows = 2; /* the walk comes later than the order */
	pass(30);
	assert_state(3, LIFECYCLE_DRAINING, false, "ordered; 2 flows are left");
	life[3].flows = 0;
	pass(1);
	assert_state(3, LIFECYCLE_MAINTENANCE, false, "drained; no flow is left");
	life[3].order = LIFECYCLE_NO_ORDER;
	pass(1);
	assert_state(3, LIFECYCLE_WARMING, true, "slow start: at 10 % of its part");
}

Test(lifecycle, a_deadline_ends_a_drain_with_flows)
{
	drain();
	life[3].deadline = now.wall + 60;
	life[3].flows = 7;
	pass(59);
	assert_state(3, LIFECYCLE_DRAINING, false, "ordered; 7 flows are left");
	pass(1);
	assert_state(3, LIFECYCLE_MAINTENANCE, false,
		     "the drain's deadline has passed; 7 flows are left");
}

Test(lifecycle, a_wall_clock_that_jumps_moves_no_deadline)
{
	drain();
	life[3].deadline = now.wall + 60;
	life[3].flows = 7;
	pass(1);
	now.wall += 86400;
	pass(57);
	assert_state(3, LIFECYCLE_DRAINING, false, "ordered; 7 flows are left");
	now.wall -= 2 * 86400;
	pass(3);
	assert_state(3, LIFECYCLE_MAINTENANCE, false,
		     "the drain's deadline has passed; 7 flows are left");
}

Test(lifecycle, weight_0_drains_for_good)
{
	settle();
	life[4].weight = 0;
	pass(100);
	assert_state(4, LIFECYCLE_DRAINING, false, "weight 0; no flow is left");
}

Test(lifecycle, an_order_outweighs_health)
{
	settle();
	strcpy(life[5].unfit, "connection refused");
	life[5].order = LIFECYCLE_MAINTAIN;
	pass(1);
	assert_state(5, LIFECYCLE_MAINTENANCE, false, "ordered; no flow is left");
	cr_assert_eq(count.meant, MEMBERS - 1);
	cr_assert_eq(count.well, MEMBERS - 1);
}

static void make_unfit(size_t members)
{
	for (size_t i = 0; i < MEMBERS; i++)
		strcpy(life[i].unfit, i < members ? "connection refused" : "");
	pass(1);
}

Test(lifecycle, half_may_be_down_without_panic)
{
	settle();
	make_unfit(MEMBERS / 2);
	cr_assert_not(count.panic);
	for (size_t i = 0; i < MEMBERS; i++)
		cr_assert_eq(life[i].takes, i >= MEMBERS / 2);
}

Test(lifecycle, in_panic_all_that_can_be_reached_take_flows)
{
	settle();
	life[0].unreachable = "no route";
	make_unfit(MEMBERS / 2 + 1);
	cr_assert(count.panic);
	cr_assert_eq(count.well, MEMBERS / 2 - 1);
	assert_state(0, LIFECYCLE_DOWN, false, "no route");
	assert_state(1, LIFECYCLE_DOWN, true, "takes flows all the same: connection refused");
	make_unfit(0);
	life[0].unreachable = NULL;
	cr_assert_not(count.panic);
	assert_state(1, LIFECYCLE_ACTIVE, true, ""); /* it has had its part all the time */
}

Test(lifecycle, panic_needs_somebody_whom_it_helps)
{
	settle();
	for (size_t i = 0; i < MEMBERS; i++)
		life[i].unreachable = "no route";
	pass(1);
	cr_assert_not(count.panic);
}

Test(lifecycle, who_is_out_by_order_does_not_count_in_panic)
{
	settle();
	for (size_t i = 0; i < 6; i++)
		life[i].order = LIFECYCLE_MAINTAIN;
	strcpy(life[6].unfit, "timed out");
	pass(1);
	cr_assert_not(count.panic); /* 1 of 2 */
	cr_assert_eq(count.meant, 2);
	for (size_t i = 0; i < 6; i++)
		assert_state(i, LIFECYCLE_MAINTENANCE, false, "ordered; no flow is left");
}

Test(lifecycle, without_a_threshold_there_is_no_panic)
{
	settle();
	rules.panic_threshold = 0;
	make_unfit(MEMBERS);
	cr_assert_not(count.panic);
	for (size_t i = 0; i < MEMBERS; i++)
		cr_assert_not(life[i].takes);
}
