// SPDX-License-Identifier: BSD-2-Clause
/*
 * The second chance: mid-flow packets of flows that nobody knows ask the backends' agents, one
 * after the other, until one has the socket. Balancer and agent are the real programs; what one
 * sends the other gets. The sockets are real, too, in a network namespace of the test's own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "arrange.h"
#include "larch/chance.h"
#include "reply.h"

#define SELF_IPV4 "10.254.0.1" /* where arrange_backend()'s tunnels begin */
#define SELF_IPV6 "fd00:254::1"
#define CLIENT	  "198.18.0.7"
#define CLIENT6	  "2001:db8:7::7"
#define MOST_HOPS 80

static void arrange_self(const char *address)
{
	struct larch_vip self = {
		.port = htons(LARCH_GUE_PORT),
		.protocol = NEXT_UDP,
		.kind = LARCH_VIP_SELF,
	};

	address_of(address, self.address);
	balancer_put_vip(&self, LARCH_MAX_SERVICES);
	larch_filter_add(balancer.settings->filter, larch_filter_hash(self.address));
}

static void arrange_chance(void)
{
	arrange_web();
	agent_open();
	arrange_self(SELF_IPV4);
	arrange_self(SELF_IPV6);
	balancer.services[WEB].policy.flags |= LARCH_SERVICE_AGENTS;
	balancer.settings->limit[LARCH_LIMIT_CHANCE] = 1000000;
	balancer.settings->token[0] = 0x0123;
	balancer.settings->token[1] = 0x4567;
}

static void end(void)
{
	agent_close();
	balancer_close();
}

TestSuite(chance, .init = arrange_chance, .fini = end);

static const struct spec ipv4 = {.from = CLIENT, .payload = 100};
static const struct spec ipv6 = {.ipv6 = true, .from = CLIENT6, .payload = 100};

/* Where the question is in a frame that asks. */
static struct larch_question *question_in(struct frame *frame)
{
	size_t outer = frame->byte[ETHERNET_BYTES] >> 4 == 4 ? IPV4_BYTES : IPV6_BYTES;
	size_t at = ETHERNET_BYTES + outer + UDP_BYTES + 4;

	cr_assert_lt(at, frame->size);
	return (struct larch_question *)(void *)&frame->byte[at];
}

static uint32_t asked(struct frame *frame)
{
	return ntohs(question_in(frame)->backend);
}

/* What the agent would send back. */
static struct frame turned(const struct frame *frame, enum larch_answer answer)
{
	struct frame back = *frame;
	bool v4 = frame->byte[ETHERNET_BYTES] >> 4 == 4;
	size_t size = v4 ? 4 : 16, at = ETHERNET_BYTES + (v4 ? 12 : 8);

	memcpy(&back.byte[at], &frame->byte[at + size], size);
	memcpy(&back.byte[at + size], &frame->byte[at], size);
	question_in(&back)->answer = (uint8_t)answer;
	return back;
}

static struct result send_answer(const struct result *question, enum larch_answer answer)
{
	struct frame frame = turned(&question->frame, answer);

	return balancer_send(&frame);
}

/* Sends the packet and lets every backend say no; counts who was asked. The last result. */
static struct result ask_all(const struct spec *spec, unsigned *times)
{
	struct result result = balancer_send_spec(spec);

	EXPECT(result, CHANCE_ASKED);
	for (unsigned hops = 0; hops < MOST_HOPS; hops++) {
		times[asked(&result.frame)]++;
		result = send_answer(&result, LARCH_ANSWER_OTHERS);
		if (result.outcome != LARCH_CHANCE_NEXT)
			return result;
	}
	cr_assert_fail("it never ends");
	return result;
}

Test(chance, an_unknown_flow_asks_the_rings_primary_first)
{
	struct result result = balancer_send_spec(&ipv4);
	uint32_t slot = larch_hash_slot(hash_of(&ipv4), LARCH_RING_CONTROL);

	EXPECT(result, CHANCE_ASKED);
	cr_assert_eq(result.verdict, XDP_TX);
	cr_assert_eq(asked(&result.frame), FIRST_BACKEND + slot % MEMBERS);
	cr_assert_null(flow_of(&ipv4));
}

