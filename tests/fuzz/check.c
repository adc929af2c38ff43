// SPDX-License-Identifier: BSD-2-Clause
/* What must be true after each packet. See check.h. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../packet/builder.h"
#include "../packet/reply.h"
#include "../packet/verify.h"
#include "larch/chance.h"
#include "outcomes.h"
#include "stub.h"
#include "maps.h"
#include "world.h"

#define QUESTIONS_MOST 100
#define COUNTERS       64 /* outcomes of either program */
#define IDLE	       35 /* stamps after which an open flow may lose its place, to an open one */
#define FLOWS	       (WORLD_BUCKETS * LARCH_BUCKET_FLOWS)

/* One packet on its way, and how things were before it; of the agent, only the counters. */
struct passage {
	const char *program;
	const uint8_t *in;
	size_t in_size;
	struct xdp_md context; /* as the program left it */
	int verdict;
	uint32_t outcome;
	struct larch_counter counter[COUNTERS];
	struct larch_flow flow[FLOWS];
};

_Static_assert(LARCH_OUTCOME_COUNT <= COUNTERS && LARCH_AGENT_OUTCOME_COUNT <= COUNTERS, "fits");

/* The agent's map is defined in its program alone; the first word is its memory. */
extern struct stub_map *larch_agent;

static void fail(const struct passage *passage, const char *what)
{
	fprintf(stderr, "fuzz: %s: %s; outcome %u, verdict %d; the packet was ", passage->program,
		what, passage->outcome, passage->verdict);
	for (size_t i = 0; i < passage->in_size; i++)
		fprintf(stderr, "%02x", passage->in[i]);
	fprintf(stderr, "\n");
	abort();
}

static void require(const struct passage *passage, bool truth, const char *what)
{
	if (!truth)
		fail(passage, what);
}

/* --- counters -------------------------------------------------------------------------------- */

/* The one outcome that was counted, by what was counted before. */
static void find_outcome(struct passage *passage, const struct larch_counter *now, uint32_t count)
{
	uint64_t packets = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t more = now[i].packets - passage->counter[i].packets;

		if (more)
			passage->outcome = i;
		packets += more;
		require(passage,
			now[i].bytes - passage->counter[i].bytes == more * passage->in_size,
			"not as many bytes are counted as came");
	}
	require(passage, packets == 1, "not counted under one outcome");
}

static bool verdict_is_right(uint32_t outcome, int verdict)
{
	switch (outcome) {
/* To this host as a backend, a packet is forwarded by being passed. */
#define FORWARD verdict == XDP_TX || verdict == XDP_REDIRECT || verdict == XDP_PASS
#define REPLY	verdict == XDP_TX
#define PASS	verdict == XDP_PASS
#define DROP	verdict == XDP_DROP
#define X(name, number, right, text)                                                               \
	case number:                                                                               \
		return right;
		LARCH_OUTCOMES(X)
#undef X
	default:
		return false;
	}
}

static bool agent_verdict_is_right(uint32_t outcome, int verdict)
{
	switch (outcome) {
#define REPLY verdict == XDP_TX
#define X(name, number, right, text)                                                               \
	case number:                                                                               \
		return right;
		LARCH_AGENT_OUTCOMES(X)
#undef X
	default:
		return false;
	}
}

/* Does the list promise this verdict? */
static bool promises(uint32_t outcome, const char *verdict)
{
	size_t count;
	const struct packet_outcome *all = outcomes_all(&count);

	for (size_t i = 0; i < count; i++) {
		if (all[i].number == outcome)
			return strcmp(all[i].verdict, verdict) == 0;
	}
	return false;
}

/* --- the frame that leaves ------------------------------------------------------------------- */

