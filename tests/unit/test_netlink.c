// SPDX-License-Identifier: BSD-2-Clause
/*
 * Tests of user/netlink.c against the real kernel, in the laboratory of netlink_lab.h. Need root.
 * How long the kernel's changes took to be followed is logged: run with --verbose.
 */
#include "netlink_lab.h"

TestSuite(netlink, .init = set_up, .fini = tear_down, .timeout = 60);

Test(netlink, resolves_ipv4_neighbour_from_scratch)
{
	struct nexthop nexthop;

	watch("10.0.0.2");
	cr_assert_eq(lab.calls, 1, "first state before return");
	cr_assert_str_eq(reason_of("10.0.0.2"), "neighbour unresolved");
	await_ready("10.0.0.2", P0_MAC);
	nexthop = nexthop_of("10.0.0.2");
	cr_assert_eq(nexthop.ifindex, (int)if_nametoindex("v0"));
	cr_assert_eq(nexthop.mtu, 1500);
	cr_assert_str_eq(text_of(nexthop.source), V0_MAC);
	expect_from("10.0.0.2", "10.0.0.1");
	cr_assert_eq(lab.calls, 2);
}

Test(netlink, resolves_ipv6_neighbour_from_scratch)
{
	await_ipv6();
	watch("fd00:0::2");
	await_ready("fd00:0::2", P0_MAC);
	expect_from("fd00:0::2", "fd00:0::1");
}

Test(netlink, known_neighbour_is_ready_before_watch_returns)
{
	run(lab.host, "ip neigh add 10.0.0.7 lladdr " NEW_MAC " dev v0 nud reachable");
	watch("10.0.0.7");
	cr_assert_str_eq(reason_of("10.0.0.7"), "ready");
	cr_assert_eq(lab.calls, 1);
}

Test(netlink, resolves_gateways)
{
	await_ipv6();
	run(lab.host,
	    "ip route add 192.0.2.0/24 via 10.0.1.2 && ip route add 2001:db8::/32 via fd00:1::2");
	watch("192.0.2.7");
	watch("2001:db8::7");
	await_ready("192.0.2.7", P1_MAC);
	await_ready("2001:db8::7", P1_MAC);
	expect_from("192.0.2.7", "10.0.1.1");
	expect_from("2001:db8::7", "fd00:1::1");
}

Test(netlink, resolves_ipv4_by_ipv6_gateway)
{
	await_ipv6();
	run(lab.host, "ip route add 192.0.2.0/24 via inet6 fd00:1::2 dev v1");
	watch("192.0.2.7");
	await_ready("192.0.2.7", P1_MAC);
	expect_from("192.0.2.7", "10.0.1.1");
}

Test(netlink, follows_route_added_later)
{
	await_ipv6();
	watch("192.0.2.7");
	watch("2001:db8::7");
	cr_assert_str_eq(reason_of("192.0.2.7"), "no route");
	cr_assert_str_eq(reason_of("2001:db8::7"), "no route");
	run(lab.host,
	    "ip route add 192.0.2.0/24 via 10.0.0.2 && ip route add default via fd00:0::2");
	await_ready("192.0.2.7", P0_MAC);
	await_ready("2001:db8::7", P0_MAC);
	run(lab.host, "ip route del 192.0.2.0/24 && ip -6 route del default");
	await_reason("192.0.2.7", "no route");
	await_reason("2001:db8::7", "no route");
}

Test(netlink, follows_route_to_another_interface)
{
	await_ipv6();
	run(lab.host,
	    "ip route add default via 10.0.0.2 && ip route add 2001:db8::/32 via fd00:0::2");
	watch("192.0.2.7");
	watch("2001:db8::7");
	await_ready("192.0.2.7", P0_MAC);
	await_ready("2001:db8::7", P0_MAC);
	run(lab.host, "ip route replace default via 10.0.1.2 && ip route replace 2001:db8::/32 via "
		      "fd00:1::2");
	await_ready("192.0.2.7", P1_MAC);
	await_ready("2001:db8::7", P1_MAC);
	cr_assert_eq(nexthop_of("192.0.2.7").ifindex, (int)if_nametoindex("v1"));
	expect_from("192.0.2.7", "10.0.1.1");
}

