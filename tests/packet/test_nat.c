// SPDX-License-Identifier: BSD-2-Clause
/*
 * Forwarding by NAT, both ways: what leaves is byte for byte the packet that the other end would
 * have got or sent itself, with valid checksums. Answers find their way by the routes of a network
 * namespace of the test's own: clients are behind a neighbour there.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "conversation.h"
#include "larch/score.h"
#include "nat_scene.h"
#include "outer.h"
#include "reply.h"

TestSuite(nat, .init = arrange_nat, .fini = balancer_close);

static void put_mac(uint8_t *out, uint64_t mac)
{
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)(mac >> (40 - 8 * i));
}

/* The same packet with other ends and without VLAN tags, from `from` to `to` on the link. */
static struct frame on_link(struct spec spec, const uint8_t *to, const uint8_t *from)
{
	struct frame frame;

	spec.vlans = 0;
	frame = whole(&spec);
	memcpy(frame.byte, to, 6);
	memcpy(frame.byte + 6, from, 6);
	return frame;
}

/* What the backend is to get of the client's packet. */
static struct frame at_backend(struct spec spec)
{
	struct larch_backend backend = balancer_backend(FIRST_BACKEND);
	uint16_t port = ntohs(balancer.services[WEB].policy.port);

	spec.to = spec.ipv6 ? BACKEND6 : BACKEND;
	spec.port = port ? port : spec.port;
	spec.ttl = (uint8_t)(spec.ttl ? spec.ttl - 1 : 63);
	return on_link(spec, backend.destination_mac, backend.source_mac);
}

static void check_forward(const struct spec *spec)
{
	struct frame in = whole(spec), want = at_backend(*spec);
	struct result result = balancer_send(&in);

	cr_assert_eq(backend_reached(&result), FIRST_BACKEND);
	frame_expect(&result.frame, &want);
}

Test(nat, the_destination_becomes_the_backends_byte_for_byte)
{
	for (uint32_t i = 0; i < 64; i++) {
		struct spec spec = {
			.client = 1 + i,
			.ipv6 = i & 1,
			.protocol = i & 2 ? NEXT_UDP : NEXT_TCP,
			.vlans = (uint8_t)(i / 4 % 3),
			.payload = (uint16_t)(i * 17),
			.trailer = (uint8_t)(i / 8 % 2 * 5),
			.ipv4_options = (uint8_t)(i % 5),
			.extensions = (uint8_t)(i / 16 % 2),
			.extension = {NEXT_DESTINATION},
			.ttl = (uint8_t)(2 + i * 253 / 63),
		};

		arrange_family(spec.ipv6, i & 4 ? BACKEND_PORT : 0);
		check_forward(&spec);
	}
}

/* Over IPv4 there need not be one; what comes to 0 is sent as 0xffff, which says the same. */
Test(nat, udp_checksum_of_zero_stays_and_none_becomes_zero)
{
	struct spec spec = {.from = CLIENT, .protocol = NEXT_UDP, .payload = 2};
	struct frame in = whole(&spec), want = at_backend(spec);
	struct result result;
	size_t sum, data;

	sum = in.transport + 6;
	data = in.transport + UDP_BYTES;
	frame_set16(&in, sum, 0);
	result = balancer_send(&in);
	cr_assert_eq(frame_get16(&result.frame, ETHERNET_BYTES + IPV4_BYTES + 6), 0);
	/* Payload by which the checksum towards the backend comes to 0. */
	in = whole(&spec);
	frame_set16(&in, data,
		    (uint16_t)((frame_get16(&in, data) + frame_get16(&want, want.transport + 6)) %
			       0xffff));
	spec.payload = 0;
	frame_set16(&in, sum, 0);
	{
		struct frame after = want;

		memcpy(after.byte + after.transport + UDP_BYTES, in.byte + data, 2);
		frame_set16(&after, after.transport + 6, 0xffff);
		cr_assert_eq(outer_udp_checksum(&after), 0, "the test's own payload is wrong");
		frame_set16(&in, sum, 0);
		frame_set16(&in, sum, outer_udp_checksum(&in));
		result = balancer_send(&in);
		frame_expect(&result.frame, &after);
	}
}

/* Else two balancers that take each other for a backend would send it to and fro for ever. */
Test(nat, where_a_packets_life_ends_the_host_says_so)
{
	EXPECT(SEND(.ttl = 1), PASS_TTL_ENDS);
	EXPECT(SEND(.ttl = 1, .protocol = NEXT_UDP), PASS_TTL_ENDS);
	arrange_family(true, BACKEND_PORT);
	EXPECT(SEND(.ipv6 = true, .ttl = 1, .client = 2), PASS_TTL_ENDS);
	EXPECT(SEND(.ipv6 = true, .ttl = 2, .client = 2), FORWARD_FLOW);
}

