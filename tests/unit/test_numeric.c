// SPDX-License-Identifier: BSD-2-Clause
/* Logarithm and exponential against libm's. */
#include <criterion/criterion.h>
#include <math.h>

#include "numeric.h"

Test(numeric, logarithm_agrees_with_libm)
{
	for (double x = 1e-300; x < 1e300; x *= 1.37)
		cr_assert_float_eq(numeric_log(x), log(x), 1e-13 * (1 + fabs(log(x))), "%g", x);
	cr_assert_eq(numeric_log(1), 0);
}

Test(numeric, exponential_agrees_with_libm)
{
	for (double x = -699; x < 700; x += 0.173)
		cr_assert_float_eq(numeric_exp(x) / exp(x), 1, 1e-13, "%g", x);
	cr_assert_eq(numeric_exp(0), 1);
}

Test(numeric, exponential_is_finite_and_positive_beyond_its_range)
{
	cr_assert(isfinite(numeric_exp(1e9)));
	cr_assert_gt(numeric_exp(-1e9), 0);
}
