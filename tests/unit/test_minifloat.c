// SPDX-License-Identifier: BSD-2-Clause
/* Log-linear codes: order, round trips, relative width and the clamp of the latency histogram. */
#include <math.h>
#include <stdint.h>

#include <criterion/criterion.h>

#include "larch/flow.h"
#include "larch/minifloat.h"

#define MINIFLOAT_MANTISSAS 9

static uint32_t minifloat_top_code(uint32_t mantissa)
{
	return larch_pack(0xffffffff, mantissa);
}

Test(minifloat, log2_finds_the_leading_one)
{
	for (uint32_t bit = 0; bit < 32; bit++) {
		cr_expect_eq(larch_log2(1u << bit), bit);
		cr_expect_eq(larch_log2((1u << bit) | ((1u << bit) - 1)), bit);
	}
}

Test(minifloat, every_code_survives_the_round_trip)
{
	for (uint32_t mantissa = 0; mantissa < MINIFLOAT_MANTISSAS; mantissa++)
		for (uint32_t code = 0; code <= minifloat_top_code(mantissa); code++)
			cr_assert_eq(larch_pack((uint32_t)larch_unpack(code, mantissa), mantissa),
				     code);
}

Test(minifloat, a_code_ends_where_the_next_one_begins)
{
	for (uint32_t mantissa = 0; mantissa < MINIFLOAT_MANTISSAS; mantissa++)
		for (uint32_t code = 1; code <= minifloat_top_code(mantissa); code++) {
			uint32_t first = (uint32_t)larch_unpack(code, mantissa);

			cr_assert_eq(larch_pack(first - 1, mantissa), code - 1);
		}
}

Test(minifloat, codes_rise_with_values)
{
	for (uint32_t mantissa = 0; mantissa < MINIFLOAT_MANTISSAS; mantissa++) {
		uint32_t before = 0;

		for (uint32_t value = 0; value < 100000; value++) {
			uint32_t code = larch_pack(value, mantissa);

			cr_assert_geq(code, before);
			cr_assert_leq(code, before + 1);
			before = code;
		}
	}
}

Test(minifloat, unpacked_values_rise_with_codes)
{
	for (uint32_t mantissa = 0; mantissa < MINIFLOAT_MANTISSAS; mantissa++)
		for (uint32_t code = 0; code <= minifloat_top_code(mantissa); code++)
			cr_assert_lt(larch_unpack(code, mantissa),
				     larch_unpack(code + 1, mantissa));
}

Test(minifloat, small_values_are_exact)
{
	for (uint32_t mantissa = 0; mantissa < MINIFLOAT_MANTISSAS; mantissa++)
		for (uint32_t value = 0; value < 2u << mantissa; value++)
			cr_assert_eq(larch_unpack(larch_pack(value, mantissa), mantissa), value);
}

Test(minifloat, a_code_is_at_most_a_mantissa_step_wide)
{
	for (uint32_t mantissa = 0; mantissa < MINIFLOAT_MANTISSAS; mantissa++)
		for (uint32_t code = 1u << mantissa; code <= minifloat_top_code(mantissa); code++) {
			uint64_t first = larch_unpack(code, mantissa);
			uint64_t next = larch_unpack(code + 1, mantissa);

			cr_assert_leq((next - first) << mantissa, first);
		}
}

Test(minifloat, the_largest_value_unpacks_to_no_more_than_itself)
{
	for (uint32_t mantissa = 0; mantissa < MINIFLOAT_MANTISSAS; mantissa++) {
		uint32_t top = minifloat_top_code(mantissa);

		cr_expect_leq(larch_unpack(top, mantissa), 0xffffffffull);
		cr_expect_eq(larch_unpack(top + 1, mantissa), 1ull << 32);
	}
}

Test(minifloat, latency_buckets_are_clamped)
{
	uint64_t last = larch_unpack(LARCH_LATENCY_BUCKETS - 1, LARCH_LATENCY_MANTISSA);

	cr_expect_eq(larch_latency_bucket(0), 0);
	cr_expect_eq(larch_latency_bucket((uint32_t)last - 1), LARCH_LATENCY_BUCKETS - 2);
	cr_expect_eq(larch_latency_bucket((uint32_t)last), LARCH_LATENCY_BUCKETS - 1);
	cr_expect_eq(larch_latency_bucket(0xffffffff), LARCH_LATENCY_BUCKETS - 1);
}

Test(minifloat, latency_buckets_reach_a_minute)
{
	cr_expect_lt(larch_latency_bucket(60000000), LARCH_LATENCY_BUCKETS - 1);
}

/* A code's smallest value alone would be half a code too small in the mean. */
Test(minifloat, the_nearest_code_errs_to_both_sides_alike)
{
	double error = 0, most = 0;
	unsigned count = 0;

	for (uint32_t value = 1; value < 1000000; value += 1 + value / 5000, count++) {
		uint32_t code = larch_pack_near(value, LARCH_CONNECT_MANTISSA);
		double relative = (double)larch_unpack(code, LARCH_CONNECT_MANTISSA) / value - 1;

		error += relative;
		most = fmax(most, fabs(relative));
	}
	cr_assert_lt(fabs(error / count), 0.0002, "%g", error / count);
	cr_assert_leq(most, 1.0 / 256, "%g", most);
}