static size_t get16(const uint8_t *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

/* A frame of the packet tests, of which only bytes and network are told. */
static struct frame frame_of(const uint8_t *bytes, size_t size)
{
	struct frame frame = {.size = size < FRAME_MOST ? size : FRAME_MOST, .network = 14};

	memcpy(frame.byte, bytes, frame.size);
	for (int i = 0;
	     i < 2 && (bytes[frame.network - 2] == 0x81 || bytes[frame.network - 2] == 0x88); i++)
		frame.network += VLAN_BYTES;
	return frame;
}

static size_t out_size(const struct passage *passage)
{
	return passage->context.data_end - passage->context.data;
}

static bool is_untouched(const struct passage *passage)
{
	return out_size(passage) == passage->in_size &&
	       memcmp(stub_data(&passage->context), passage->in, passage->in_size) == 0;
}

/* The host itself, or the backend whose next hop the frame is for; LARCH_NO_BACKEND: none. */
static uint32_t backend_reached(const struct passage *passage)
{
	if (passage->verdict == XDP_PASS)
		return world.local;
	for (uint32_t id = 0; id < world.backends; id++) {
		const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);

		if (backend->tunnel != LARCH_TUNNEL_NONE &&
		    memcmp(stub_data(&passage->context), backend->destination_mac, 6) == 0)
			return id;
	}
	return LARCH_NO_BACKEND;
}

/* Of an agent's answer, what is in the tunnel came in its Ethernet header. */
static struct frame answered_frame(const struct passage *passage)
{
	size_t question = verify_question(passage->in),
	       at = question + sizeof(struct larch_question);
	uint8_t bytes[FRAME_MOST];
	bool ipv6;

	if (!question || at > passage->in_size)
		return frame_of(passage->in, passage->in_size);
	ipv6 = passage->in[at] >> 4 == 6;
	memcpy(bytes, passage->in, 12);
	bytes[12] = ipv6 ? 0x86 : 0x08;
	bytes[13] = ipv6 ? 0xdd : 0x00;
	memcpy(bytes + ETHERNET_BYTES, passage->in + at, passage->in_size - at);
	return frame_of(bytes, ETHERNET_BYTES + passage->in_size - at);
}

static void check_reply(const struct passage *passage)
{
	struct frame in = answered_frame(passage),
		     out = frame_of(stub_data(&passage->context), out_size(passage));
	const uint8_t *ip = in.byte + in.network;
	const char *wrong;

	/* An echo reply's checksum follows from the request's: right or wrong. */
	if (passage->outcome == LARCH_REPLY_ECHO && ip[0] >> 4 == 4 &&
	    internet_checksum(ip, IPV4_BYTES) != 0)
		return;
	wrong = reply_wrong(&in, &out);
	if (wrong)
		fail(passage, wrong);
}

static bool is_tunnelled(const struct passage *passage)
{
	return verify_is_tunnelled(passage->in, passage->in_size, stub_data(&passage->context),
				   out_size(passage));
}

static void check_outer(const struct passage *passage, const struct larch_backend *backend)
{
	const uint8_t *out = stub_data(&passage->context), *outer = out + ETHERNET_BYTES;
	bool ipv6 = backend->tunnel == LARCH_TUNNEL_IPV6;
	size_t address = ipv6 ? 16 : 4, addresses = ipv6 ? 8 : 12;

	require(passage, memcmp(out + 12, &backend->ethertype, 2) == 0, "wrong ethertype");
	require(passage, memcmp(outer + addresses, backend->outer_source, address) == 0,
		"wrong outer source");
	require(passage,
		memcmp(outer + addresses + address, backend->outer_destination, address) == 0,
		"wrong outer destination");
}

static void check_forwarded(const struct passage *passage, uint32_t id)
{
	const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);
	const uint8_t *out = stub_data(&passage->context), *ip = out + ETHERNET_BYTES;
	bool tunnelled = is_tunnelled(passage);
	const char *wrong = verify_forwarded(passage->in, passage->in_size, out, out_size(passage));
	size_t bytes = ip[0] >> 4 == 6 ? IPV6_BYTES + get16(ip + 4) : get16(ip + 2);

	if (wrong)
		fail(passage, wrong);
	require(passage, tunnelled ? backend->ready : backend->ready == LARCH_READY_DIRECT,
		"sent to a backend that is not ready");
	require(passage, memcmp(out + 6, backend->source_mac, 6) == 0, "wrong source MAC");
	require(passage, bytes <= backend->mtu, "larger than the MTU");
	if (passage->verdict == XDP_TX)
		require(passage, backend->ifindex == passage->context.ingress_ifindex,
			"sent out of the wrong interface");
	else
		require(passage, backend->ifindex == stub.redirected, "wrong redirection");
	if (tunnelled)
		check_outer(passage, backend);
}

