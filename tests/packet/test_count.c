// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage count: every outcome of the list can be brought about, and is counted; what services and
 * backends have forwarded. That each packet has exactly one outcome, the harness checks always.
 */
#include <criterion/logging.h>
#include <linux/bpf.h>
#include <string.h>

#include "arrange.h"

#define HEADROOM_STEP 4
#define HEADROOM_MOST 252 /* of metadata */

TestSuite(count, .init = arrange_web, .fini = balancer_close);

static void no_arrangement(void)
{
}

static void known_flow(void)
{
	SEND(.flags = SYN);
}

static void full_table(void)
{
	balancer.settings->bucket_mask = 0;
	for (uint16_t port = 1; port <= LARCH_BUCKET_FLOWS; port++)
		SEND(.source_port = port);
}

static void no_generation(void)
{
	arrange_publish(WEB, 0, 0);
}

static void no_member(void)
{
	arrange_all_rings(WEB, 0, LARCH_NO_MEMBER, LARCH_NO_MEMBER);
}

static void change_backends(uint8_t ready, uint16_t mtu)
{
	for (uint32_t m = 0; m < MEMBERS; m++) {
		struct larch_backend backend = balancer_backend(FIRST_BACKEND + m);

		backend.ready = ready;
		backend.mtu = mtu;
		balancer_set_backend(FIRST_BACKEND + m, &backend);
	}
}

static void no_next_hop(void)
{
	change_backends(0, BACKEND_MTU);
}

static void small_mtu(void)
{
	change_backends(1, IPV4_BYTES + TCP_BYTES);
}

static void wrong_bank(void)
{
	balancer.active[WEB].bank = LARCH_BANKS;
}

static void stateless(void)
{
	balancer.services[WEB].policy.flags = LARCH_SERVICE_STATELESS;
}

static void silent_backend(void)
{
	SEND(.flags = SYN);
	FLOW()->timing.start -= 3000000; /* 3 s */
}

static void closed_list(void)
{
	balancer.services[WEB].policy.flags = LARCH_SERVICE_LISTED | LARCH_SERVICE_CLOSED;
}

static void greedy_source(void)
{
	balancer.services[WEB].policy.flags = LARCH_SERVICE_SOURCES;
	balancer.services[WEB].source_flows = 1;
	SEND(.source_port = 1, .flags = SYN);
}

/* One way to each outcome. */
static const struct way {
	enum larch_outcome outcome;
	void (*arrange)(void);
	struct spec spec;
	size_t cut; /* 0: not */
} ways[] = {
	{LARCH_FORWARD_FLOW, known_flow, {}, 0},
	{LARCH_FORWARD_NEW, no_arrangement, {.flags = SYN}, 0},
	{LARCH_FORWARD_UNTRACKED, full_table, {.flags = SYN}, 0},
	{LARCH_FORWARD_UNKNOWN, no_arrangement, {}, 0},
	{LARCH_FORWARD_STATELESS, stateless, {}, 0},
	{LARCH_FORWARD_AGAIN, silent_backend, {.flags = SYN}, 0},
	{LARCH_PASS_NOT_IP, no_arrangement, {.ethertype = 0x0806}, 0},
	{LARCH_PASS_NOT_OURS, no_arrangement, {.port = 81}, 0},
	{LARCH_PASS_NOT_TRANSPORT, no_arrangement, {.protocol = 1}, 0},
	{LARCH_PASS_MALFORMED, no_arrangement, {}, 40},
	{LARCH_DROP_TRUNCATED, no_arrangement, {.protocol = NEXT_TCP}, 0},
	{LARCH_DROP_FRAGMENT, no_arrangement, {.fragment_offset = 1}, 0},
	{LARCH_DROP_NO_PLAN, no_generation, {}, 0},
	{LARCH_DROP_NO_BACKEND, no_member, {}, 0},
	{LARCH_DROP_NO_NEXTHOP, no_next_hop, {}, 0},
	{LARCH_DROP_TOO_BIG, small_mtu, {}, 0},
	{LARCH_DROP_INTERNAL, wrong_bank, {}, 0},
	{LARCH_DROP_DENIED, closed_list, {}, 0},
	{LARCH_DROP_SOURCE_RATE, greedy_source, {.flags = SYN}, 0},
};

/* Outcomes that have a test of their own, since they need more than a packet. */
static const enum larch_outcome elsewhere[] = {
	LARCH_DROP_NO_HEADROOM, /* a_driver_without_headroom_is_counted */
	LARCH_FORWARD_FRAGMENT, /* test_fragment.c */
	LARCH_FORWARD_ICMP,	/* test_icmp.c */
	LARCH_DROP_ECHO_RATE,	/* test_echo.c */
	LARCH_REPLY_ECHO,	/* test_echo.c */
	LARCH_REPLY_TOO_BIG,	/* test_too_big.c */
	LARCH_FORWARD_QUIC,	/* test_quic.c */
	LARCH_CHANCE_ASKED,	/* test_chance.c */
	LARCH_CHANCE_NEXT,	LARCH_CHANCE_CLAIMED, LARCH_CHANCE_LOST,
	LARCH_DROP_BAD_TOKEN,	LARCH_RETURN_NAT, /* test_nat.c */
	LARCH_RETURN_HOST,	LARCH_PASS_TTL_ENDS,
};

