// SPDX-License-Identifier: BSD-2-Clause
/* The control arm's size: as small as the judge allows, and remembered. */
#include <criterion/criterion.h>
#include <math.h>

#include "arm.h"
#include "larch/tuple.h"

/* A second of so many new flows, of which the arm has its part. */
static bool arm_second(struct arm *arm, double flows, double now)
{
	return arm_step(arm, flows / arm_one_in(arm), now);
}

/* Seconds of a rate; returns how often the size changed. */
static unsigned arm_seconds(struct arm *arm, double flows, unsigned seconds)
{
	unsigned changes = 0;

	for (unsigned i = 0; i < seconds; i++)
		changes += arm_second(arm, flows, 1000 + i);
	return changes;
}

static struct arm arm_new(void)
{
	struct arm arm;

	arm_begin(&arm, 0, 1000);
	return arm;
}

/* A hash that is of the control arm until that has been halved more than so often; -1: never. */
static uint64_t hash_of_arm(int halvings)
{
	uint64_t first = halvings < 0 ? 1ull << 63 : 1ull << (64 - LARCH_CONTROL_BITS - 1);

	return halvings < 0 ? first : (first >> halvings) | 12345;
}

Test(arm, begins_with_one_flow_in_16)
{
	struct arm arm = arm_new();

	cr_assert_eq(arm_one_in(&arm), 16);
}

Test(arm, is_the_smallest_that_brings_enough)
{
	for (double flows = 10; flows < 100000; flows *= 1.3) {
		struct arm arm = arm_new();

		arm_seconds(&arm, flows, 100);
		cr_expect(arm.halvings == 0 || flows / arm_one_in(&arm) >= ARM_FLOWS,
			  "%.0f flows: 1 in %u", flows, arm_one_in(&arm));
		cr_expect(arm.halvings == LARCH_HALVINGS_MOST ||
				  flows / arm_one_in(&arm) / 2 < ARM_SPARE * ARM_FLOWS,
			  "%.0f flows: 1 in %u", flows, arm_one_in(&arm));
	}
}

Test(arm, stays_as_it_is_where_flows_are_few)
{
	struct arm arm = arm_new();

	cr_assert_eq(arm_seconds(&arm, 500, 1000), 0);
	cr_assert_eq(arm_seconds(&arm, 0, 1000), 0);
}

Test(arm, takes_one_step_in_five_ticks)
{
	struct arm arm = arm_new();

	for (unsigned step = 1; step <= LARCH_HALVINGS_MOST; step++) {
		cr_assert_eq(arm_seconds(&arm, 1e6, ARM_TICKS - 1), 0);
		cr_assert_eq(arm_seconds(&arm, 1e6, 1), 1);
		cr_assert_eq(arm.halvings, step);
	}
	cr_assert_eq(arm_seconds(&arm, 1e6, 1000), 0);
}

Test(arm, grows_again_when_flows_become_few)
{
	struct arm arm = arm_new();

	arm_seconds(&arm, 1e6, 100);
	cr_assert_eq(arm_seconds(&arm, 100, LARCH_HALVINGS_MOST * ARM_TICKS), LARCH_HALVINGS_MOST);
	cr_assert_eq(arm_one_in(&arm), 16);
}

/* Counts of flows vary like Poisson's: within three times their deviation nothing moves. */
Test(arm, does_not_come_and_go)
{
	for (double flows = 600; flows < 40000; flows *= 1.02) {
		struct arm arm = arm_new();
		unsigned size;

		arm_seconds(&arm, flows, 100);
		size = arm_one_in(&arm);
		if (arm.halvings == 0)
			continue;
		/* It has just been halved, and meets a bad stretch. */
		double mean = flows / size, worst = mean - 3 * sqrt(mean / ARM_TICKS);

		if (mean >= ARM_SPARE * ARM_FLOWS)
			cr_expect_eq(arm_seconds(&arm, worst * size, ARM_TICKS), 0, "%.0f flows",
				     flows);
	}
}

Test(arm, a_smaller_one_is_within_each_larger_one)
{
	for (int i = 0; i <= LARCH_HALVINGS_MOST; i++) {
		for (unsigned h = 0; h <= LARCH_HALVINGS_MOST; h++)
			cr_expect_eq(larch_hash_arm(hash_of_arm(i), h),
				     (int)h <= i ? LARCH_ARM_CONTROL : LARCH_ARM_LEARNED);
	}
}

Test(arm, every_size_has_its_part_of_the_flows)
{
	for (unsigned h = 0; h <= LARCH_HALVINGS_MOST; h++) {
		const unsigned all = 1 << 20;
		unsigned control = 0;

		for (uint64_t i = 0; i < all; i++)
			control += larch_hash_arm(larch_mix(i, 42) * 0xc4ceb9fe1a85ec53ull, h) ==
				   LARCH_ARM_CONTROL;
		cr_expect_float_eq(control * (16.0 * (1 << h)) / all, 1, 0.1, "%u halvings", h);
	}
}

Test(arm, of_a_flow_is_told_by_when_it_began)
{
	uint64_t hash = hash_of_arm(0); /* of the largest arm alone */
	struct arm arm = arm_new();
	enum larch_arm found;

	while (!arm_second(&arm, 1e6, 1100)) {
	}
	cr_assert(arm_find(&arm, hash, 1050, &found));
	cr_assert_eq(found, LARCH_ARM_CONTROL);
	cr_assert(arm_find(&arm, hash, 1150, &found));
	cr_assert_eq(found, LARCH_ARM_LEARNED);
	cr_assert_not(arm_find(&arm, hash, 1100.5, &found), "it changed at that moment");
	cr_assert_not(arm_find(&arm, hash, NAN, &found));
	cr_assert_not(arm_find(&arm, hash, 500, &found), "nobody was there");
}

Test(arm, of_most_flows_is_told_without_a_time)
{
	struct arm arm = arm_new();
	enum larch_arm found;

	arm_seconds(&arm, 1e6, 2 * ARM_TICKS);
	cr_assert(arm_find(&arm, hash_of_arm(-1), NAN, &found));
	cr_assert_eq(found, LARCH_ARM_LEARNED);
	cr_assert(arm_find(&arm, hash_of_arm(2), NAN, &found));
	cr_assert_eq(found, LARCH_ARM_CONTROL);
	cr_assert(arm_find(&arm, hash_of_arm(-1), 500, &found));
	cr_assert_eq(found, LARCH_ARM_LEARNED);
}

Test(arm, sizes_long_past_are_not_known)
{
	struct arm arm = arm_new();
	enum larch_arm found;

	for (unsigned i = 0; i <= ARM_CHANGES; i++) {
		while (!arm_second(&arm, i % 2 ? 10 : 1e6, 2000 + 10 * i)) {
		}
	}
	cr_assert_not(arm_find(&arm, hash_of_arm(0), 1500, &found));
	cr_assert(arm_find(&arm, hash_of_arm(0), 2000 + 10 * ARM_CHANGES + 5, &found));
	cr_assert_eq(found, LARCH_ARM_LEARNED);
}
