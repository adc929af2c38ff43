// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage guard: more new flows than a service is meant for, and services that remember none. Windows
 * are made to last for days, so that none ends unless a test says so.
 */
#include <string.h>

#include "arrange.h"

#define STAMP_SHIFT  31 /* of windows: 25 */
#define WINDOW_TICKS (1u << (STAMP_SHIFT - LARCH_WINDOW_SHIFT))
#define MOST	     8 /* flows in a window; 6 are calm */
#define CALM	     6

static void arrange_ticks(void)
{
	balancer.settings->stamp_shift = STAMP_SHIFT;
	balancer.settings->hz = WINDOW_TICKS;
}

static void limit_flows(uint32_t most)
{
	balancer.services[WEB].policy.flags |= LARCH_SERVICE_FLOOD;
	balancer.services[WEB].new_flows = most - 1;
}

/* By the ring all flows go to the first member; by their scores to the second. */
static void prefer_second(void)
{
	arrange_all_rings(WEB, 0, 0, 1);
	arrange_ring(WEB, 0, LARCH_RING_CONTROL, 0, LARCH_NO_MEMBER);
	arrange_ring(WEB, 0, LARCH_RING_GLOBAL, 1, LARCH_NO_MEMBER);
	balancer.live[FIRST_BACKEND].in_flight = 1000;
}

static void arrange_limited(void)
{
	arrange_web();
	arrange_ticks();
	limit_flows(MOST);
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_RESPONSE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_RESPONSE);
	prefer_second();
}

TestSuite(flood, .init = arrange_limited, .fini = balancer_close);

/* A client whose flow's choice is by score, if by anything. */
static uint32_t scored(uint32_t client, const struct spec *spec)
{
	struct spec next = *spec;

	for (next.client = client;; next.client++) {
		uint64_t hash = hash_of(&next);

		if (larch_hash_arm(hash, 0) == LARCH_ARM_LEARNED && !larch_hash_explores(hash))
			return next.client;
	}
}

/* New flows from further clients, all remembered or dropped as the case may be. */
static void open_flows(uint32_t count)
{
	static uint32_t client = 100000;

	for (uint32_t i = 0; i < count; i++)
		SEND(.client = client++, .flags = SYN);
}

static void flood(void)
{
	open_flows(MOST + 1);
	cr_assert_eq(balancer.pressure[WEB].flooded, 1);
}

/* The present window becomes the last one. */
static void end_window(void)
{
	balancer.pressure[WEB].flows.number--;
	balancer.pressure[WEB].unknown.number--;
}

static void end_flood(void)
{
	end_window();
	open_flows(1);
	end_window();
	open_flows(1);
	cr_assert_eq(balancer.pressure[WEB].flooded, 0);
}

Test(flood, as_many_flows_as_a_window_may_have_are_remembered)
{
	for (uint32_t client = 0; client < MOST; client++)
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_NEW);
	cr_assert_eq(balancer.pressure[WEB].flooded, 0);
	for (uint32_t client = MOST; client < 3 * MOST; client++) {
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_STATELESS);
		cr_assert_null(FLOW(.client = client));
	}
	cr_assert_eq(balancer.pressure[WEB].flooded, 1);
	cr_assert_eq(balancer.pressure[WEB].floods, 1);
	end_window();
	EXPECT(SEND(.client = 1000, .flags = SYN), FORWARD_NEW);
}

/* All that a client sends goes to where its SYN went, though no entry says so. */
static void check_stays(struct spec spec)
{
	static const struct {
		uint8_t flags, tcp_options;
		uint16_t payload;
	} packets[] = {
		{SYN, 5, 0},  {SYN, 5, 0},    {ACK, 0, 0},	 {ACK, 3, 1},
		{ACK, 3, 99}, {ACK, 3, 1400}, {FIN | ACK, 3, 0}, {ACK, 3, 0},
	};
	uint32_t first = 0;

	spec.client = scored(0, &spec);
	for (size_t i = 0; i < COUNT(packets); i++) {
		struct result result;

		spec.flags = packets[i].flags;
		spec.tcp_options = packets[i].tcp_options;
		spec.payload = packets[i].payload;
		result = balancer_send_spec(&spec);
		first = i ? first : backend_reached(&result);
		cr_assert_eq(backend_reached(&result), first, "packet %zu", i);
	}
}

/* A tree that sends flows to leaves by the size of their packets, each with a ring of its own. */
static void split_by_size(void)
{
	struct larch_tree *tree = &balancer.plan[larch_bank_index(WEB, 0)].tree;

	*tree = (struct larch_tree){.depth = 2, .leaves = 4, .leaf = {0, 1, 2, 3}};
	for (uint32_t i = 0; i < 3; i++)
		tree->node[i].feature = LARCH_FEATURE_SIZE;
	tree->node[0].threshold = 1;
	tree->node[1].threshold = 0;
	tree->node[2].threshold = 2;
	for (uint32_t leaf = 0; leaf < 4; leaf++)
		arrange_ring(WEB, 0, LARCH_RING_LEAF + leaf, (uint8_t)leaf, LARCH_NO_MEMBER);
}

