// SPDX-License-Identifier: BSD-2-Clause
/*
 * A million damaged packets of every kind through the kernel: each ends in one outcome that is
 * counted, with a verdict that an outcome has, no larger than what came and a tunnel's header; and
 * the kernel has nothing to complain about. Seeded: a failure names the packet, and is found again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arrange.h"
#include "damage.h"
#include "kinds.h"

#define PACKETS	  1000000
#define ROUND	  4096 /* packets between two looks at the counters */
#define BUCKETS	  256  /* so few that flows get into each other's way */
#define CLIENTS	  16
#define SEED	  1    /* or LARCH_DAMAGE_SEED of the environment */
#define TUNNEL	  52   /* bytes of the largest tunnel's headers */
#define MODES	  4    /* enum larch_mode, whether the program knows them all or not */
#define KMSG_MOST 8192 /* bytes of one record */

/* Which program is tested. */
struct subject {
	bool (*run)(const struct frame *frame, struct result *out);
	uint64_t (*received)(void);
	void (*begin_round)(uint64_t round);
};

static struct frame *whole; /* [kinds_count() * CLIENTS] */
static uint64_t seed;
static const struct subject *subject;
static int kmsg;

/* Everything that the kernel says from now on. */
static void open_kmsg(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
}

static void check_kmsg(void)
{
	static const char *const alarms[] = {"WARNING:", "BUG:",  "Oops",
					     "KASAN",	 "UBSAN", "Call Trace"};
	char record[KMSG_MOST + 1];
	ssize_t size;

	if (kmsg < 0)
		return;
	/* EPIPE: records were overwritten before they were read; the next ones are there. */
	while ((size = read(kmsg, record, KMSG_MOST)) > 0 || errno == EPIPE) {
		record[size > 0 ? size : 0] = '\0';
		for (size_t i = 0; i < COUNT(alarms); i++)
			cr_assert_null(strstr(record, alarms[i]), "seed %lu: the kernel says: %s",
				       seed, record);
	}
	close(kmsg);
}

static void build_whole(void)
{
	whole = malloc(kinds_count() * CLIENTS * sizeof(*whole));
	cr_assert_not_null(whole);
	for (size_t i = 0; i < kinds_count() * CLIENTS; i++)
		whole[i] = kinds_build(i / CLIENTS, (uint32_t)(i % CLIENTS));
}

static void begin(void)
{
	const char *text = getenv("LARCH_DAMAGE_SEED");

	seed = text ? strtoull(text, NULL, 0) : SEED;
	build_whole();
	open_kmsg();
}

/* There are new flows again, and another way to the backends. */
static void begin_balancer_round(uint64_t round)
{
	memset(balancer.bucket, 0, BUCKETS * sizeof(*balancer.bucket));
	arrange_mode((enum larch_mode)(round % MODES));
}

static const struct subject balancer_subject = {balancer_run, balancer_received,
						begin_balancer_round};

static void begin_balancer(void)
{
	begin();
	arrange_web();
	arrange_vip(VIP_IPV4, NEXT_UDP, 53, WEB, LARCH_SIGNAL_NONE);
	arrange_vip(VIP_IPV6, NEXT_UDP, 53, WEB, LARCH_SIGNAL_NONE);
	arrange_vip("192.0.2.2", NEXT_TCP, 0, WEB, LARCH_SIGNAL_CONNECT);
	arrange_backend(FIRST_BACKEND + 1, LARCH_TUNNEL_IPV6, INGRESS);
	arrange_backend(FIRST_BACKEND + 2, LARCH_TUNNEL_IPV4, INGRESS + 1);
	balancer.settings->bucket_mask = BUCKETS - 1;
	subject = &balancer_subject;
}

static void begin_agent_round(uint64_t round)
{
	(void)round;
}

static const struct subject agent_subject = {agent_run, agent_received, begin_agent_round};

static void begin_agent(void)
{
	begin();
	agent_open();
	subject = &agent_subject;
}

/* Packet number `at` of this seed, whatever came before it. */
static struct frame damaged(uint64_t at)
{
	struct prng prng = prng_seed(seed, at);
	struct frame frame = whole[prng_below(&prng, kinds_count() * CLIENTS)];

	if (prng_below(&prng, 8)) /* some stay whole, so that there are flows to be met */
		damage(frame.byte, &frame.size, FRAME_MOST - TUNNEL, &prng);
	return frame;
}

static void describe(char *text, const struct frame *frame)
{
	for (size_t i = 0; i < frame->size; i++)
		text += sprintf(text, "%02x", frame->byte[i]);
}

#define REQUIRE(truth, at, frame, ...)                                                             \
	do {                                                                                       \
		if (!(truth)) {                                                                    \
			char hex_[2 * FRAME_MOST + 1], why_[200];                                  \
			describe(hex_, frame);                                                     \
			snprintf(why_, sizeof(why_), __VA_ARGS__);                                 \
			cr_assert(false, "LARCH_DAMAGE_SEED=%lu, packet %lu: %s: %s", seed, at,    \
				  why_, hex_);                                                     \
		}                                                                                  \
	} while (0)

static void check_one(uint64_t at)
{
	struct frame frame = damaged(at);
	struct result result;

	REQUIRE(subject->run(&frame, &result), at, &frame, "the kernel did not run it");
	REQUIRE(result.verdict >= XDP_DROP && result.verdict <= XDP_REDIRECT, at, &frame,
		"verdict %d", result.verdict);
	REQUIRE(result.frame.size <= frame.size + TUNNEL, at, &frame, "%zu bytes became %zu",
		frame.size, result.frame.size);
}

/* Which of these packets is not counted once? */
static void find_uncounted(uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at++) {
		uint64_t before = subject->received(), counted;
		struct frame frame = damaged(at);

		check_one(at);
		counted = subject->received() - before;
		REQUIRE(counted == 1, at, &frame, "counted %lu times", counted);
	}
	cr_assert(false, "seed %lu: of the packets %lu to %lu not each was counted once", seed,
		  from, to);
}

static void check_all(void)
{
	for (uint64_t at = 0; at < PACKETS; at += ROUND) {
		uint64_t end = at + ROUND < PACKETS ? at + ROUND : PACKETS;

		subject->begin_round(at / ROUND);
		for (uint64_t i = at; i < end; i++)
			check_one(i);
		if (subject->received() != end)
			find_uncounted(at, end);
	}
	check_kmsg();
}

TestSuite(damage, .init = begin_balancer, .fini = balancer_close);

Test(damage, a_million_packets_through_the_balancer_are_each_counted_once)
{
	check_all();
	cr_assert_gt(balancer_outcome(LARCH_FORWARD_FLOW).packets, PACKETS / 20);
	cr_assert_gt(balancer_outcome(LARCH_FORWARD_NEW).packets, PACKETS / 2000);
	cr_assert_gt(balancer_outcome(LARCH_DROP_TRUNCATED).packets, PACKETS / 200);
}

TestSuite(damage_agent, .init = begin_agent, .fini = agent_close);

Test(damage_agent, a_million_packets_through_the_agent_are_each_counted_once)
{
	check_all();
}
