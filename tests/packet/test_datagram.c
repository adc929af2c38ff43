// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage flow: datagram flows, whose packets show neither a beginning nor an end: UDP, and all
 * protocols of services that take all of one source for one flow.
 */
#include <string.h>

#include "arrange.h"

#define IDLE	 7  /* stamps */
#define USUAL	 35 /* stamps, where the service does not say */
#define OTHER	 3  /* a member */
#define AGE_MOST 440

static void arrange_udp(void)
{
	arrange_web();
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_RESPONSE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_RESPONSE);
	balancer.services[WEB].policy.idle = IDLE;
}

TestSuite(datagram, .init = arrange_udp, .fini = balancer_close);

static void let_age(struct larch_flow *flow, uint32_t stamps)
{
	flow->identity.stamp = (now_stamp() - stamps) & LARCH_STAMP_MASK;
}

/* After such a silence, does the flow's next packet go to where the ring points now? */
static bool is_steered_anew(struct spec spec, uint32_t stamps)
{
	struct result first, next;

	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	first = balancer_send_spec(&spec);
	cr_assert_eq(backend_reached(&first), FIRST_BACKEND);
	let_age(flow_of(&spec), stamps);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	next = balancer_send_spec(&spec);
	if (next.outcome == LARCH_FORWARD_FLOW) {
		cr_assert_eq(backend_reached(&next), FIRST_BACKEND);
		return false;
	}
	EXPECT(next, FORWARD_NEW);
	cr_assert_eq(backend_reached(&next), FIRST_BACKEND + OTHER);
	cr_assert_eq(flow_of(&spec)->identity.backend, FIRST_BACKEND + OTHER);
	EXPECT(balancer_send_spec(&spec), FORWARD_FLOW);
	return true;
}

static void check_idle(bool ipv6)
{
	struct spec spec = {.ipv6 = ipv6, .protocol = NEXT_UDP, .payload = 20};

	for (uint32_t age = 0; age < 2 * IDLE; age++, spec.client++)
		if (age != IDLE - 1) /* a stamp may end meanwhile */
			cr_assert_eq(is_steered_anew(spec, age), age >= IDLE, "age %u", age);
	cr_assert(is_steered_anew(spec, AGE_MOST));
}

Test(datagram, that_was_silent_for_the_idle_time_begins_a_new_flow)
{
	check_idle(false);
	check_idle(true);
}

Test(datagram, has_an_idle_time_of_five_minutes_if_the_service_does_not_say)
{
	struct spec spec = {.protocol = NEXT_UDP, .payload = 20};

	balancer.services[WEB].policy.idle = 0;
	cr_assert(!is_steered_anew(spec, USUAL - 2));
	spec.client++;
	cr_assert(is_steered_anew(spec, USUAL));
}

Test(datagram, the_idle_time_is_that_of_the_service_as_it_is_now)
{
	struct spec spec = {.protocol = NEXT_UDP, .payload = 20};

	EXPECT(balancer_send_spec(&spec), FORWARD_NEW);
	let_age(flow_of(&spec), IDLE + 1);
	balancer.services[WEB].policy.idle = 10 * IDLE;
	EXPECT(balancer_send_spec(&spec), FORWARD_FLOW);
	let_age(flow_of(&spec), 2);
	balancer.services[WEB].policy.idle = 1;
	EXPECT(balancer_send_spec(&spec), FORWARD_NEW);
}

Test(datagram, each_packet_begins_the_silence_anew)
{
	struct spec spec = {.protocol = NEXT_UDP, .payload = 20};

	EXPECT(balancer_send_spec(&spec), FORWARD_NEW);
	for (uint32_t i = 0; i < 5; i++) {
		let_age(flow_of(&spec), IDLE - 2);
		EXPECT(balancer_send_spec(&spec), FORWARD_FLOW);
	}
}

Test(datagram, tcp_has_no_idle_time)
{
	SEND(.flags = SYN);
	SEND(.flags = ACK);
	let_age(FLOW(), AGE_MOST);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	EXPECT(SEND(.payload = 20), FORWARD_FLOW);
}

Test(datagram, its_entry_says_how_long_it_may_be_silent)
{
	struct spec spec = {.protocol = NEXT_UDP, .payload = 20};

	balancer_send_spec(&spec);
	cr_assert_eq(flow_of(&spec)->timing.phase, LARCH_PHASE_DATAGRAM);
	cr_assert_eq(flow_of(&spec)->timing.acked, IDLE);
	cr_assert_eq(flow_of(&spec)->identity.state, LARCH_FLOW_OPEN);
}

/* Also to a SYN, and not as a live flow that lost its place. */
Test(datagram, the_place_of_one_that_has_ended_is_taken_at_once)
{
	balancer.settings->bucket_mask = 0;
	for (uint32_t client = 0; client < LARCH_BUCKET_FLOWS; client++)
		SEND(.client = client, .protocol = NEXT_UDP, .payload = 20);
	EXPECT(SEND(.client = 100, .flags = SYN), FORWARD_UNTRACKED);
	let_age(FLOW(.client = 2, .protocol = NEXT_UDP), IDLE - 2);
	EXPECT(SEND(.client = 100, .flags = SYN), FORWARD_UNTRACKED);
	let_age(FLOW(.client = 2, .protocol = NEXT_UDP), IDLE);
	EXPECT(SEND(.client = 100, .flags = SYN), FORWARD_NEW);
	cr_assert_null(FLOW(.client = 2, .protocol = NEXT_UDP));
	for (uint32_t m = 0; m < MEMBERS; m++)
		cr_assert_eq(balancer_backend_traffic(FIRST_BACKEND + m).evicted, 0);
}