Test(flood, a_flow_without_an_entry_stays_at_one_backend)
{
	flood();
	check_stays((struct spec){});
	check_stays((struct spec){.ipv6 = true});
}

Test(flood, a_flow_without_an_entry_stays_whatever_the_size_of_its_packets)
{
	split_by_size();
	flood();
	check_stays((struct spec){});
	check_stays((struct spec){.ipv6 = true});
}

Test(flood, connects_without_an_entry_are_not_in_flight)
{
	balancer.settings->flags = LARCH_COUNT_SYNS;
	flood();
	balancer.live[FIRST_BACKEND].in_flight = 0;
	open_flows(20);
	cr_assert_eq(balancer.live[FIRST_BACKEND].in_flight, 0);
}

Test(flood, a_flow_without_an_entry_counts_as_new_by_its_syn_alone)
{
	uint64_t before;

	flood();
	before = balancer_service_traffic(WEB).flows;
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_STATELESS);
	for (uint32_t i = 0; i < 2 * MOST; i++)
		SEND(.client = 1, .payload = 10);
	cr_assert_eq(balancer_service_traffic(WEB).flows, before + 1);
}

Test(flood, flows_that_are_known_are_found)
{
	struct result first = SEND(.client = 1, .flags = SYN), later;

	EXPECT(first, FORWARD_NEW);
	flood();
	balancer.live[FIRST_BACKEND].in_flight = 0;
	later = SEND(.client = 1);
	EXPECT(later, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&later), backend_reached(&first));
	EXPECT(SEND(.client = 1, .payload = 100), FORWARD_FLOW);
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_FLOW);
}

/* It has its place already; without a word of the new flow there, the old one would speak for it.
 */
Test(flood, a_flow_that_begins_anew_in_its_own_place_is_remembered)
{
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_NEW);
	EXPECT(SEND(.client = 1, .flags = RST), FORWARD_FLOW);
	flood();
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_NEW);
	EXPECT(SEND(.client = 1), FORWARD_FLOW);
}

Test(flood, what_is_remembered_in_a_flood_goes_by_the_ring_too)
{
	struct spec spec = {.flags = SYN};
	struct result result;

	spec.client = scored(0, &spec);
	result = balancer_send_spec(&spec);
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND + 1);
	flood();
	end_window();
	balancer.pressure[WEB].flows.count = MOST;
	spec.client = scored(spec.client + 1, &spec);
	result = balancer_send_spec(&spec);
	EXPECT(result, FORWARD_NEW);
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND);
}

Test(flood, ends_when_a_window_was_clearly_calmer)
{
	const struct larch_pressure *pressure = &balancer.pressure[WEB];
	uint64_t total;

	flood();
	for (uint32_t i = 0; i < 3; i++) {
		end_window();
		open_flows(CALM + 1);
		cr_assert_eq(pressure->flooded, 1);
	}
	end_window();
	open_flows(CALM);
	cr_assert_eq(pressure->flooded, 1);
	total = pressure->total + pressure->flows.count;
	cr_assert_eq(total, MOST + 1 + 3 * (CALM + 1) + CALM);
	end_window();
	open_flows(1);
	cr_assert_eq(pressure->flooded, 0);
	cr_assert_eq(pressure->floods, 1);
	cr_assert_eq(pressure->lasted, pressure->until - pressure->since);
	flood();
	cr_assert_eq(pressure->floods, 2);
}

Test(flood, ends_with_all_traffic)
{
	struct larch_pressure *pressure = &balancer.pressure[WEB];
	uint32_t shift = larch_window_shift(STAMP_SHIFT), number;

	flood();
	number = pressure->flows.number;
	cr_assert(larch_pressure_flooded(pressure, shift, (uint64_t)number << shift));
	cr_assert(larch_pressure_flooded(pressure, shift, (uint64_t)(number + 1) << shift));
	cr_assert(!larch_pressure_flooded(pressure, shift, (uint64_t)(number + 2) << shift));
	pressure->flows.number -= 2;
	open_flows(1);
	cr_assert_eq(pressure->flooded, 0);
	cr_assert_eq(pressure->until, (uint64_t)(number - 1) << shift);
}

/* The client's ACK proves more than a SYN: floods of SYNs do not keep it from being remembered. */
Test(flood, a_flow_that_began_without_an_entry_is_remembered_at_its_backend)
{
	struct spec spec = {.flags = SYN};
	struct result first, later;

	flood();
	spec.client = scored(0, &spec);
	first = balancer_send_spec(&spec);
	EXPECT(first, FORWARD_STATELESS);
	spec.flags = ACK;
	later = balancer_send_spec(&spec);
	EXPECT(later, FORWARD_UNKNOWN);
	cr_assert_eq(backend_reached(&later), backend_reached(&first));
	EXPECT(balancer_send_spec(&spec), FORWARD_FLOW);
}

