// SPDX-License-Identifier: BSD-2-Clause
// Stage parse: every shape of packet that is found to be a flow's, and every shape that is not.
#include <string.h>

#include "arrange.h"

#define NEXT_ICMP   1
#define CHAIN_LIMIT 6 /* extension headers that the balancer steps over */
#define ARP	    0x0806

static void arrange_tcp_and_udp(void)
{
	arrange_web();
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
}

TestSuite(parse, .init = arrange_tcp_and_udp, .fini = balancer_close);

/* Parsed right: the flow table's entry is that of the flow's tuple. */
static void expect_flow(const struct spec *spec)
{
	struct result result = balancer_send_spec(spec);

	backend_reached(&result);
	cr_assert_not_null(flow_of(spec), "%s, but of another flow", outcomes_name(result.outcome));
}

#define EXPECT_FLOW(...) expect_flow(&(struct spec){__VA_ARGS__})

Test(parse, tcp_and_udp_over_ipv4_and_ipv6_are_flows)
{
	EXPECT_FLOW(.client = 1, .flags = SYN);
	EXPECT_FLOW(.client = 2, .protocol = NEXT_UDP, .payload = 20);
	EXPECT_FLOW(.client = 3, .ipv6 = true, .flags = SYN);
	EXPECT_FLOW(.client = 4, .ipv6 = true, .protocol = NEXT_UDP, .payload = 20);
}

Test(parse, ports_and_addresses_make_different_flows)
{
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_NEW);
	EXPECT(SEND(.client = 2, .flags = SYN), FORWARD_NEW);
	EXPECT(SEND(.client = 1, .flags = SYN, .source_port = 40001), FORWARD_NEW);
	EXPECT(SEND(.client = 1, .protocol = NEXT_UDP), FORWARD_NEW);
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_FLOW);
}

Test(parse, ipv6_addresses_differ_in_every_word)
{
	EXPECT(SEND(.ipv6 = true, .flags = SYN, .from = "1:0:2:0:3:0:4:0"), FORWARD_NEW);
	EXPECT(SEND(.ipv6 = true, .flags = SYN, .from = "9:0:2:0:3:0:4:0"), FORWARD_NEW);
	EXPECT(SEND(.ipv6 = true, .flags = SYN, .from = "1:0:9:0:3:0:4:0"), FORWARD_NEW);
	EXPECT(SEND(.ipv6 = true, .flags = SYN, .from = "1:0:2:0:9:0:4:0"), FORWARD_NEW);
	EXPECT(SEND(.ipv6 = true, .flags = SYN, .from = "1:0:2:0:3:0:9:0"), FORWARD_NEW);
	EXPECT(SEND(.ipv6 = true, .flags = SYN, .from = "1:0:2:0:3:0:4:0"), FORWARD_FLOW);
}

Test(parse, up_to_two_vlan_tags_are_stepped_over)
{
	EXPECT_FLOW(.client = 1, .vlans = 1);
	EXPECT_FLOW(.client = 2, .vlans = 2);
	EXPECT_FLOW(.client = 3, .vlans = 2, .ipv6 = true);
	EXPECT(SEND(.vlans = 3), PASS_NOT_IP);
}

Test(parse, a_provider_tag_is_stepped_over)
{
	struct frame frame = FRAME(.vlans = 2, .flags = SYN);

	frame_set16(&frame, 12, 0x88a8);
	EXPECT(balancer_send(&frame), FORWARD_NEW);
	cr_assert_not_null(FLOW());
}

Test(parse, other_protocols_than_ip_pass)
{
	EXPECT(SEND(.ethertype = ARP), PASS_NOT_IP);
	EXPECT(SEND(.vlans = 1, .ethertype = ARP), PASS_NOT_IP);
	EXPECT(SEND(.ethertype = 0x0040), PASS_NOT_IP);
}

Test(parse, a_version_that_belies_the_ethertype_passes)
{
	EXPECT(SEND(.ethertype = 0x86dd), PASS_MALFORMED);
	EXPECT(SEND(.ipv6 = true, .ethertype = 0x0800), PASS_MALFORMED);
}

