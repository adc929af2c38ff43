// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage icmp: errors about a service's flows go to the backend that the flow goes to, whether it is
 * known or not, and leave nothing behind; all others are the host's.
 */
#include <string.h>

#include "arrange.h"
#include "reply.h"

#define ROUTER4	      "198.51.100.99"
#define ROUTER6	      "2001:db8:99::1"
#define QUOTED_IPV4   (IPV4_BYTES + 8)
#define QUOTED_IPV6   (IPV6_BYTES + 8)
#define MANY	      300
#define UNUSED_PORT   81
#define SOURCE_QUENCH 4
#define REDIRECT      5

static void arrange_tcp_and_udp(void)
{
	arrange_web();
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
}

TestSuite(icmp, .init = arrange_tcp_and_udp, .fini = balancer_close);

/* From a router on the way to the client, with as little of the packet as there may be. */
static struct frame error_about(const struct spec *flow, uint8_t type, uint8_t code)
{
	struct spec router = {.ipv6 = flow->ipv6, .from = flow->ipv6 ? ROUTER6 : ROUTER4};
	size_t options = 4u * flow->ipv4_options;

	return icmp_error_about(&router, type, code, flow,
				flow->ipv6 ? QUOTED_IPV6 : QUOTED_IPV4 + options);
}

static struct result send_error(const struct spec *flow)
{
	struct frame frame = error_about(flow, flow->ipv6 ? TOO_BIG_V6 : UNREACHABLE,
					 flow->ipv6 ? 0 : FRAGMENTATION);

	return balancer_send(&frame);
}

#define ERROR(...) send_error(&(struct spec){__VA_ARGS__})

static void check_known(const struct spec *flow, uint8_t type)
{
	struct result first = balancer_send_spec(flow), result;
	struct frame frame = error_about(flow, type, 0);

	arrange_all_rings(WEB, 0, (uint8_t)(flow->client % MEMBERS), LARCH_NO_MEMBER);
	result = balancer_send(&frame);
	EXPECT(result, FORWARD_ICMP);
	cr_assert_eq(backend_reached(&result), backend_reached(&first));
}

Test(icmp, an_error_of_any_type_goes_to_the_backend_of_its_flow)
{
	static const uint8_t ipv4[] = {UNREACHABLE, TIME_EXCEEDED, 12}, ipv6[] = {1, 2, 3, 4};
	uint32_t client = 0;

	for (size_t i = 0; i < COUNT(ipv4); i++) {
		check_known(&(struct spec){.client = client++, .flags = SYN}, ipv4[i]);
		check_known(&(struct spec){.client = client++, .protocol = NEXT_UDP}, ipv4[i]);
	}
	for (size_t i = 0; i < COUNT(ipv6); i++) {
		check_known(&(struct spec){.ipv6 = true, .client = client++, .flags = SYN},
			    ipv6[i]);
		check_known(&(struct spec){.ipv6 = true, .client = client++, .protocol = NEXT_UDP},
			    ipv6[i]);
	}
}

static void random_plan(uint64_t state)
{
	struct larch_tree *tree = &balancer.plan[larch_bank_index(WEB, 0)].tree;
	static const uint64_t range[LARCH_FEATURE_SLOTS] = {0x0a0001, 100, 20, 64, 3, 2, 1, 1};

	tree->depth = 4;
	tree->leaves = LARCH_MAX_LEAVES;
	for (uint32_t i = 0; i < LARCH_TREE_NODES; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		tree->node[i].feature = (uint32_t)(state >> 60) % LARCH_FEATURE_COUNT;
		tree->node[i].threshold = (state >> 32) % range[tree->node[i].feature];
	}
	for (uint32_t i = 0; i < LARCH_TREE_LEAVES; i++)
		tree->leaf[i] = (uint8_t)(i % LARCH_MAX_LEAVES);
	for (uint32_t leaf = 0; leaf < LARCH_MAX_LEAVES; leaf++)
		arrange_ring(WEB, 0, LARCH_RING_LEAF + leaf, (uint8_t)(leaf % MEMBERS),
			     (uint8_t)((leaf + 1) % MEMBERS));
}

/* Its flow is known to another node only: any packet of it that came here would go the same way. */
static void check_unknown(bool ipv6, uint8_t protocol)
{
	for (uint32_t client = 0; client < MANY; client++) {
		struct spec flow = {.ipv6 = ipv6, .client = client, .protocol = protocol};
		struct result error = send_error(&flow), packet;

		EXPECT(error, FORWARD_ICMP);
		cr_assert_null(flow_of(&flow));
		packet = balancer_send_spec(&flow);
		cr_assert_eq(backend_reached(&error), backend_reached(&packet));
	}
}