Test(netlink, follows_rules_and_nexthop_objects)
{
	run(lab.host,
	    "ip nexthop add id 7 via 10.0.0.2 dev v0 && ip route add 192.0.2.0/24 nhid 7");
	watch("192.0.2.7");
	await_ready("192.0.2.7", P0_MAC);
	run(lab.host, "ip nexthop replace id 7 via 10.0.1.2 dev v1");
	await_ready("192.0.2.7", P1_MAC);
	run(lab.host, "ip rule add to 192.0.2.0/24 prohibit");
	await_reason("192.0.2.7", "route is prohibited");
}

Test(netlink, gives_reasons_for_routes_that_lead_nowhere)
{
	static const char *const kinds[][2] = {
		{"blackhole", "route is a blackhole"},
		{"unreachable", "route is unreachable"},
		{"prohibit", "route is prohibited"},
		{"throw", "no route"},
	};

	watch("192.0.2.7");
	watch("2001:db8::7");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		run(lab.host, "ip route replace %s 192.0.2.0/24 && ip route add %s 2001:db8::/32",
		    kinds[i][0], kinds[i][0]);
		await_reason("192.0.2.7", kinds[i][1]);
		await_reason("2001:db8::7", kinds[i][1]);
		run(lab.host, "ip route del %s 192.0.2.0/24 && ip route del %s 2001:db8::/32",
		    kinds[i][0], kinds[i][0]);
	}
}

Test(netlink, gives_reasons_for_links_without_ethernet)
{
	run(lab.host, "ip tuntap add tun0 mode tun && ip link set tun0 up && ip route add "
		      "192.0.2.0/24 dev tun0 && "
		      "ip link set lo up && ip route add 198.51.100.0/24 dev lo");
	watch("192.0.2.7");
	watch("198.51.100.7");
	watch("10.0.0.255");
	cr_assert_str_eq(reason_of("192.0.2.7"), "link is not Ethernet");
	cr_assert_str_eq(reason_of("198.51.100.7"), "link is loopback");
	cr_assert_str_eq(reason_of("10.0.0.255"), "address is not unicast");
}

Test(netlink, tells_this_hosts_own_addresses)
{
	static const char *const own[] = {"10.0.0.1", "fd00:0::1"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		watch(own[i]);
		cr_assert_str_eq(reason_of(own[i]), "ready");
		cr_assert(nexthop_of(own[i]).local);
		cr_assert(nexthop_of(own[i]).direct);
	}
	watch("10.0.0.2");
	await_ready("10.0.0.2", P0_MAC);
	cr_assert_not(nexthop_of("10.0.0.2").local);
}

Test(netlink, follows_an_address_that_moves_to_this_host_and_away)
{
	watch("10.0.0.2");
	await_ready("10.0.0.2", P0_MAC);
	run(lab.host, "ip link set lo up && ip addr add 10.0.0.2/32 dev lo");
	run_loop(AT_ONCE_MS / 2);
	cr_assert(nexthop_of("10.0.0.2").local);
	cr_assert_str_eq(reason_of("10.0.0.2"), "ready");
	run(lab.host, "ip addr del 10.0.0.2/32 dev lo");
	await_ready("10.0.0.2", P0_MAC);
	cr_assert_not(nexthop_of("10.0.0.2").local);
}

