// SPDX-License-Identifier: BSD-2-Clause
/* Echo requests to a service's address are answered: the frame that leaves, and which do not. */
#include <stdio.h>
#include <string.h>

#include "arrange.h"
#include "reply.h"

#define LIMIT 100000 /* a second: more than a test sends */

static void arrange_echo(void)
{
	arrange_web();
	stay_on_one_cpu();
	balancer.settings->limit[LARCH_LIMIT_ECHO] = LIMIT;
}

static struct result send(struct frame frame)
{
	return balancer_send(&frame);
}

#define SEND_ECHO(...)		   send(ECHO(__VA_ARGS__))
#define SEND_ICMP(type, code, ...) send(ICMP(type, code, __VA_ARGS__))

TestSuite(echo, .init = arrange_echo, .fini = balancer_close);

static void swap(uint8_t *bytes, size_t size)
{
	uint8_t kept[32];

	memcpy(kept, bytes, size);
	memmove(bytes, bytes + size, size);
	memcpy(bytes + size, kept, size);
}

/* The answer, put together from the request by the RFCs (792, 4443), all checksums anew. */
static struct frame answer(const struct frame *request, bool ipv6)
{
	struct frame out = *request;

	swap(out.byte, 6);
	swap(out.byte + out.network + (ipv6 ? 8 : 12), ipv6 ? 16 : 4);
	out.byte[out.network + (ipv6 ? 7 : 8)] = 64;
	if (!ipv6) {
		frame_set16(&out, out.network + 10, 0);
		frame_set16(&out, out.network + 10,
			    internet_checksum(out.byte + out.network, IPV4_BYTES));
	}
	out.byte[out.transport] = ipv6 ? ECHO_REPLY_V6 : ECHO_REPLY;
	icmp_set_checksum(&out);
	return out;
}

static void check_answer(const struct spec *spec)
{
	struct frame request = echo_request(spec), want = answer(&request, spec->ipv6);
	struct result result = balancer_send(&request);

	EXPECT(result, REPLY_ECHO);
	cr_assert_eq(result.frame.size, want.size);
	for (size_t i = 0; i < want.size; i++)
		cr_assert_eq(result.frame.byte[i], want.byte[i], "byte %zu is %02x instead of %02x",
			     i, result.frame.byte[i], want.byte[i]);
}

/* Sizes and addresses move both sums through their carries. */
Test(echo, is_answered_byte_for_byte)
{
	for (uint16_t i = 0; i < 600; i++) {
		check_answer(
			&(struct spec){.payload = i, .client = i, .traffic_class = (uint8_t)i});
		check_answer(&(struct spec){.ipv6 = true, .payload = i, .client = i});
	}
}

Test(echo, is_answered_with_a_new_ttl_whatever_it_came_with)
{
	for (unsigned ttl = 1; ttl <= 0xff; ttl++) {
		check_answer(&(struct spec){.ttl = (uint8_t)ttl, .payload = 56});
		check_answer(&(struct spec){.ipv6 = true, .ttl = (uint8_t)ttl, .payload = 56});
	}
}

Test(echo, keeps_vlan_tags_and_padding)
{
	for (uint8_t vlans = 0; vlans <= 2; vlans++) {
		check_answer(&(struct spec){.vlans = vlans, .trailer = 6, .payload = 10});
		check_answer(&(struct spec){.ipv6 = true, .vlans = vlans, .trailer = 6});
	}
}

/* The service says nothing about an echo: its address alone counts. */
Test(echo, is_answered_for_the_address_of_any_service_and_for_no_other)
{
	arrange_vip("198.51.100.1", NEXT_UDP, 53, 5, LARCH_SIGNAL_NONE);
	check_answer(&(struct spec){.to = "198.51.100.1"});
	for (unsigned last = 2; last < 255; last++) {
		char text[32];

		snprintf(text, sizeof(text), "198.51.100.%u", last);
		EXPECT(SEND_ECHO(.to = text), PASS_NOT_OURS);
	}
}

Test(echo, with_a_wrong_checksum_is_answered_with_a_wrong_checksum)
{
	struct frame ipv4 = ECHO(.payload = 20), ipv6 = ECHO(.ipv6 = true, .payload = 20);
	struct result result;

	ipv4.byte[ipv4.transport + 10] ^= 1;
	ipv6.byte[ipv6.transport + 10] ^= 1;
	result = balancer_send(&ipv4);
	EXPECT(result, REPLY_ECHO);
	cr_assert_neq(icmp_checksum(&result.frame), 0);
	result = balancer_send(&ipv6);
	EXPECT(result, REPLY_ECHO);
	cr_assert_neq(icmp_checksum(&result.frame), 0);
}

/* Nothing but zeros: the sum of the answer is the one that is 0, and not 0xffff. */
Test(echo, of_nothing_but_zeros_has_a_checksum_that_hosts_take)
{
	struct frame request = ECHO(.payload = 8);
	struct result result;

	memset(request.byte + request.transport + 4, 0, request.size - request.transport - 4);
	icmp_set_checksum(&request);
	result = balancer_send(&request);
	EXPECT(result, REPLY_ECHO);
	cr_assert_eq(frame_get16(&result.frame, result.frame.transport + 2), 0xffff);
}

