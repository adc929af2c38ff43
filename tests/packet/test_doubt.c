// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a node remembers of a flow may be out of date where other nodes have its packets, too: the
 * flow may have ended there, and another of the same ports begun. After a silence its backend is
 * asked whether it still has it.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "arrange.h"
#include "larch/chance.h"
#include "reply.h"

#define SELF	 "10.254.0.1" /* where arrange_backend()'s tunnels begin */
#define REMOVED	 (FIRST_BACKEND + MEMBERS + 7)
#define ALL_HOPS 40

static const struct spec packet = {.from = "198.18.0.7", .payload = 100};
static const struct spec opening = {.from = "198.18.0.7", .flags = SYN};

static void arrange_doubt(void)
{
	struct larch_vip self = {
		.port = htons(LARCH_GUE_PORT),
		.protocol = NEXT_UDP,
		.kind = LARCH_VIP_SELF,
	};

	arrange_web();
	address_of(SELF, self.address);
	balancer_put_vip(&self, LARCH_MAX_SERVICES);
	larch_filter_add(balancer.settings->filter, larch_filter_hash(self.address));
	balancer.services[WEB].policy.flags |= LARCH_SERVICE_AGENTS | LARCH_SERVICE_DOUBTS;
	balancer.settings->limit[LARCH_LIMIT_CHANCE] = 1000000;
}

TestSuite(doubt, .init = arrange_doubt, .fini = balancer_close);

static struct larch_question *question_in(struct frame *frame)
{
	return (struct larch_question *)(void *)&frame
		->byte[ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES + 4];
}

static uint32_t asked(struct result *result)
{
	return ntohs(question_in(&result->frame)->backend);
}

static struct result send_answer(const struct result *question, enum larch_answer answer)
{
	struct frame back = question->frame;

	memcpy(&back.byte[ETHERNET_BYTES + 12], &question->frame.byte[ETHERNET_BYTES + 16], 4);
	memcpy(&back.byte[ETHERNET_BYTES + 16], &question->frame.byte[ETHERNET_BYTES + 12], 4);
	question_in(&back)->answer = (uint8_t)answer;
	return balancer_send(&back);
}

/* An open flow that was silent for so many stamp units, and its backend. */
static uint32_t silent_flow(uint32_t stamps)
{
	struct larch_flow *flow;

	EXPECT(balancer_send_spec(&opening), FORWARD_NEW);
	EXPECT(balancer_send_spec(&packet), FORWARD_FLOW);
	flow = flow_of(&packet);
	cr_assert_not_null(flow);
	flow->identity.stamp = (now_stamp() - stamps) & LARCH_STAMP_MASK;
	return flow->identity.backend;
}

Test(doubt, a_silent_flows_backend_is_asked_before_all_others)
{
	uint32_t backend = silent_flow(3);
	struct result result = balancer_send_spec(&packet);

	EXPECT(result, CHANCE_ASKED);
	cr_assert_eq(asked(&result), backend);
	cr_assert_eq(question_in(&result.frame)->hop, LARCH_HOP_TABLE);
}

Test(doubt, what_the_owner_confirms_is_believed_again)
{
	uint32_t backend = silent_flow(3);
	struct result result = balancer_send_spec(&packet);

	result = send_answer(&result, LARCH_ANSWER_MINE);
	EXPECT(result, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&result), backend);
	cr_assert_eq(flow_of(&packet)->identity.backend, backend);
	EXPECT(balancer_send_spec(&packet), FORWARD_FLOW);
}

/* Its connect has ended, and a request begun: as of any packet of a flow that is known. */
Test(doubt, the_clock_of_what_is_confirmed_goes_on)
{
	struct result result;
	uint32_t backend;

	balancer.settings->flags |= LARCH_COUNT_SYNS;
	EXPECT(balancer_send_spec(&opening), FORWARD_NEW);
	backend = flow_of(&packet)->identity.backend;
	cr_assert_eq(balancer.live[backend].in_flight, 1);
	flow_of(&packet)->identity.stamp = (now_stamp() - 3) & LARCH_STAMP_MASK;
	result = balancer_send_spec(&packet);
	EXPECT(result, CHANCE_ASKED);
	EXPECT(send_answer(&result, LARCH_ANSWER_MINE), FORWARD_FLOW);
	cr_assert_eq(flow_of(&packet)->identity.state, LARCH_FLOW_OPEN);
	cr_assert_geq((int)flow_of(&packet)->timing.phase, LARCH_PHASE_FIRST);
	cr_assert_eq(balancer.live[backend].in_flight, 1);
}