Test(icmp, an_error_about_a_flow_that_is_not_known_goes_where_the_flow_would)
{
	random_plan(1);
	check_unknown(false, NEXT_TCP);
	check_unknown(true, NEXT_TCP);
	balancer.plan[larch_bank_index(WEB, 0)].flags = 0; /* UDP is not learned */
	check_unknown(false, NEXT_UDP);
	check_unknown(true, NEXT_UDP);
}

/* Live scores change from one packet to the next, and differ from node to node. */
Test(icmp, an_error_about_a_flow_that_is_not_known_goes_by_the_ring_whatever_the_scores)
{
	struct spec flow = {.client = client_in_arm(0, LARCH_ARM_LEARNED)};
	struct result before = send_error(&flow), after;

	balancer.live[backend_reached(&before)].in_flight = 1000;
	after = send_error(&flow);
	cr_assert_eq(backend_reached(&after), backend_reached(&before));
}

/* It is the error's own size, and not that of any packet of the flow. */
Test(icmp, how_large_an_error_is_does_not_count)
{
	struct larch_tree *tree = &balancer.plan[larch_bank_index(WEB, 0)].tree;
	struct spec flow = {.protocol = NEXT_UDP, .payload = 900}, outer = {.from = ROUTER4};
	struct result small, large;
	struct frame frame;

	while (larch_hash_arm(hash_of(&flow), 0) != LARCH_ARM_LEARNED)
		flow.client++;
	*tree = (struct larch_tree){.depth = 1, .leaves = 2, .leaf = {0, 1}};
	tree->node[0] = (struct larch_node){.feature = LARCH_FEATURE_SIZE, .threshold = 1};
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	arrange_ring(WEB, 0, LARCH_RING_LEAF + 1, 1, LARCH_NO_MEMBER);
	small = send_error(&flow);
	frame = icmp_error_about(&outer, UNREACHABLE, 0, &flow, 900);
	large = balancer_send(&frame);
	cr_assert_eq(backend_reached(&small), FIRST_BACKEND);
	cr_assert_eq(backend_reached(&large), FIRST_BACKEND);
}

static void check_nothing_is_left(bool ipv6)
{
	struct spec flow = {.ipv6 = ipv6, .flags = SYN};
	struct larch_flow before;
	struct larch_live live;
	struct result result;

	result = balancer_send_spec(&flow);
	flow_of(&flow)->identity.stamp = (now_stamp() - 1) & LARCH_STAMP_MASK;
	before = *flow_of(&flow);
	live = balancer.live[backend_reached(&result)];
	EXPECT(send_error(&flow), FORWARD_ICMP);
	cr_assert_eq(flow_of(&flow)->identity.word, before.identity.word);
	cr_assert_eq(flow_of(&flow)->timing.word, before.timing.word);
	cr_assert_arr_eq(&balancer.live[backend_reached(&result)], &live, sizeof(live));
	cr_assert_eq(balancer_cells(), 0);
}

Test(icmp, an_error_leaves_its_flow_as_it_is)
{
	check_nothing_is_left(false);
	check_nothing_is_left(true);
}

Test(icmp, an_error_about_the_end_of_a_flow_still_goes_there)
{
	struct result first = SEND(.flags = SYN), error;

	SEND(.flags = FIN | ACK);
	arrange_all_rings(WEB, 0, 3, LARCH_NO_MEMBER);
	error = ERROR();
	cr_assert_eq(backend_reached(&error), backend_reached(&first));
}

Test(icmp, errors_count_for_service_and_backend_but_are_no_flows)
{
	struct result first = SEND(.flags = SYN);
	struct larch_traffic backend;

	ERROR();
	ERROR(.client = 7);
	backend = balancer_backend_traffic(backend_reached(&first));
	cr_assert_eq(balancer_service_traffic(WEB).packets, 3);
	cr_assert_eq(balancer_service_traffic(WEB).flows, 1);
	cr_assert_geq(backend.packets, 2);
	cr_assert_eq(backend.flows, 1);
}