Test(nat, a_backend_of_the_other_family_gets_nothing)
{
	EXPECT(SEND(.ipv6 = true), DROP_NO_BACKEND);
	arrange_family(true, 0);
	EXPECT(SEND(.client = 3), DROP_NO_BACKEND);
}

/* Sends both fragments of a packet of UDP; neither has its checksum looked at. */
static void check_fragments(bool ipv6)
{
	struct spec first = {
		.ipv6 = ipv6,
		.from = ipv6 ? CLIENT6 : CLIENT,
		.protocol = NEXT_UDP,
		.payload = 64,
		.extensions = ipv6,
		.extension = {NEXT_FRAGMENT},
		.more_fragments = true,
	};
	struct spec later = first;

	arrange_family(ipv6, BACKEND_PORT);
	check_forward(&first);
	later.fragment_offset = 9;
	later.more_fragments = false;
	later.port = 0;
	{
		struct frame in = frame_build(&later), want;
		struct result result = balancer_send(&in);

		later.to = ipv6 ? BACKEND6 : BACKEND;
		later.ttl = 63;
		EXPECT(result, FORWARD_FRAGMENT);
		want = on_link(later, balancer_backend(FIRST_BACKEND).destination_mac,
			       balancer_backend(FIRST_BACKEND).source_mac);
		frame_expect(&result.frame, &want);
	}
}

Test(nat, fragments_go_to_the_backend_with_its_address)
{
	check_fragments(false);
	check_fragments(true);
}

/* ---- answers ---- */

TestSuite(nat_return, .init = own_network, .fini = balancer_close);

/* What the client is to get of it, on the link that it is on. */
static struct frame at_client(struct spec spec)
{
	uint8_t to[6], from[6];

	put_mac(to, NEAR_MAC);
	put_mac(from, OWN_MAC);
	spec.from = spec.ipv6 ? VIP_IPV6 : VIP_IPV4;
	if (balancer.services[WEB].address_port)
		spec.source_port = VIP_PORT;
	spec.ttl = (uint8_t)(spec.ttl ? spec.ttl - 1 : 63);
	return on_link(spec, to, from);
}

static void check_return(const struct spec *spec)
{
	struct frame in = whole(spec), want = at_client(*spec);
	struct result result = balancer_send(&in);

	EXPECT(result, RETURN_NAT);
	cr_assert_eq(result.verdict, XDP_REDIRECT);
	frame_expect(&result.frame, &want);
}

Test(nat_return, the_source_becomes_the_services_byte_for_byte)
{
	for (uint32_t i = 0; i < 64; i++) {
		struct spec spec = answer(i & 1, i & 2 ? NEXT_UDP : NEXT_TCP);

		spec.vlans = (uint8_t)(i / 4 % 3);
		spec.payload = (uint16_t)(i * 17);
		spec.ipv4_options = (uint8_t)(i % 5);
		spec.extensions = (uint8_t)(i / 16 % 2);
		spec.extension[0] = NEXT_DESTINATION;
		spec.ttl = (uint8_t)(2 + i);
		arrange_family(spec.ipv6, BACKEND_PORT);
		check_return(&spec);
	}
}

/* Rewritten, but on its own link, with its own TTL. */
static void check_host(const struct spec *spec)
{
	struct spec changed = *spec;
	struct frame in = whole(spec), want;
	struct result result = balancer_send(&in);

	changed.from = spec->ipv6 ? VIP_IPV6 : VIP_IPV4;
	changed.source_port = VIP_PORT;
	want = whole(&changed);
	EXPECT(result, RETURN_HOST);
	frame_expect(&result.frame, &want);
}

Test(nat_return, what_has_no_way_is_left_to_the_host)
{
	struct spec spec = answer(false, NEXT_TCP);

	spec.to = "10.0.0.77"; /* no neighbour */
	check_host(&spec);
	spec.vlans = 2;
	check_host(&spec);
	spec.to = "203.0.113.9"; /* no route */
	check_host(&spec);
	spec.to = CLIENT;
	spec.ttl = 1;
	check_host(&spec);
	spec.ttl = 0;
	spec.payload = 1600; /* too long */
	check_host(&spec);
	spec.payload = 10;
	cr_assert_eq(system("sysctl -qw net.ipv4.ip_forward=0"), 0);
	check_host(&spec);
}