static void arrange_by_source(void)
{
	arrange_udp();
	balancer.services[WEB].policy.flags = LARCH_SERVICE_BY_SOURCE;
	balancer.settings->flags = LARCH_COUNT_SYNS;
}

TestSuite(by_source, .init = arrange_by_source, .fini = balancer_close);

/* The one entry of all that the spec's source sends by its protocol. */
static struct larch_flow *source_entry(const struct spec *spec)
{
	struct larch_tuple tuple = tuple_of(spec);
	uint64_t hash = larch_hash(&tuple, 1, (const __u64 *)balancer.settings->seed);
	uint32_t mask = balancer.settings->bucket_mask;
	struct larch_bucket *bucket = &balancer.bucket[larch_hash_bucket(hash, mask)];

	for (size_t i = 0; i < LARCH_BUCKET_FLOWS; i++)
		if (bucket->flow[i].identity.tag == larch_hash_tag(hash))
			return &bucket->flow[i];
	return NULL;
}

static void check_connections(struct spec spec)
{
	static const uint8_t flags[] = {SYN, ACK, ACK, FIN | ACK, SYN, RST, SYN, SYN, ACK};
	struct larch_flow *flow;
	struct result result;

	arrange_all_rings(WEB, 0, 1, LARCH_NO_MEMBER);
	spec.flags = SYN;
	EXPECT(balancer_send_spec(&spec), FORWARD_NEW);
	flow = source_entry(&spec);
	cr_assert_not_null(flow);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	for (uint16_t i = 0; i < 3 * COUNT(flags); i++) {
		spec.source_port = (uint16_t)(1000 + i / COUNT(flags));
		spec.flags = flags[i % COUNT(flags)];
		spec.payload = i % 3 ? 0 : 100;
		result = balancer_send_spec(&spec);
		EXPECT(result, FORWARD_FLOW);
		cr_assert_eq(backend_reached(&result), FIRST_BACKEND + 1, "packet %u", i);
		cr_assert_eq(source_entry(&spec), flow);
		cr_assert_eq(flow->identity.state, LARCH_FLOW_OPEN);
		cr_assert_eq(flow->timing.phase, LARCH_PHASE_DATAGRAM);
	}
	spec.client++;
	result = balancer_send_spec(&spec);
	cr_assert_eq(backend_reached(&result), FIRST_BACKEND + OTHER);
}

Test(by_source, all_connections_of_a_source_share_backend_and_entry)
{
	check_connections((struct spec){});
	check_connections((struct spec){.ipv6 = true});
	check_connections((struct spec){.protocol = NEXT_UDP, .client = 100});
	check_connections((struct spec){.protocol = NEXT_UDP, .client = 100, .ipv6 = true});
}

Test(by_source, nothing_is_measured)
{
	for (uint16_t port = 1; port < 4; port++) {
		SEND(.source_port = port, .flags = SYN);
		SEND(.source_port = port, .sequence = 1, .acknowledged = 1);
		SEND(.source_port = port, .sequence = 1, .acknowledged = 1, .payload = 100);
		SEND(.source_port = port, .sequence = 101, .acknowledged = 5000);
	}
	cr_assert_eq(balancer_cells(), 0);
	for (uint32_t m = 0; m < MEMBERS; m++)
		cr_assert_eq(balancer.live[FIRST_BACKEND + m].in_flight, 0);
}

Test(by_source, what_nobody_knew_begins_a_flow_like_any_other_packet)
{
	EXPECT(SEND(.payload = 100), FORWARD_NEW);
	EXPECT(SEND(.source_port = 7, .flags = FIN | ACK), FORWARD_FLOW);
	EXPECT(SEND(.client = 9, .flags = RST), FORWARD_NEW);
}

/* Its entry was put into the second bucket, and the first has emptied since. */
Test(by_source, a_further_connection_finds_the_entry_in_either_bucket)
{
	struct spec spec = {.flags = SYN};
	struct larch_flow *flow;
	struct larch_tuple tuple = tuple_of(&spec);
	uint64_t hash = larch_hash(&tuple, 1, (const __u64 *)balancer.settings->seed);
	uint32_t second = larch_hash_second_bucket(hash, balancer.settings->bucket_mask);

	arrange_all_rings(WEB, 0, 1, LARCH_NO_MEMBER);
	EXPECT(balancer_send_spec(&spec), FORWARD_NEW);
	flow = source_entry(&spec);
	balancer.bucket[second].flow[0] = *flow;
	flow->identity.word = 0;
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	spec.source_port = 7;
	EXPECT(balancer_send_spec(&spec), FORWARD_FLOW);
	cr_assert_eq(flow->identity.word, 0);
}

Test(by_source, a_source_that_was_silent_for_the_idle_time_is_steered_anew)
{
	struct spec spec = {.flags = SYN};

	arrange_all_rings(WEB, 0, 1, LARCH_NO_MEMBER);
	EXPECT(balancer_send_spec(&spec), FORWARD_NEW);
	let_age(source_entry(&spec), IDLE);
	arrange_all_rings(WEB, 0, OTHER, LARCH_NO_MEMBER);
	EXPECT(balancer_send_spec(&spec), FORWARD_NEW);
	cr_assert_eq(source_entry(&spec)->identity.backend, FIRST_BACKEND + OTHER);
}