Test(parse, ipv4_options_are_stepped_over)
{
	for (uint8_t words = 0; words <= 10; words++) {
		EXPECT_FLOW(.client = 2 * words, .ipv4_options = words, .flags = SYN);
		EXPECT_FLOW(.client = 2 * words + 1, .ipv4_options = words, .protocol = NEXT_UDP);
	}
}

Test(parse, tcp_options_are_no_payload)
{
	for (uint8_t words = 0; words <= 10; words++) {
		EXPECT(SEND(.client = words, .flags = SYN), FORWARD_NEW);
		EXPECT(SEND(.client = words, .tcp_options = words), FORWARD_FLOW);
		cr_assert_eq(FLOW(.client = words)->timing.phase, LARCH_PHASE_FRESH);
	}
}

/* If padding were taken for payload, the ACK would be a request. */
Test(parse, ethernet_padding_is_no_payload)
{
	EXPECT(SEND(.flags = SYN), FORWARD_NEW);
	EXPECT(SEND(.trailer = 6), FORWARD_FLOW);
	cr_assert_eq(FLOW()->timing.phase, LARCH_PHASE_FRESH);
	EXPECT(SEND(.ipv6 = true, .flags = SYN), FORWARD_NEW);
	EXPECT(SEND(.ipv6 = true, .trailer = 6), FORWARD_FLOW);
	cr_assert_eq(FLOW(.ipv6 = true)->timing.phase, LARCH_PHASE_FRESH);
}

static const uint8_t kinds[] = {NEXT_HOP_BY_HOP, NEXT_ROUTING, NEXT_DESTINATION,
				NEXT_AUTHENTICATION};

Test(parse, each_kind_of_extension_header_is_stepped_over)
{
	for (uint32_t i = 0; i < COUNT(kinds); i++) {
		EXPECT_FLOW(.client = 2 * i, .ipv6 = true, .extensions = 1, .extension = {kinds[i]},
			    .flags = SYN);
		EXPECT_FLOW(.client = 2 * i + 1, .ipv6 = true, .extensions = 1,
			    .extension = {kinds[i]}, .protocol = NEXT_UDP);
	}
}

Test(parse, extension_headers_are_no_payload)
{
	for (uint32_t i = 0; i < COUNT(kinds); i++) {
		EXPECT(SEND(.client = i, .ipv6 = true, .flags = SYN), FORWARD_NEW);
		EXPECT(SEND(.client = i, .ipv6 = true, .extensions = 1, .extension = {kinds[i]}),
		       FORWARD_FLOW);
		cr_assert_eq(FLOW(.client = i, .ipv6 = true)->timing.phase, LARCH_PHASE_FRESH);
	}
}

static struct spec chain_of(uint8_t length)
{
	struct spec spec = {.client = length, .ipv6 = true, .extensions = length, .flags = SYN};

	for (uint8_t i = 0; i < length; i++)
		spec.extension[i] = kinds[i % COUNT(kinds)];
	return spec;
}

Test(parse, a_chain_of_extension_headers_is_stepped_over_up_to_the_limit)
{
	for (uint8_t length = 1; length <= EXTENSIONS_MOST; length++) {
		struct spec spec = chain_of(length);

		if (length <= CHAIN_LIMIT)
			expect_flow(&spec);
		else
			EXPECT(balancer_send_spec(&spec), PASS_NOT_TRANSPORT);
	}
}

Test(parse, an_extension_header_that_is_not_known_is_no_transport)
{
	EXPECT(SEND(.ipv6 = true, .extensions = 1, .extension = {NEXT_MOBILITY}),
	       PASS_NOT_TRANSPORT);
	EXPECT(SEND(.ipv6 = true, .protocol = 59), PASS_NOT_TRANSPORT);
}