Test(netlink, tells_whether_a_gateway_is_in_between)
{
	run(lab.host, "ip route add 192.0.2.0/24 via 10.0.0.2 && ip route add 10.0.0.9/32 via "
		      "10.0.0.2");
	watch("10.0.0.2");
	watch("192.0.2.7");
	watch("10.0.0.9");
	await_ready("10.0.0.2", P0_MAC);
	await_ready("192.0.2.7", P0_MAC);
	await_ready("10.0.0.9", P0_MAC);
	cr_assert(nexthop_of("10.0.0.2").direct);
	cr_assert_not(nexthop_of("192.0.2.7").direct);
	cr_assert_not(nexthop_of("10.0.0.9").direct);
	run(lab.peer, "ip addr add 192.0.2.7/24 dev p0");
	run(lab.host, "ip route replace 192.0.2.0/24 dev v0");
	run_loop(AT_ONCE_MS / 2);
	await_ready("192.0.2.7", P0_MAC);
	cr_assert(nexthop_of("192.0.2.7").direct);
}

Test(netlink, gives_reason_for_link_without_arp)
{
	run(lab.host, "ip link set v1 arp off");
	watch("10.0.1.2");
	await_reason("10.0.1.2", "link does not use ARP");
	run(lab.host, "ip neigh replace 10.0.1.2 lladdr " P1_MAC " dev v1 nud permanent");
	await_ready("10.0.1.2", P1_MAC);
}

Test(netlink, needs_a_source_address)
{
	run(lab.host,
	    "ip addr flush dev v0 && ip addr flush dev v1 && ip route add 192.0.2.0/24 dev v0");
	run(lab.peer, "ip addr add 192.0.2.7/24 dev p0");
	watch("192.0.2.7");
	run(lab.host, "ip neigh replace 192.0.2.7 lladdr " P0_MAC " dev v0 nud permanent");
	await_reason("192.0.2.7", "no source address");
	run(lab.host, "ip addr add 198.51.100.1/32 dev v0");
	await_ready("192.0.2.7", P0_MAC);
	expect_from("192.0.2.7", "198.51.100.1");
	run(lab.host, "ip addr add 192.0.2.1/24 dev v0 && ip addr del 198.51.100.1/32 dev v0");
	run_loop(100);
	expect_from("192.0.2.7", "192.0.2.1");
}

Test(netlink, follows_link_down_and_up)
{
	await_ipv6();
	/* Without IPv6's events, only the link tells that IPv4's route went. */
	run(lab.host, "echo 1 > /proc/sys/net/ipv6/conf/v0/disable_ipv6");
	watch("10.0.0.2");
	watch("fd00:1::2");
	await_ready("10.0.0.2", P0_MAC);
	await_ready("fd00:1::2", P1_MAC);
	run(lab.host, "ip link set v0 down");
	await_reason("10.0.0.2", "no route");
	cr_assert_str_eq(reason_of("fd00:1::2"), "ready", "the other link is up");
	run(lab.host, "ip link set v0 up");
	await("link up", "10.0.0.2", P0_MAC, NULL, 2 * TICK_MS);
}

/* The answer to the first question after a flap is easily lost, and the next one is a second away.
 */
Test(netlink, presumes_who_was_there_before_a_flap_until_it_is_known)
{
	watch("10.0.0.2");
	await_ready("10.0.0.2", P0_MAC);
	run(lab.peer, "ip link set p0 arp off");
	run(lab.host, "ip link set v0 down");
	await_reason("10.0.0.2", "no route");
	run(lab.host, "ip link set v0 up");
	await("link up", "10.0.0.2", P0_MAC, NULL, TICK_MS / 2);
	await("nobody answers", "10.0.0.2", NULL, "neighbour unresolved", 6 * TICK_MS);
	run(lab.peer, "ip link set p0 arp on");
	await("somebody answers", "10.0.0.2", P0_MAC, NULL, 3 * TICK_MS);
}

