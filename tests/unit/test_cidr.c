// SPDX-License-Identifier: BSD-2-Clause
/* Ranges of client prefixes as CIDR blocks. */
#include <criterion/criterion.h>
#include <string.h>

#include "cidr.h"

/* The blocks of a range, separated by spaces. */
static const char *cidr_words(uint64_t low, uint64_t high)
{
	static char words[2048];
	struct cidr block[CIDR_MOST];
	size_t count = cidr_cover(low, high, block, CIDR_MOST);
	char text[CIDR_TEXT];

	words[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		strcat(words, i ? " " : "");
		strcat(words, cidr_text(&block[i], text));
	}
	return words;
}

Test(cidr, one_prefix_is_one_block)
{
	cr_assert_str_eq(cidr_words(0xc63364, 0xc63364), "198.51.100.0/24");
	cr_assert_str_eq(cidr_words(larch_source_ipv6(0x20010db8, 0x00120000),
				    larch_source_ipv6(0x20010db8, 0x00120000)),
			 "2001:db8:12::/48");
}

Test(cidr, aligned_ranges_are_one_block)
{
	cr_assert_str_eq(cidr_words(0x0a0000, 0x0affff), "10.0.0.0/8");
	cr_assert_str_eq(cidr_words(0, CIDR_IPV4_LAST), "0.0.0.0/0");
	cr_assert_str_eq(cidr_words(LARCH_SOURCE_IPV6, CIDR_IPV6_LAST), "::/0");
	cr_assert_str_eq(cidr_words(larch_source_ipv6(0x20010db8, 0),
				    larch_source_ipv6(0x20010db8, 0xffffffff)),
			 "2001:db8::/32");
}

Test(cidr, odd_ranges_take_the_fewest_blocks)
{
	cr_assert_str_eq(cidr_words(0x0a0001, 0x0a0006),
			 "10.0.1.0/24 10.0.2.0/23 10.0.4.0/23 10.0.6.0/24");
	cr_assert_str_eq(cidr_words(0x000001, 0x000001), "0.0.1.0/24");
}

Test(cidr, everything_is_two_families)
{
	cr_assert_str_eq(cidr_words(0, UINT64_MAX), "0.0.0.0/0 ::/0");
	cr_assert_str_eq(cidr_words(0xff0000, UINT64_MAX), "255.0.0.0/8 ::/0");
}

Test(cidr, between_the_families_is_nothing)
{
	cr_assert_str_eq(cidr_words(CIDR_IPV4_LAST + 1, LARCH_SOURCE_IPV6 - 1), "");
	cr_assert_str_eq(cidr_words(CIDR_IPV6_LAST + 1, UINT64_MAX), "");
	cr_assert_str_eq(cidr_words(7, 6), "");
}

Test(cidr, blocks_cover_each_source_once)
{
	uint64_t state = 42;

	for (int round = 0; round < 200; round++) {
		uint64_t low, high, next;
		struct cidr block[CIDR_MOST];
		size_t count;

		state = state * 6364136223846793005ull + 1442695040888963407ull;
		low = state >> 40;
		high = low + (state >> 16 & 0xffff);
		high = high < CIDR_IPV4_LAST ? high : CIDR_IPV4_LAST;
		count = cidr_cover(low, high, block, CIDR_MOST);
		next = low;
		cr_assert_leq(count, 48);
		for (size_t i = 0; i < count; i++) {
			cr_assert_eq(block[i].source, next);
			next += 1ull << (24 - block[i].length);
		}
		cr_assert_eq(next, high + 1);
	}
}

Test(cidr, the_worst_range_fits)
{
	struct cidr block[CIDR_MOST];
	size_t count = cidr_cover(1, CIDR_IPV6_LAST - 1, block, CIDR_MOST);

	cr_assert_leq(count, CIDR_MOST);
	cr_assert_eq(cidr_cover(1, CIDR_IPV6_LAST - 1, block, 3), count);
}
