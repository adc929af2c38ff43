// SPDX-License-Identifier: BSD-2-Clause
/* Flows in text. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>

#include "endpoint.h"

Test(endpoint, both_families_are_split)
{
	struct endpoint_text out;

	cr_assert_eq(endpoint_split("198.51.100.7:4711", &out), 0);
	cr_assert_str_eq(out.address, "198.51.100.7");
	cr_assert_eq(out.port, 4711);
	cr_assert_eq(endpoint_split("[2001:db8::1]:80", &out), 0);
	cr_assert_str_eq(out.address, "2001:db8::1");
	cr_assert_eq(out.port, 80);
}

Test(endpoint, what_is_no_endpoint_is_refused)
{
	static const char *const wrong[] = {
		"",
		":",
		"1.2.3.4",
		"1.2.3.4:",
		"1.2.3.4:x",
		"1.2.3.4:65536",
		"1.2.3.4:-1",
		"2001:db8::1:80",
		"[2001:db8::1]",
		"[2001:db8::1]80",
		"[]:80",
		"[:80",
		":80",
		"1.2.3.4:80 ",
		"1.2.3.4:080000",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80"};
	struct endpoint_text out;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(endpoint_split(wrong[i], &out), -EINVAL, "%s", wrong[i]);
}

Test(endpoint, tuples_are_as_the_packet_path_sees_them)
{
	struct larch_tuple tuple;

	cr_assert_eq(endpoint_tuple("1.2.3.4", 5, "6.7.8.9", 10, IPPROTO_TCP, &tuple), 0);
	cr_assert_eq(tuple.ipv6, 0);
	cr_assert_eq(tuple.source[2], htonl(0xffff));
	cr_assert_eq(tuple.source[3], htonl(0x01020304));
	cr_assert_eq(tuple.destination_port, htons(10));
	cr_assert_eq(endpoint_tuple("::1", 5, "2001:db8::2", 10, IPPROTO_UDP, &tuple), 0);
	cr_assert_eq(tuple.ipv6, 1);
	cr_assert_eq(tuple.destination[0], htonl(0x20010db8));
}

Test(endpoint, families_do_not_mix)
{
	struct larch_tuple tuple;

	cr_assert_eq(endpoint_tuple("1.2.3.4", 5, "::1", 10, IPPROTO_TCP, &tuple), -EAFNOSUPPORT);
	cr_assert_eq(endpoint_tuple("1.2.3", 5, "1.2.3.4", 10, IPPROTO_TCP, &tuple), -EINVAL);
}

Test(endpoint, addresses_are_of_the_family_that_was_asked_for)
{
	struct in6_addr address;

	cr_assert(endpoint_address("192.0.2.1", 0, &address));
	cr_assert(IN6_IS_ADDR_V4MAPPED(&address));
	cr_assert_eq(address.s6_addr32[3], htonl(0xc0000201));
	cr_assert(endpoint_address("192.0.2.1", AF_INET, &address));
	cr_assert_not(endpoint_address("192.0.2.1", AF_INET6, &address));
	cr_assert(endpoint_address("2001:db8::1", AF_INET6, &address));
	cr_assert_eq(address.s6_addr32[0], htonl(0x20010db8));
	cr_assert_not(endpoint_address("2001:db8::1", AF_INET, &address));
	cr_assert_not(endpoint_address("", 0, &address));
}

Test(endpoint, an_address_reads_as_it_was_written)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "::"};
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert(endpoint_address(texts[i], 0, &address));
		cr_assert_str_eq(endpoint_address_text(&address, text), texts[i]);
	}
}