/* --- the flow table -------------------------------------------------------------------------- */

static bool same_flow(const struct larch_flow *one, const struct larch_flow *other)
{
	return one->identity.word == other->identity.word && one->timing.word == other->timing.word;
}

/* The entry of the table that the packet changed, or FLOWS. */
static uint32_t changed_flow(const struct passage *passage, const struct larch_flow now[FLOWS])
{
	uint32_t changed = FLOWS;

	for (uint32_t i = 0; i < FLOWS; i++) {
		if (same_flow(&now[i], &passage->flow[i]))
			continue;
		require(passage, changed == FLOWS, "more than one flow was changed");
		changed = i;
	}
	return changed;
}

static void check_known(const struct passage *passage, const struct larch_flow *before,
			const struct larch_flow *now)
{
	require(passage,
		before->identity.tag == now->identity.tag &&
			before->identity.backend == now->identity.backend &&
			before->identity.size == now->identity.size,
		"a known flow has become another one");
	require(passage,
		now->identity.state == before->identity.state ||
			now->identity.state > LARCH_FLOW_SYN,
		"a known flow goes backwards");
}

/* Whatever the service's mode is. */
static bool is_usable(uint32_t id)
{
	const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);

	return backend->tunnel != LARCH_TUNNEL_NONE && backend->ready == LARCH_READY_DIRECT;
}

/* An established flow keeps its place and its backend, whatever comes. */
static void check_replaced(const struct passage *passage, const struct larch_flow *before,
			   const struct larch_flow *now)
{
	uint32_t age = larch_stamp_age(before->identity.stamp, now->identity.stamp);

	if (before->identity.state != LARCH_FLOW_OPEN ||
	    before->timing.phase == LARCH_PHASE_DATAGRAM)
		return;
	if (before->identity.tag == now->identity.tag)
		require(passage,
			before->identity.backend == now->identity.backend ||
				!is_usable(before->identity.backend),
			"an open flow was taken from its backend");
	else
		require(passage, age >= IDLE && now->identity.state != LARCH_FLOW_SYN,
			"an open flow has lost its place");
}

static bool any_flow_names(const struct larch_flow now[FLOWS], uint32_t backend)
{
	for (uint32_t i = 0; i < FLOWS; i++) {
		if (now[i].identity.state != LARCH_FLOW_FREE && now[i].identity.backend == backend)
			return true;
	}
	return false;
}

/* May the packet change an entry? One that goes no further at the end of its way has passed by. */
static bool leaves_trace(const struct passage *passage)
{
	switch (passage->outcome) {
	case LARCH_FORWARD_FLOW:
	case LARCH_FORWARD_NEW:
	case LARCH_FORWARD_UNKNOWN:
	case LARCH_FORWARD_AGAIN:
	case LARCH_CHANCE_CLAIMED:
	case LARCH_REPLY_TOO_BIG:
		return true;
	default:
		return passage->verdict == XDP_DROP;
	}
}

static void check_flows(const struct passage *passage, uint32_t reached)
{
	const struct larch_flow *now = world.datapath->flows->flow;
	uint32_t changed;
	bool remembers = passage->outcome == LARCH_FORWARD_FLOW ||
			 passage->outcome == LARCH_FORWARD_NEW ||
			 passage->outcome == LARCH_FORWARD_AGAIN;
	bool forwarded = remembers || passage->outcome == LARCH_FORWARD_UNKNOWN ||
			 passage->outcome == LARCH_CHANCE_CLAIMED;

	changed = changed_flow(passage, now);
	if (changed == FLOWS) {
		require(passage, !remembers || any_flow_names(now, reached),
			"a flow went where no entry says");
		return;
	}
	require(passage, leaves_trace(passage), "a packet that should leave no trace did");
	require(passage, now[changed].identity.state != LARCH_FLOW_FREE, "a flow was forgotten");
	require(passage, now[changed].identity.backend < world.backends,
		"a flow names a backend that nobody knows");
	if (forwarded)
		require(passage, now[changed].identity.backend == reached,
			"a flow is remembered elsewhere than it went");
	if (passage->outcome == LARCH_FORWARD_FLOW)
		check_known(passage, &passage->flow[changed], &now[changed]);
	else if (now[changed].identity.word != passage->flow[changed].identity.word)
		check_replaced(passage, &passage->flow[changed], &now[changed]);
}

