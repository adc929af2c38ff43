// SPDX-License-Identifier: BSD-2-Clause
// Stage guard: how many new flows a source may open. Time is not slept but pretended.
#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/param.h>

#include "arrange.h"

#define OTHER	      5 /* a service */
#define OTHER_ADDRESS "198.51.100.1"
#define BURST	      5
#define INTERVAL_NS   1000000000ull /* at one flow a second */

static void limit(uint32_t service, uint32_t burst)
{
	balancer.services[service].policy.flags |= LARCH_SERVICE_SOURCES;
	balancer.services[service].source_flows = 1;
	balancer.services[service].source_burst = burst;
}

static void arrange_limited(void)
{
	arrange_web();
	limit(WEB, BURST);
}

TestSuite(sources, .init = arrange_limited, .fini = balancer_close);

static struct larch_source source_of(const struct spec *spec)
{
	struct larch_tuple tuple = tuple_of(spec);
	struct larch_source source = {.service = WEB};

	memcpy(source.address, tuple.source, sizeof(source.address));
	if (spec->ipv6)
		source.address[2] = source.address[3] = 0;
	return source;
}

/* Lets so many tokens come back. */
static void wait_tokens(const struct spec *spec, uint64_t tokens)
{
	struct larch_source source = source_of(spec);
	struct larch_allowance allowance;

	cr_assert(balancer_allowance(&source, &allowance));
	/* The machine may have booted later than that. */
	allowance.full -= MIN(allowance.full, tokens * INTERVAL_NS);
	balancer_put_allowance(&source, allowance);
}

/* The test's own time brings back no tokens: moves the source on by what has passed since. */
static void hold(const struct spec *spec, uint64_t since)
{
	struct larch_source source = source_of(spec);
	struct larch_allowance allowance;

	if (balancer_allowance(&source, &allowance)) {
		allowance.full += clock_now() - since;
		balancer_put_allowance(&source, allowance);
	}
}

/* How many of `tries` new flows, one a port, get through? */
static uint32_t admitted(const struct spec *spec, uint32_t tries)
{
	static uint16_t port = 1000;
	static uint64_t since;
	uint32_t count = 0;

	for (uint32_t i = 0; i < tries; i++) {
		struct spec next = *spec;
		struct result result;

		next.source_port = ++port;
		next.flags = next.flags ? next.flags : SYN;
		if (since)
			hold(spec, since);
		result = balancer_send_spec(&next);
		since = clock_now();
		if (result.outcome == LARCH_DROP_SOURCE_RATE)
			cr_assert_null(flow_of(&next));
		else
			count++;
	}
	return count;
}

#define ADMITTED(tries, ...) admitted(&(struct spec){__VA_ARGS__}, tries)

Test(sources, a_source_opens_its_burst_and_no_more)
{
	cr_assert_eq(ADMITTED(3 * BURST, .client = 1), BURST);
	cr_assert_eq(ADMITTED(3 * BURST, .ipv6 = true, .client = 1), BURST);
	cr_assert_eq(balancer_outcome(LARCH_DROP_SOURCE_RATE).packets, 4 * BURST);
	cr_assert_eq(balancer_service_traffic(WEB).packets, 2 * BURST);
}

Test(sources, each_has_its_own_allowance)
{
	for (uint32_t client = 0; client < 20; client++)
		cr_assert_eq(ADMITTED(BURST + 1, .client = client), BURST);
}

Test(sources, an_ipv6_source_is_a_prefix_of_64_bits)
{
	cr_assert_eq(ADMITTED(3, .ipv6 = true, .from = "2001:db8:1:1::1"), 3);
	cr_assert_eq(ADMITTED(9, .ipv6 = true, .from = "2001:db8:1:1:ffff::2"), BURST - 3);
	cr_assert_eq(ADMITTED(9, .ipv6 = true, .from = "2001:db8:1:2::1"), BURST);
}

Test(sources, each_service_counts_for_itself)
{
	arrange_vip(OTHER_ADDRESS, NEXT_TCP, VIP_PORT, OTHER, LARCH_SIGNAL_NONE);
	arrange_plan(OTHER, 0, MEMBERS);
	arrange_publish(OTHER, 0, 1);
	limit(OTHER, 2);
	cr_assert_eq(ADMITTED(9, .client = 1), BURST);
	cr_assert_eq(ADMITTED(9, .client = 1, .to = OTHER_ADDRESS), 2);
}

Test(sources, tokens_come_back_with_time_up_to_the_burst)
{
	struct spec spec = {.client = 1};

	cr_assert_eq(admitted(&spec, 9), BURST);
	wait_tokens(&spec, 1);
	cr_assert_eq(admitted(&spec, 9), 1);
	wait_tokens(&spec, 3);
	cr_assert_eq(admitted(&spec, 9), 3);
	wait_tokens(&spec, 1000);
	cr_assert_eq(admitted(&spec, 3 * BURST), BURST);
}

Test(sources, without_a_burst_it_is_one)
{
	limit(WEB, 0);
	cr_assert_eq(ADMITTED(9, .client = 1), 1);
}

Test(sources, no_rate_is_no_limit)
{
	balancer.services[WEB].source_flows = 0;
	cr_assert_eq(ADMITTED(50, .client = 1), 50);
}

Test(sources, a_service_without_the_flag_has_no_limit_and_remembers_no_sources)
{
	struct larch_source source = source_of(&(struct spec){.client = 1});
	struct larch_allowance allowance;

	balancer.services[WEB].policy.flags = 0;
	cr_assert_eq(ADMITTED(50, .client = 1), 50);
	cr_assert(!balancer_allowance(&source, &allowance));
}