Test(parse, a_first_ipv4_fragment_is_a_flow_and_later_ones_have_no_ports)
{
	EXPECT_FLOW(.client = 1, .more_fragments = true, .flags = SYN);
	EXPECT_FLOW(.client = 2, .more_fragments = true, .protocol = NEXT_UDP, .payload = 8);
	EXPECT_FLOW(.client = 3, .more_fragments = true, .ipv4_options = 10, .protocol = NEXT_UDP);
	EXPECT(SEND(.client = 4, .fragment_offset = 1), DROP_FRAGMENT);
	EXPECT(SEND(.client = 4, .fragment_offset = 0x1fff, .more_fragments = true), DROP_FRAGMENT);
	EXPECT(SEND(.client = 4, .fragment_offset = 1, .port = 9), DROP_FRAGMENT);
	cr_assert_null(FLOW(.client = 4));
}

Test(parse, an_unfragmented_packet_that_may_not_be_fragmented_is_no_fragment)
{
	struct frame frame = FRAME(.flags = SYN);

	frame.byte[frame.network + 6] |= 0x40;
	EXPECT(balancer_send(&frame), FORWARD_NEW);
}

#define FRAGMENT_OF(...) .ipv6 = true, .extensions = 1, .extension = {NEXT_FRAGMENT}, __VA_ARGS__

Test(parse, a_first_ipv6_fragment_is_a_flow_and_later_ones_have_no_ports)
{
	EXPECT_FLOW(FRAGMENT_OF(.client = 1, .more_fragments = true, .flags = SYN));
	EXPECT_FLOW(FRAGMENT_OF(.client = 2, .more_fragments = true, .protocol = NEXT_UDP));
	EXPECT(SEND(FRAGMENT_OF(.client = 4, .fragment_offset = 1)), DROP_FRAGMENT);
	EXPECT(SEND(FRAGMENT_OF(.client = 4, .fragment_offset = 0x1fff, .more_fragments = true)),
	       DROP_FRAGMENT);
	cr_assert_null(FLOW(.ipv6 = true, .client = 4));
}

/* Those before the fragment header are in each fragment, those behind it in the first. */
Test(parse, extension_headers_around_a_first_fragments_header_are_stepped_over)
{
	EXPECT_FLOW(.ipv6 = true, .client = 1, .more_fragments = true, .extensions = 6,
		    .extension = {NEXT_HOP_BY_HOP, NEXT_DESTINATION, NEXT_ROUTING, NEXT_FRAGMENT,
				  NEXT_AUTHENTICATION, NEXT_DESTINATION},
		    .flags = SYN);
	EXPECT_FLOW(.ipv6 = true, .client = 2, .more_fragments = true, .extensions = 2,
		    .extension = {NEXT_FRAGMENT, NEXT_DESTINATION}, .protocol = NEXT_UDP);
	EXPECT_FLOW(.ipv6 = true, .client = 3, .more_fragments = true, .extensions = 2,
		    .extension = {NEXT_DESTINATION, NEXT_FRAGMENT}, .protocol = NEXT_UDP);
	EXPECT(SEND(.ipv6 = true, .extensions = 3, .fragment_offset = 9,
		    .extension = {NEXT_HOP_BY_HOP, NEXT_FRAGMENT, NEXT_DESTINATION}),
	       DROP_FRAGMENT);
}

/* What is behind them may be TCP or UDP: not the host's, to which the later ones do not go. */
Test(parse, a_first_fragment_with_more_extension_headers_than_the_limit_is_dropped)
{
	EXPECT(SEND(.ipv6 = true, .more_fragments = true, .extensions = 7,
		    .extension = {NEXT_FRAGMENT, NEXT_DESTINATION, NEXT_DESTINATION,
				  NEXT_DESTINATION, NEXT_DESTINATION, NEXT_DESTINATION,
				  NEXT_DESTINATION}),
	       DROP_FRAGMENT);
}

/* RFC 7112: all headers belong into the first fragment. */
Test(parse, a_first_fragment_that_ends_before_its_ports_is_dropped)
{
	for (uint16_t cut = 1; cut <= TCP_BYTES; cut++) {
		struct frame ipv4 = FRAME(.more_fragments = true);
		struct frame ipv6 = FRAME(FRAGMENT_OF(.more_fragments = true));

		frame_set16(&ipv4, ipv4.network + 2, IPV4_BYTES + TCP_BYTES - cut);
		frame_set16(&ipv6, ipv6.network + 4, 8 + TCP_BYTES - cut);
		EXPECT(balancer_send(&ipv4), DROP_TRUNCATED);
		EXPECT(balancer_send(&ipv6), DROP_TRUNCATED);
	}
}

