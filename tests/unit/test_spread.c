// SPDX-License-Identifier: BSD-2-Clause
// Medians and quartiles: of nothing, of few, and of many values with wild ones among them.
#include <criterion/criterion.h>

#include "../../tools/lib/spread.h"

#define EXACT 1e-12

Test(spread, of_nothing_is_zero)
{
	struct spread none = spread_of(NULL, 0);

	cr_assert_eq(none.median, 0);
	cr_assert_eq(none.noise, 0);
}

Test(spread, of_one_value_is_the_value_without_noise)
{
	const double value[] = {7};

	cr_assert_eq(spread_of(value, 1).median, 7);
	cr_assert_eq(spread_of(value, 1).noise, 0);
}

Test(spread, median_is_between_the_middle_values_in_any_order)
{
	const double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 2};

	cr_assert_eq(spread_of(odd, 3).median, 5);
	cr_assert_float_eq(spread_of(even, 4).median, 2.5, EXACT);
	cr_assert_eq(even[0], 4, "the values keep their order");
}

Test(spread, a_wild_value_moves_neither_median_nor_noise_far)
{
	const double value[] = {10, 11, 12, 13, 14, 15, 16, 17, 1e9};
	struct spread spread = spread_of(value, 9);

	cr_assert_eq(spread.median, 14);
	cr_assert_eq(spread.noise, 2, "half of 16 - 12");
	cr_assert_eq(spread.low, 10);
}

Test(spread, what_pairs_share_drops_out)
{
	const double value[] = {110, 210, 310}, floor[] = {100, 200, 300}, half[] = {55, 105, 155};

	cr_assert_eq(spread_difference(value, floor, 3).median, 10);
	cr_assert_eq(spread_difference(value, floor, 3).noise, 0);
	cr_assert_float_eq(spread_ratio(value, half, 3).median, 2, EXACT);
	cr_assert_float_eq(spread_ratio(value, half, 3).noise, 0, EXACT);
}
