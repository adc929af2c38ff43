// SPDX-License-Identifier: BSD-2-Clause
/*
 * The backend's agent: what comes out of the balancer's tunnels, byte for byte; what is no tunnel
 * passes untouched; what is broken inside is dropped. Alone, and behind the balancer itself.
 */
#include <linux/bpf.h>
#include <string.h>

#include "arrange.h"
#include "damage.h"

#define OUTER_TOTAL   2 /* where the length is in an IPv4 header */
#define OUTER_PAYLOAD 4 /* and in an IPv6 header */

TestSuite(agent, .init = agent_open, .fini = agent_close);

static struct frame wrap(const struct spec *spec, bool outer_ipv6)
{
	struct frame inner = frame_build(spec);

	return frame_wrap(&inner, outer_ipv6, spec->ipv6 ? NEXT_IPV6 : NEXT_IPIP);
}

static void check_decapsulated(const struct spec *spec, bool outer_ipv6)
{
	struct frame inner = frame_build(spec), outer = wrap(spec, outer_ipv6);
	struct result result = agent_send(&outer);

	EXPECT_AGENT(result, DECAPSULATED);
	cr_assert(frame_equal(&result.frame, &inner));
}

static void check_family(bool inner_ipv6, bool outer_ipv6)
{
	for (uint16_t payload = 0; payload < 1400; payload += 199) {
		struct spec spec = {.ipv6 = inner_ipv6, .payload = payload, .traffic_class = 3};

		check_decapsulated(&spec, outer_ipv6);
	}
	check_decapsulated(&(struct spec){.ipv6 = inner_ipv6, .trailer = 7}, outer_ipv6);
}

Test(agent, ipv4_in_ipv4_comes_out_byte_for_byte)
{
	check_family(false, false);
}

Test(agent, ipv6_in_ipv4_comes_out_byte_for_byte)
{
	check_family(true, false);
}

Test(agent, ipv4_in_ipv6_comes_out_byte_for_byte)
{
	check_family(false, true);
}

Test(agent, ipv6_in_ipv6_comes_out_byte_for_byte)
{
	check_family(true, true);
}

static void check_untouched(const struct frame *frame)
{
	struct result result = agent_send(frame);

	EXPECT_AGENT(result, NOT_TUNNELLED);
	cr_assert(frame_equal(&result.frame, frame));
}

Test(agent, what_is_not_tunnelled_passes_untouched)
{
	static const struct spec specs[] = {
		{},
		{.ipv6 = true},
		{.protocol = NEXT_UDP},
		{.protocol = 1},
		{.protocol = 47},
		{.ethertype = 0x0806},
		{.ipv6 = true, .ethertype = 0x0800},
		{.ethertype = 0x86dd},
		{.protocol = NEXT_IPIP, .ipv4_options = 1},
		{.protocol = NEXT_IPIP, .vlans = 1},
		{.more_fragments = true},
		{.ipv6 = true, .protocol = NEXT_IPIP, .extensions = 1, .extension = {60}},
		{.ipv6 = true, .protocol = NEXT_IPV6, .extensions = 1, .extension = {44}},
	};

	for (size_t i = 0; i < COUNT(specs); i++) {
		struct frame frame = frame_build(&specs[i]);

		check_untouched(&frame);
	}
}

Test(agent, an_inner_packet_of_another_family_than_announced_is_dropped)
{
	struct frame ipv4 = FRAME(.payload = 100), ipv6 = FRAME(.ipv6 = true, .payload = 100);

	for (int outer_ipv6 = 0; outer_ipv6 <= 1; outer_ipv6++) {
		struct frame four = frame_wrap(&ipv4, outer_ipv6, NEXT_IPV6);
		struct frame six = frame_wrap(&ipv6, outer_ipv6, NEXT_IPIP);

		EXPECT_AGENT(agent_send(&four), MALFORMED);
		EXPECT_AGENT(agent_send(&six), MALFORMED);
	}
}

Test(agent, a_fragment_of_a_tunnel_packet_is_dropped)
{
	struct frame first = wrap(&(struct spec){}, false), later = first;

	frame_set16(&first, first.network + 6, 0x2000);
	frame_set16(&later, later.network + 6, 0x0005);
	EXPECT_AGENT(agent_send(&first), FRAGMENTED);
	EXPECT_AGENT(agent_send(&later), FRAGMENTED);
}

Test(agent, an_outer_packet_that_may_not_be_fragmented_is_no_fragment)
{
	struct frame frame = wrap(&(struct spec){}, false);

	frame_set16(&frame, frame.network + 6, 0x4000);
	EXPECT_AGENT(agent_send(&frame), DECAPSULATED);
}