/* What follows a fragment's header is from the middle of the packet: it may look like anything. */
Test(parse, a_later_ipv6_fragment_is_dropped_whatever_it_holds)
{
	for (unsigned value = 0; value < 256; value++) {
		struct frame frame = FRAME(
			FRAGMENT_OF(.fragment_offset = 1, .payload = 64, .protocol = NEXT_UDP));

		for (size_t i = frame.transport; i < frame.size; i++)
			frame.byte[i] = (uint8_t)value;
		EXPECT(balancer_send(&frame), DROP_FRAGMENT);
	}
}

/* RFC 4291: no address on the wire. An IPv4 service must not be reached by it. */
Test(parse, ipv6_to_the_mapped_address_of_an_ipv4_service_is_left_to_the_host)
{
	EXPECT(SEND(.ipv6 = true, .flags = SYN, .to = "::ffff:" VIP_IPV4), PASS_MALFORMED);
}

/* Access lists and NAT's backends would take it for the IPv4 host. */
Test(parse, ipv6_from_the_mapped_address_of_an_ipv4_host_is_left_to_the_host)
{
	EXPECT(SEND(.ipv6 = true, .flags = SYN, .from = "::ffff:198.18.0.7"), PASS_MALFORMED);
	EXPECT(SEND(.ipv6 = true, .flags = SYN, .from = "::fffe:198.18.0.7"), FORWARD_NEW);
}

/* RFC 6946: a fragment header that says "all of it" is no reason to refuse the packet. */
Test(parse, an_ipv6_fragment_that_is_the_whole_packet_is_a_flow)
{
	EXPECT_FLOW(FRAGMENT_OF(.flags = SYN));
	EXPECT_FLOW(FRAGMENT_OF(.protocol = NEXT_UDP));
}

Test(parse, fragments_to_no_service_pass)
{
	EXPECT(SEND(.to = "192.0.2.9", .more_fragments = true), PASS_NOT_OURS);
	EXPECT(SEND(FRAGMENT_OF(.to = "2001:db8::9", .fragment_offset = 1)), PASS_NOT_OURS);
}

Test(parse, icmp_to_a_service_passes)
{
	EXPECT(SEND(.protocol = NEXT_ICMP, .payload = 56), PASS_NOT_TRANSPORT);
	EXPECT(SEND(.ipv6 = true, .protocol = NEXT_ICMPV6, .payload = 56), PASS_NOT_TRANSPORT);
	EXPECT(SEND(.protocol = NEXT_ICMP, .more_fragments = true), PASS_NOT_TRANSPORT);
	EXPECT(SEND(.protocol = NEXT_ICMP, .fragment_offset = 7), PASS_NOT_TRANSPORT);
	EXPECT(SEND(FRAGMENT_OF(.protocol = NEXT_ICMPV6, .fragment_offset = 7)),
	       PASS_NOT_TRANSPORT);
}

Test(parse, other_transports_to_a_service_pass)
{
	EXPECT(SEND(.protocol = 47), PASS_NOT_TRANSPORT);
	EXPECT(SEND(.protocol = 132), PASS_NOT_TRANSPORT);
	EXPECT(SEND(.protocol = NEXT_IPIP), PASS_NOT_TRANSPORT);
}

Test(parse, a_transport_header_that_is_not_all_there_is_dropped)
{
	struct frame short_header = FRAME(.flags = SYN), long_header = FRAME(.flags = SYN);

	short_header.byte[short_header.transport + 12] = 4 << 4;
	long_header.byte[long_header.transport + 12] = 6 << 4;
	EXPECT(balancer_send(&short_header), DROP_TRUNCATED);
	EXPECT(balancer_send(&long_header), DROP_TRUNCATED);
}
