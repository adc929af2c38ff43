// SPDX-License-Identifier: BSD-2-Clause
// Stage guard: who is on a service's access list, and what becomes of the packets of who is denied.
#include <arpa/inet.h>
#include <string.h>

#include "arrange.h"

#define OTHER	      5 /* a service */
#define OTHER_ADDRESS "198.51.100.1"

static void arrange_listed(void)
{
	arrange_web();
	balancer.services[WEB].policy.flags = LARCH_SERVICE_LISTED;
}

TestSuite(access, .init = arrange_listed, .fini = balancer_close);

/* `bits` of the address as it is written. */
static void list(uint32_t service, const char *address, uint32_t bits,
		 enum larch_access_verdict verdict)
{
	struct larch_access access = {.service = htonl(service)};

	address_of(address, access.address);
	access.prefix = 32 + bits + (strchr(address, ':') ? 0 : 96);
	balancer_put_access(&access, verdict);
}

static void close_list(void)
{
	balancer.services[WEB].policy.flags |= LARCH_SERVICE_CLOSED;
}

#define FROM(source, ...) SEND(.from = source, .flags = SYN, ##__VA_ARGS__)
#define FROM6(source)	  SEND(.ipv6 = true, .from = source, .flags = SYN)

Test(access, who_is_denied_is_dropped_and_leaves_nothing_behind)
{
	list(WEB, "10.1.0.0", 16, LARCH_ACCESS_DENY);
	list(WEB, "2001:db8:1::", 48, LARCH_ACCESS_DENY);
	EXPECT(FROM("10.1.2.3"), DROP_DENIED);
	EXPECT(FROM6("2001:db8:1::7"), DROP_DENIED);
	cr_assert_null(FLOW(.from = "10.1.2.3"));
	cr_assert_null(FLOW(.ipv6 = true, .from = "2001:db8:1::7"));
	cr_assert_eq(balancer_service_traffic(WEB).packets, 0);
	EXPECT(FROM("10.2.2.3"), FORWARD_NEW);
	EXPECT(FROM6("2001:db8:2::7"), FORWARD_NEW);
}

Test(access, the_longest_prefix_decides)
{
	list(WEB, "10.0.0.0", 8, LARCH_ACCESS_DENY);
	list(WEB, "10.1.0.0", 16, LARCH_ACCESS_ALLOW);
	list(WEB, "10.1.2.3", 32, LARCH_ACCESS_DENY);
	list(WEB, "2001:db8::", 32, LARCH_ACCESS_DENY);
	list(WEB, "2001:db8:1::", 64, LARCH_ACCESS_ALLOW);
	list(WEB, "2001:db8:1::7", 128, LARCH_ACCESS_DENY);
	EXPECT(FROM("10.2.0.1"), DROP_DENIED);
	EXPECT(FROM("10.1.2.4"), FORWARD_NEW);
	EXPECT(FROM("10.1.2.3"), DROP_DENIED);
	EXPECT(FROM("11.1.2.3"), FORWARD_NEW);
	EXPECT(FROM6("2001:db8:2::1"), DROP_DENIED);
	EXPECT(FROM6("2001:db8:1::1"), FORWARD_NEW);
	EXPECT(FROM6("2001:db8:1::7"), DROP_DENIED);
}

Test(access, a_closed_service_denies_who_is_not_listed)
{
	close_list();
	list(WEB, "10.1.0.0", 16, LARCH_ACCESS_ALLOW);
	list(WEB, "2001:db8:1::", 48, LARCH_ACCESS_ALLOW);
	EXPECT(FROM("10.1.2.3"), FORWARD_NEW);
	EXPECT(FROM("10.2.2.3"), DROP_DENIED);
	EXPECT(FROM6("2001:db8:1::7"), FORWARD_NEW);
	EXPECT(FROM6("2001:db8:2::7"), DROP_DENIED);
}

Test(access, a_prefix_of_no_bits_is_everybody_of_both_families)
{
	list(WEB, "::", 0, LARCH_ACCESS_DENY);
	EXPECT(FROM("10.1.2.3"), DROP_DENIED);
	EXPECT(FROM6("2001:db8:1::7"), DROP_DENIED);
	list(WEB, "0.0.0.0", 0, LARCH_ACCESS_ALLOW);
	EXPECT(FROM("10.1.2.3"), FORWARD_NEW);
	EXPECT(FROM6("2001:db8:1::7"), DROP_DENIED);
}

Test(access, services_have_lists_of_their_own)
{
	arrange_vip(OTHER_ADDRESS, NEXT_TCP, VIP_PORT, OTHER, LARCH_SIGNAL_NONE);
	arrange_plan(OTHER, 0, MEMBERS);
	arrange_publish(OTHER, 0, 1);
	balancer.services[OTHER].policy.flags = LARCH_SERVICE_LISTED;
	list(OTHER, "10.1.0.0", 16, LARCH_ACCESS_DENY);
	EXPECT(FROM("10.1.2.3"), FORWARD_NEW);
	EXPECT(FROM("10.1.2.3", .to = OTHER_ADDRESS), DROP_DENIED);
}

Test(access, it_is_looked_up_for_services_that_have_a_list_only)
{
	list(WEB, "10.1.0.0", 16, LARCH_ACCESS_DENY);
	balancer.services[WEB].policy.flags = LARCH_SERVICE_CLOSED;
	EXPECT(FROM("10.1.2.3"), FORWARD_NEW);
	EXPECT(FROM("10.2.2.3"), FORWARD_NEW);
}

/* An operator who denies somebody means now, not when the connection ends. */
Test(access, established_flows_are_cut_off_and_let_in_again)
{
	uint64_t before;

	EXPECT(FROM("10.1.2.3"), FORWARD_NEW);
	EXPECT(SEND(.from = "10.1.2.3"), FORWARD_FLOW);
	before = FLOW(.from = "10.1.2.3")->identity.word;
	list(WEB, "10.1.2.3", 32, LARCH_ACCESS_DENY);
	EXPECT(SEND(.from = "10.1.2.3", .payload = 100), DROP_DENIED);
	EXPECT(SEND(.from = "10.1.2.3", .flags = RST), DROP_DENIED);
	cr_assert_eq(FLOW(.from = "10.1.2.3")->identity.word, before);
	list(WEB, "10.1.2.3", 32, LARCH_ACCESS_ALLOW);
	EXPECT(SEND(.from = "10.1.2.3", .payload = 100), FORWARD_FLOW);
}

Test(access, datagrams_and_mid_flow_packets_are_looked_up_too)
{
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	list(WEB, "10.1.0.0", 16, LARCH_ACCESS_DENY);
	EXPECT(SEND(.from = "10.1.2.3", .protocol = NEXT_UDP, .payload = 9), DROP_DENIED);
	EXPECT(SEND(.from = "10.1.2.3", .payload = 9), DROP_DENIED);
	EXPECT(SEND(.from = "10.2.2.3", .protocol = NEXT_UDP, .payload = 9), FORWARD_NEW);
}

/* What else may stand in a damaged map lets nobody in. */
Test(access, only_allow_allows)
{
	list(WEB, "10.1.0.0", 16, 0);
	EXPECT(FROM("10.1.2.3"), DROP_DENIED);
	list(WEB, "10.1.0.0", 16, 7);
	EXPECT(FROM("10.1.2.3"), DROP_DENIED);
}
