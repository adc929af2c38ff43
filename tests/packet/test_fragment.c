// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage fragment: later fragments go where the first one went, or are dropped. Where a service's
 * flows have no ports, all fragments find their flow by themselves.
 */
#include <arpa/inet.h>
#include <string.h>

#include "arrange.h"

#define LATER_BYTES 64

static void arrange_tcp_and_udp(void)
{
	arrange_web();
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
}

TestSuite(fragment, .init = arrange_tcp_and_udp, .fini = balancer_close);

static struct spec fragment(const struct spec *of)
{
	struct spec spec = *of;

	if (spec.ipv6 && spec.extensions == 0) {
		spec.extensions = 1;
		spec.extension[0] = NEXT_FRAGMENT;
	}
	if (!spec.protocol)
		spec.protocol = NEXT_UDP;
	spec.payload = LATER_BYTES;
	return spec;
}

static struct result send_first(const struct spec *of)
{
	struct spec spec = fragment(of);

	spec.more_fragments = true;
	return balancer_send_spec(&spec);
}

/* What is where the ports would be comes from the middle of the packet. */
static struct result send_later(const struct spec *of)
{
	struct spec spec = fragment(of);
	struct frame frame;

	spec.fragment_offset = 100;
	frame = frame_build(&spec);
	memset(frame.byte + frame.transport, 0x50, LATER_BYTES);
	return balancer_send(&frame);
}

#define FIRST(...) send_first(&(struct spec){__VA_ARGS__})
#define LATER(...) send_later(&(struct spec){__VA_ARGS__})

static struct larch_fragment key_of(const struct spec *of)
{
	struct larch_tuple tuple = tuple_of(of);
	struct larch_fragment key = {
		.identification =
			of->ipv6 ? htonl(of->identification) : htons((uint16_t)of->identification),
		.protocol = of->ipv6 ? 0 : NEXT_UDP,
	};

	memcpy(key.source, tuple.source, sizeof(key.source));
	memcpy(key.destination, tuple.destination, sizeof(key.destination));
	return key;
}

static void check_follow(bool ipv6, uint8_t protocol)
{
	for (uint32_t i = 1; i <= 50; i++) {
		struct spec of = {
			.ipv6 = ipv6, .client = i, .identification = i << 8, .protocol = protocol};
		struct result first, later;

		EXPECT(send_later(&of), DROP_FRAGMENT);
		first = send_first(&of);
		arrange_all_rings(WEB, 0, (uint8_t)(i % MEMBERS), LARCH_NO_MEMBER);
		for (int again = 0; again < 2; again++) {
			later = send_later(&of);
			EXPECT(later, FORWARD_FRAGMENT);
			cr_assert_eq(backend_reached(&later), backend_reached(&first));
		}
	}
}

Test(fragment, later_ones_follow_the_first_whatever_the_ring_says_now)
{
	check_follow(false, NEXT_UDP);
	check_follow(true, NEXT_UDP);
}

Test(fragment, of_tcp_as_well)
{
	check_follow(false, NEXT_TCP);
	check_follow(true, NEXT_TCP);
}

Test(fragment, later_ones_leave_the_tunnel_as_the_first)
{
	for (uint32_t m = 0; m < MEMBERS; m++)
		arrange_backend(FIRST_BACKEND + m, LARCH_TUNNEL_IPV6, INGRESS);
	for (int ipv6 = 0; ipv6 <= 1; ipv6++) {
		struct result first = FIRST(.ipv6 = ipv6, .identification = 7);
		struct result later = LATER(.ipv6 = ipv6, .identification = 7);

		/* MACs, and of the outer header version, class, flow label and addresses. */
		cr_assert_arr_eq(later.frame.byte, first.frame.byte, ETHERNET_BYTES + 4);
		cr_assert_arr_eq(later.frame.byte + ETHERNET_BYTES + 6,
				 first.frame.byte + ETHERNET_BYTES + 6, IPV6_BYTES - 6);
	}
}

Test(fragment, of_another_packet_are_not_taken_for_them)
{
	FIRST(.client = 1, .identification = 0x101);
	EXPECT(LATER(.client = 1, .identification = 0x101), FORWARD_FRAGMENT);
	EXPECT(LATER(.client = 1, .identification = 0x102), DROP_FRAGMENT);
	EXPECT(LATER(.client = 2, .identification = 0x101), DROP_FRAGMENT);
	EXPECT(LATER(.client = 1, .identification = 0x101, .protocol = NEXT_TCP), DROP_FRAGMENT);
	EXPECT(LATER(.ipv6 = true, .client = 1, .identification = 0x101), DROP_FRAGMENT);
}

/* All 32 bits count, and the next header does not: only the first fragment's is right (RFC 8200).
 */