/* The flow that is remembered ended at another node, where this one began. */
Test(doubt, a_flow_that_another_backend_has_by_now_moves_there)
{
	uint32_t backend = silent_flow(3), owner;
	struct result result = balancer_send_spec(&packet);

	for (unsigned hops = 0; hops < ALL_HOPS; hops++) {
		result = send_answer(&result, LARCH_ANSWER_OTHERS);
		EXPECT(result, CHANCE_NEXT);
		if (asked(&result) != backend)
			break;
	}
	owner = asked(&result);
	cr_assert_neq(owner, backend);
	result = send_answer(&result, LARCH_ANSWER_MINE);
	EXPECT(result, CHANCE_CLAIMED);
	cr_assert_eq(backend_reached(&result), owner);
	cr_assert_eq(flow_of(&packet)->identity.backend, owner);
	result = balancer_send_spec(&packet);
	EXPECT(result, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&result), owner);
}

Test(doubt, a_flow_that_nobody_has_is_lost_and_every_member_was_asked)
{
	unsigned times[LARCH_MAX_BACKENDS] = {};
	struct result result;

	silent_flow(3);
	result = balancer_send_spec(&packet);
	EXPECT(result, CHANCE_ASKED);
	for (unsigned hops = 0; hops < ALL_HOPS && result.outcome != LARCH_CHANCE_LOST; hops++) {
		times[asked(&result)]++;
		result = send_answer(&result, LARCH_ANSWER_OTHERS);
	}
	EXPECT(result, CHANCE_LOST);
	for (uint32_t m = 0; m < MEMBERS; m++)
		cr_assert_geq(times[FIRST_BACKEND + m], 1);
}

/* No member of the service any more, so that nobody else would think of it. */
Test(doubt, a_removed_backend_still_has_its_flows)
{
	struct result result;

	silent_flow(3);
	arrange_backend(REMOVED, LARCH_TUNNEL_IPV4, INGRESS);
	flow_of(&packet)->identity.backend = REMOVED;
	result = balancer_send_spec(&packet);
	EXPECT(result, CHANCE_ASKED);
	cr_assert_eq(asked(&result), REMOVED);
	result = send_answer(&result, LARCH_ANSWER_MINE);
	EXPECT(result, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&result), REMOVED);
}

Test(doubt, one_that_cannot_be_reached_is_not_asked)
{
	uint32_t backend = silent_flow(3);
	struct larch_backend entry = balancer_backend(backend);
	struct result result;

	entry.ready = 0;
	balancer_set_backend(backend, &entry);
	result = balancer_send_spec(&packet);
	EXPECT(result, CHANCE_ASKED);
	cr_assert_neq(asked(&result), backend);
}

/* Two packets ask; what the first finds out is not undone by the answer to the second. */
Test(doubt, another_packet_of_the_flow_was_faster)
{
	uint32_t backend = silent_flow(3);
	struct result first = balancer_send_spec(&packet), second = balancer_send_spec(&packet);

	EXPECT(second, CHANCE_ASKED);
	EXPECT(send_answer(&first, LARCH_ANSWER_MINE), FORWARD_FLOW);
	EXPECT(send_answer(&second, LARCH_ANSWER_OTHERS), FORWARD_FLOW);
	cr_assert_eq(flow_of(&packet)->identity.backend, backend);
}

Test(doubt, a_flow_that_has_just_spoken_is_believed)
{
	silent_flow(1);
	EXPECT(balancer_send_spec(&packet), FORWARD_FLOW);
	EXPECT(balancer_send_spec(&packet), FORWARD_FLOW);
}

/* A connection that begins anew by the ports of one that is remembered asks nobody. */
Test(doubt, a_syn_asks_nobody)
{
	silent_flow(3);
	EXPECT(balancer_send_spec(&opening), FORWARD_FLOW);
}

Test(doubt, a_node_alone_believes_what_it_remembers)
{
	balancer.services[WEB].policy.flags &= (__u16)~LARCH_SERVICE_DOUBTS;
	silent_flow(300);
	EXPECT(balancer_send_spec(&packet), FORWARD_FLOW);
}

Test(doubt, where_too_many_ask_the_table_is_believed)
{
	uint32_t backend = silent_flow(3);
	struct result result;

	balancer.settings->limit[LARCH_LIMIT_CHANCE] = 0;
	result = balancer_send_spec(&packet);
	EXPECT(result, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&result), backend);
}