Test(chance, the_packet_travels_whole_behind_the_question)
{
	struct spec specs[] = {ipv4, ipv6};

	for (size_t i = 0; i < COUNT(specs); i++) {
		struct frame in = frame_build(&specs[i]);
		struct result result = balancer_send(&in);
		struct larch_question *question = question_in(&result.frame);
		size_t bytes = in.size - ETHERNET_BYTES;

		EXPECT(result, CHANCE_ASKED);
		cr_assert_eq(question->magic, htonl(LARCH_QUESTION_MAGIC));
		cr_assert_eq(question->answer, LARCH_ANSWER_NONE);
		cr_assert_eq(result.frame.size - bytes,
			     (size_t)((uint8_t *)(question + 1) - result.frame.byte));
		cr_assert_eq(memcmp(question + 1, &in.byte[ETHERNET_BYTES], bytes), 0);
	}
}

Test(chance, the_owner_gets_the_packet_and_is_remembered)
{
	struct frame in = frame_build(&ipv4);
	struct result result = balancer_send(&in), next;
	uint32_t owner;

	result = send_answer(&result, LARCH_ANSWER_OTHERS);
	EXPECT(result, CHANCE_NEXT);
	owner = asked(&result.frame);
	next = send_answer(&result, LARCH_ANSWER_MINE);
	EXPECT(next, CHANCE_CLAIMED);
	cr_assert_eq(backend_reached(&next), owner);
	cr_assert_eq(memcmp(&next.frame.byte[ETHERNET_BYTES + IPV4_BYTES], &in.byte[ETHERNET_BYTES],
			    in.size - ETHERNET_BYTES),
		     0);
	cr_assert_eq(flow_of(&ipv4)->identity.backend, owner);
	next = balancer_send_spec(&ipv4);
	EXPECT(next, FORWARD_FLOW);
	cr_assert_eq(backend_reached(&next), owner);
}

Test(chance, every_member_is_asked_before_the_flow_is_given_up)
{
	unsigned times[LARCH_MAX_BACKENDS] = {};
	struct result result = ask_all(&ipv4, times);

	EXPECT(result, CHANCE_LOST);
	for (uint32_t m = 0; m < MEMBERS; m++)
		cr_assert_geq(times[FIRST_BACKEND + m], 1);
	cr_assert_null(flow_of(&ipv4));
	cr_assert_eq(backend_reached(&result),
		     FIRST_BACKEND + larch_hash_slot(hash_of(&ipv4), LARCH_RING_CONTROL) % MEMBERS);
}

static void shrink_backends(uint16_t mtu)
{
	for (uint32_t m = 0; m < MEMBERS; m++) {
		struct larch_backend backend = balancer_backend(FIRST_BACKEND + m);

		backend.mtu = mtu;
		balancer_set_backend(FIRST_BACKEND + m, &backend);
	}
}

/* The message is about the packet in the answer, and its sender's; it leaves as the answer came. */
static void check_too_big(const struct spec *spec)
{
	struct frame packet = frame_build(spec), answer;
	struct result result = balancer_send(&packet);
	size_t quoted = packet.network + (spec->ipv6 ? IPV6_BYTES : IPV4_BYTES) + ICMP_BYTES;

	balancer.settings->limit[LARCH_LIMIT_TOO_BIG] = 100;
	answer = turned(&result.frame, LARCH_ANSWER_OTHERS);
	memcpy(packet.byte, answer.byte, 2 * 6);
	shrink_backends(1290);
	cr_assert(balancer_run(&answer, &result));
	cr_assert_eq(result.verdict, XDP_TX);
	cr_assert_null(reply_wrong(&packet, &result.frame), "%s",
		       reply_wrong(&packet, &result.frame));
	cr_assert_eq(result.frame.size, quoted + TOO_BIG_QUOTED);
	cr_assert_arr_eq(result.frame.byte + quoted, packet.byte + packet.network, TOO_BIG_QUOTED);
}

Test(chance, the_sender_of_a_packet_that_does_not_fit_the_next_question_is_told_so)
{
	check_too_big(&(struct spec){.from = CLIENT, .payload = 1300});
}

Test(chance, the_sender_of_an_ipv6_packet_that_does_not_fit_the_next_question_is_told_so)
{
	check_too_big(&(struct spec){.ipv6 = true, .from = CLIENT6, .payload = 1300});
}