Test(netlink, follows_carrier)
{
	watch("10.0.0.2");
	await_ready("10.0.0.2", P0_MAC);
	run(lab.peer, "ip link set p0 down");
	await("carrier lost", "10.0.0.2", NULL, "link has no carrier", 2 * TICK_MS);
	cr_assert_str_eq(text_of(nexthop_of("10.0.0.2").destination), NO_MAC);
	run(lab.peer, "ip link set p0 address " NEW_MAC " && ip link set p0 up");
	await("carrier back", "10.0.0.2", NEW_MAC, NULL, 3 * TICK_MS);
}

Test(netlink, follows_link_that_goes_away)
{
	run(lab.host, "ip route add 192.0.2.0/24 via 10.0.0.2 metric 1 && ip route add "
		      "192.0.2.0/24 via 10.0.1.2 metric 2");
	watch("192.0.2.7");
	await_ready("192.0.2.7", P0_MAC);
	run(lab.host, "ip link del v0");
	await_ready("192.0.2.7", P1_MAC);
	run(lab.host, "ip link del v1");
	await_reason("192.0.2.7", "no route");
}

Test(netlink, follows_own_mac_and_mtu)
{
	watch("10.0.0.2");
	await_ready("10.0.0.2", P0_MAC);
	run(lab.host, "ip link set v0 address " NEW_MAC " mtu 1400");
	run_loop(AT_ONCE_MS / 2);
	cr_assert_str_eq(reason_of("10.0.0.2"), "ready");
	cr_assert_str_eq(text_of(nexthop_of("10.0.0.2").source), NEW_MAC);
	cr_assert_eq(nexthop_of("10.0.0.2").mtu, 1400);
}

/* `ip route ... mtu`: where a link further on is smaller. */
Test(netlink, a_route_may_say_that_less_fits)
{
	run(lab.host, "ip route add 192.0.2.0/24 via 10.0.0.2 mtu 1300 && ip route add "
		      "198.51.100.0/24 via 10.0.0.2 mtu 9000");
	watch("192.0.2.7");
	watch("198.51.100.7");
	await_ready("192.0.2.7", P0_MAC);
	await_ready("198.51.100.7", P0_MAC);
	cr_assert_eq(nexthop_of("192.0.2.7").mtu, 1300);
	cr_assert_eq(nexthop_of("198.51.100.7").mtu, 1500);
	run(lab.host, "ip route replace 192.0.2.0/24 via 10.0.0.2 mtu 1400");
	run_loop(AT_ONCE_MS / 2);
	cr_assert_eq(nexthop_of("192.0.2.7").mtu, 1400);
}

Test(netlink, follows_announced_mac_at_once)
{
	await_ipv6();
	watch("10.0.0.2");
	watch("fd00:0::2");
	await_ready("10.0.0.2", P0_MAC);
	await_ready("fd00:0::2", P0_MAC);
	run(lab.peer, "echo 1 > /proc/sys/net/ipv4/conf/p0/arp_notify; echo 1 > "
		      "/proc/sys/net/ipv6/conf/p0/ndisc_notify; "
		      "ip link set p0 address " NEW_MAC);
	await("announced MAC", "10.0.0.2", NEW_MAC, NULL, AT_ONCE_MS);
	await("announced MAC", "fd00:0::2", NEW_MAC, NULL, AT_ONCE_MS);
}

Test(netlink, follows_silent_mac_of_ipv4_neighbour)
{
	watch("10.0.0.2");
	await_ready("10.0.0.2", P0_MAC);
	run(lab.peer, "ip link set p0 address " NEW_MAC);
	await("silent MAC", "10.0.0.2", NEW_MAC, NULL, SILENT_MS);
	cr_assert_eq(lab.calls, 3, "never not ready in between");
}

Test(netlink, follows_silent_mac_of_ipv6_gateway)
{
	await_ipv6();
	run(lab.host, "ip route add 2001:db8::/32 via fd00:0::2");
	watch("2001:db8::7");
	await_ready("2001:db8::7", P0_MAC);
	run_loop(NETLINK_REVALIDATE_MS + TICK_MS);
	run(lab.peer, "ip link set p0 address " NEW_MAC);
	await("silent MAC", "2001:db8::7", NEW_MAC, NULL, SILENT_MS);
	cr_assert_eq(lab.calls, 3, "never not ready in between");
}