Test(nat_return, what_is_no_answer_goes_its_own_way)
{
	struct spec spec = answer(false, NEXT_TCP);

	spec.source_port = 22;
	EXPECT(balancer_send_spec(&spec), PASS_NOT_OURS);
	spec.to = VIP_IPV4;
	spec.port = VIP_PORT;
	EXPECT(balancer_send_spec(&spec), FORWARD_UNKNOWN);
	EXPECT(SEND(.to = CLIENT), PASS_NOT_OURS);
	spec = answer(false, NEXT_TCP);
	balancer.settings->flags = 0;
	EXPECT(balancer_send_spec(&spec), PASS_NOT_OURS);
}

/* Of any port: what the backend says by itself is its own. */
Test(nat_return, of_any_port_is_known_by_its_flow)
{
	struct spec spec = answer(false, NEXT_TCP);

	arrange_family(false, 0);
	put_return(BACKEND, NEXT_TCP, 0);
	spec.source_port = VIP_PORT;
	EXPECT(balancer_send_spec(&spec), PASS_NOT_OURS);
	EXPECT(SEND(.from = CLIENT, .flags = SYN), FORWARD_NEW);
	check_return(&spec);
}

Test(nat_return, fragments_come_from_the_service)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct spec spec = answer(ipv6, NEXT_UDP);

		arrange_family(ipv6, BACKEND_PORT);
		spec.payload = 64;
		spec.extensions = (uint8_t)ipv6;
		spec.extension[0] = NEXT_FRAGMENT;
		spec.fragment_offset = 9;
		EXPECT(balancer_send_spec(&spec), PASS_NOT_OURS);
		spec.fragment_offset = 0;
		spec.more_fragments = true;
		check_return(&spec);
		{
			struct spec later = spec, at = spec;
			struct frame in, want;
			struct result result;
			uint8_t to[6], from[6];

			later.fragment_offset = at.fragment_offset = 9;
			later.more_fragments = at.more_fragments = false;
			in = frame_build(&later);
			result = balancer_send(&in);
			EXPECT(result, RETURN_NAT);
			put_mac(to, NEAR_MAC);
			put_mac(from, OWN_MAC);
			at.from = ipv6 ? VIP_IPV6 : VIP_IPV4;
			at.ttl = 63;
			want = on_link(at, to, from);
			frame_expect(&result.frame, &want);
		}
	}
}

/* A backend asks its own service: both ends are rewritten, and it is its own server. */
Test(nat_return, a_backend_that_is_its_own_client)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		const char *vip = ipv6 ? VIP_IPV6 : VIP_IPV4;
		struct spec asks = {.ipv6 = ipv6, .from = ipv6 ? BACKEND6 : BACKEND, .flags = SYN};
		struct spec at = asks, back = answer(ipv6, NEXT_TCP), got;
		struct larch_backend backend;
		struct frame in = whole(&asks), want;
		struct result result;

		arrange_family(ipv6, BACKEND_PORT);
		arrange_all_rings(WEB, 0, 1, LARCH_NO_MEMBER); /* another one */
		backend = balancer_backend(FIRST_BACKEND);
		result = balancer_send(&in);
		EXPECT(result, FORWARD_NEW);
		at.from = vip;
		at.to = ipv6 ? BACKEND6 : BACKEND;
		at.port = BACKEND_PORT;
		at.ttl = 63;
		want = on_link(at, backend.destination_mac, backend.source_mac);
		frame_expect(&result.frame, &want);
		back.to = vip;
		in = whole(&back);
		result = balancer_send(&in);
		EXPECT(result, RETURN_NAT);
		got = back;
		got.from = vip;
		got.source_port = VIP_PORT;
		got.to = ipv6 ? BACKEND6 : BACKEND;
		got.ttl = 63;
		want = on_link(got, backend.destination_mac, backend.source_mac);
		frame_expect(&result.frame, &want);
	}
}

/* ---- samples ---- */

static void begin_samples(void)
{
	own_network();
	client = (struct spec){.from = CLIENT};
	conversation_go_on();
}

TestSuite(nat_sample, .init = begin_samples, .fini = balancer_close);

static struct result server_says(uint8_t flags, uint16_t payload)
{
	struct spec spec = answer(false, NEXT_TCP);

	spec.flags = flags;
	spec.payload = payload;
	return balancer_send_spec(&spec);
}

static struct larch_samples nat_samples(void)
{
	struct larch_cell cell = client_cell();
	struct larch_samples found;

	cell.ingress = 0;
	return balancer_cell(&cell, &found) ? found : (struct larch_samples){};
}

