// SPDX-License-Identifier: BSD-2-Clause
// Addresses, prefixes and endpoints as text and numbers.
#include <criterion/criterion.h>
#include <errno.h>

#include "../../tools/lib/address.h"

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	cr_assert_eq(prefix_parse(text, &prefix), 0, "%s", text);
	return prefix;
}

static struct address address_of(const char *text)
{
	struct address address;

	cr_assert_eq(address_parse(text, &address), 0, "%s", text);
	return address;
}

static void expect_host(const char *prefix, uint32_t index, uint32_t count, const char *want)
{
	struct prefix parsed = prefix_of(prefix);
	struct address host = prefix_host(&parsed, index, count);
	char text[ADDRESS_TEXT_SIZE];

	cr_assert_str_eq(address_text(&host, text), want);
}

static bool contains(const char *prefix, const char *address)
{
	struct prefix p = prefix_of(prefix);
	struct address a = address_of(address);

	return prefix_contains(&p, &a);
}

Test(prefix, text_comes_back_as_it_was)
{
	static const char *const texts[] = {"10.1.0.0/16", "0.0.0.0/0",	  "1.2.3.4/32",
					    "::/0",	   "fd00:1::/48", "::1/128"};
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct prefix prefix = prefix_of(texts[i]);

		cr_assert_str_eq(prefix_text(&prefix, text), texts[i]);
	}
}

Test(prefix, without_length_is_one_address)
{
	cr_assert_eq(prefix_of("10.0.0.1").length, 32);
	cr_assert_eq(prefix_of("fd00::1").length, 128);
}

Test(prefix, nonsense_is_refused)
{
	static const char *const bad[] = {"",
					  "/",
					  "10.0.0.0/",
					  "10.0.0.0/33",
					  "10.0.0.0/-1",
					  "10.0.0.0/8x",
					  "10.0.0/8",
					  "10.0.0.1/24",
					  "::/129",
					  "fd00::1/64",
					  "fd00::/6 4",
					  "abc/8",
					  "10.0.0.0/+8"};
	struct prefix prefix;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(prefix_parse(bad[i], &prefix), -EINVAL, "'%s'", bad[i]);
}

Test(prefix, contains_its_addresses_and_no_others)
{
	cr_assert(contains("10.1.2.0/23", "10.1.3.255"));
	cr_assert_not(contains("10.1.2.0/23", "10.1.4.0"));
	cr_assert(contains("0.0.0.0/0", "255.255.255.255"));
	cr_assert(contains("::/0", "fd00::1"));
	cr_assert(contains("fd00:1::/32", "fd00:1:ffff::1"));
	cr_assert_not(contains("fd00:1::/32", "fd00:2::"));
	cr_assert(contains("::1/128", "::1"));
}

Test(prefix, families_never_mix)
{
	cr_assert_not(contains("::/0", "10.0.0.1"));
	cr_assert_not(contains("0.0.0.0/0", "::1"));
}

Test(prefix, hosts_leave_out_network_and_broadcast)
{
	struct prefix four = prefix_of("10.0.0.0/24"), pair = prefix_of("10.0.0.0/31"),
		      one = prefix_of("10.0.0.1/32"), six = prefix_of("fd00::/64");

	cr_assert_eq(prefix_hosts(&four), 254);
	cr_assert_eq(prefix_hosts(&pair), 2);
	cr_assert_eq(prefix_hosts(&one), 1);
	cr_assert_eq(prefix_hosts(&six), UINT32_MAX);
}

Test(prefix, hosts_are_spread_and_stay_inside)
{
	expect_host("10.0.0.0/24", 0, 254, "10.0.0.1");
	expect_host("10.0.0.0/24", 253, 254, "10.0.0.254");
	expect_host("10.0.0.0/24", 1, 2, "10.0.0.128");
	expect_host("10.0.0.1/32", 0, 1, "10.0.0.1");
	expect_host("10.0.0.0/31", 0, 2, "10.0.0.0");
	expect_host("10.0.0.0/31", 1, 2, "10.0.0.1");
	expect_host("fd00::/126", 2, 3, "fd00::3");
	expect_host("fd00::/64", 1, 2, "fd00::8000:0:0:1");
	expect_host("fd00:9::/48", 63, 64, "fd00:9:0:fc00::1");
	expect_host("::/0", 1, 2, "8000::1");
}

Test(prefix, hosts_of_every_count_are_distinct_and_inside)
{
	struct prefix prefix = prefix_of("10.0.0.0/24");

	for (uint32_t count = 1; count <= 254; count++) {
		for (uint32_t i = 0; i < count; i++) {
			struct address host = prefix_host(&prefix, i, count);
			struct address next = prefix_host(&prefix, i + 1, count);

			cr_assert(prefix_contains(&prefix, &host));
			cr_assert_neq(host.bits & 255, 255);
			cr_assert_gt(next.bits, host.bits);
		}
	}
}

Test(endpoint, both_families_come_back_through_a_socket_address)
{
	static const char *const texts[] = {"10.0.0.1:80", "[fd00::1]:65535", "0.0.0.0:0"};
	struct sockaddr_storage address;
	struct endpoint endpoint;
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert_eq(endpoint_parse(texts[i], &endpoint), 0);
		endpoint_to_sockaddr(&endpoint, &address);
		endpoint = endpoint_from_sockaddr(&address);
		cr_assert_str_eq(endpoint_text(&endpoint, text), texts[i]);
	}
}

Test(endpoint, nonsense_is_refused)
{
	static const char *const bad[] = {"",
					  ":",
					  "10.0.0.1",
					  "10.0.0.1:",
					  "10.0.0.1:65536",
					  "fd00::1:80",
					  "[10.0.0.1]:80",
					  "[fd00::1]80",
					  "[fd00::1",
					  "[]:80",
					  "10.0.0.1:8 0"};
	struct endpoint endpoint;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(endpoint_parse(bad[i], &endpoint), -EINVAL, "'%s'", bad[i]);
}
