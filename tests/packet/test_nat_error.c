// SPDX-License-Identifier: BSD-2-Clause
/* NAT of ICMP errors: they are about what the other end has sent itself, with valid checksums. */
#include <arpa/inet.h>
#include <string.h>

#include "nat_scene.h"
#include "reply.h"

TestSuite(nat_error, .init = arrange_nat, .fini = balancer_close);
TestSuite(nat_error_return, .init = own_network, .fini = balancer_close);

/* Is the error in `frame` about a packet from `from` to `to` with these ports, and whole? */
static void check_error(const struct result *result, const struct spec *outer,
			const struct spec *quoted)
{
	struct frame frame = result->frame;
	size_t ip = outer->ipv6 ? IPV6_BYTES : IPV4_BYTES, at;
	struct larch_tuple want = tuple_of(quoted), ends = tuple_of(outer);
	size_t address = outer->ipv6 ? 8 : 12, bytes = outer->ipv6 ? 16 : 4;
	size_t skip = outer->ipv6 ? 0 : 12;
	const uint8_t *in;

	frame.network = ETHERNET_BYTES;
	frame.transport = ETHERNET_BYTES + ip;
	cr_assert_eq(icmp_checksum(&frame), 0, "the ICMP checksum is wrong");
	cr_assert(outer->ipv6 || internet_checksum(frame.byte + frame.network, ip) == 0);
	in = frame.byte + frame.network + address;
	cr_assert_arr_eq(in, (uint8_t *)ends.source + skip, bytes, "outer source");
	cr_assert_arr_eq(in + bytes, (uint8_t *)ends.destination + skip, bytes, "outer dest");
	at = frame.transport + ICMP_BYTES;
	cr_assert(outer->ipv6 || internet_checksum(frame.byte + at, ip) == 0, "quoted header");
	in = frame.byte + at + address;
	cr_assert_arr_eq(in, (uint8_t *)want.source + skip, bytes, "quoted source");
	cr_assert_arr_eq(in + bytes, (uint8_t *)want.destination + skip, bytes, "quoted dest");
	cr_assert_eq(frame_get16(&frame, at + ip), ntohs(want.source_port));
	cr_assert_eq(frame_get16(&frame, at + ip + 2), ntohs(want.destination_port));
}

/* A router says that the service's answer did not get to the client: the backend is to hear it. */
Test(nat_error, an_error_about_an_answer_goes_to_the_backend_as_about_its_own)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct spec flow = {.ipv6 = ipv6, .from = ipv6 ? CLIENT6 : CLIENT};
		struct spec outer = {.ipv6 = ipv6, .client = 9};
		struct frame in = icmp_error_about(&outer, ipv6 ? TOO_BIG_V6 : UNREACHABLE,
						   ipv6 ? 0 : FRAGMENTATION, &flow,
						   (ipv6 ? IPV6_BYTES : IPV4_BYTES) + 8);
		struct spec quoted = {
			.ipv6 = ipv6,
			.from = ipv6 ? BACKEND6 : BACKEND,
			.to = flow.from,
			.source_port = BACKEND_PORT,
			.port = 40000,
		};
		struct result result;

		arrange_family(ipv6, BACKEND_PORT);
		result = balancer_send(&in);
		EXPECT(result, FORWARD_ICMP);
		outer.to = ipv6 ? BACKEND6 : BACKEND;
		check_error(&result, &outer, &quoted);
	}
}

/* The checksum that a packet of UDP with these ends has. */
static uint16_t udp_sum(struct spec spec)
{
	struct frame frame;

	spec.protocol = NEXT_UDP;
	spec.payload = 33;
	frame = whole(&spec);
	return frame_get16(&frame, frame.transport + 6);
}

/* An error about an answer; the quoted checksum before, and what comes of it. */
static uint16_t quoted_sum(bool ipv6, uint16_t sum)
{
	struct spec flow = {.ipv6 = ipv6, .from = ipv6 ? CLIENT6 : CLIENT, .protocol = NEXT_UDP};
	struct spec outer = {.ipv6 = ipv6, .client = 9};
	size_t ip = ipv6 ? IPV6_BYTES : IPV4_BYTES;
	struct frame in = icmp_error_about(&outer, ipv6 ? 1 : UNREACHABLE, 3, &flow, ip + 8);
	struct result result;
	struct frame out;

	frame_set16(&in, in.transport + ICMP_BYTES + ip + 6, sum);
	icmp_set_checksum(&in);
	arrange_family(ipv6, BACKEND_PORT);
	result = balancer_send(&in);
	EXPECT(result, FORWARD_ICMP);
	out = result.frame;
	out.network = ETHERNET_BYTES;
	out.transport = ETHERNET_BYTES + ip;
	cr_assert_eq(icmp_checksum(&out), 0, "the ICMP checksum is wrong");
	return frame_get16(&out, out.transport + ICMP_BYTES + ip + 6);
}

Test(nat_error, the_checksum_of_quoted_udp_is_that_of_what_the_backend_sent)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		const char *to = ipv6 ? CLIENT6 : CLIENT;
		struct spec from_service = {.ipv6 = ipv6,
					    .from = ipv6 ? VIP_IPV6 : VIP_IPV4,
					    .to = to,
					    .source_port = VIP_PORT,
					    .port = 40000};
		struct spec from_backend = from_service;

		from_backend.from = ipv6 ? BACKEND6 : BACKEND;
		from_backend.source_port = BACKEND_PORT;
		cr_assert_eq(quoted_sum(ipv6, udp_sum(from_service)), udp_sum(from_backend));
		cr_assert_eq(quoted_sum(ipv6, 0), 0, "there was none");
	}
}

/* The backend, or a router on the way to it, says that the client's packet did not get there. */
Test(nat_error_return, an_error_about_a_request_is_about_the_service)
{
	for (int i = 0; i < 4; i++) {
		bool ipv6 = i & 1;
		struct spec flow = answer(ipv6, NEXT_UDP), outer = {.ipv6 = ipv6};
		struct spec quoted = {
			.ipv6 = ipv6, .from = flow.to, .to = ipv6 ? VIP_IPV6 : VIP_IPV4};
		struct frame in;
		struct result result;

		arrange_family(ipv6, BACKEND_PORT);
		outer.from = i & 2 ? (ipv6 ? "fd00:9::9" : "198.51.100.9") : flow.from;
		outer.to = flow.to;
		in = icmp_error_about(&outer, ipv6 ? 1 : UNREACHABLE, 3, &flow,
				      (ipv6 ? IPV6_BYTES : IPV4_BYTES) + 8);
		result = balancer_send(&in);
		EXPECT(result, RETURN_NAT);
		outer.from = i & 2 ? outer.from : quoted.to;
		check_error(&result, &outer, &quoted);
	}
}

Test(nat_error_return, other_errors_go_their_own_way)
{
	struct spec flow = answer(false, NEXT_UDP), outer = {.from = BACKEND, .to = CLIENT};
	struct frame in;

	flow.source_port = 53;
	in = icmp_error_about(&outer, UNREACHABLE, 3, &flow, IPV4_BYTES + 8);
	EXPECT(balancer_send(&in), PASS_NOT_OURS);
	in = ICMP(ECHO_REQUEST, 0, .from = BACKEND, .to = CLIENT);
	EXPECT(balancer_send(&in), PASS_NOT_OURS);
}
