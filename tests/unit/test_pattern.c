// SPDX-License-Identifier: BSD-2-Clause
// The pattern that answers are made of: any stretch of it, made or checked at any offset.
#include <criterion/criterion.h>
#include <string.h>

#include "../../tools/lib/pattern.h"

#define SIZE 4096

static unsigned char whole[SIZE], part[SIZE];

Test(pattern, any_stretch_equals_that_part_of_the_whole)
{
	pattern_fill(0xabcdef, 0, whole, SIZE);
	for (size_t offset = 0; offset < 20; offset++) {
		for (size_t length = 0; length < 40; length++) {
			pattern_fill(0xabcdef, offset, part, length);
			cr_assert_arr_eq(part, whole + offset, length);
		}
	}
}

Test(pattern, filling_writes_nothing_beyond_its_length)
{
	memset(part, 0x5a, SIZE);
	pattern_fill(1, 3, part, 13);
	cr_assert_eq(part[13], 0x5a);
}

Test(pattern, own_bytes_match_at_every_offset)
{
	pattern_fill(7, 0, whole, SIZE);
	for (size_t offset = 0; offset < 17; offset++)
		cr_assert_eq(pattern_match(7, offset, whole + offset, SIZE - offset),
			     SIZE - offset);
}

Test(pattern, first_wrong_byte_is_found_wherever_it_is)
{
	for (size_t wrong = 0; wrong < 64; wrong++) {
		pattern_fill(9, 5, whole, 64);
		whole[wrong] ^= 0x10;
		cr_assert_eq(pattern_match(9, 5, whole, 64), wrong);
	}
}

Test(pattern, another_nonce_or_offset_does_not_match)
{
	pattern_fill(100, 0, whole, 64);
	cr_assert_lt(pattern_match(101, 0, whole, 64), 8);
	cr_assert_lt(pattern_match(100, 1, whole, 64), 8);
	cr_assert_lt(pattern_match(100, 8, whole, 64), 8);
}

Test(pattern, offsets_beyond_four_gigabytes_work)
{
	uint64_t far = (1ULL << 40) + 3;

	pattern_fill(5, far, whole, 100);
	cr_assert_eq(pattern_match(5, far, whole, 100), 100);
	cr_assert_eq(pattern_match(5, far + 10, whole + 10, 90), 90);
}

Test(pattern, digest_is_fnv1a_and_can_be_built_in_pieces)
{
	uint64_t pieces = pattern_digest(PATTERN_DIGEST_START, "foo", 3);

	// Of the algorithm's published test vectors.
	cr_assert_eq(pattern_digest(PATTERN_DIGEST_START, "a", 1), 0xaf63dc4c8601ec8cULL);
	cr_assert_eq(pattern_digest(pieces, "bar", 3), 0x85944171f73967e8ULL);
}