static void go(const struct way *way)
{
	struct frame frame = frame_build(&way->spec);
	struct larch_counter before, after;
	struct result result;

	if (way->cut)
		frame = frame_cut(&frame, way->cut);
	if (way->outcome == LARCH_DROP_TRUNCATED)
		frame.byte[frame.transport + 12] = 0;
	way->arrange();
	before = balancer_outcome(way->outcome);
	result = balancer_send(&frame);
	after = balancer_outcome(way->outcome);
	cr_assert_eq(result.outcome, way->outcome, "%s instead of %s",
		     outcomes_name(result.outcome), outcomes_name(way->outcome));
	cr_assert_eq(after.packets - before.packets, 1);
	cr_assert_eq(after.bytes - before.bytes, frame.size);
}

static bool has_a_way(enum larch_outcome outcome)
{
	for (size_t i = 0; i < COUNT(ways); i++)
		if (ways[i].outcome == outcome)
			return true;
	for (size_t i = 0; i < COUNT(elsewhere); i++)
		if (elsewhere[i] == outcome)
			return true;
	return false;
}

/* A balancer for each, so that one arrangement does not spoil another. */
Test(count, every_outcome_comes_about)
{
	for (size_t i = 0; i < COUNT(ways); i++) {
		balancer_close();
		arrange_web();
		go(&ways[i]);
	}
}

Test(count, every_outcome_of_the_list_is_tested)
{
#define X(name, number, verdict, text) cr_assert(has_a_way(LARCH_##name), "%s", #name);
	LARCH_OUTCOMES(X)
#undef X
}

/* Metadata takes up headroom; older kernels may allow too little of it to use it up. */
Test(count, a_driver_without_headroom_is_counted)
{
	struct frame frame = FRAME(.flags = SYN);
	struct result result = {};

	for (uint32_t taken = HEADROOM_STEP; taken <= HEADROOM_MOST; taken += HEADROOM_STEP) {
		if (!balancer_send_with_less_room(&frame, taken, &result))
			break;
		if (result.outcome == LARCH_DROP_NO_HEADROOM)
			return;
		cr_assert_leq(result.outcome, LARCH_FORWARD_UNKNOWN);
	}
	cr_assert_gt(balancer_received(), 0);
	cr_skip_test("this kernel cannot run a packet without headroom");
}

Test(count, bytes_are_those_of_the_frame_as_received)
{
	struct frame frame = FRAME(.vlans = 2, .trailer = 6, .payload = 100, .flags = SYN);

	balancer_send(&frame);
	cr_assert_eq(balancer_outcome(LARCH_FORWARD_NEW).bytes, frame.size);
	cr_assert_eq(balancer_service_traffic(WEB).bytes, frame.size);
}

static struct larch_traffic all_backends(void)
{
	struct larch_traffic sum = {};

	for (uint32_t m = 0; m < MEMBERS; m++) {
		struct larch_traffic traffic = balancer_backend_traffic(FIRST_BACKEND + m);

		sum.packets += traffic.packets;
		sum.bytes += traffic.bytes;
		sum.flows += traffic.flows;
		sum.evicted += traffic.evicted;
	}
	return sum;
}

Test(count, services_and_backends_count_packets_bytes_and_flows)
{
	struct frame frame = FRAME();
	struct larch_traffic service, backends;

	for (uint32_t client = 0; client < 30; client++) {
		SEND(.client = client, .flags = SYN);
		SEND(.client = client);
		SEND(.client = client);
	}
	service = balancer_service_traffic(WEB);
	backends = all_backends();
	cr_assert_eq(service.packets, 90);
	cr_assert_eq(service.bytes, 90 * frame.size);
	cr_assert_eq(service.flows, 30);
	cr_assert_eq(service.evicted, 0);
	cr_assert_arr_eq(&backends, &service, sizeof(service));
}

Test(count, a_packet_counts_for_the_backend_that_got_it)
{
	struct result result = SEND(.flags = SYN);

	cr_assert_eq(balancer_backend_traffic(backend_reached(&result)).packets, 1);
	cr_assert_eq(all_backends().packets, 1);
}

Test(count, what_is_not_forwarded_is_no_traffic)
{
	SEND(.port = 81);
	SEND(.fragment_offset = 1);
	no_next_hop();
	SEND(.client = 1, .flags = SYN);
	small_mtu();
	SEND(.client = 2, .flags = SYN);
	cr_assert_eq(balancer_service_traffic(WEB).packets, 0);
	cr_assert_eq(all_backends().packets, 0);
	cr_assert_eq(balancer_received(), 4);
}

Test(count, services_are_counted_apart)
{
	arrange_vip("198.51.100.1", NEXT_TCP, VIP_PORT, 5, LARCH_SIGNAL_NONE);
	arrange_plan(5, 0, MEMBERS);
	arrange_publish(5, 0, 1);
	SEND(.flags = SYN);
	SEND(.to = "198.51.100.1", .flags = SYN);
	SEND(.to = "198.51.100.1");
	cr_assert_eq(balancer_service_traffic(WEB).packets, 1);
	cr_assert_eq(balancer_service_traffic(5).packets, 2);
	cr_assert_eq(balancer_service_traffic(5).flows, 1);
}

Test(count, a_leaf_counts_the_new_flows_of_its_clients_in_the_learned_arm)
{
	uint32_t learned = client_in_arm(1, LARCH_ARM_LEARNED);

	EXPECT(SEND(.client = learned, .flags = SYN), FORWARD_NEW);
	EXPECT(SEND(.client = learned, .flags = ACK), FORWARD_FLOW);
	EXPECT(SEND(.client = client_in_arm(1, LARCH_ARM_CONTROL), .flags = SYN), FORWARD_NEW);
	cr_assert_eq(balancer_leaf_traffic(WEB, 0).flows, 1);
	cr_assert_eq(balancer_leaf_traffic(WEB, 1).flows, 0);
}