Test(chance, at_most_64_members_are_asked)
{
	unsigned times[LARCH_MAX_BACKENDS] = {}, all = 0;

	for (uint32_t m = 0; m < 100; m++)
		arrange_backend(FIRST_BACKEND + m, LARCH_TUNNEL_IPV4, INGRESS);
	arrange_plan(WEB, 0, 100);
	arrange_publish(WEB, 0, 1);
	EXPECT(ask_all(&ipv4, times), CHANCE_LOST);
	for (uint32_t id = 0; id < LARCH_MAX_BACKENDS; id++)
		all += times[id];
	cr_assert_leq(all, LARCH_CHANCE_MEMBERS + 3);
	cr_assert_geq(all, LARCH_CHANCE_MEMBERS);
}

/* The flow may be older than the generation. */
Test(chance, the_last_generations_candidates_come_next)
{
	struct result result;

	arrange_all_rings(WEB, 0, 2, 3);
	arrange_publish(WEB, 0, 7);
	arrange_plan(WEB, 1, MEMBERS);
	arrange_all_rings(WEB, 1, 0, 1);
	arrange_publish(WEB, 1, 8);
	result = balancer_send_spec(&ipv4);
	cr_assert_eq(asked(&result.frame), FIRST_BACKEND + 0);
	result = send_answer(&result, LARCH_ANSWER_OTHERS);
	cr_assert_eq(asked(&result.frame), FIRST_BACKEND + 1);
	result = send_answer(&result, LARCH_ANSWER_OTHERS);
	cr_assert_eq(asked(&result.frame), FIRST_BACKEND + 2);
	result = send_answer(&result, LARCH_ANSWER_OTHERS);
	cr_assert_eq(asked(&result.frame), FIRST_BACKEND + 3);
}

Test(chance, a_backend_that_cannot_be_reached_is_not_asked)
{
	unsigned times[LARCH_MAX_BACKENDS] = {};
	struct larch_backend backend = balancer_backend(FIRST_BACKEND + 1);

	backend.ready = 0;
	balancer_set_backend(FIRST_BACKEND + 1, &backend);
	EXPECT(ask_all(&ipv4, times), CHANCE_LOST);
	cr_assert_eq(times[FIRST_BACKEND + 1], 0);
}

Test(chance, a_forged_answer_is_refused)
{
	struct result asks = balancer_send_spec(&ipv4);

	for (size_t at = 4; at < sizeof(struct larch_question); at++) {
		struct frame frame = turned(&asks.frame, LARCH_ANSWER_MINE);
		uint8_t *byte = (uint8_t *)question_in(&frame) + at;

		if (at == 4) /* the answer itself: none is no answer */
			*byte = LARCH_ANSWER_NONE;
		else
			*byte ^= 0x10;
		EXPECT(balancer_send(&frame), DROP_BAD_TOKEN);
		cr_assert_null(flow_of(&ipv4));
	}
}

/* The token is of one flow: with another packet in it the answer is none. */
Test(chance, an_answer_for_another_flow_is_refused)
{
	struct result asks = balancer_send_spec(&ipv4);
	struct frame frame = turned(&asks.frame, LARCH_ANSWER_MINE);
	uint8_t *inner = (uint8_t *)(question_in(&frame) + 1);

	inner[IPV4_BYTES] ^= 1; /* the client's port */
	EXPECT(balancer_send(&frame), DROP_BAD_TOKEN);
}

Test(chance, an_old_answer_is_refused)
{
	struct result asks = balancer_send_spec(&ipv4);

	/* Two stamp units later, by making them short. */
	balancer.settings->stamp_shift = 0;
	EXPECT(send_answer(&asks, LARCH_ANSWER_MINE), DROP_BAD_TOKEN);
}

Test(chance, an_answer_that_comes_again_changes_nothing)
{
	struct result asks = balancer_send_spec(&ipv4);
	struct larch_flow before;

	EXPECT(send_answer(&asks, LARCH_ANSWER_MINE), CHANCE_CLAIMED);
	before = *flow_of(&ipv4);
	EXPECT(send_answer(&asks, LARCH_ANSWER_MINE), FORWARD_FLOW);
	EXPECT(send_answer(&asks, LARCH_ANSWER_OTHERS), FORWARD_FLOW);
	cr_assert_eq(flow_of(&ipv4)->identity.word, before.identity.word);
}

