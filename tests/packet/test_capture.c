// SPDX-License-Identifier: BSD-2-Clause
/*
 * Stage capture: while somebody asks, packets of the outcomes, hosts and ports that were asked for
 * are copied as they leave; else nothing is, and nothing is left switched on.
 */
#include <arpa/inet.h>
#include <string.h>

#include "arrange.h"

static struct larch_captured record;

static void begin(uint64_t outcomes)
{
	balancer.capture->until = clock_now() + 60 * NS_PER_S;
	balancer.capture->outcomes = outcomes;
	balancer.capture->snap = LARCH_CAPTURE_BYTES;
	balancer.settings->flags |= LARCH_CAPTURE;
}

/* What an earlier test has left is none of ours. */
static void arrange(void)
{
	arrange_web();
	while (balancer_captured(&record))
		;
}

TestSuite(capture, .init = arrange, .fini = balancer_close);

Test(capture, nothing_is_copied_while_it_is_off)
{
	begin(LARCH_CAPTURE_ANY);
	balancer.settings->flags &= ~LARCH_CAPTURE;
	EXPECT(SEND(.flags = SYN), FORWARD_NEW);
	cr_assert_not(balancer_captured(&record));
}

Test(capture, a_packet_is_copied_as_it_leaves)
{
	struct spec spec = {.flags = SYN, .client = 7};
	uint64_t before = clock_now();
	struct larch_tuple tuple = tuple_of(&spec);
	struct result sent;

	begin(LARCH_CAPTURE_ANY);
	sent = balancer_send_spec(&spec);
	cr_assert(balancer_captured(&record));
	cr_assert_eq(record.outcome, LARCH_FORWARD_NEW);
	cr_assert_eq(record.interface, INGRESS);
	cr_assert_eq(record.bytes, sent.frame.size);
	cr_assert_eq(record.captured, sent.frame.size);
	cr_assert_arr_eq(record.data, sent.frame.byte, sent.frame.size);
	cr_assert_eq(memcmp(&record.tuple, &tuple, sizeof(tuple)), 0);
	cr_assert(record.time >= before && record.time <= clock_now());
	cr_assert_not(balancer_captured(&record));
}

Test(capture, no_more_of_a_packet_is_copied_than_asked_for)
{
	struct result sent;

	begin(LARCH_CAPTURE_ANY);
	sent = SEND(.flags = SYN, .payload = 1000);
	cr_assert(balancer_captured(&record));
	cr_assert_eq(record.bytes, sent.frame.size);
	cr_assert_eq(record.captured, LARCH_CAPTURE_BYTES);
	cr_assert_arr_eq(record.data, sent.frame.byte, LARCH_CAPTURE_BYTES);
	balancer.capture->snap = 60;
	SEND(.flags = ACK);
	cr_assert(balancer_captured(&record));
	cr_assert_eq(record.captured, 60);
}

Test(capture, only_outcomes_asked_for_are_copied)
{
	begin(1ull << LARCH_PASS_NOT_OURS | 1ull << LARCH_PASS_NOT_IP);
	EXPECT(SEND(.flags = SYN), FORWARD_NEW);
	EXPECT(SEND(.to = "192.0.2.99"), PASS_NOT_OURS);
	EXPECT(SEND(.ethertype = 0x0806), PASS_NOT_IP);
	cr_assert(balancer_captured(&record));
	cr_assert_eq(record.outcome, LARCH_PASS_NOT_OURS);
	cr_assert(balancer_captured(&record));
	cr_assert_eq(record.outcome, LARCH_PASS_NOT_IP);
	cr_assert_not(balancer_captured(&record));
}

static bool copies(const struct spec *spec)
{
	balancer_send_spec(spec);
	return balancer_captured(&record);
}

#define COPIES(...) copies(&(struct spec){__VA_ARGS__})

Test(capture, a_host_is_source_or_destination)
{
	begin(LARCH_CAPTURE_ANY);
	address_of("198.51.100.64", balancer.capture->address);
	balancer.capture->prefix = 96 + 26;
	cr_assert(COPIES(.from = "198.51.100.64"));
	cr_assert(COPIES(.from = "198.51.100.127"));
	cr_assert_not(COPIES(.from = "198.51.100.128"));
	cr_assert_not(COPIES(.from = "198.51.100.63"));
	cr_assert(COPIES(.from = "203.0.113.1", .to = "198.51.100.70"));
	cr_assert_not(COPIES(.ipv6 = true));
}

Test(capture, a_host_of_ipv6_has_any_length_of_prefix)
{
	begin(LARCH_CAPTURE_ANY);
	address_of("2001:db8:5:4000::", balancer.capture->address);
	balancer.capture->prefix = 50;
	cr_assert(COPIES(.ipv6 = true, .from = "2001:db8:5:7fff::1"));
	cr_assert_not(COPIES(.ipv6 = true, .from = "2001:db8:5:8000::1"));
	balancer.capture->prefix = 128;
	cr_assert(COPIES(.ipv6 = true, .from = "2001:db8:5:4000::"));
	cr_assert_not(COPIES(.ipv6 = true, .from = "2001:db8:5:4000::1"));
}

Test(capture, a_port_is_on_either_side)
{
	begin(LARCH_CAPTURE_ANY);
	balancer.capture->port = htons(4711);
	cr_assert_not(COPIES(.source_port = 4712));
	cr_assert(COPIES(.source_port = 4711));
	balancer.capture->port = htons(VIP_PORT);
	cr_assert(COPIES(.source_port = 4712));
	cr_assert_not(COPIES(.port = VIP_PORT + 1));
}

Test(capture, who_does_not_renew_is_gone_and_leaves_nothing_on)
{
	begin(LARCH_CAPTURE_ANY);
	balancer.settings->flags |= LARCH_COUNT_SYNS;
	balancer.capture->until = clock_now() - 1;
	cr_assert_not(COPIES(.flags = SYN));
	cr_assert_eq(balancer.settings->flags, LARCH_COUNT_SYNS);
}

Test(capture, what_finds_no_room_is_counted)
{
	const uint32_t most = LARCH_CAPTURE_RING / sizeof(struct larch_captured);
	uint32_t read = 0;

	begin(LARCH_CAPTURE_ANY);
	for (uint32_t i = 0; i < most + 10; i++)
		EXPECT(SEND(.to = "192.0.2.99"), PASS_NOT_OURS);
	while (balancer_captured(&record))
		read++;
	cr_assert_gt(balancer.capture->lost, 0);
	cr_assert_eq(read + balancer.capture->lost, most + 10);
	cr_assert(COPIES(.to = "192.0.2.99"), "there is room again");
}
