// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage flow in a flood: established flows and handshakes share a small table with far more SYNs
 * than it has places. Rings are fixed, live scores change with every packet. Time is pretended: the
 * SYNs in the table grow older with every step.
 */
#include <pthread.h>
#include <string.h>

#include "arrange.h"

#define BUCKETS	    256 /* 1024 places */
#define ESTABLISHED 1000
#define SYNS	    16 /* random ones, to each packet of a legitimate client */
#define STEP_MS	    10 /* from one such packet to the next */
#define WAIT	    20 /* other clients begin before a client's next packet: 0.8 s */
#define HANDSHAKES  600
#define NEW_CLIENTS 10000
#define PER_MILLE   990 /* of the handshakes that keep their backend */

TestSuite(crowd, .init = arrange_web, .fini = balancer_close);

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull >> 32) % limit);
}

static uint32_t send_from(bool ipv6, uint32_t client_number, uint8_t flags, uint16_t payload)
{
	struct spec spec = {
		.ipv6 = ipv6,
		.client = client_number,
		.source_port = (uint16_t)(1024 + client_number % 50000),
		.flags = flags,
		.payload = payload,
	};
	struct frame frame = frame_build(&spec);
	struct result result;

	for (uint32_t m = 0; m < MEMBERS; m++)
		balancer.live[FIRST_BACKEND + m].in_flight = (int32_t)random_below(50);
	cr_assert(balancer_run(&frame, &result));
	return backend_reached(&result);
}

/* Time passes for all that are waiting for their handshake. */
static void grow_older(uint32_t ms)
{
	uint32_t units = (uint32_t)((uint64_t)ms * 1000000 >> LARCH_START_SHIFT);

	for (uint32_t i = 0; i < BUCKETS * LARCH_BUCKET_FLOWS; i++) {
		struct larch_flow *flow = &balancer.bucket[i / 4].flow[i % 4];

		if (flow->identity.state == LARCH_FLOW_SYN)
			flow->timing.start = (flow->timing.start - units) & LARCH_START_MASK;
	}
}

/* The flood, while a legitimate client's packet is on its way. */
static void step(bool ipv6)
{
	grow_older(STEP_MS);
	for (uint32_t i = 0; i < SYNS; i++)
		send_from(ipv6, 1000000 + random_below(10000000), SYN, 0);
}

struct crowd {
	bool ipv6;
	uint32_t established;
	uint32_t backend[ESTABLISHED]; /* of the established flows */
	uint32_t handshakes, kept;
};

static void establish(struct crowd *crowd)
{
	for (uint32_t i = 0; i < crowd->established; i++) {
		crowd->backend[i] = send_from(crowd->ipv6, i, SYN, 0);
		cr_assert_eq(send_from(crowd->ipv6, i, ACK, 0), crowd->backend[i]);
	}
}

static void check_established(const struct crowd *crowd, uint32_t flow)
{
	uint32_t backend = send_from(crowd->ipv6, flow, ACK, (uint16_t)(flow % 100));

	cr_assert_eq(backend, crowd->backend[flow], "flow %u was broken", flow);
}

/* Clients begin one after the other; while they wait for their answers, established flows go on. */
static void go_on(struct crowd *crowd)
{
	static uint32_t first[HANDSHAKES + 2 * WAIT];
	static bool kept[HANDSHAKES + 2 * WAIT];

	for (uint32_t i = 0; i < HANDSHAKES + 2 * WAIT; i++) {
		uint32_t acks = i - WAIT, asks = i - 2 * WAIT;

		step(crowd->ipv6);
		first[i] = send_from(crowd->ipv6, NEW_CLIENTS + i, SYN, 0);
		step(crowd->ipv6);
		if (i >= WAIT)
			kept[acks] =
				send_from(crowd->ipv6, NEW_CLIENTS + acks, ACK, 0) == first[acks];
		step(crowd->ipv6);
		if (i >= 2 * WAIT) {
			kept[asks] &=
				send_from(crowd->ipv6, NEW_CLIENTS + asks, ACK, 50) == first[asks];
			crowd->kept += kept[asks];
			crowd->handshakes++;
			send_from(crowd->ipv6, NEW_CLIENTS + asks, FIN | ACK, 0);
		}
		step(crowd->ipv6);
		check_established(crowd, random_below(crowd->established));
	}
}

static void check(uint32_t established, bool ipv6)
{
	static struct crowd crowd;

	crowd = (struct crowd){.ipv6 = ipv6, .established = established};
	random_state = 0x63726f776431ull;
	memset(balancer.bucket, 0, BUCKETS * sizeof(*balancer.bucket));
	balancer.settings->bucket_mask = BUCKETS - 1;
	establish(&crowd);
	go_on(&crowd);
	for (uint32_t i = 0; i < established; i++)
		check_established(&crowd, i);
	cr_assert_geq(crowd.kept * 1000, PER_MILLE * crowd.handshakes, "%u of %u", crowd.kept,
		      crowd.handshakes);
}

Test(crowd, in_a_full_table_flows_keep_their_backends)
{
	check(ESTABLISHED, false);
	check(ESTABLISHED, true);
}

Test(crowd, in_a_table_that_is_half_full_they_do_too)
{
	check(ESTABLISHED / 2, false);
	check(ESTABLISHED / 2, true);
}

#define CPUS	2
#define PER_CPU 30000

/* A client's handshakes, one after the other; returns how many changed their backend. */
static void *shake_hands(void *client)
{
	struct spec spec = {.client = *(uint32_t *)client};
	uintptr_t broken = 0;

	for (uint32_t i = 0; i < PER_CPU; i++) {
		struct result syn, ack;
		struct larch_flow *flow;
		struct frame frame;

		spec.source_port = (uint16_t)(1024 + i);
		spec.flags = SYN;
		frame = frame_build(&spec);
		cr_assert(balancer_run(&frame, &syn));
		spec.flags = ACK;
		frame = frame_build(&spec);
		cr_assert(balancer_run(&frame, &ack));
		broken += backend_reached(&syn) != backend_reached(&ack);
		flow = flow_of(&spec);
		if (flow)
			__atomic_store_n(&flow->identity.word, 0, __ATOMIC_RELAXED);
	}
	return (void *)broken;
}

/* Of two that begin at the same moment one may find its place taken: its SYN has to go by the ring.
 */
Test(crowd, flows_that_begin_together_on_several_cpus_keep_their_backends)
{
	uint32_t client[CPUS] = {1, 2};
	pthread_t thread[CPUS];
	void *broken;

	balancer.settings->bucket_mask = 0;
	for (uint32_t m = 0; m < MEMBERS; m++)
		balancer.live[FIRST_BACKEND + m].in_flight = (int32_t)(1000 * (MEMBERS - m));
	for (size_t i = 0; i < CPUS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, shake_hands, &client[i]), 0);
	for (size_t i = 0; i < CPUS; i++) {
		cr_assert_eq(pthread_join(thread[i], &broken), 0);
		cr_assert_null(broken, "%lu handshakes of client %zu", (uintptr_t)broken, i);
	}
}
