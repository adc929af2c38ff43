// SPDX-License-Identifier: BSD-2-Clause
// The token of the second chance: SipHash-2-4, and what it depends on.
#include <criterion/criterion.h>
#include <string.h>

#include "larch/chance.h"

/* Key 00..0f, message 00..0f: the vector for 16 bytes in the authors' reference implementation. */
Test(chance, the_hash_is_siphash_2_4)
{
	const __u64 key[2] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};

	cr_assert_eq(larch_sip_hash(key, 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull),
		     0x3f2acc7f57c29bdbull);
}

Test(chance, a_token_is_of_one_question_alone)
{
	const __u64 key[2] = {1, 2}, other[2] = {1, 3};
	__u64 token = larch_token(key, 4711, 9, 5, 0);

	cr_assert_eq(token, larch_token(key, 4711, 9, 5, 0));
	cr_assert_neq(token, larch_token(other, 4711, 9, 5, 0));
	cr_assert_neq(token, larch_token(key, 4712, 9, 5, 0));
	cr_assert_neq(token, larch_token(key, 4711, 10, 5, 0));
	cr_assert_neq(token, larch_token(key, 4711, 9, 6, 0));
	cr_assert_neq(token, larch_token(key, 4711, 9, 5, 1));
}