static void check_in_flight(const struct passage *passage)
{
	for (uint32_t id = 0; id < world.backends; id++) {
		require(passage, world.datapath->live[id].in_flight == world_owed(id),
			"what a backend owes is not what its flows wait for");
	}
}

/* --- both programs --------------------------------------------------------------------------- */

static void begin(struct passage *passage, const uint8_t *bytes, size_t size, uint32_t ifindex)
{
	passage->in = bytes;
	passage->in_size = size;
	passage->outcome = LARCH_OUTCOME_COUNT;
	passage->context = stub_packet(bytes, size, world.room, ifindex);
}

/* The header right before the packet promised no more than is there, and than the one before it. */
static void check_promises(const struct passage *passage, size_t outer, bool in_udp)
{
	const uint8_t *ip = passage->in + ETHERNET_BYTES;
	size_t bytes = outer == IPV6_BYTES ? outer + get16(ip + 4) : get16(ip + 2);
	size_t by_udp = outer + get16(ip + outer + 4);

	require(passage, !in_udp || by_udp <= bytes, "UDP that was cut off was opened");
	require(passage, (in_udp ? by_udp : bytes) + ETHERNET_BYTES <= passage->in_size,
		"a tunnel that was cut off was opened");
}

static void check_decapsulated(const struct passage *passage)
{
	const uint8_t *out = stub_data(&passage->context), *in = passage->in;
	size_t size = out_size(passage), outer = in[12] == 0x86 ? IPV6_BYTES : IPV4_BYTES;
	size_t removed = passage->in_size - size;
	bool ipv6 = out[ETHERNET_BYTES] >> 4 == 6;

	require(passage,
		removed == outer || removed == outer + UDP_BYTES + sizeof(struct larch_gue),
		"not the tunnel's header was removed");
	check_promises(passage, outer, removed != outer);
	require(passage, memcmp(out, in, 12) == 0, "the MACs were changed");
	require(passage, out[12] == (ipv6 ? 0x86 : 0x08) && out[13] == (ipv6 ? 0xdd : 0),
		"the ethertype is not the inner packet's");
	require(passage,
		memcmp(out + ETHERNET_BYTES, in + ETHERNET_BYTES + removed,
		       size - ETHERNET_BYTES) == 0,
		"the inner packet was changed");
}

/* What was asked comes back as it was, with the answer, to where it came from. */
static void check_answered(const struct passage *passage, enum larch_answer answer)
{
	static uint8_t expected[STUB_FRAME_MOST];
	const uint8_t *in = passage->in;
	bool ipv6 = in[12] == 0x86;
	size_t address = ipv6 ? 16 : 4, from = ETHERNET_BYTES + (ipv6 ? 8 : 12);

	memcpy(expected, in, passage->in_size);
	memcpy(expected, in + 6, 6);
	memcpy(expected + 6, in, 6);
	memcpy(expected + from, in + from + address, address);
	memcpy(expected + from + address, in + from, address);
	expected[verify_question(in) + offsetof(struct larch_question, answer)] = (uint8_t)answer;
	require(passage,
		out_size(passage) == passage->in_size &&
			memcmp(stub_data(&passage->context), expected, passage->in_size) == 0,
		"the answer is not the question and the answer");
}

static void check_agents_frame(const struct passage *passage)
{
	switch (passage->outcome) {
	case LARCH_AGENT_DECAPSULATED:
		check_decapsulated(passage);
		break;
	case LARCH_AGENT_ANSWERED_MINE:
		check_answered(passage, LARCH_ANSWER_MINE);
		break;
	case LARCH_AGENT_ANSWERED_OTHERS:
		check_answered(passage, LARCH_ANSWER_OTHERS);
		break;
	default:
		require(passage, is_untouched(passage), "the packet was changed");
	}
}