Test(fragment, of_ipv6_are_told_apart_by_addresses_and_identification)
{
	FIRST(.ipv6 = true, .identification = 0x10001);
	EXPECT(LATER(.ipv6 = true, .identification = 0x10001), FORWARD_FRAGMENT);
	EXPECT(LATER(.ipv6 = true, .identification = 0x20001), DROP_FRAGMENT);
	EXPECT(LATER(.ipv6 = true, .identification = 0x10001, .protocol = NEXT_TCP),
	       FORWARD_FRAGMENT);
	EXPECT(LATER(.ipv6 = true, .identification = 0x10001, .protocol = NEXT_DESTINATION),
	       FORWARD_FRAGMENT);
	EXPECT(LATER(.ipv6 = true, .identification = 0x10001, .extensions = 2,
		     .extension = {NEXT_HOP_BY_HOP, NEXT_FRAGMENT}),
	       FORWARD_FRAGMENT);
}

static void check_reuse(bool ipv6)
{
	struct result first, again, later;

	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	first = FIRST(.ipv6 = ipv6, .identification = 5, .source_port = 1);
	arrange_all_rings(WEB, 0, 1, LARCH_NO_MEMBER);
	again = FIRST(.ipv6 = ipv6, .identification = 5, .source_port = 2);
	cr_assert_neq(backend_reached(&again), backend_reached(&first));
	later = LATER(.ipv6 = ipv6, .identification = 5);
	cr_assert_eq(backend_reached(&later), backend_reached(&again));
}

Test(fragment, a_new_packet_with_an_old_identification_takes_its_place)
{
	check_reuse(false);
	check_reuse(true);
}

static void change_backends(uint8_t tunnel, uint8_t ready)
{
	for (uint32_t m = 0; m < MEMBERS; m++) {
		struct larch_backend backend = balancer_backend(FIRST_BACKEND + m);

		backend.ready = ready;
		backend.tunnel = tunnel;
		balancer_set_backend(FIRST_BACKEND + m, &backend);
	}
}

Test(fragment, are_not_sent_to_a_backend_that_is_gone)
{
	FIRST(.identification = 5);
	FIRST(.ipv6 = true, .identification = 5);
	change_backends(LARCH_TUNNEL_IPV4, 0);
	EXPECT(LATER(.identification = 5), DROP_NO_NEXTHOP);
	EXPECT(LATER(.ipv6 = true, .identification = 5), DROP_NO_NEXTHOP);
	change_backends(LARCH_TUNNEL_NONE, 0);
	EXPECT(LATER(.identification = 5), DROP_NO_BACKEND);
	EXPECT(LATER(.ipv6 = true, .identification = 5), DROP_NO_BACKEND);
}

Test(fragment, a_first_one_that_was_not_sent_on_is_not_remembered)
{
	change_backends(LARCH_TUNNEL_IPV4, 0);
	EXPECT(FIRST(.identification = 5), DROP_NO_NEXTHOP);
	EXPECT(LATER(.identification = 5), DROP_FRAGMENT);
}

Test(fragment, whole_packets_are_not_remembered)
{
	EXPECT(SEND(.protocol = NEXT_UDP), FORWARD_NEW);
	EXPECT(SEND(.ipv6 = true, .extensions = 1, .extension = {NEXT_FRAGMENT}), FORWARD_UNKNOWN);
	cr_assert_not(balancer_has_fragments());
	FIRST();
	cr_assert(balancer_has_fragments());
}

static void check_memory(bool ipv6)
{
	struct spec of = {.ipv6 = ipv6, .identification = 0xabcd, .protocol = NEXT_UDP};
	struct larch_fragment key = key_of(&of);
	struct result first = send_first(&of);
	struct larch_fragment_way way;

	cr_assert(balancer_fragment(&key, &way));
	cr_assert_eq(way.service, WEB);
	cr_assert_eq(way.backend, backend_reached(&first));
	cr_assert_eq(way.hash, hash_of(&of));
	cr_assert_leq((now_stamp() - way.stamp) & LARCH_STAMP_MASK, 1);
	way.stamp = (uint16_t)((now_stamp() - LARCH_FRAGMENT_STAMPS) & LARCH_STAMP_MASK);
	balancer_put_fragment(&key, &way);
	EXPECT(send_later(&of), DROP_FRAGMENT);
}

Test(fragment, are_remembered_by_both_addresses_and_for_about_a_minute)
{
	check_memory(false);
	check_memory(true);
}

/* The flow lives by its first fragments alone. */
Test(fragment, later_ones_leave_the_flow_as_it_is)
{
	struct spec of = {.protocol = NEXT_UDP, .identification = 5};
	struct larch_flow before;

	send_first(&of);
	before = *flow_of(&of);
	EXPECT(send_later(&of), FORWARD_FRAGMENT);
	cr_assert_eq(flow_of(&of)->identity.word, before.identity.word);
	cr_assert_eq(flow_of(&of)->timing.word, before.timing.word);
	cr_assert_eq(balancer_cells(), 0);
}

