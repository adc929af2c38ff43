// SPDX-License-Identifier: BSD-2-Clause
// Stage sample: what is counted of a service's flows that tells whether they can be timed.
#include <linux/bpf.h>

#include "conversation.h"

TestSuite(evidence, .init = conversation_begin, .fini = balancer_close);

#define EVIDENCE(field, count)                                                                     \
	cr_assert_eq(balancer_evidence(WEB).field, count, "%llu", balancer_evidence(WEB).field)

Test(evidence, requests_and_answers_in_turn_are_timed)
{
	connect_in(SHORT_US);
	exchange(LONG_US, 100, 2 * SEGMENT);
	exchange(LONG_US, 100, 2 * SEGMENT);
	EVIDENCE(opened, 1);
	EVIDENCE(unclear, 0);
	EVIDENCE(sessions, 1);
	EVIDENCE(requests, 2);
	EVIDENCE(timed, 2);
	EVIDENCE(server_first, 0);
	EVIDENCE(overlapping, 0);
	EVIDENCE(early, 0);
}

Test(evidence, a_connection_whose_syn_was_sent_twice_is_unclear)
{
	say(SYN, 0, 0, 0);
	say(SYN, 0, 0, 0);
	say(ACK, 1, 1, 0);
	EVIDENCE(opened, 1);
	EVIDENCE(unclear, 1);
}

/* A flood must not look like connections that cannot be timed. */
Test(evidence, a_syn_that_stays_alone_opens_nothing)
{
	say(SYN, 0, 0, 0);
	say(SYN, 0, 0, 0);
	EVIDENCE(opened, 0);
	EVIDENCE(unclear, 0);
}

Test(evidence, a_banner_before_the_first_request_is_noticed)
{
	connect_in(SHORT_US);
	say(ACK, 1, 21, 0);
	say(ACK | PSH, 1, 21, 100);
	EVIDENCE(sessions, 1);
	EVIDENCE(server_first, 1);
}

Test(evidence, a_banner_acknowledged_by_the_first_request_is_noticed)
{
	connect_in(SHORT_US);
	say(ACK | PSH, 1, 21, 100);
	EVIDENCE(server_first, 1);
}

Test(evidence, a_banner_counts_once_in_a_session)
{
	connect_in(SHORT_US);
	say(ACK | PSH, 1, 21, 100);
	say(ACK | PSH, 101, 41, 100);
	say(ACK | PSH, 201, 61, 100);
	EVIDENCE(requests, 3);
	EVIDENCE(sessions, 1);
	EVIDENCE(server_first, 1);
}

Test(evidence, a_request_that_does_not_wait_for_the_answer_overlaps)
{
	connect_in(SHORT_US);
	say(ACK | PSH, 1, 1, 100);
	wait_us(LONG_US);
	say(ACK | PSH, 101, 1, 100);
	wait_us(LONG_US);
	say(ACK | PSH, 201, 1, 100);
	EVIDENCE(requests, 1);
	EVIDENCE(overlapping, 1);
}

/* An upload is acknowledged once in a round trip. */
Test(evidence, the_rest_of_a_request_does_not_overlap)
{
	connect_in(SHORT_US);
	for (uint32_t at = 1; at < 10000; at += 1000) {
		say(ACK, at, 1, 1000);
		wait_us(SHORT_US + SHORT_US / 2);
	}
	say(ACK, 11001, 500, 0);
	EVIDENCE(requests, 1);
	EVIDENCE(overlapping, 0);
	EVIDENCE(timed, 1);
}

Test(evidence, a_request_sent_again_does_not_overlap)
{
	connect_in(SHORT_US);
	say(ACK | PSH, 1, 1, 100);
	wait_us(LONG_US);
	say(ACK | PSH, 1, 1, 100);
	wait_us(LONG_US);
	say(ACK | PSH, 101, 1, 100);
	EVIDENCE(overlapping, 0);
}

Test(evidence, an_answer_faster_than_the_network_is_early)
{
	connect_in(LONG_US);
	exchange(LONG_US / 4, 100, 2 * SEGMENT);
	EVIDENCE(early, 1);
	exchange(LONG_US * 3 / 4, 100, 2 * SEGMENT);
	EVIDENCE(early, 1);
}

Test(evidence, an_early_answer_may_come_with_the_next_request)
{
	connect_in(LONG_US);
	say(ACK | PSH, 1, 1, 100);
	say(ACK | PSH, 101, 5000, 100);
	EVIDENCE(early, 1);
	EVIDENCE(timed, 0);
}

/* Of a flow whose SYN was not seen, nothing is known. */
Test(evidence, a_flow_picked_up_midway_says_nothing)
{
	say(ACK | PSH, 1, 77, 100);
	say(ACK | PSH, 101, 99, 100);
	wait_us(LONG_US);
	say(ACK | PSH, 201, 99, 100);
	EVIDENCE(opened, 0);
	EVIDENCE(sessions, 0);
	EVIDENCE(requests, 0);
	EVIDENCE(overlapping, 0);
}

Test(evidence, with_signal_connect_only_connects_are_counted)
{
	arrange_signal(LARCH_SIGNAL_CONNECT);
	connect_in(SHORT_US);
	exchange(LONG_US, 100, 100);
	EVIDENCE(opened, 1);
	EVIDENCE(requests, 0);
}

/* Its window was full, or its sender was not given the processor. */
Test(evidence, an_upload_that_pauses_does_not_overlap)
{
	connect_in(SHORT_US);
	say(ACK, 1, 1, 1400);
	wait_us(LONG_US);
	say(ACK, 1401, 1, 1400);
	wait_us(LONG_US);
	say(ACK, 2801, 500, 0);
	EVIDENCE(overlapping, 0);
	EVIDENCE(timed, 0); /* its client pauses: how long it waits is not the server's */
}