static void check_truncation(bool inner_ipv6, bool outer_ipv6)
{
	struct spec spec = {.ipv6 = inner_ipv6, .payload = 30};
	struct frame whole = wrap(&spec, outer_ipv6);
	size_t header = ETHERNET_BYTES + (outer_ipv6 ? IPV6_BYTES : IPV4_BYTES);

	for (size_t size = SHORTEST_FRAME; size < whole.size; size++) {
		struct frame cut = frame_cut(&whole, size);
		struct result result = agent_send(&cut);

		if (size < header)
			EXPECT_AGENT(result, NOT_TUNNELLED);
		else
			EXPECT_AGENT(result, MALFORMED);
		cr_assert(frame_equal(&result.frame, &cut));
	}
}

Test(agent, a_tunnel_packet_cut_at_any_length_never_comes_out)
{
	check_truncation(false, false);
	check_truncation(true, false);
	check_truncation(false, true);
	check_truncation(true, true);
}

/* An inner packet has at least an IP header, and no more than is there. */
static void check_lengths(bool inner_ipv6, bool outer_ipv6)
{
	struct spec spec = {.ipv6 = inner_ipv6, .payload = 30};
	struct frame whole = wrap(&spec, outer_ipv6);
	size_t least = inner_ipv6 ? IPV6_BYTES : IPV4_BYTES, most = whole.size - whole.transport;
	size_t field = whole.network + (outer_ipv6 ? OUTER_PAYLOAD : OUTER_TOTAL);
	size_t extra = outer_ipv6 ? 0 : IPV4_BYTES;

	for (size_t value = 0; value < 400; value++) {
		struct result result;
		bool fits = value >= least + extra && value <= most + extra;

		frame_set16(&whole, field, (uint16_t)value);
		result = agent_send(&whole);
		cr_assert_eq(result.outcome,
			     fits ? LARCH_AGENT_DECAPSULATED : LARCH_AGENT_MALFORMED,
			     "length %zu: outcome %u", value, result.outcome);
	}
}

Test(agent, every_outer_length)
{
	check_lengths(false, false);
	check_lengths(true, false);
	check_lengths(false, true);
	check_lengths(true, true);
}

Test(agent, every_outer_version_and_header_length)
{
	struct frame frame = wrap(&(struct spec){.payload = 80}, false);

	for (unsigned byte = 0; byte <= 0xff; byte++) {
		frame.byte[frame.network] = (uint8_t)byte;
		if (byte == 0x45)
			EXPECT_AGENT(agent_send(&frame), DECAPSULATED);
		else
			check_untouched(&frame);
	}
}

/*
 * All but NO_ROOM: the headers that are removed have just been read, so the kernel cannot refuse
 * to remove them.
 */
Test(agent, every_outcome_but_one_comes_about)
{
	struct frame good = wrap(&(struct spec){}, false), plain = FRAME(), broken = good, part;
	bool seen[LARCH_AGENT_OUTCOME_COUNT] = {
		[LARCH_AGENT_NO_ROOM] = true,
		[LARCH_AGENT_ANSWERED_MINE] = true, /* test_chance.c */
		[LARCH_AGENT_ANSWERED_OTHERS] = true,
	};

	part = good;
	broken.byte[broken.transport] = 0;
	frame_set16(&part, part.network + 6, 0x2000);
	seen[agent_send(&good).outcome] = true;
	seen[agent_send(&plain).outcome] = true;
	seen[agent_send(&broken).outcome] = true;
	seen[agent_send(&part).outcome] = true;
#define X(name, number, verdict, text) cr_assert(seen[number], "%s", #name);
	LARCH_AGENT_OUTCOMES(X)
#undef X
}

/* What the balancer sends, the agent restores; only the MACs are those of the last hop. */
static void check_round_trip(bool ipv6, enum larch_tunnel tunnel, uint8_t vlans)
{
	struct frame in = FRAME(.ipv6 = ipv6, .payload = 333, .vlans = vlans, .trailer = 3);
	struct result sent, received;

	arrange_backends(tunnel);
	sent = balancer_send(&in);
	received = agent_send(&sent.frame);
	EXPECT_AGENT(received, DECAPSULATED);
	cr_assert_eq(received.frame.size, in.size - VLAN_BYTES * vlans);
	cr_assert_arr_eq(received.frame.byte, sent.frame.byte, 12);
	cr_assert_arr_eq(received.frame.byte + 12, in.byte + in.network - 2,
			 in.size - in.network + 2);
}

Test(agent, restores_what_the_balancer_was_given)
{
	arrange_web();
	for (uint8_t vlans = 0; vlans <= 2; vlans++) {
		check_round_trip(false, LARCH_TUNNEL_IPV4, vlans);
		check_round_trip(true, LARCH_TUNNEL_IPV4, vlans);
		check_round_trip(false, LARCH_TUNNEL_IPV6, vlans);
		check_round_trip(true, LARCH_TUNNEL_IPV6, vlans);
	}
	balancer_close();
}

Test(agent, random_damage_is_always_counted_once)
{
	struct prng prng = prng_seed(7, 0);

	for (unsigned i = 0; i < 5000; i++) {
		struct spec spec = {.ipv6 = i & 1, .payload = 30};
		struct frame frame = wrap(&spec, i & 2);

		damage(frame.byte, &frame.size, FRAME_MOST, &prng);
		agent_send(&frame);
	}
}