Test(fragment, count_for_service_and_backend_but_are_no_flows)
{
	struct result first = FIRST(.identification = 5);
	struct larch_traffic service, backend;

	LATER(.identification = 5);
	LATER(.identification = 5);
	LATER(.identification = 6);
	service = balancer_service_traffic(WEB);
	backend = balancer_backend_traffic(backend_reached(&first));
	cr_assert_eq(service.packets, 3);
	cr_assert_eq(service.flows, 1);
	cr_assert_eq(backend.packets, 3);
	cr_assert_eq(backend.flows, 1);
	cr_assert_eq(backend.bytes, service.bytes);
}

/* --- services whose flows have no ports --- */

static void put_later(const char *address, uint16_t service)
{
	struct larch_vip vip = {.protocol = NEXT_UDP, .kind = LARCH_VIP_LATER};

	address_of(address, vip.address);
	balancer_put_vip(&vip, service);
	balancer.services[service].policy.flags = LARCH_SERVICE_BY_SOURCE;
}

static void by_source(void)
{
	put_later(VIP_IPV4, WEB);
	put_later(VIP_IPV6, WEB);
}

static void check_any_order(bool ipv6)
{
	for (uint32_t client = 0; client < 50; client++) {
		struct spec of = {.ipv6 = ipv6, .client = client, .protocol = NEXT_UDP};
		struct result later = send_later(&of), first, whole;

		EXPECT(later, FORWARD_NEW);
		cr_assert_not_null(flow_of(&of));
		arrange_all_rings(WEB, 0, (uint8_t)(client % MEMBERS), LARCH_NO_MEMBER);
		first = send_first(&of);
		EXPECT(first, FORWARD_FLOW);
		whole = balancer_send_spec(&of);
		EXPECT(whole, FORWARD_FLOW);
		cr_assert_eq(backend_reached(&first), backend_reached(&later));
		cr_assert_eq(backend_reached(&whole), backend_reached(&later));
	}
}

Test(fragment, by_source_all_fragments_find_their_flow_in_any_order)
{
	by_source();
	check_any_order(false);
	check_any_order(true);
}

/* What a fragment shows of its flow is what every packet of it must be judged by. */
Test(fragment, by_source_the_leaf_is_the_same_whatever_packet_comes_first)
{
	struct larch_plan *plan = &balancer.plan[larch_bank_index(WEB, 0)];
	static const struct larch_node nodes[] = {
		{.feature = LARCH_FEATURE_PORT, .threshold = 0},
		{.feature = LARCH_FEATURE_SIZE, .threshold = 1},
	};
	uint32_t client = 0;

	by_source();
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	arrange_ring(WEB, 0, LARCH_RING_LEAF + 1, 1, LARCH_NO_MEMBER);
	arrange_ring(WEB, 0, LARCH_RING_GLOBAL, LARCH_NO_MEMBER, LARCH_NO_MEMBER);
	plan->tree.depth = 1;
	plan->tree.leaves = 2;
	plan->tree.leaf[1] = 1;
	for (size_t i = 0; i < COUNT(nodes); i++) {
		struct result later, whole;

		plan->tree.node[0] = nodes[i];
		later = LATER(.client = client++);
		whole = SEND(.client = client++, .protocol = NEXT_UDP, .payload = 600);
		cr_assert_eq(backend_reached(&whole), backend_reached(&later));
	}
}

Test(fragment, by_source_without_an_entry_for_them_the_first_one_must_come_first)
{
	balancer.services[WEB].policy.flags = LARCH_SERVICE_BY_SOURCE;
	EXPECT(LATER(.identification = 5), DROP_FRAGMENT);
	EXPECT(FIRST(.identification = 5), FORWARD_NEW);
	EXPECT(LATER(.identification = 5), FORWARD_FRAGMENT);
}

/* An entry that leads to a service with ports is none for later fragments. */
Test(fragment, of_a_service_with_ports_are_not_balanced_without_their_first)
{
	by_source();
	balancer.services[WEB].policy.flags = 0;
	EXPECT(LATER(.identification = 5), DROP_FRAGMENT);
}

/* That later fragments find it by no port does not open the service's other ports. */
Test(fragment, by_source_whole_packets_to_another_port_are_still_not_ours)
{
	by_source();
	EXPECT(SEND(.protocol = NEXT_UDP, .port = 81), PASS_NOT_OURS);
	EXPECT(FIRST(.port = 81), PASS_NOT_OURS);
}

/* Two services share the address: one by source, one with ports. */
Test(fragment, of_a_service_with_ports_keep_to_it_beside_one_by_source)
{
	struct result first, later;

	arrange_vip(VIP_IPV4, NEXT_UDP, 54, 5, LARCH_SIGNAL_NONE);
	put_later(VIP_IPV4, 5);
	arrange_plan(5, 0, MEMBERS);
	arrange_all_rings(5, 0, 3, LARCH_NO_MEMBER);
	arrange_publish(5, 0, 1);
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	first = FIRST(.identification = 5);
	later = LATER(.identification = 5);
	EXPECT(later, FORWARD_FRAGMENT);
	cr_assert_eq(backend_reached(&later), backend_reached(&first));
	later = LATER(.identification = 6);
	EXPECT(later, FORWARD_NEW);
	cr_assert_eq(backend_reached(&later), FIRST_BACKEND + 3);
}
