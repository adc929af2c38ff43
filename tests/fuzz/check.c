// SPDX-License-Identifier: BSD-2-Clause
/* A packet's way through the programs, and what must be true after each. See check.h. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passage.h"
#include "../packet/verdict.h"
#include "maps.h"

#define QUESTIONS_MOST 100

/* The agent's map is defined in its program alone; the first word is its memory. */
extern struct stub_map *larch_agent;

void passage_fail(const struct passage *passage, const char *what)
{
	fprintf(stderr, "fuzz: %s: %s; outcome %u, verdict %d; the packet was ", passage->program,
		what, passage->outcome, passage->verdict);
	for (size_t i = 0; i < passage->in_size; i++)
		fprintf(stderr, "%02x", passage->in[i]);
	fprintf(stderr, "\n");
	abort();
}

/* The one outcome that was counted, by what was counted before. */
static void find_outcome(struct passage *passage, const struct larch_counter *now, uint32_t count)
{
	uint64_t packets = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t more = now[i].packets - passage->counter[i].packets;

		if (more)
			passage->outcome = i;
		packets += more;
		require(passage,
			now[i].bytes - passage->counter[i].bytes == more * passage->in_size,
			"not as many bytes are counted as came");
	}
	require(passage, packets == 1, "not counted under one outcome");
}

static void begin(struct passage *passage, const uint8_t *bytes, size_t size, uint32_t ifindex)
{
	passage->in = bytes;
	passage->in_size = size;
	passage->outcome = LARCH_OUTCOME_COUNT;
	passage->context = stub_packet(bytes, size, world.room, ifindex);
}

static void agent_receives(struct passage *passage)
{
	size_t counters = LARCH_AGENT_OUTCOME_COUNT * sizeof(*passage->counter);

	passage->program = "agent";
	if (larch_agent)
		memcpy(passage->counter, stub_values(larch_agent), counters);
	passage->verdict = larch_agent_xdp(&passage->context);
	find_outcome(passage, stub_values(larch_agent), LARCH_AGENT_OUTCOME_COUNT);
	require(passage, agent_verdict_is_right(passage->outcome, passage->verdict),
		"not the outcome's verdict");
	require(passage, !stub.held, "something taken was not given back");
	check_agent_frame(passage);
}

void check_agent(const uint8_t *bytes, size_t size, uint32_t ifindex)
{
	static struct passage passage;

	begin(&passage, bytes, size, ifindex);
	agent_receives(&passage);
}

static void balancer_receives(struct passage *passage)
{
	const struct larch_counter *counter = stub_values(STUB_MAP(&larch_outcomes));

	passage->program = "balancer";
	memcpy(passage->counter, counter, LARCH_OUTCOME_COUNT * sizeof(*counter));
	memcpy(passage->flow, world.datapath->flows, sizeof(passage->flow));
	passage->verdict = larch(&passage->context);
	find_outcome(passage, counter, LARCH_OUTCOME_COUNT);
	require(passage, verdict_is_right(passage->outcome, passage->verdict),
		"not the outcome's verdict");
	require(passage, !stub.held, "something taken was not given back");
	check_balancer_frame(passage);
	check_flows(passage);
}

/* What leaves by this passage arrives somewhere: the next one begins. */
static void go_on(struct passage *next, const struct passage *passage, uint8_t *frame)
{
	size_t size = passage_out_size(passage);

	memcpy(frame, passage_out(passage), size);
	begin(next, frame, size, 1);
}

/*
 * A tunnel's packet is what the agent makes of it again. Asked, the agent answers, and the balancer
 * asks the next one, or forwards; sooner or later it does not ask any more. The network delivers
 * the last answer twice.
 */
void check_balancer(const uint8_t *bytes, size_t size, uint32_t ifindex)
{
	static struct passage there, back;
	static uint8_t sent[STUB_FRAME_MOST], answered[STUB_FRAME_MOST];
	unsigned questions = 0;
	size_t answer = 0;

	begin(&there, bytes, size, ifindex);
	balancer_receives(&there);
	while (there.way == VERIFY_TUNNELLED || there.way == VERIFY_QUESTIONED) {
		bool asked = there.way == VERIFY_QUESTIONED;

		go_on(&back, &there, sent);
		agent_receives(&back);
		require(&back, asked == (back.verdict == XDP_TX), "not what the agent was to do");
		require(&back, asked || back.outcome == LARCH_AGENT_DECAPSULATED,
			"what the balancer sends is no tunnel to the agent");
		if (!asked)
			break;
		answer = passage_out_size(&back);
		go_on(&there, &back, answered);
		balancer_receives(&there);
		require(&there, ++questions < QUESTIONS_MOST, "it does not end asking");
	}
	if (!questions)
		return;
	begin(&there, answered, answer, 1);
	balancer_receives(&there);
}