Test(netlink, resolves_host_that_appears_later)
{
	await_ipv6();
	watch("10.0.0.9");
	watch("fd00:0::9");
	run_loop(4 * TICK_MS);
	cr_assert_str_eq(reason_of("10.0.0.9"), "neighbour unresolved");
	cr_assert_str_eq(reason_of("fd00:0::9"), "neighbour unresolved");
	run(lab.peer, "ip addr add 10.0.0.9/24 dev p0 && ip addr add fd00:0::9/64 dev p0 nodad");
	await("host appeared", "10.0.0.9", P0_MAC, NULL, 3 * TICK_MS);
	await("host appeared", "fd00:0::9", P0_MAC, NULL, 3 * TICK_MS);
}

/* Goes on until the kernel is in the state that the command finds. */
static void run_until(const char *command)
{
	for (int ticks = 0; system(command) != 0; ticks++) {
		cr_assert_lt(ticks, 20, "never: %s", command);
		run_loop(TICK_MS);
	}
}

Test(netlink, keeps_mac_of_neighbour_that_is_forgotten_or_fails)
{
	watch("10.0.0.2");
	watch("10.0.1.2");
	await_ready("10.0.0.2", P0_MAC);
	await_ready("10.0.1.2", P1_MAC);
	run(lab.peer, "ip addr del 10.0.1.2/24 dev p1");
	run(lab.host, "ip neigh flush dev v0");
	run_loop(4 * TICK_MS);
	run_until("ip neigh show 10.0.1.2 | grep -qE 'INCOMPLETE|FAILED'");
	run_until("ip neigh show 10.0.0.2 | grep -q REACHABLE");
	cr_assert_str_eq(reason_of("10.0.0.2"), "ready");
	cr_assert_str_eq(reason_of("10.0.1.2"), "ready");
	cr_assert_eq(lab.calls, 4);
}

Test(netlink, never_probes_what_others_maintain)
{
	run(lab.host,
	    "ip neigh add 10.0.0.2 lladdr " NEW_MAC " dev v0 nud permanent && "
	    "ip neigh add 10.0.1.2 lladdr " NEW_MAC " dev v1 nud reachable extern_learn && "
	    "ip neigh add fd00:0::2 lladdr " NEW_MAC " dev v0 managed");
	watch("10.0.0.2");
	watch("10.0.1.2");
	watch("fd00:0::2");
	run_loop(NETLINK_REVALIDATE_MS + 2 * TICK_MS);
	cr_assert_eq(statistics().probes, 0);
	cr_assert_eq(system("ip neigh show 10.0.0.2 | grep -q PERMANENT"), 0);
	cr_assert_eq(system("ip neigh show 10.0.1.2 | grep -q extern_learn"), 0);
	cr_assert_eq(system("ip -6 neigh show fd00::2 | grep -q managed"), 0);
	run(lab.host, "ip neigh replace 10.0.0.2 lladdr " P1_MAC " dev v0 nud permanent");
	await_ready("10.0.0.2", P1_MAC);
}