static void use_up(const struct spec *spec)
{
	cr_assert_eq(admitted(spec, 9), BURST);
}

Test(sources, a_flow_that_is_known_takes_no_token)
{
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_NEW);
	cr_assert_eq(ADMITTED(9, .client = 1), BURST - 1);
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_FLOW);
	EXPECT(SEND(.client = 1), FORWARD_FLOW);
	EXPECT(SEND(.client = 1, .payload = 100), FORWARD_FLOW);
	EXPECT(SEND(.client = 1, .flags = FIN | ACK), FORWARD_FLOW);
	EXPECT(SEND(.client = 1), FORWARD_FLOW);
}

/* After a restart, whoever has many flows would lose them. */
Test(sources, mid_flow_packets_of_flows_nobody_knew_take_none)
{
	use_up(&(struct spec){.client = 1});
	EXPECT(SEND(.client = 1, .payload = 100), FORWARD_UNKNOWN);
	EXPECT(SEND(.client = 1, .payload = 100), FORWARD_FLOW);
	EXPECT(SEND(.client = 1, .source_port = 7, .flags = FIN | ACK), FORWARD_UNKNOWN);
}

Test(sources, a_syn_after_the_end_of_a_flow_takes_one)
{
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_NEW);
	EXPECT(SEND(.client = 1, .flags = FIN | ACK), FORWARD_FLOW);
	cr_assert_eq(ADMITTED(9, .client = 1), BURST - 1);
	EXPECT(SEND(.client = 1, .flags = SYN), DROP_SOURCE_RATE);
	cr_assert_eq(FLOW(.client = 1)->identity.state, LARCH_FLOW_CLOSING);
}

/* It is not the source's fault that its flows must move. */
Test(sources, a_flow_whose_backend_is_lost_takes_none)
{
	struct larch_backend backend;
	struct spec udp = {.client = 2, .protocol = NEXT_UDP, .payload = 9};

	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_NEW);
	EXPECT(balancer_send_spec(&udp), FORWARD_NEW);
	ADMITTED(9, .client = 1);
	ADMITTED(9, .client = 2);
	backend = balancer_backend(FIRST_BACKEND);
	backend.ready = 0;
	balancer_set_backend(FIRST_BACKEND, &backend);
	arrange_all_rings(WEB, 0, 1, LARCH_NO_MEMBER);
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_NEW);
	EXPECT(balancer_send_spec(&udp), FORWARD_NEW);
	EXPECT(balancer_send_spec(&udp), FORWARD_FLOW);
}

Test(sources, new_datagram_flows_take_one_each)
{
	struct spec spec = {.client = 1, .protocol = NEXT_UDP, .payload = 9};

	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	EXPECT(balancer_send_spec(&spec), FORWARD_NEW);
	cr_assert_eq(admitted(&spec, 9), BURST - 1);
	EXPECT(balancer_send_spec(&spec), FORWARD_FLOW);
	flow_of(&spec)->identity.stamp = (now_stamp() - 400) & LARCH_STAMP_MASK;
	EXPECT(balancer_send_spec(&spec), DROP_SOURCE_RATE);
}

/* Each of its packets would look like a flow of its own, though its backend knows it for long. */
Test(sources, a_datagram_that_finds_no_place_takes_none)
{
	struct spec spec = {.client = 1, .protocol = NEXT_UDP, .payload = 9};

	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_NONE);
	balancer.settings->bucket_mask = 0;
	for (uint32_t client = 100; client < 100 + LARCH_BUCKET_FLOWS; client++)
		EXPECT(SEND(.client = client), FORWARD_UNKNOWN);
	for (uint32_t i = 0; i < 3 * BURST; i++)
		EXPECT(balancer_send_spec(&spec), FORWARD_UNTRACKED);
}

Test(sources, a_syn_that_finds_no_place_takes_one)
{
	balancer.settings->bucket_mask = 0;
	for (uint32_t client = 100; client < 100 + LARCH_BUCKET_FLOWS; client++)
		EXPECT(SEND(.client = client), FORWARD_UNKNOWN);
	cr_assert_eq(ADMITTED(9, .client = 1), BURST);
}

#define THREADS	   2
#define PER_THREAD 2000

static void *open_many(void *first_port)
{
	struct spec spec = {.client = 1, .flags = SYN, .source_port = *(uint16_t *)first_port};

	for (uint32_t i = 0; i < PER_THREAD; i++, spec.source_port++) {
		struct frame frame = frame_build(&spec);
		struct result result;

		if (!balancer_run(&frame, &result))
			return first_port;
	}
	return NULL;
}

/* Tokens are taken by compare-and-swap: none is given out twice, however many CPUs ask. */
Test(sources, packets_on_several_cpus_share_one_allowance)
{
	uint16_t port[THREADS] = {1000, 20000};
	pthread_t thread[THREADS];
	uint64_t opened, begun = clock_now(), regained;
	void *failed;

	limit(WEB, PER_THREAD / 2);
	EXPECT(SEND(.client = 1, .flags = SYN), FORWARD_NEW);
	for (size_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, open_many, &port[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		cr_assert_eq(pthread_join(thread[i], &failed), 0);
		cr_assert_null(failed);
	}
	opened = balancer_outcome(LARCH_FORWARD_NEW).packets;
	regained = (clock_now() - begun) / INTERVAL_NS + 1;
	cr_assert_geq(opened, PER_THREAD / 2, "%lu", opened);
	cr_assert_leq(opened, PER_THREAD / 2 + regained, "%lu", opened);
	cr_assert_eq(opened + balancer_outcome(LARCH_DROP_SOURCE_RATE).packets,
		     THREADS * PER_THREAD + 1);
}
