// SPDX-License-Identifier: BSD-2-Clause
// Which entries of larch_access come from which lists, what is written of a change, and what a list
// says of a source: the latter by the kernel's own rule, the longest prefix.
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "access.h"
#include "config_accepted.h"

#define SERVICE(name, keys)                                                                        \
	"- {name: " name ", address: 203.0.113.1" name ", port: 443, protocol: tcp, " keys         \
	", backends: [{address: 10.0.0.1}]}\n"

static struct access_list build(const struct larch_config *config)
{
	uint16_t id[LARCH_MAX_SERVICES];
	struct access_list list;

	for (uint16_t i = 0; i < LARCH_MAX_SERVICES; i++)
		id[i] = (uint16_t)(i + 5);
	cr_assert_eq(access_build(config, id, &list), 0);
	return list;
}

static struct access_list list_of(const char *text)
{
	struct larch_config *config = accepted(text);
	struct access_list list = build(config);

	config_free(config);
	return list;
}

/* As the kernel finds it: the longest prefix of service and address. 0: none. */
static uint32_t look_up(const struct access_list *list, uint16_t service,
			const struct in6_addr *source)
{
	uint32_t best = 0, verdict = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct larch_access *key = &list->entry[i].key;
		uint8_t wanted[20], found[20];
		uint32_t number = htonl(service), bits = 0;

		memcpy(wanted, &number, 4);
		memcpy(wanted + 4, source, 16);
		memcpy(found, &key->service, 20);
		while (bits < key->prefix &&
		       !((wanted[bits / 8] ^ found[bits / 8]) & 0x80 >> bits % 8))
			bits++;
		if (bits == key->prefix && key->prefix > best) {
			best = key->prefix;
			verdict = list->entry[i].verdict;
		}
	}
	return verdict;
}

static struct in6_addr address(const char *text)
{
	struct in6_addr binary;

	cr_assert_eq(inet_pton(AF_INET6, text, &binary), 1);
	return binary;
}

Test(access, keys_hold_service_and_network)
{
	struct access_list list = list_of("services:\n" SERVICE("1", "deny: 10.66.0.0/16")
						  SERVICE("2", "allow: 'fd00::/8'") "...\n");
	struct in6_addr net4 = address("::ffff:10.66.0.0"), net6 = address("fd00::");
	const struct access_entry *deny = &list.entry[0], *allow = &list.entry[1];

	cr_assert_eq(list.count, 2);
	if (deny->verdict != LARCH_ACCESS_DENY) {
		deny = &list.entry[1];
		allow = &list.entry[0];
	}
	cr_expect_eq(deny->key.prefix, 32 + 96 + 16);
	cr_expect_eq(ntohl(deny->key.service), 5);
	cr_expect_arr_eq((char *)deny->key.address, (char *)&net4, 16);
	cr_expect_eq(deny->verdict, LARCH_ACCESS_DENY);
	cr_expect_eq(allow->key.prefix, 32 + 8);
	cr_expect_eq(ntohl(allow->key.service), 6);
	cr_expect_arr_eq((char *)allow->key.address, (char *)&net6, 16);
	cr_expect_eq(allow->verdict, LARCH_ACCESS_ALLOW);
	access_free(&list);
}

Test(access, services_without_lists_have_no_entries)
{
	struct access_list list = list_of("services:\n" SERVICE("1", "signal: auto") "...\n");

	cr_expect_eq(list.count, 0);
	access_free(&list);
}

/* ---- what a list says ---- */

static const char *const sources[] = {
	"::ffff:10.1.2.3", "::ffff:10.66.1.1", "::ffff:192.0.2.7", "::ffff:198.51.100.1",
	"2001:db8::1",	   "2001:db8:66::1",   "fd00::1",	   "::1",
	"::fffe:1.2.3.4",  "::1:0:0:0"};

/* What the packet path makes of the kernel's answer: guard's rule. */
static uint32_t verdict_of(const struct access_list *list, const struct config_service *service,
			   const struct in6_addr *source)
{
	uint32_t found = look_up(list, 5, source);
	bool closed = false;

	for (size_t i = 0; i < service->network_count; i++)
		closed |= service->networks[i].verdict == LARCH_ACCESS_ALLOW;
	return found ? found : closed ? LARCH_ACCESS_DENY : LARCH_ACCESS_ALLOW;
}

Test(access, the_map_says_what_the_lists_say)
{
	static const char *const lists[] = {
		"deny: [10.66.0.0/16, 192.0.2.7]",
		"allow: [10.0.0.0/8, '2001:db8::/32'], deny: [10.66.0.0/16, '2001:db8:66::/48']",
		"deny: '::/0'",
		"allow: '::/0'",
		"allow: 0.0.0.0/0",
		"deny: ['::/0', 0.0.0.0/0]",
		"allow: 0.0.0.0/0, deny: '::/0'",
		"allow: '::/0', deny: 10.0.0.0/8",
		"deny: ['::fffe:0:0/95', '::/70'], allow: 10.0.0.0/8",
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct larch_config *config;
		struct access_list list;
		char text[400];

		snprintf(text, sizeof(text),
			 "services:\n- {name: a, address: 203.0.113.1, port: 443, protocol: tcp, "
			 "%s, backends: [{address: 10.0.0.1}]}\n...\n",
			 lists[i]);
		config = accepted(text);
		list = build(config);
		for (size_t j = 0; j < sizeof(sources) / sizeof(sources[0]); j++) {
			struct in6_addr source = address(sources[j]);
			const struct config_network *network;

			cr_expect_eq(verdict_of(&list, &config->services[0], &source),
				     access_of(&config->services[0], &source, &network),
				     "%s with %s", sources[j], lists[i]);
		}
		access_free(&list);
		config_free(config);
	}
}