/* With room for a message or two, most of what the kernel tells is lost. */
Test(netlink, resyncs_after_overrun)
{
	int tiny = 1;

	run(lab.host, "ip route add 192.0.2.0/24 via 10.0.0.2");
	watch("192.0.2.7");
	watch("10.0.1.2");
	await_ready("192.0.2.7", P0_MAC);
	await_ready("10.0.1.2", P1_MAC);
	cr_assert_eq(
		setsockopt(netlink_fd(lab.netlink), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)), 0);
	run(lab.host,
	    "for i in 1 2 3 4 5 6 7 8 9; do ip route add 198.51.100.$i via 10.0.0.2; done; "
	    "ip route replace 192.0.2.0/24 via 10.0.1.2; ip link set v1 mtu 1300; ip link del v0; "
	    "ip neigh replace 10.0.1.2 lladdr " NEW_MAC " dev v1 nud permanent");
	await("overrun", "192.0.2.7", NEW_MAC, NULL, AT_ONCE_MS);
	await("overrun", "10.0.1.2", NEW_MAC, NULL, AT_ONCE_MS);
	cr_assert_eq(nexthop_of("192.0.2.7").mtu, 1300);
	cr_assert_geq(statistics().overruns, 1);
	cr_assert_geq(statistics().resyncs, 1);
}

static void watch_many(const char *format, int count)
{
	char address[64];

	for (int i = 0; i < count; i++) {
		snprintf(address, sizeof(address), format, i / 200, i % 200 + 1);
		watch(address);
	}
}

Test(netlink, thousand_addresses_share_one_gateway)
{
	struct netlink_statistics before, after;
	uint64_t start = now_ms();

	run(lab.host, "ip route add default via 10.0.0.2");
	watch_many("192.168.%d.%d", 1000);
	cr_log_info("1000 addresses watched in %d ms", (int)(now_ms() - start));
	await_ready("192.168.4.200", P0_MAC);
	after = statistics();
	cr_assert_leq(after.neighbour_requests, 2, "the gateway is asked for once");
	cr_assert_eq(after.resolutions, 1);
	cr_assert_lt(after.route_requests, 1200);

	before = statistics();
	lab.calls = 0;
	run(lab.host, "ip neigh replace 10.0.0.2 lladdr " NEW_MAC " dev v0 nud reachable");
	await("gateway's MAC", "192.168.4.200", NEW_MAC, NULL, AT_ONCE_MS);
	cr_assert_eq(lab.calls, 1000, "all are told, in one go");
	cr_assert_eq(statistics().route_requests, before.route_requests,
		     "a MAC is no reason to ask for routes");

	before = statistics();
	run(lab.host, "for i in 1 2 3 4 5; do ip route add 192.168.4.$i via 10.0.0.2; done");
	run_loop(50);
	cr_assert_leq(statistics().route_requests, before.route_requests + 25,
		      "only what the route covers");

	before = statistics();
	run(lab.host, "ip route del default && ip route add default via 10.0.1.2 && ip route "
		      "replace default via 10.0.0.2 && "
		      "ip route replace default via 10.0.1.2");
	start = now_ms();
	cr_assert_eq(netlink_process(lab.netlink), 0);
	cr_log_info("1000 routes asked again in %d ms", (int)(now_ms() - start));
	cr_assert_leq(statistics().route_requests, before.route_requests + 1000,
		      "once for all events");
	await_ready("192.168.4.200", P1_MAC);
}

/* The kernel's neighbour table is one for all namespaces (1024 entries): leave room for others. */
#define MANY 200

/* Neighbours of their own: probed in turns, each once in the time promised. */
Test(netlink, probes_many_neighbours_in_turns)
{
	uint64_t probes, most = 0, start;

	run(lab.host, "ip addr add 10.1.200.1/16 dev v0");
	run(lab.peer, "for i in $(seq 0 199); do echo addr add 10.1.$((i / 200)).$((i %% 200 + "
		      "1))/16 dev p0; done | "
		      "ip -batch -");
	watch_many("10.1.%d.%d", MANY);
	await_ready("10.1.0.200", P0_MAC);
	run_loop(TICK_MS);
	probes = statistics().probes;
	start = now_ms();
	while (now_ms() - start < 2 * NETLINK_REVALIDATE_MS) {
		uint64_t before = statistics().probes;

		step(start + 2 * NETLINK_REVALIDATE_MS);
		if (statistics().probes - before > most)
			most = statistics().probes - before;
	}
	probes = statistics().probes - probes;
	cr_log_info("%d probes in two rounds, at most %d at a time", (int)probes, (int)most);
	cr_assert_geq(probes, MANY);
	cr_assert_leq(probes, 3 * MANY);
	cr_assert_leq(most, 2 * MANY * TICK_MS / NETLINK_REVALIDATE_MS);
	cr_assert_eq(lab.calls, 2 * MANY, "probing changes nothing");
	cr_assert_eq(statistics().overruns, 0);
}

