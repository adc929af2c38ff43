// SPDX-License-Identifier: BSD-2-Clause
// Who waits for a backend, and what is a sign of its life: how a server that hangs is found out.
#include <linux/bpf.h>

#include "conversation.h"
#include "larch/score.h"

TestSuite(wait, .init = conversation_begin, .fini = balancer_close);

Test(wait, who_asks_waits_until_an_answer)
{
	uint32_t before;

	connect_in(SHORT_US);
	before = (uint32_t)(clock_now() >> 20);
	say(ACK, 1, 1, 100);
	cr_assert_eq(live()->requests.count, 1);
	cr_assert_leq((live()->requests.since - before) & LARCH_WAIT_MASK, 100);
	cr_assert_leq(live()->asked - before, 100);
	say(ACK, 101, 500, 0);
	cr_assert_eq(live()->requests.word, 0);
}

Test(wait, a_request_to_a_backend_that_owes_answers_is_no_sign_of_life)
{
	connect_in(SHORT_US);
	live()->requests = (union larch_wait){.since = 1, .count = 7};
	say(ACK, 1, 1, 100);
	cr_assert_eq(live()->requests.since, 1);
	cr_assert_eq(live()->requests.count, 8);
}

/* Of a server that hangs, the kernel goes on to take connections. */
Test(wait, an_answered_connect_is_a_sign_of_life_only_where_answers_are_not_timed)
{
	balancer.settings->flags = LARCH_COUNT_SYNS;
	live()->requests = (union larch_wait){.since = 1, .count = 7};
	live()->connects = (union larch_wait){.since = 1, .count = 7};
	connect_in(SHORT_US);
	cr_assert_eq(live()->requests.count, 7);
	cr_assert_eq(live()->connects.count, 0);
	say(RST, 1, 0, 0);
	arrange_vip(VIP_IPV4, NEXT_TCP, VIP_PORT, WEB, LARCH_SIGNAL_CONNECT);
	connect_in(SHORT_US);
	cr_assert_eq(live()->requests.count, 0);
}

/* Streams and the like: an answer may never come. */
Test(wait, nobody_waits_for_answers_where_they_are_not_timed)
{
	arrange_vip(VIP_IPV4, NEXT_TCP, VIP_PORT, WEB, LARCH_SIGNAL_WATCH);
	connect_in(SHORT_US);
	say(ACK, 1, 1, 100);
	cr_assert_eq(live()->in_flight, 1);
	cr_assert_eq(live()->requests.count, 0);
}

Test(wait, an_upload_is_counted_while_it_arrives)
{
	const uint32_t upload = 200000;

	connect_in(SHORT_US);
	for (uint32_t at = 1; at < upload; at += SEGMENT)
		say(ACK, at, 1, SEGMENT);
	cr_assert_eq(live()->requests.count, 1);
	cr_assert(live()->uploads >= upload / 16384 - 1 && live()->uploads <= upload / 16384 + 1,
		  "%u", live()->uploads);
	say(ACK, 1, 500, 0);
	cr_assert_eq(live()->uploads, 0);
}

/* It is the client that takes its time. */
Test(wait, who_goes_on_to_send_after_a_pause_does_not_wait)
{
	connect_in(SHORT_US);
	live()->requests = (union larch_wait){.since = 1, .count = 7};
	say(ACK, 1, 1, SEGMENT);
	say(ACK, 1 + SEGMENT, 1, SEGMENT);
	cr_assert_eq(live()->requests.count, 8);
	wait_us(100000);
	for (uint32_t at = 2; at < 6; at++) {
		say(ACK, 1 + at * SEGMENT, 1, SEGMENT);
		wait_us(100000);
	}
	cr_assert_eq(live()->requests.count, 7, "it is one, however often it pauses");
	cr_assert_eq(live()->requests.since, 1);
}

/* As on a connection for many requests: the first one still waits. */
Test(wait, who_asks_once_more_waits)
{
	connect_in(SHORT_US);
	for (uint32_t at = 0; at < 5; at++) {
		say(ACK, 1 + 100 * at, 1, 100);
		wait_us(100000);
	}
	cr_assert_eq(live()->requests.count, 1);
}

Test(wait, who_resets_what_he_has_begun_does_not_wait)
{
	balancer.settings->flags = LARCH_COUNT_SYNS;
	live()->connects = (union larch_wait){.since = 1, .count = 7};
	say(SYN, 0, 0, 0);
	cr_assert_eq(live()->connects.count, 8);
	say(RST, 1, 0, 0);
	cr_assert_eq(live()->connects.count, 7);
	cr_assert_eq(live()->connects.since, 1);
}

/* A request that is sent again adds nothing. */
Test(wait, repetitions_are_no_upload)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, SEGMENT);
	say(ACK, 1 + SEGMENT, 1, SEGMENT);
	for (int i = 0; i < 50; i++)
		say(ACK, 1, 1, SEGMENT);
	cr_assert_eq(live()->uploads, 0);
}