Test(icmp, an_error_with_tags_options_and_extensions_is_still_one)
{
	struct spec flow = {}, flow6 = {.ipv6 = true};
	struct spec outer = {.from = ROUTER4, .vlans = 2, .ipv4_options = 10};
	struct spec outer6 = {.ipv6 = true,
			      .from = ROUTER6,
			      .vlans = 1,
			      .extensions = 2,
			      .extension = {NEXT_HOP_BY_HOP, NEXT_DESTINATION}};
	struct frame frame = icmp_error_about(&outer, TIME_EXCEEDED, 0, &flow, QUOTED_IPV4);

	EXPECT(balancer_send(&frame), FORWARD_ICMP);
	frame = icmp_error_about(&outer6, TOO_BIG_V6, 0, &flow6, QUOTED_IPV6);
	EXPECT(balancer_send(&frame), FORWARD_ICMP);
}

Test(icmp, the_inner_packet_may_have_options_and_extensions)
{
	struct spec options = {.ipv4_options = 10, .flags = SYN};
	struct spec extensions = {.ipv6 = true,
				  .extensions = 2,
				  .flags = SYN,
				  .extension = {NEXT_DESTINATION, NEXT_ROUTING}};
	struct spec outer6 = {.ipv6 = true, .from = ROUTER6};
	struct result first = balancer_send_spec(&options), error = send_error(&options);
	struct frame frame;

	EXPECT(error, FORWARD_ICMP);
	cr_assert_eq(backend_reached(&error), backend_reached(&first));
	first = balancer_send_spec(&extensions);
	frame = icmp_error_about(&outer6, TOO_BIG_V6, 0, &extensions, QUOTED_IPV6 + 16 + 8);
	error = balancer_send(&frame);
	EXPECT(error, FORWARD_ICMP);
	cr_assert_eq(backend_reached(&error), backend_reached(&first));
}

/* The first fragment has the ports; a later one has not, and is nobody's. */
Test(icmp, of_an_inner_fragment_only_the_first_tells_its_flow)
{
	struct spec outer6 = {.ipv6 = true, .from = ROUTER6};
	struct spec part = {.ipv6 = true,
			    .extensions = 1,
			    .extension = {NEXT_FRAGMENT},
			    .more_fragments = true};
	struct frame frame;

	EXPECT(ERROR(.more_fragments = true), FORWARD_ICMP);
	EXPECT(ERROR(.fragment_offset = 3), PASS_NOT_TRANSPORT);
	frame = icmp_error_about(&outer6, TOO_BIG_V6, 0, &part, QUOTED_IPV6 + 8);
	EXPECT(balancer_send(&frame), FORWARD_ICMP);
	part.fragment_offset = 3;
	frame = icmp_error_about(&outer6, TOO_BIG_V6, 0, &part, QUOTED_IPV6 + 8);
	EXPECT(balancer_send(&frame), PASS_NOT_TRANSPORT);
}

/* Only what the service itself can have sent. */
Test(icmp, an_error_about_a_packet_of_another_source_is_left_to_the_host)
{
	EXPECT(ERROR(.to = "192.0.2.9"), PASS_NOT_TRANSPORT);
	EXPECT(ERROR(.ipv6 = true, .to = "2001:db8::9"), PASS_NOT_TRANSPORT);
	EXPECT(ERROR(.port = UNUSED_PORT), PASS_NOT_TRANSPORT);
	EXPECT(ERROR(.ipv6 = true, .port = UNUSED_PORT), PASS_NOT_TRANSPORT);
	EXPECT(ERROR(.protocol = NEXT_ICMP), PASS_NOT_TRANSPORT);
	EXPECT(ERROR(.ipv6 = true, .protocol = NEXT_ICMPV6), PASS_NOT_TRANSPORT);
	EXPECT(ERROR(.protocol = 132), PASS_NOT_TRANSPORT);
}

Test(icmp, an_error_to_no_service_is_not_ours)
{
	struct spec flow = {};
	struct spec outer = {.from = ROUTER4, .to = "192.0.2.9"};
	struct frame frame = icmp_error_about(&outer, UNREACHABLE, 0, &flow, QUOTED_IPV4);

	EXPECT(balancer_send(&frame), PASS_NOT_OURS);
}

