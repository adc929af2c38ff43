// SPDX-License-Identifier: BSD-2-Clause
// Numbers in options: the whole text and within bounds, or not at all.
#include <criterion/criterion.h>
#include <errno.h>

#include "../../tools/lib/number.h"

Test(number, counts_within_bounds_are_read)
{
	uint64_t value;

	cr_assert_eq(number_parse_count("0", 0, 5, &value), 0);
	cr_assert_eq(value, 0);
	cr_assert_eq(number_parse_count("18446744073709551615", 0, UINT64_MAX, &value), 0);
	cr_assert_eq(value, UINT64_MAX);
}

Test(number, counts_out_of_bounds_are_out_of_range)
{
	uint64_t value;

	cr_assert_eq(number_parse_count("6", 0, 5, &value), -ERANGE);
	cr_assert_eq(number_parse_count("18446744073709551616", 0, UINT64_MAX, &value), -ERANGE);
}

Test(number, what_is_not_all_number_is_refused)
{
	static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "1x", "0x1", "nan", "1e3"};
	uint64_t value;
	double real;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(number_parse_count(bad[i], 0, 100, &value), -EINVAL, "%s", bad[i]);
	cr_assert_eq(number_parse_real("inf", 0, 1, &real), -EINVAL);
	cr_assert_eq(number_parse_real("nan", 0, 1, &real), -EINVAL);
	cr_assert_eq(number_parse_real("1.5ms", 0, 9, &real), -EINVAL);
	cr_assert_eq(number_parse_real("-1", 0, 9, &real), -ERANGE);
}

Test(number, reals_are_read)
{
	double real;

	cr_assert_eq(number_parse_real(".25", 0, 1, &real), 0);
	cr_assert_float_eq(real, 0.25, 1e-12);
	cr_assert_eq(number_parse_real("1e-3", 0, 1, &real), 0);
	cr_assert_float_eq(real, 0.001, 1e-12);
}