Test(echo, beyond_the_limit_is_dropped)
{
	uint64_t begun = clock_now(), answered = 0, sent = 200, most;

	balancer.settings->limit[LARCH_LIMIT_ECHO] = 20;
	for (uint64_t i = 0; i < sent; i++) {
		struct result result = SEND_ECHO(.ipv6 = i % 2);

		answered += result.outcome == LARCH_REPLY_ECHO;
		cr_assert(result.outcome == LARCH_REPLY_ECHO ||
			  result.outcome == LARCH_DROP_ECHO_RATE);
	}
	most = 20 + 20 * (clock_now() - begun) / 1000000000 + 1;
	cr_assert_geq(answered, 20);
	cr_assert_leq(answered, most, "%lu of %lu were answered, not %lu", answered, sent, most);
}

Test(echo, is_answered_again_when_time_has_passed)
{
	balancer.settings->limit[LARCH_LIMIT_ECHO] = 1;
	EXPECT(SEND_ECHO(), REPLY_ECHO);
	EXPECT(SEND_ECHO(), DROP_ECHO_RATE);
	balancer_age_limit(LARCH_LIMIT_ECHO, 1);
	EXPECT(SEND_ECHO(), REPLY_ECHO);
	EXPECT(SEND_ECHO(), DROP_ECHO_RATE);
}

/* However long nothing came, no more than one second's worth is answered at once. */
Test(echo, the_limit_is_not_saved_up)
{
	balancer.settings->limit[LARCH_LIMIT_ECHO] = 2;
	EXPECT(SEND_ECHO(), REPLY_ECHO);
	balancer_age_limit(LARCH_LIMIT_ECHO, 1000);
	EXPECT(SEND_ECHO(), REPLY_ECHO);
	EXPECT(SEND_ECHO(), REPLY_ECHO);
	EXPECT(SEND_ECHO(), DROP_ECHO_RATE);
}

Test(echo, is_left_to_the_host_where_the_settings_say_so)
{
	balancer.settings->limit[LARCH_LIMIT_ECHO] = 0;
	EXPECT(SEND_ECHO(), PASS_NOT_TRANSPORT);
	EXPECT(SEND_ECHO(.ipv6 = true), PASS_NOT_TRANSPORT);
	balancer.settings->limit[LARCH_LIMIT_ECHO] = LIMIT;
	balancer.settings->flags |= LARCH_NO_ECHO;
	EXPECT(SEND_ECHO(), PASS_NOT_TRANSPORT);
	EXPECT(SEND_ECHO(.ipv6 = true), PASS_NOT_TRANSPORT);
}

/* What is not plain, the host answers as it sees fit. */
Test(echo, of_an_unusual_shape_is_left_to_the_host)
{
	EXPECT(SEND_ECHO(.ipv4_options = 2), PASS_NOT_TRANSPORT);
	EXPECT(SEND_ECHO(.ipv6 = true, .extensions = 1, .extension = {NEXT_HOP_BY_HOP}),
	       PASS_NOT_TRANSPORT);
	EXPECT(SEND_ECHO(.ipv6 = true, .extensions = 1, .extension = {NEXT_FRAGMENT}),
	       PASS_NOT_TRANSPORT);
	EXPECT(SEND_ECHO(.more_fragments = true, .payload = 8), PASS_NOT_TRANSPORT);
	EXPECT(SEND_ECHO(.fragment_offset = 8, .payload = 8), PASS_NOT_TRANSPORT);
	EXPECT(SEND_ICMP(ECHO_REQUEST, 1, .ipv6 = false), PASS_NOT_TRANSPORT);
	EXPECT(SEND_ICMP(ECHO_REPLY, 0, .ipv6 = false), PASS_NOT_TRANSPORT);
	EXPECT(SEND_ICMP(ECHO_REPLY_V6, 0, .ipv6 = true), PASS_NOT_TRANSPORT);
}

Test(echo, of_a_source_that_is_no_single_host_is_left_to_the_host)
{
	static const char *const ipv4[] = {"0.0.0.0",	"0.1.2.3",   "127.0.0.1",
					   "224.0.0.1", "239.1.1.1", "255.255.255.255"};
	static const char *const ipv6[] = {"::", "::1", "::10.0.0.1", "ff02::1", "ff05::2"};

	for (size_t i = 0; i < COUNT(ipv4); i++)
		EXPECT(SEND_ECHO(.from = ipv4[i]), PASS_NOT_TRANSPORT);
	for (size_t i = 0; i < COUNT(ipv6); i++)
		EXPECT(SEND_ECHO(.ipv6 = true, .from = ipv6[i]), PASS_NOT_TRANSPORT);
	EXPECT(SEND_ECHO(.from = "126.0.0.1"), REPLY_ECHO);
	EXPECT(SEND_ECHO(.from = "223.255.255.254"), REPLY_ECHO);
	EXPECT(SEND_ECHO(.ipv6 = true, .from = "64:ff9b::1"), REPLY_ECHO);
}

Test(echo, to_or_from_many_on_the_link_is_left_to_the_host)
{
	struct frame broadcast = ECHO(), from_group = ECHO(.ipv6 = true);

	memset(broadcast.byte, 0xff, 6);
	from_group.byte[6] |= 1;
	EXPECT(balancer_send(&broadcast), PASS_NOT_TRANSPORT);
	EXPECT(balancer_send(&from_group), PASS_NOT_TRANSPORT);
}

Test(echo, leaves_nothing_behind_and_is_no_traffic)
{
	EXPECT(SEND_ECHO(), REPLY_ECHO);
	cr_assert_eq(balancer_service_traffic(WEB).packets, 0);
	for (uint32_t i = 0; i < LARCH_FLOW_BUCKETS; i++)
		for (size_t j = 0; j < LARCH_BUCKET_FLOWS; j++)
			cr_assert_eq(balancer.bucket[i].flow[j].identity.word, 0);
}