Test(netlink, audits_what_the_kernel_does_not_announce)
{
	uint64_t now = 1000;

	cr_assert_eq(netlink_tick(lab.netlink, now), 0);
	cr_assert_eq(netlink_tick(lab.netlink, now + NETLINK_AUDIT_MS - 1), 0);
	cr_assert_eq(statistics().resyncs, 0);
	cr_assert_eq(netlink_tick(lab.netlink, now + NETLINK_AUDIT_MS), 0);
	cr_assert_eq(statistics().resyncs, 1);
}

Test(netlink, watches_once_and_stops)
{
	struct in6_addr address = address_of("10.0.0.2");
	struct nexthop nexthop;

	watch("10.0.0.2");
	watch("10.0.0.2");
	cr_assert_eq(lab.calls, 1);
	cr_assert(IN6_ARE_ADDR_EQUAL(&lab.last, &address));
	cr_assert_eq(lab.refused, -EBUSY, "no watching within changed()");
	cr_assert_eq(netlink_unwatch(lab.netlink, &address), 0);
	cr_assert_eq(netlink_unwatch(lab.netlink, &address), -ENOENT);
	cr_assert_eq(netlink_nexthop(lab.netlink, &address, &nexthop), -ENOENT);
	run_loop(100);
	cr_assert_eq(lab.calls, 1);
}

Test(netlink, refuses_addresses_that_are_nobodys)
{
	static const char *const refused[] = {"0.0.0.0",	 "127.0.0.1", "224.0.0.1",
					      "255.255.255.255", "::",	      "::1",
					      "ff02::1",	 "fe80::1"};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct in6_addr address = address_of(refused[i]);

		cr_assert_eq(netlink_watch(lab.netlink, &address), -EINVAL, "%s", refused[i]);
	}
	cr_assert_eq(lab.calls, 0);
}

static bool is_filtered(const char *source, const char *interface, bool *way)
{
	struct in6_addr from = address_of(source), to = address_of("10.0.0.1");

	return netlink_is_filtered(lab.netlink, &from, &to, (int)if_nametoindex(interface), way);
}

#define FILTER(value)                                                                              \
	run(lab.host, "echo " value " >/proc/sys/net/ipv4/conf/all/rp_filter; "                    \
		      "for i in v0 v1; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done")

Test(netlink, asks_the_kernel_whom_rp_filter_drops)
{
	bool way = false;

	run(lab.host, "ip route add 192.0.2.0/24 via 10.0.1.2");
	FILTER("0");
	cr_expect_not(is_filtered("192.0.2.7", "v0", &way));
	cr_expect_not(is_filtered("198.51.100.1", "v0", &way));
	FILTER("1");
	cr_expect(is_filtered("192.0.2.7", "v0", &way) && way);
	cr_expect_not(is_filtered("192.0.2.7", "v1", &way));
	cr_expect(is_filtered("198.51.100.1", "v0", &way) && !way, "no way to it");
	FILTER("2");
	cr_expect_not(is_filtered("192.0.2.7", "v0", &way));
	cr_expect(is_filtered("198.51.100.1", "v0", &way) && !way);
}

/* By either of its interfaces is right. */
Test(netlink, rp_filter_lets_pass_what_has_several_ways)
{
	bool way;

	run(lab.host, "ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
	FILTER("1");
	cr_expect_not(is_filtered("192.0.2.7", "v0", &way));
	cr_expect_not(is_filtered("192.0.2.7", "v1", &way));
}