/* Else a flood of ACKs would fill the table with flows that nobody may evict. */
Test(flood, mid_flow_packets_of_flows_nobody_knew_have_a_count_of_their_own)
{
	for (uint32_t client = 0; client < MOST; client++)
		EXPECT(SEND(.client = client), FORWARD_UNKNOWN);
	for (uint32_t client = MOST; client < 3 * MOST; client++) {
		EXPECT(SEND(.client = client), FORWARD_STATELESS);
		cr_assert_null(FLOW(.client = client));
	}
	cr_assert_eq(balancer.pressure[WEB].flooded, 0);
	cr_assert_eq(balancer.pressure[WEB].flows.count, 0);
	EXPECT(SEND(.client = 1000, .flags = SYN), FORWARD_NEW);
	EXPECT(SEND(.client = 1001, .flags = FIN | ACK), FORWARD_UNKNOWN);
	end_window();
	EXPECT(SEND(.client = 2 * MOST), FORWARD_UNKNOWN);
}

static struct spec datagram(bool ipv6, uint16_t payload)
{
	struct spec spec = {.ipv6 = ipv6, .protocol = NEXT_UDP, .payload = payload};

	spec.client = scored(0, &spec);
	return spec;
}

static void check_datagrams(bool ipv6)
{
	struct spec spec = datagram(ipv6, 20);
	struct result result = balancer_send_spec(&spec);
	uint32_t first = backend_reached(&result);

	EXPECT(result, FORWARD_STATELESS);
	for (uint16_t payload = 0; payload <= 1400; payload += 200) {
		spec.payload = payload;
		result = balancer_send_spec(&spec);
		EXPECT(result, FORWARD_STATELESS);
		cr_assert_eq(backend_reached(&result), first);
	}
	end_flood();
	result = balancer_send_spec(&spec);
	EXPECT(result, FORWARD_NEW);
	cr_assert_eq(backend_reached(&result), first, "moved when the flood was over");
	EXPECT(balancer_send_spec(&spec), FORWARD_FLOW);
}

Test(flood, a_datagram_flow_without_an_entry_stays_at_one_backend_also_after_it)
{
	split_by_size();
	flood();
	check_datagrams(false);
	flood();
	check_datagrams(true);
}

/* All flows that began in the flood have been heard of since, or have ended. */
Test(flood, datagram_flows_go_by_their_scores_again_an_idle_time_after_it)
{
	struct spec spec = datagram(false, 20);
	struct result result;

	flood();
	end_flood();
	balancer.services[WEB].policy.idle = 1;
	balancer.pressure[WEB].until = 0;
	result = balancer_send_spec(&spec);
	EXPECT(result, FORWARD_NEW);
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND + 1);
}

/* Each of its packets would look like a flow of its own. */
Test(flood, datagrams_without_an_entry_take_nothing_of_their_sources_allowance)
{
	struct spec spec = datagram(false, 20);

	balancer.services[WEB].policy.flags |= LARCH_SERVICE_SOURCES;
	balancer.services[WEB].source_flows = 1;
	flood();
	for (uint32_t i = 0; i < 10; i++)
		EXPECT(balancer_send_spec(&spec), FORWARD_STATELESS);
	end_window();
	EXPECT(balancer_send_spec(&spec), FORWARD_NEW);
}

/* One source that opens too many flows is its own problem, not the service's. */
Test(flood, flows_beyond_their_sources_limit_are_no_flood)
{
	balancer.services[WEB].policy.flags |= LARCH_SERVICE_SOURCES;
	balancer.services[WEB].source_flows = 1;
	for (uint16_t port = 1; port <= 5 * MOST; port++)
		SEND(.client = 1, .source_port = port, .flags = SYN);
	cr_assert_eq(balancer.pressure[WEB].flooded, 0);
	cr_assert_leq(balancer.pressure[WEB].flows.count, MOST);
}

Test(flood, a_full_table_and_a_flood_are_told_apart)
{
	balancer.settings->bucket_mask = 0;
	for (uint32_t client = 0; client < LARCH_BUCKET_FLOWS; client++)
		EXPECT(SEND(.client = client), FORWARD_UNKNOWN);
	for (uint32_t client = 10; client < 10 + MOST; client++)
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_UNTRACKED);
	EXPECT(SEND(.client = 100, .flags = SYN), FORWARD_STATELESS);
}