Test(icmp, an_error_of_the_other_family_is_left_to_the_host)
{
	struct spec flow = {}, flow6 = {.ipv6 = true};
	struct frame frame = error_about(&flow, UNREACHABLE, 0);

	frame.byte[frame.network + 9] = NEXT_ICMPV6;
	frame.byte[frame.transport] = TOO_BIG_V6;
	EXPECT(balancer_send(&frame), PASS_NOT_TRANSPORT);
	frame = error_about(&flow6, TOO_BIG_V6, 0);
	frame.byte[frame.network + 6] = NEXT_ICMP;
	frame.byte[frame.transport] = UNREACHABLE;
	EXPECT(balancer_send(&frame), PASS_NOT_TRANSPORT);
	/* ICMP with an IPv6 packet in it */
	frame = error_about(&flow6, TOO_BIG_V6, 0);
	frame.byte[frame.transport + ICMP_BYTES] = 0x45;
	EXPECT(balancer_send(&frame), PASS_NOT_TRANSPORT);
}

Test(icmp, other_messages_are_left_to_the_host)
{
	for (unsigned type = 0; type <= 0xff; type++) {
		struct spec flow = {}, flow6 = {.ipv6 = true};
		struct frame frame = error_about(&flow, (uint8_t)type, 0);
		bool is_error = type == 3 || type == 11 || type == 12;

		cr_assert_eq(balancer_send(&frame).outcome,
			     is_error ? LARCH_FORWARD_ICMP : LARCH_PASS_NOT_TRANSPORT, "%u", type);
		frame = error_about(&flow6, (uint8_t)type, 0);
		is_error = type >= 1 && type <= 4;
		cr_assert_eq(balancer_send(&frame).outcome,
			     is_error ? LARCH_FORWARD_ICMP : LARCH_PASS_NOT_TRANSPORT, "%u", type);
	}
}

/* The bytes may be there, as padding of the Ethernet frame: they are not the packet's. */
static void check_cut(bool ipv6, uint8_t trailer)
{
	struct spec flow = {.ipv6 = ipv6};
	struct spec router = {.ipv6 = ipv6, .from = ipv6 ? ROUTER6 : ROUTER4, .trailer = trailer};
	size_t enough = ipv6 ? QUOTED_IPV6 : QUOTED_IPV4;

	for (size_t quoted = 0; quoted < enough; quoted++) {
		struct frame frame = icmp_error_about(&router, ipv6 ? TOO_BIG_V6 : UNREACHABLE, 0,
						      &flow, quoted);
		EXPECT(balancer_send(&frame), PASS_NOT_TRANSPORT);
	}
}

Test(icmp, an_error_that_quotes_too_little_is_left_to_the_host)
{
	check_cut(false, 0);
	check_cut(true, 0);
	check_cut(false, 60);
	check_cut(true, 60);
}

Test(icmp, a_message_shorter_than_its_header_is_left_to_the_host)
{
	for (uint16_t cut = 1; cut <= ICMP_BYTES; cut++) {
		struct frame ipv4 = ICMP(UNREACHABLE, 0), ipv6 = ICMP(TOO_BIG_V6, 0, .ipv6 = true);

		frame_set16(&ipv4, ipv4.network + 2, IPV4_BYTES + ICMP_BYTES - cut);
		frame_set16(&ipv6, ipv6.network + 4, ICMP_BYTES - cut);
		EXPECT(balancer_send(&ipv4), PASS_NOT_TRANSPORT);
		EXPECT(balancer_send(&ipv6), PASS_NOT_TRANSPORT);
	}
}

Test(icmp, an_error_in_fragments_is_left_to_the_host)
{
	struct spec flow = {};
	struct spec outer = {.from = ROUTER4, .more_fragments = true};
	struct frame frame = icmp_error_about(&outer, UNREACHABLE, 0, &flow, QUOTED_IPV4);

	EXPECT(balancer_send(&frame), PASS_NOT_TRANSPORT);
}

Test(icmp, an_error_by_source_finds_the_flow_of_any_port)
{
	struct result first, error;

	balancer.services[WEB].policy.flags = LARCH_SERVICE_BY_SOURCE;
	first = SEND(.protocol = NEXT_UDP, .source_port = 1);
	arrange_all_rings(WEB, 0, 3, LARCH_NO_MEMBER);
	error = ERROR(.protocol = NEXT_UDP, .source_port = 2);
	cr_assert_eq(backend_reached(&error), backend_reached(&first));
}

Test(icmp, an_error_is_not_sent_where_nothing_can_go)
{
	struct larch_backend backend;

	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	SEND(.flags = SYN);
	backend = balancer_backend(FIRST_BACKEND);
	backend.ready = 0;
	balancer_set_backend(FIRST_BACKEND, &backend);
	EXPECT(ERROR(), DROP_NO_NEXTHOP);
	arrange_publish(WEB, 0, 0);
	EXPECT(ERROR(.client = 1), DROP_NO_PLAN);
}
