// SPDX-License-Identifier: BSD-2-Clause
// Stage service: which packets are ours, and that all others pass untouched.
#include <linux/bpf.h>
#include <string.h>

#include "arrange.h"

#define DNS	 1
#define ANY_PORT 2

#define DNS_ADDRESS "198.51.100.53"
#define ANY_ADDRESS "198.51.100.7"

static void arrange_services(void)
{
	arrange_web();
	arrange_vip(DNS_ADDRESS, NEXT_UDP, 53, DNS, LARCH_SIGNAL_NONE);
	arrange_vip(ANY_ADDRESS, NEXT_TCP, 0, ANY_PORT, LARCH_SIGNAL_NONE);
	for (uint32_t service = DNS; service <= ANY_PORT; service++) {
		arrange_plan(service, 0, MEMBERS);
		arrange_publish(service, 0, 1);
		arrange_all_rings(service, 0, (uint8_t)service, LARCH_NO_MEMBER);
	}
	arrange_all_rings(WEB, 0, WEB, LARCH_NO_MEMBER);
}

TestSuite(service, .init = arrange_services, .fini = balancer_close);

/* Every service has a backend of its own here. */
static void expect_service(uint32_t service, struct result result)
{
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND + service);
}

Test(service, is_found_by_address_port_and_protocol)
{
	expect_service(WEB, SEND());
	expect_service(WEB, SEND(.ipv6 = true));
	expect_service(DNS, SEND(.to = DNS_ADDRESS, .protocol = NEXT_UDP, .port = 53));
}

Test(service, another_port_passes)
{
	EXPECT(SEND(.port = 81), PASS_NOT_OURS);
	EXPECT(SEND(.ipv6 = true, .port = 443), PASS_NOT_OURS);
	EXPECT(SEND(.to = DNS_ADDRESS, .protocol = NEXT_UDP, .port = 80), PASS_NOT_OURS);
}

Test(service, another_protocol_on_the_same_port_passes)
{
	EXPECT(SEND(.protocol = NEXT_UDP), PASS_NOT_OURS);
	EXPECT(SEND(.to = DNS_ADDRESS, .port = 53), PASS_NOT_OURS);
}

Test(service, another_address_passes)
{
	EXPECT(SEND(.to = "192.0.2.2"), PASS_NOT_OURS);
	EXPECT(SEND(.to = "127.0.0.1"), PASS_NOT_OURS);
	EXPECT(SEND(.ipv6 = true, .to = "2001:db8::2"), PASS_NOT_OURS);
}

Test(service, without_port_takes_every_port_of_its_protocol)
{
	expect_service(ANY_PORT, SEND(.to = ANY_ADDRESS, .port = 1));
	expect_service(ANY_PORT, SEND(.to = ANY_ADDRESS, .port = 80));
	expect_service(ANY_PORT, SEND(.to = ANY_ADDRESS, .port = 65535));
	EXPECT(SEND(.to = ANY_ADDRESS, .protocol = NEXT_UDP), PASS_NOT_OURS);
}

Test(service, an_exact_port_goes_before_any_port)
{
	arrange_vip(ANY_ADDRESS, NEXT_TCP, 443, DNS, LARCH_SIGNAL_NONE);
	expect_service(DNS, SEND(.to = ANY_ADDRESS, .port = 443));
	expect_service(ANY_PORT, SEND(.to = ANY_ADDRESS, .port = 444));
}

/* The mark of an address (port and protocol 0) is no service by itself. */
Test(service, protocol_zero_to_an_address_passes)
{
	struct frame frame = FRAME();

	frame.byte[frame.network + 9] = 0;
	EXPECT(balancer_send(&frame), PASS_NOT_TRANSPORT);
}

Test(service, an_address_alike_in_the_filter_passes)
{
	memset(balancer.settings->filter, 0xff, sizeof(balancer.settings->filter));
	EXPECT(SEND(.to = "192.0.2.2"), PASS_NOT_OURS);
	EXPECT(SEND(.to = "192.0.2.2", .more_fragments = true), PASS_NOT_OURS);
	EXPECT(SEND(.to = "192.0.2.2", .protocol = 1), PASS_NOT_OURS);
	EXPECT(SEND(.ipv6 = true, .to = "2001:db8::2", .protocol = NEXT_ICMPV6), PASS_NOT_OURS);
	expect_service(WEB, SEND());
}

Test(service, an_address_not_in_the_filter_passes)
{
	memset(balancer.settings->filter, 0, sizeof(balancer.settings->filter));
	EXPECT(SEND(), PASS_NOT_OURS);
}

Test(service, everything_passes_while_there_are_no_settings)
{
	memset(balancer.settings, 0, sizeof(*balancer.settings));
	EXPECT(SEND(), PASS_NOT_OURS);
	EXPECT(SEND(.ipv6 = true, .flags = SYN), PASS_NOT_OURS);
	EXPECT(SEND(.more_fragments = true), PASS_NOT_OURS);
}

Test(service, everything_passes_with_settings_of_another_abi)
{
	balancer.settings->abi = LARCH_ABI + 1;
	EXPECT(SEND(), PASS_NOT_OURS);
}

/* The id leads into arrays; a wrong one must find nothing rather than something else. */
Test(service, an_id_out_of_range_has_no_plan)
{
	arrange_vip(ANY_ADDRESS, NEXT_TCP, 0, LARCH_MAX_SERVICES, LARCH_SIGNAL_RESPONSE);
	EXPECT(SEND(.to = ANY_ADDRESS), DROP_NO_PLAN);
	arrange_vip(ANY_ADDRESS, NEXT_TCP, 0, 0xffff, LARCH_SIGNAL_RESPONSE);
	EXPECT(SEND(.to = ANY_ADDRESS), DROP_NO_PLAN);
}

Test(service, two_services_of_one_address_are_apart)
{
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, DNS, LARCH_SIGNAL_NONE);
	expect_service(WEB, SEND());
	expect_service(DNS, SEND(.protocol = NEXT_UDP));
}