/* The settings' flags must outlive the change of packets: they say what SYNs are counted by. */
Test(chance, a_claim_gives_back_what_the_place_it_takes_was_owed)
{
	struct result asks;

	balancer.settings->flags |= LARCH_COUNT_SYNS;
	balancer.settings->bucket_mask = 0;
	asks = balancer_send_spec(&ipv4);
	for (uint32_t client = 1; client <= LARCH_BUCKET_FLOWS; client++)
		EXPECT(SEND(.client = client, .flags = SYN), FORWARD_NEW);
	for (uint32_t i = 0; i < LARCH_BUCKET_FLOWS; i++)
		balancer.bucket[0].flow[i].identity.stamp =
			(now_stamp() - LARCH_SYN_STAMPS) & LARCH_STAMP_MASK;
	EXPECT(send_answer(&asks, LARCH_ANSWER_MINE), CHANCE_CLAIMED);
	cr_assert_not_null(flow_of(&ipv4));
	int32_t owed = 0;
	for (uint32_t m = 0; m < MEMBERS; m++)
		owed += balancer.live[FIRST_BACKEND + m].in_flight;
	cr_assert_eq(owed, LARCH_BUCKET_FLOWS - 1);
}

/* What tells backends without agents from those that have other flows. */
Test(chance, questions_and_answers_are_counted)
{
	const struct larch_pressure *pressure = &balancer.pressure[WEB];
	struct result result = balancer_send_spec(&ipv4);

	EXPECT(result, CHANCE_ASKED);
	cr_assert_eq(pressure->asked, 1);
	cr_assert_eq(pressure->answered, 0);
	result = send_answer(&result, LARCH_ANSWER_OTHERS);
	EXPECT(result, CHANCE_NEXT);
	cr_assert_eq(pressure->asked, 1);
	cr_assert_eq(pressure->answered, 1);
	EXPECT(send_answer(&result, LARCH_ANSWER_MINE), CHANCE_CLAIMED);
	cr_assert_eq(pressure->answered, 2);
	question_in(&result.frame)->token[0] ^= 1;
	EXPECT(send_answer(&result, LARCH_ANSWER_MINE), DROP_BAD_TOKEN);
	cr_assert_eq(pressure->asked, 1);
	cr_assert_eq(pressure->answered, 2);
}

Test(chance, beyond_the_limit_nobody_is_asked_and_nothing_remembered)
{
	balancer.settings->limit[LARCH_LIMIT_CHANCE] = 0;
	EXPECT(balancer_send_spec(&ipv4), FORWARD_UNKNOWN);
	cr_assert_null(flow_of(&ipv4));
}

Test(chance, without_agents_the_first_candidate_gets_the_packet)
{
	balancer.services[WEB].policy.flags = 0;
	EXPECT(balancer_send_spec(&ipv4), FORWARD_UNKNOWN);
	cr_assert_not_null(flow_of(&ipv4));
}

Test(chance, a_new_connection_asks_nobody)
{
	EXPECT(SEND(.flags = SYN), FORWARD_NEW);
}

Test(chance, a_packet_that_ends_the_flow_finds_its_owner_and_is_not_remembered)
{
	struct spec fin = {.from = CLIENT, .flags = FIN | ACK};
	struct result result = balancer_send_spec(&fin);

	EXPECT(result, CHANCE_ASKED);
	EXPECT(send_answer(&result, LARCH_ANSWER_MINE), CHANCE_CLAIMED);
	cr_assert_null(flow_of(&fin));
}

Test(chance, what_is_no_answer_at_our_end_is_refused)
{
	EXPECT(SEND(.to = SELF_IPV4, .protocol = NEXT_UDP, .port = LARCH_GUE_PORT), DROP_BAD_TOKEN);
	EXPECT(SEND(.to = SELF_IPV4, .protocol = NEXT_UDP, .port = LARCH_GUE_PORT, .payload = 90),
	       DROP_BAD_TOKEN);
	EXPECT(SEND(.to = SELF_IPV4, .protocol = NEXT_UDP, .port = 53), PASS_NOT_OURS);
	EXPECT(SEND(.to = SELF_IPV4, .port = LARCH_GUE_PORT), PASS_NOT_OURS);
}

/* Addresses take a moment to become the namespace's own. */
static void connect_soon(int fd, const struct sockaddr *to, socklen_t size)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	int error = -1;

	for (int i = 0; error && i < 100; i++) {
		error = connect(fd, to, size);
		if (error)
			nanosleep(&pause, NULL);
	}
	cr_assert_eq(error, 0, "%s", strerror(errno));
}