static void agent_receives(struct passage *passage)
{
	size_t counters = LARCH_AGENT_OUTCOME_COUNT * sizeof(*passage->counter);

	passage->program = "agent";
	if (larch_agent)
		memcpy(passage->counter, stub_values(larch_agent), counters);
	passage->verdict = larch_agent_xdp(&passage->context);
	find_outcome(passage, stub_values(larch_agent), LARCH_AGENT_OUTCOME_COUNT);
	require(passage, agent_verdict_is_right(passage->outcome, passage->verdict),
		"not the outcome's verdict");
	require(passage, !stub.held, "something taken was not given back");
	check_agents_frame(passage);
}

void check_agent(const uint8_t *bytes, size_t size, uint32_t ifindex)
{
	static struct passage passage;

	begin(&passage, bytes, size, ifindex);
	agent_receives(&passage);
}

static void check_balanced(const struct passage *passage)
{
	uint32_t reached = LARCH_NO_BACKEND;

	require(passage, verdict_is_right(passage->outcome, passage->verdict),
		"not the outcome's verdict");
	require(passage, !stub.held, "something taken was not given back");
	if (promises(passage->outcome, "FORWARD"))
		reached = backend_reached(passage);
	if (promises(passage->outcome, "REPLY")) {
		check_reply(passage);
	} else if (passage->verdict == XDP_TX || passage->verdict == XDP_REDIRECT) {
		require(passage, reached != LARCH_NO_BACKEND, "sent to nobody");
		check_forwarded(passage, reached);
	} else if (passage->verdict == XDP_PASS) {
		require(passage, is_untouched(passage), "the packet was changed");
	}
	check_flows(passage, reached);
	check_in_flight(passage);
}

static void balancer_receives(struct passage *passage)
{
	const struct larch_counter *counter = stub_values(STUB_MAP(&larch_outcomes));

	passage->program = "balancer";
	memcpy(passage->counter, counter, LARCH_OUTCOME_COUNT * sizeof(*counter));
	memcpy(passage->flow, world.datapath->flows, sizeof(passage->flow));
	passage->verdict = larch(&passage->context);
	find_outcome(passage, counter, LARCH_OUTCOME_COUNT);
	check_balanced(passage);
}

/* What leaves by this passage arrives somewhere: the next one begins. */
static void go_on(struct passage *next, const struct passage *passage, uint8_t *frame)
{
	size_t size = out_size(passage);

	memcpy(frame, stub_data(&passage->context), size);
	begin(next, frame, size, 1);
}

static bool is_sent_in_tunnel(const struct passage *passage)
{
	return promises(passage->outcome, "FORWARD") && passage->verdict != XDP_PASS &&
	       is_tunnelled(passage);
}

/*
 * A tunnel's packet is what the agent makes of it again. Asked, the agent answers, and the balancer
 * asks the next one, or forwards; sooner or later it does not ask any more. The network delivers
 * the last answer twice.
 */
void check_balancer(const uint8_t *bytes, size_t size, uint32_t ifindex)
{
	static struct passage there, back;
	static uint8_t sent[STUB_FRAME_MOST], answered[STUB_FRAME_MOST];
	unsigned questions = 0;
	size_t answer = 0;

	begin(&there, bytes, size, ifindex);
	balancer_receives(&there);
	while (is_sent_in_tunnel(&there)) {
		bool asked = verify_question(stub_data(&there.context)) != 0;

		go_on(&back, &there, sent);
		agent_receives(&back);
		require(&back, asked == (back.verdict == XDP_TX), "not what the agent was to do");
		require(&back, asked || back.outcome == LARCH_AGENT_DECAPSULATED,
			"what the balancer sends is no tunnel to the agent");
		if (!asked)
			break;
		answer = out_size(&back);
		go_on(&there, &back, answered);
		balancer_receives(&there);
		require(&there, ++questions < QUESTIONS_MOST, "it does not end asking");
	}
	if (!questions)
		return;
	begin(&there, answered, answer, 1);
	balancer_receives(&there);
}
