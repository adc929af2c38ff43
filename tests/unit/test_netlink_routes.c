// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tests of user/netlink_routes.c against the real kernel: the routes that announce addresses, as
 * `ip route` shows them. In a network namespace of its own; needs root.
 */
#include "netlink_lab.h"
#include "netlink_routes.h"

#define TABLE "4242"
#define OURS  "table " TABLE " proto 77"

static const struct netlink_place place = {.table = 4242, .protocol = 77};
static struct netlink_routes *routes;

static void open_routes(void)
{
	set_up();
	cr_assert_eq(netlink_routes_open(&routes), 0);
}

static void close_routes(void)
{
	netlink_routes_close(routes);
	tear_down();
}

TestSuite(netlink_routes, .init = open_routes, .fini = close_routes, .timeout = 30);

/* Both families of the table, without what `ip` adds by itself, sorted, "," between lines. */
static const char *held(void)
{
	static char text[2048];
	FILE *pipe = popen("(ip route show table " TABLE " 2>/dev/null; "
			   "ip -6 route show table " TABLE " 2>/dev/null) | "
			   "sed -E 's/ dev lo//; s/ pref medium//; s/ +$//; s/proto 77/ours/' | "
			   "LC_ALL=C sort | paste -sd,",
			   "r");
	size_t length;

	cr_assert(pipe);
	length = fread(text, 1, sizeof(text) - 1, pipe);
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
	pclose(pipe);
	return text;
}

static struct netlink_announced wanted(const char *address)
{
	return (struct netlink_announced){.address = address_of(address), .wanted = true};
}

static void expect_held(const char *expected)
{
	cr_assert_str_eq(held(), expected, "held: %s\n not: %s", held(), expected);
}

/* IPv4 comes first: sorted as bytes. */
static void announce_both(struct netlink_announced two[2])
{
	two[0] = wanted("203.0.113.10");
	two[1] = wanted("2001:db8::10");
	if (memcmp(&two[0].address, &two[1].address, sizeof(two[0].address)) > 0) {
		struct netlink_announced first = two[0];

		two[0] = two[1];
		two[1] = first;
	}
	cr_assert_eq(netlink_routes_sync(routes, &place, two, 2), 0);
}

Test(netlink_routes, adds_what_is_wanted_once)
{
	struct netlink_announced two[2];

	announce_both(two);
	cr_expect_not(two[0].there);
	expect_held("blackhole 2001:db8::10 ours metric 1024,blackhole 203.0.113.10 ours");
	announce_both(two);
	cr_expect(two[0].there);
	cr_expect(two[1].there);
	expect_held("blackhole 2001:db8::10 ours metric 1024,blackhole 203.0.113.10 ours");
}

Test(netlink_routes, the_host_itself_does_not_route_by_them)
{
	struct netlink_announced two[2];

	run(lab.host, "ip route add 203.0.113.0/24 via 10.0.0.2");
	announce_both(two);
	watch("203.0.113.10");
	await_ready("203.0.113.10", P0_MAC);
}

Test(netlink_routes, removes_what_is_not_wanted_and_nothing_of_others)
{
	struct netlink_announced two[2];

	announce_both(two);
	run(lab.host, "ip route add blackhole 203.0.113.11 table " TABLE " proto 78 && "
		      "ip route add blackhole 203.0.113.12 table 4243 proto 77 && "
		      "ip route add 203.0.113.0/24 via 10.0.0.2 table " TABLE " proto static");
	two[0].wanted = two[1].wanted = false;
	cr_assert_eq(netlink_routes_sync(routes, &place, two, 2), 0);
	cr_expect(two[0].there && two[1].there, "before");
	expect_held("203.0.113.0/24 via 10.0.0.2 dev v0 proto static,"
		    "blackhole 203.0.113.11 proto 78");
	cr_expect_eq(system("ip route show table 4243 | grep -q 203.0.113.12"), 0);
}

/* Of an earlier daemon with another configuration, or of somebody who took our name. */
Test(netlink_routes, removes_all_kinds_of_routes_of_our_protocol)
{
	struct netlink_announced one = wanted("203.0.113.10");

	run(lab.host, "ip route add blackhole 203.0.113.10 metric 7 " OURS " && "
		      "ip route add blackhole 203.0.113.99 " OURS " && "
		      "ip route add blackhole default " OURS " && "
		      "ip route add 198.51.100.0/24 via 10.0.0.2 " OURS " && "
		      "ip -6 route add blackhole default " OURS " && "
		      "ip -6 route add unreachable 2001:db8::9 " OURS " && "
		      "ip -6 route add 2001:db8:1::/48 via fd00:0::2 " OURS);
	cr_assert_eq(netlink_routes_sync(routes, &place, &one, 1), 0);
	expect_held("blackhole 203.0.113.10 ours");
}

Test(netlink_routes, all_are_removed_and_counted)
{
	struct netlink_announced two[2];

	cr_expect_eq(netlink_routes_remove(routes, &place), 0, "no such table yet");
	announce_both(two);
	run(lab.host, "ip route add blackhole 203.0.113.11 table " TABLE " proto 78");
	cr_expect_eq(netlink_routes_remove(routes, &place), 2);
	expect_held("blackhole 203.0.113.11 proto 78");
}

Test(netlink_routes, route_of_another_kind_gives_way)
{
	struct netlink_announced one = wanted("203.0.113.10");

	run(lab.host, "ip route add unreachable 203.0.113.10 " OURS);
	cr_assert_eq(netlink_routes_sync(routes, &place, &one, 1), 0);
	expect_held("blackhole 203.0.113.10 ours");
}