/* A real connection, whose server side is in this namespace. */
static int connection(const struct spec *spec)
{
	int family = spec->ipv6 ? AF_INET6 : AF_INET, on = 1, client, server, accepted;
	struct sockaddr_storage from = {.ss_family = (sa_family_t)family}, to = from;
	void *from_address = spec->ipv6 ? (void *)&((struct sockaddr_in6 *)&from)->sin6_addr
					: (void *)&((struct sockaddr_in *)&from)->sin_addr;
	void *to_address = spec->ipv6 ? (void *)&((struct sockaddr_in6 *)&to)->sin6_addr
				      : (void *)&((struct sockaddr_in *)&to)->sin_addr;
	socklen_t size = spec->ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	((struct sockaddr_in *)&from)->sin_port =
		htons(40000); /* the port is where it is in both */
	((struct sockaddr_in *)&to)->sin_port = htons(VIP_PORT);
	cr_assert_eq(inet_pton(family, spec->from, from_address), 1);
	cr_assert_eq(inet_pton(family, spec->ipv6 ? VIP_IPV6 : VIP_IPV4, to_address), 1);
	server = socket(family, SOCK_STREAM, 0);
	client = socket(family, SOCK_STREAM, 0);
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	cr_assert_eq(bind(server, (struct sockaddr *)&to, size), 0);
	cr_assert_eq(listen(server, 4), 0);
	cr_assert_eq(bind(client, (struct sockaddr *)&from, size), 0);
	connect_soon(client, (struct sockaddr *)&to, size);
	accepted = accept(server, NULL, NULL);
	cr_assert_geq(accepted, 0);
	return accepted;
}

static void own_network(void)
{
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	cr_assert_eq(system("ip link set lo up && ip addr add " VIP_IPV4 "/32 dev lo && "
			    "ip addr add " CLIENT "/32 dev lo && "
			    "ip -6 addr add " VIP_IPV6 "/128 dev lo nodad && "
			    "ip -6 addr add " CLIENT6 "/128 dev lo nodad"),
		     0);
}

static void check_agent(const struct spec *spec, enum larch_tunnel tunnel)
{
	struct result asks, answer, out;

	arrange_backends(tunnel);
	asks = balancer_send_spec(spec);
	EXPECT(asks, CHANCE_ASKED);
	answer = agent_send(&asks.frame);
	EXPECT_AGENT(answer, ANSWERED_OTHERS);
	out = balancer_send(&answer.frame);
	EXPECT(out, CHANCE_NEXT);
	connection(spec);
	answer = agent_send(&out.frame);
	EXPECT_AGENT(answer, ANSWERED_MINE);
	out = balancer_send(&answer.frame);
	EXPECT(out, CHANCE_CLAIMED);
	EXPECT_AGENT(agent_send(&out.frame), DECAPSULATED);
}

Test(chance, the_agent_knows_its_kernels_sockets)
{
	own_network();
	check_agent(&ipv4, LARCH_TUNNEL_IPV4);
}

Test(chance, the_agent_knows_its_kernels_ipv6_sockets)
{
	own_network();
	check_agent(&ipv6, LARCH_TUNNEL_IPV6);
}

Test(chance, a_listening_socket_owns_no_flow)
{
	struct result asks;

	own_network();
	close(connection(&ipv4));
	asks = SEND(.from = CLIENT, .source_port = 40001);
	EXPECT(asks, CHANCE_ASKED);
	EXPECT_AGENT(agent_send(&asks.frame), ANSWERED_OTHERS);
}

/* Two agents would send it to and fro for ever: ports and magic are the same both ways. */
Test(chance, the_agent_does_not_answer_an_answer)
{
	struct result asks = balancer_send_spec(&ipv4);

	own_network();
	for (unsigned answer = 1; answer <= 0xff; answer++) {
		question_in(&asks.frame)->answer = (uint8_t)answer;
		EXPECT_AGENT(agent_send(&asks.frame), MALFORMED);
	}
}

/* First fragments have the ports: those behind them go where the owner's answer says. */
Test(chance, the_agent_knows_the_flow_of_a_first_fragment)
{
	static const struct spec first = {
		.from = CLIENT, .payload = 96, .more_fragments = true, .identification = 7};
	static const struct spec first6 = {.ipv6 = true,
					   .from = CLIENT6,
					   .payload = 96,
					   .more_fragments = true,
					   .identification = 7,
					   .extensions = 1,
					   .extension = {NEXT_FRAGMENT}};

	own_network();
	check_agent(&first, LARCH_TUNNEL_IPV4);
	check_agent(&first6, LARCH_TUNNEL_IPV6);
}