static void expect_verdict(const struct config_service *service, const char *source,
			   enum larch_access_verdict verdict, const char *by)
{
	struct in6_addr binary = address(source);
	const struct config_network *network;
	char text[ACCESS_TEXT] = "";

	cr_expect_eq(access_of(service, &binary, &network), verdict, "%s", source);
	if (network)
		access_text(network, text);
	cr_expect_str_eq(text, by, "%s: %s", source, text);
}

Test(access, the_longest_network_decides)
{
	struct larch_config *config = accepted(
		"services:\n" SERVICE("1", "allow: [10.0.0.0/8, 'fd00::/8'], deny: [10.66.0.0/16, "
					   "10.66.7.0/24, 'fd00:66::1']") "...\n");
	const struct config_service *service = &config->services[0];

	expect_verdict(service, "::ffff:10.1.2.3", LARCH_ACCESS_ALLOW, "10.0.0.0/8");
	expect_verdict(service, "::ffff:10.66.2.3", LARCH_ACCESS_DENY, "10.66.0.0/16");
	expect_verdict(service, "::ffff:10.66.7.3", LARCH_ACCESS_DENY, "10.66.7.0/24");
	expect_verdict(service, "::ffff:192.0.2.1", LARCH_ACCESS_DENY, "");
	expect_verdict(service, "fd00:66::1", LARCH_ACCESS_DENY, "fd00:66::1/128");
	expect_verdict(service, "fd00:66::2", LARCH_ACCESS_ALLOW, "fd00::/8");
	config_free(config);
}

Test(access, a_network_of_ipv6_says_nothing_of_ipv4)
{
	struct larch_config *config = accepted("services:\n" SERVICE("1", "deny: '::/0'") "...\n");

	expect_verdict(&config->services[0], "::ffff:10.1.2.3", LARCH_ACCESS_ALLOW, "");
	expect_verdict(&config->services[0], "2001:db8::1", LARCH_ACCESS_DENY, "::/0");
	config_free(config);
}

/* ---- changes ---- */

struct change {
	size_t written, dropped, fails_after;
	uint32_t verdicts; /* sum of those written */
};

static int count_write(void *context, const struct access_entry *entry)
{
	struct change *change = context;

	change->written++;
	change->verdicts += entry->verdict;
	return change->fails_after && change->written == change->fails_after ? -ENOSPC : 0;
}

static int count_drop(void *context, const struct larch_access *key)
{
	struct change *change = context;

	(void)key;
	change->dropped++;
	return 0;
}

static struct change change_of(const char *from, const char *to)
{
	struct access_list found = list_of(from), wanted = list_of(to);
	struct change change = {};

	cr_expect_eq(access_compare(&found, &wanted, count_write, count_drop, &change), 0);
	access_free(&found);
	access_free(&wanted);
	return change;
}

#define DENY(networks) "services:\n" SERVICE("1", "deny: [" networks "]") "...\n"

Test(access, an_unchanged_list_is_not_written)
{
	struct change change = change_of(DENY("10.0.0.0/8, 'fd00::/8', 192.0.2.1"),
					 DENY("'fd00::/8', 192.0.2.1/32, 10.0.0.0/8"));

	cr_expect_eq(change.written, 0);
	cr_expect_eq(change.dropped, 0);
}

Test(access, only_what_differs_is_written)
{
	struct change change = change_of(DENY("10.0.0.0/8, 10.1.0.0/16, 192.0.2.1"),
					 DENY("10.0.0.0/8, 10.2.0.0/16, 192.0.2.1, 'fd00::/8'"));

	cr_expect_eq(change.written, 2);
	cr_expect_eq(change.dropped, 1);
}

Test(access, a_network_that_changes_sides_is_written_over)
{
	struct change change = change_of(DENY("10.0.0.0/8"),
					 "services:\n" SERVICE("1", "allow: [10.0.0.0/8]") "...\n");

	cr_expect_eq(change.written, 1);
	cr_expect_eq(change.verdicts, LARCH_ACCESS_ALLOW);
	cr_expect_eq(change.dropped, 0);
}

Test(access, one_half_of_a_change_at_a_time)
{
	struct access_list found = list_of(DENY("10.0.0.0/8, 10.1.0.0/16"));
	struct access_list wanted = list_of(DENY("10.0.0.0/8, 10.2.0.0/16, 10.3.0.0/16"));
	struct change change = {};

	cr_expect_eq(access_compare(&found, &wanted, count_write, NULL, &change), 0);
	cr_expect_eq(change.written, 2);
	cr_expect_eq(access_compare(&found, &wanted, NULL, count_drop, &change), 0);
	cr_expect_eq(change.dropped, 1);
	cr_expect_eq(change.written, 2);
	access_free(&found);
	access_free(&wanted);
}

Test(access, an_error_ends_it)
{
	struct access_list found = list_of(DENY("10.0.0.0/8"));
	struct access_list wanted = list_of(DENY("10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16"));
	struct change change = {.fails_after = 2};

	cr_expect_eq(access_compare(&found, &wanted, count_write, count_drop, &change), -ENOSPC);
	cr_expect_eq(change.written, 2);
	access_free(&found);
	access_free(&wanted);
}