Test(netlink_routes, has_the_metric_that_is_asked_for)
{
	const struct netlink_place with_metric = {.table = 4242, .protocol = 77, .metric = 50};
	struct netlink_announced two[2];

	announce_both(two);
	cr_assert_eq(netlink_routes_sync(routes, &with_metric, two, 2), 0);
	expect_held("blackhole 2001:db8::10 ours metric 50,"
		    "blackhole 203.0.113.10 ours metric 50");
	cr_assert_eq(netlink_routes_read(routes, &with_metric, two, 2), 0);
	cr_expect(two[0].there && two[1].there);
}

Test(netlink_routes, somebody_elses_route_in_the_place_is_an_error)
{
	struct netlink_announced two[2] = {wanted("203.0.113.10"), wanted("203.0.113.11")};

	run(lab.host, "ip route add 203.0.113.10 via 10.0.0.2 table " TABLE " proto static");
	cr_assert_eq(netlink_routes_sync(routes, &place, two, 2), -EEXIST);
	cr_expect_eq(two[0].error, -EEXIST);
	cr_expect_eq(two[1].error, 0);
	expect_held("203.0.113.10 via 10.0.0.2 dev v0 proto static,blackhole 203.0.113.11 ours");
	run(lab.host, "ip route del 203.0.113.10 via 10.0.0.2 table " TABLE);
	cr_assert_eq(netlink_routes_sync(routes, &place, two, 2), 0);
	cr_expect_eq(two[0].error, 0);
}

Test(netlink_routes, reading_changes_nothing)
{
	struct netlink_announced two[2] = {wanted("203.0.113.10"), wanted("203.0.113.11")};

	cr_assert_eq(netlink_routes_read(routes, &place, two, 2), 0, "no such table yet");
	cr_expect_not(two[0].there);
	run(lab.host, "ip route add blackhole 203.0.113.10 " OURS " && "
		      "ip route add blackhole 203.0.113.77 " OURS);
	cr_assert_eq(netlink_routes_read(routes, &place, two, 2), 0);
	cr_expect(two[0].there);
	cr_expect_not(two[1].there);
	expect_held("blackhole 203.0.113.10 ours,blackhole 203.0.113.77 ours");
}

Test(netlink_routes, they_stay_when_the_process_ends)
{
	struct netlink_announced two[2];

	announce_both(two);
	netlink_routes_close(routes);
	cr_assert_eq(netlink_routes_open(&routes), 0);
	cr_assert_eq(netlink_routes_read(routes, &place, two, 2), 0);
	cr_expect(two[0].there && two[1].there);
}

Test(netlink_routes, small_tables_have_their_number_elsewhere)
{
	const struct netlink_place small = {.table = 42, .protocol = 77};
	struct netlink_announced one = wanted("203.0.113.10");

	cr_assert_eq(netlink_routes_sync(routes, &small, &one, 1), 0);
	cr_assert_eq(netlink_routes_read(routes, &small, &one, 1), 0);
	cr_expect(one.there);
	one.wanted = false;
	cr_assert_eq(netlink_routes_sync(routes, &small, &one, 1), 0);
	cr_expect_eq(system("[ -z \"$(ip route show table 42)\" ]"), 0);
}

/* As many as there can be. */
Test(netlink_routes, thousands_are_synced_at_once)
{
	static struct netlink_announced many[4096];
	uint64_t start = now_ms();
	char text[32];

	for (size_t i = 0; i < 4096; i++) {
		snprintf(text, sizeof(text), "10.7.%zu.%zu", i / 256, i % 256);
		many[i] = wanted(text);
	}
	cr_assert_eq(netlink_routes_sync(routes, &place, many, 4096), 0);
	cr_log_info("4096 routes made in %d ms", (int)(now_ms() - start));
	start = now_ms();
	cr_assert_eq(netlink_routes_sync(routes, &place, many, 4096), 0);
	cr_log_info("4096 routes compared in %d ms", (int)(now_ms() - start));
	for (size_t i = 0; i < 4096; i++)
		cr_assert(many[i].there);
}

Test(netlink_routes, events_tell_of_our_table_alone)
{
	netlink_watch_table(lab.netlink, 4242);
	cr_assert(netlink_news(lab.netlink) & NETLINK_NEWS_ROUTES, "what was before is not known");
	run_loop(100);
	netlink_news(lab.netlink);
	run(lab.host, "ip route add blackhole 203.0.113.10 table 4243");
	run_loop(100);
	cr_expect_not(netlink_news(lab.netlink) & NETLINK_NEWS_ROUTES);
	run(lab.host, "ip route add blackhole 203.0.113.10 " OURS);
	run_loop(100);
	cr_expect(netlink_news(lab.netlink) & NETLINK_NEWS_ROUTES);
	cr_expect_not(netlink_news(lab.netlink), "told once");
	run(lab.host, "ip -6 route add blackhole 2001:db8::10 " OURS);
	run_loop(100);
	cr_expect(netlink_news(lab.netlink) & NETLINK_NEWS_ROUTES);
}

Test(netlink_routes, events_tell_of_links)
{
	run_loop(100);
	netlink_news(lab.netlink);
	cr_expect(netlink_link_is_up(lab.netlink, (int)if_nametoindex("v0")));
	cr_expect_not(netlink_link_is_up(lab.netlink, 12345));
	run(lab.peer, "ip link set p0 down");
	/* The kernel tells of a carrier about once a second. */
	for (int i = 0; netlink_link_is_up(lab.netlink, (int)if_nametoindex("v0")); i++) {
		cr_assert_lt(i, 30);
		run_loop(100);
	}
	cr_expect(netlink_news(lab.netlink) & NETLINK_NEWS_LINKS);
}