Test(flood, services_without_a_limit_are_not_counted)
{
	balancer.services[WEB].policy.flags = 0;
	open_flows(5 * MOST);
	cr_assert_eq(balancer.pressure[WEB].flows.word, 0);
	cr_assert_eq(balancer_outcome(LARCH_FORWARD_NEW).packets, 5 * MOST);
}

/* The same by the settings that larchd makes: 250 ticks a second and stamps of 2^11. */
Test(flood, a_window_has_its_share_of_a_second)
{
	uint32_t shift = larch_window_shift(11);

	cr_assert_eq(shift, 5);
	cr_assert(larch_window_within(129, larch_window_most(1000, shift), 250));
	cr_assert(!larch_window_within(130, larch_window_most(1000, shift), 250));
	cr_assert(larch_window_calm(97, larch_window_most(1000, shift), 250));
	cr_assert(!larch_window_calm(98, larch_window_most(1000, shift), 250));
	cr_assert(larch_window_within(1, larch_window_most(0, shift), 250));
	cr_assert(!larch_window_within(2, larch_window_most(0, shift), 250));
	cr_assert(larch_window_within(500000000, larch_window_most(4000000000u, shift), 250));
	cr_assert(!larch_window_within(520000000, larch_window_most(4000000000u, shift), 250));
	cr_assert_eq(larch_window_shift(6), 0);
	cr_assert_eq(larch_window_shift(3), 0);
}

static void arrange_stateless(void)
{
	arrange_limited();
	balancer.services[WEB].policy.flags = LARCH_SERVICE_STATELESS;
}

TestSuite(stateless, .init = arrange_stateless, .fini = balancer_close);

Test(stateless, no_flow_is_remembered)
{
	struct larch_bucket before = {};

	balancer.settings->bucket_mask = 0;
	for (uint32_t client = 0; client < 20; client++) {
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_STATELESS);
		EXPECT(SEND(.client = client), FORWARD_STATELESS);
		EXPECT(SEND(.client = client, .flags = FIN | ACK), FORWARD_STATELESS);
		EXPECT(SEND(.client = client, .protocol = NEXT_UDP, .payload = 9),
		       FORWARD_STATELESS);
	}
	cr_assert_arr_eq(&balancer.bucket[0], &before, sizeof(before));
	cr_assert_eq(balancer_service_traffic(WEB).packets, 80);
	cr_assert_eq(balancer_service_traffic(WEB).flows, 20);
}

Test(stateless, packets_of_a_flow_go_to_one_backend)
{
	split_by_size();
	check_stays((struct spec){});
	check_stays((struct spec){.ipv6 = true});
	check_stays((struct spec){.protocol = NEXT_UDP});
	check_stays((struct spec){.ipv6 = true, .protocol = NEXT_UDP});
}

Test(stateless, flows_are_spread_over_the_ring)
{
	arrange_plan(WEB, 0, MEMBERS);
	for (uint32_t client = 0; client < 200; client++) {
		struct result result = SEND(.client = client, .flags = SYN);

		if (!larch_hash_explores(HASH(.client = client)))
			cr_assert_eq(backend_reached(&result) - FIRST_BACKEND,
				     larch_hash_slot(HASH(.client = client), LARCH_RING_CONTROL) %
					     MEMBERS);
	}
}

Test(stateless, an_entry_of_before_is_not_looked_at)
{
	struct spec spec = {.flags = SYN};
	struct result result;

	balancer.services[WEB].policy.flags = 0;
	spec.client = scored(0, &spec);
	result = balancer_send_spec(&spec);
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND + 1);
	balancer.services[WEB].policy.flags = LARCH_SERVICE_STATELESS;
	spec.flags = ACK;
	result = balancer_send_spec(&spec);
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND);
}

Test(stateless, nothing_is_measured)
{
	balancer.settings->flags = LARCH_COUNT_SYNS;
	balancer.live[FIRST_BACKEND].in_flight = 0;
	SEND(.flags = SYN);
	SEND(.sequence = 1, .acknowledged = 1);
	SEND(.sequence = 1, .acknowledged = 1, .payload = 100);
	SEND(.sequence = 101, .acknowledged = 5000);
	cr_assert_eq(balancer_cells(), 0);
	cr_assert_eq(balancer.live[FIRST_BACKEND].in_flight, 0);
}

Test(stateless, sources_are_limited_by_their_syns_alone)
{
	balancer.services[WEB].policy.flags |= LARCH_SERVICE_SOURCES | LARCH_SERVICE_FLOOD;
	balancer.services[WEB].source_flows = 1;
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_STATELESS);
	EXPECT(SEND(.client = 1, .source_port = 2, .flags = SYN), DROP_SOURCE_RATE);
	EXPECT(SEND(.client = 1), FORWARD_STATELESS);
	EXPECT(SEND(.client = 1, .protocol = NEXT_UDP, .payload = 9), FORWARD_STATELESS);
	cr_assert_eq(balancer.pressure[WEB].flows.word, 0);
}
