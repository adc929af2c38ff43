// SPDX-License-Identifier: BSD-2-Clause
// A client's connection through the balancer; see conversation.h.
#include "conversation.h"

#include <arpa/inet.h>

#define START_MASK ((1u << LARCH_START_BITS) - 1)

struct spec client;
static uint64_t begun;
static uint32_t next_sequence, next_answer;

void conversation_go_on(void)
{
	begun = clock_now();
	next_sequence = next_answer = 1;
}

void conversation_begin(void)
{
	arrange_web();
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	client = (struct spec){.client = client_in_arm(0, LARCH_ARM_LEARNED)};
	conversation_go_on();
}

struct result say(uint8_t flags, uint32_t sequence, uint32_t acknowledged, uint16_t payload)
{
	struct spec spec = client;

	spec.flags = flags;
	spec.sequence = sequence;
	spec.acknowledged = acknowledged;
	spec.payload = payload;
	return balancer_send_spec(&spec);
}

struct larch_flow *client_flow(void)
{
	struct larch_flow *flow = flow_of(&client);

	cr_assert_not_null(flow, "the flow is not known");
	return flow;
}

struct larch_live *live(void)
{
	return &balancer.live[FIRST_BACKEND];
}

/* 125 units of 1024 ns are 128 us. */
void wait_us(uint32_t us)
{
	struct larch_flow *flow = client_flow();
	union larch_timing timing = flow->timing;

	timing.start = (timing.start - (us * 125ull + 127) / 128) & START_MASK;
	flow->timing = timing;
}

void connect_in(uint32_t us)
{
	EXPECT(say(SYN, 0, 0, 0), FORWARD_NEW);
	wait_us(us);
	EXPECT(say(ACK, 1, 1, 0), FORWARD_FLOW);
}

void exchange(uint32_t us, uint16_t request, uint32_t answer)
{
	say(ACK | PSH, next_sequence, next_answer, request);
	wait_us(us);
	next_sequence += request;
	next_answer += answer;
	say(ACK, next_sequence, next_answer, 0);
}

void next_answer_is(uint32_t sequence)
{
	next_answer = sequence;
}

struct larch_cell client_cell(void)
{
	struct larch_tuple tuple = tuple_of(&client);

	return (struct larch_cell){
		.source = ntohl(tuple.source[3]) >> 8,
		.ingress = INGRESS,
		.service = WEB,
		.backend = FIRST_BACKEND,
		.port = VIP_PORT,
		.protocol = NEXT_TCP,
		.arm = (uint8_t)larch_hash_arm(hash_of(&client), 0),
	};
}

struct larch_samples samples(void)
{
	struct larch_cell cell = client_cell();
	struct larch_samples found;

	return balancer_cell(&cell, &found) ? found : (struct larch_samples){};
}

struct larch_samples exchange_under_load(int32_t queue, uint32_t concurrency)
{
	live()->concurrency = concurrency;
	live()->share = (1u << 16) / concurrency;
	connect_in(SHORT_US);
	live()->in_flight = queue;
	exchange(LONG_US, 100, 100);
	return samples();
}

bool took(uint64_t measured_us, uint64_t us)
{
	uint64_t overhead = (clock_now() - begun) / 1000;

	return measured_us + SLOPPINESS_US >= us && measured_us <= us + overhead + SLOPPINESS_US;
}