Test(nat_sample, the_servers_share_is_measured_alone)
{
	struct larch_samples found;

	connect_in(SHORT_US);
	say(ACK | PSH, 1, 1, 100);
	cr_assert_eq(live()->in_flight, 1);
	EXPECT(server_says(ACK, 0), RETURN_NAT);
	cr_assert_eq(nat_samples().responses, 0, "an ACK is no answer");
	wait_us(LONG_US);
	EXPECT(server_says(ACK | PSH, 1000), RETURN_NAT);
	cr_assert_eq(live()->in_flight, 0);
	found = nat_samples();
	cr_assert_eq(found.connects, 1);
	cr_assert_eq(found.responses, 1);
	cr_assert(took(found.server_us, LONG_US), "%llu", (unsigned long long)found.server_us);
	cr_assert(found.response_us >= found.server_us + SHORT_US * 99 / 100);
	cr_assert_eq(balancer_cells(), 1, "the leaf is the same seen from either side");
	/* The rest of the answer, and the client's ACK, add nothing. */
	server_says(ACK, 1000);
	say(ACK, 101, 2001, 0);
	cr_assert_eq(nat_samples().responses, 1);
	cr_assert_eq(live()->in_flight, 0);
}

Test(nat_sample, what_was_sent_again_is_only_given_back)
{
	connect_in(SHORT_US);
	say(ACK | PSH, 1, 1, 100);
	say(ACK | PSH, 1, 1, 100);
	cr_assert_eq(client_flow()->timing.phase, LARCH_PHASE_BLURRED);
	server_says(ACK, 1000);
	cr_assert_eq(client_flow()->timing.phase, LARCH_PHASE_IDLE);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(nat_samples().responses, 0);
}

Test(nat_sample, the_servers_reset_ends_the_flow)
{
	connect_in(SHORT_US);
	say(ACK | PSH, 1, 1, 100);
	server_says(RST, 0);
	cr_assert_eq(client_flow()->identity.state, LARCH_FLOW_CLOSING);
	cr_assert_eq(live()->in_flight, 0);
	cr_assert_eq(nat_samples().responses, 0);
}

/* A port that is closed, and a server that drops what it has just taken. */
Test(nat_sample, a_reset_where_an_answer_was_due_is_a_failure)
{
	balancer.settings->flags |= LARCH_COUNT_SYNS;
	say(SYN, 0, 0, 0);
	server_says(RST, 0);
	cr_assert_eq(live()->failures, 1);
	cr_assert_eq(live()->in_flight, 0);
	server_says(RST, 0);
	cr_assert_eq(live()->failures, 1, "it owed nothing more");
	connect_in(SHORT_US);
	cr_assert_eq(live()->failures, 0, "it lives");
	say(ACK | PSH, 1, 1, 100);
	server_says(RST, 0);
	cr_assert_eq(live()->failures, 1);
	cr_assert_eq(live()->requests.count, 1, "that is no sign of life");
}

Test(nat_sample, a_reset_where_nothing_was_due_is_no_failure)
{
	connect_in(SHORT_US);
	server_says(RST, 0);
	cr_assert_eq(live()->failures, 0);
}

/* The black hole: it refuses at once, so it is never busy and never slow. */
Test(nat_sample,
     a_backend_that_refuses_everything_loses_the_flows_and_has_them_back_when_it_answers)
{
	struct result sent;

	balancer.settings->flags |= LARCH_COUNT_SYNS;
	arrange_backend(FIRST_BACKEND + 1, LARCH_TUNNEL_IPV4, INGRESS);
	arrange_all_rings(WEB, 0, 0, 1);
	balancer.costs[larch_costs_index(WEB, 0, 0)].member[1].net = 80000;
	for (uint32_t i = 0; i < LARCH_SUSPECT_FAILURES; i++) {
		sent = say(SYN, 0, 0, 0);
		cr_assert_eq(backend_reached(&sent), FIRST_BACKEND);
		server_says(RST, 0);
	}
	sent = say(SYN, 0, 0, 0);
	cr_assert_eq(backend_reached(&sent), FIRST_BACKEND + 1);
	live()->asked -= LARCH_TRIED;
	say(RST, 0, 0, 0);
	wait_us(2000000); /* else the SYN might be forged, and stay where it was */
	sent = say(SYN, 0, 0, 0);
	cr_assert_eq(backend_reached(&sent), FIRST_BACKEND, "it is tried again");
	say(ACK, 1, 1, 0);
	cr_assert_eq(live()->failures, 0);
}

Test(nat_sample, an_answer_of_an_unknown_flow_tells_nothing)
{
	EXPECT(server_says(ACK, 1000), RETURN_NAT);
	cr_assert_eq(balancer_cells(), 0);
}
