/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A second chance for mid-flow packets of flows that the table does not know: candidates are asked
 * one after the other (see larch/chance.h). They follow from the tuple and the generations alone,
 * so that every node asks the same ones in the same order: those of this generation, those of the
 * last one, then every member of the service.
 *
 * Where other nodes have the service's packets, too, a flow may have ended there, and another of
 * the same ports begun, at another backend: so of a flow that has been silent here for a while, the
 * backend that the table remembers is asked whether it still has it, before all others.
 */
#pragma once

#include "cursor.h"
#include "larch/chance.h"
#include "maps.h"
#include "packet.h"

#define CHANCE_OF_GENERATION 3
#define CHANCE_OF_RINGS	     (2 * CHANCE_OF_GENERATION)
#define CHANCE_HOPS	     (CHANCE_OF_RINGS + LARCH_CHANCE_MEMBERS)

_Static_assert(CHANCE_HOPS < LARCH_HOP_TABLE, "the table's candidate has a number of its own");

/* Backends that rings name; LARCH_NO_BACKEND where there is none. A power of two, for masking. */
struct chance {
	__u16 backend[8];
};

static __always_inline __u16 chance_member(const struct larch_plan *plan, __u8 member)
{
	return member == LARCH_NO_MEMBER ? LARCH_NO_BACKEND : plan->member[member];
}

static __always_inline const struct larch_plan *chance_plan(const struct packet *packet, __u32 bank)
{
	__u32 index = larch_bank_index(packet->service, bank);

	return bpf_map_lookup_elem(&larch_plans, &index);
}

/* The three candidates of one bank's generation, from entry `at` on. */
STAGE int chance_of_bank(const struct packet *packet, __u32 bank, struct chance *chance, __u32 at)
{
	const struct larch_slot *first, *global;
	struct larch_features features;
	const struct larch_plan *plan;
	__u32 ring = LARCH_RING_CONTROL;

	if (!packet || !chance || bank >= LARCH_BANKS || at > CHANCE_OF_GENERATION)
		return 0;
	plan = chance_plan(packet, bank);
	if (!plan)
		return 0;
	features = larch_features_of(&packet->cell);
	if (plan->flags & LARCH_PLAN_LEARNED && packet->cell.arm == LARCH_ARM_LEARNED)
		ring = LARCH_RING_LEAF + larch_tree_walk(&plan->tree, &features);
	first = classify_slot(packet, bank, ring);
	global = classify_slot(packet, bank, LARCH_RING_GLOBAL);
	if (!first || !global)
		return 0;
	chance->backend[at & 7] = chance_member(plan, first->primary);
	chance->backend[(at + 1) & 7] = chance_member(plan, first->secondary);
	chance->backend[(at + 2) & 7] = chance_member(plan, global->primary);
	return 0;
}

/* Those of this generation and, while its bank still holds it, of the last one. */
static __always_inline void chance_of_rings(const struct packet *packet, struct chance *chance)
{
	__u32 before = packet->bank ? packet->bank - 1 : LARCH_BANKS - 1;
	const struct larch_plan *now = chance_plan(packet, packet->bank);
	const struct larch_plan *last = chance_plan(packet, before);

	__builtin_memset(chance, 0xff, sizeof(*chance));
	chance_of_bank(packet, packet->bank, chance, 0);
	if (now && last && last->generation && last->generation + 1 == now->generation)
		chance_of_bank(packet, before, chance, CHANCE_OF_GENERATION);
}

/* Was it among the candidates before this one? */
static __always_inline bool chance_again(const struct chance *chance, __u32 hop, __u16 backend)
{
	bool again = false;

	for (__u32 i = 0; i < CHANCE_OF_RINGS; i++)
		again |= i < hop && chance->backend[i] == backend;
	return again;
}

static __always_inline bool chance_usable(__u32 id)
{
	const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);

	return backend && backend->ready &&
	       (backend->tunnel == LARCH_TUNNEL_IPV4 || backend->tunnel == LARCH_TUNNEL_IPV6);
}

/* Candidate number `at`, if there is one that was not before it. */
static __always_inline __u16 chance_candidate(const struct larch_plan *plan,
					      const struct chance *chance, __u32 at)
{
	__u16 backend;

	if (at >= CHANCE_OF_RINGS)
		return at - CHANCE_OF_RINGS < plan->members ? plan->member[at - CHANCE_OF_RINGS]
							    : LARCH_NO_BACKEND;
	backend = chance->backend[at & 7];
	return chance_again(chance, at, backend) ? LARCH_NO_BACKEND : backend;
}

/* May the flow's entry, which packet->identity holds, be out of date? A SYN begins anew. */
static __always_inline bool chance_doubts(const struct packet *packet)
{
	return packet->policy.flags & LARCH_SERVICE_DOUBTS && packet_of_stream(packet) &&
	       !(packet->tcp_flags & TCP_SYN) &&
	       larch_stamp_age(packet->identity.stamp, packet->stamp) >= LARCH_CHANCE_DOUBT;
}

/*
 * The next candidate from number packet->hop on becomes packet->backend, and packet->hop its
 * number. A member that was a ring's candidate is asked again: since the first question a new
 * generation may have come, by which it was not.
 */
static __always_inline bool chance_next(struct packet *packet)
{
	const struct larch_plan *plan = chance_plan(packet, packet->bank);
	struct chance chance;

	if (!plan)
		return false;
	if (packet->hop == LARCH_HOP_TABLE) {
		if (chance_usable(packet->backend))
			return true;
		packet->hop = 0;
	}
	chance_of_rings(packet, &chance);
	for (__u32 at = 0; at < CHANCE_HOPS; at++) {
		__u16 backend;

		if (at < packet->hop)
			continue;
		backend = chance_candidate(plan, &chance, at);
		if (backend == LARCH_NO_BACKEND || !chance_usable(backend))
			continue;
		packet->backend = backend;
		packet->hop = at;
		return true;
	}
	return false;
}

static __always_inline __u32 chance_epoch(const struct larch_settings *settings)
{
	return bpf_jiffies64() >> (settings->stamp_shift & 31);
}

/*
 * Makes a packet that classify() has looked at a question to candidate packet->hop, or to the next
 * one that there is. If there is none the first candidate gets it as it is, and answers as a server
 * without such a socket does.
 */
STAGE int chance_put(struct packet *packet, int outcome)
{
	const struct larch_settings *settings = service_settings();

	if (!packet || !settings)
		return LARCH_DROP_INTERNAL;
	if (!chance_next(packet)) {
		packet->hop = 0;
		return chance_next(packet) ? LARCH_CHANCE_LOST : LARCH_DROP_NO_BACKEND;
	}
	packet->policy.mode = MODE_ASK;
	packet->epoch = chance_epoch(settings);
	packet->token = larch_token(settings->token, packet->hash, packet->epoch, packet->backend,
				    packet->hop);
	return outcome;
}

/* May one more packet ask around? */
STAGE int chance_allows(void)
{
	const struct larch_settings *settings = service_settings();

	return settings && limit_allows(settings, LARCH_LIMIT_CHANCE);
}

/* Takes the question out of the packet: outer headers, UDP and GUE go. GO: the rest is a packet. */
static __always_inline int chance_open(struct xdp_md *context, const struct packet *packet,
				       struct larch_question *question)
{
	__u32 before = packet->link_bytes + packet->bytes - packet->payload;
	struct cursor cursor = cursor_begin(context), start = cursor;
	struct ethhdr *ethernet = cursor_take(&start, sizeof(*ethernet)), kept;
	struct larch_question *found;
	struct larch_gue *gue;

	if (!ethernet || before > 256 || !cursor_take(&cursor, before & 0x1ff))
		return LARCH_DROP_BAD_TOKEN;
	kept = *ethernet;
	gue = cursor_take(&cursor, sizeof(*gue));
	found = cursor_take(&cursor, sizeof(*found));
	if (!gue || !found || gue->version != LARCH_QUESTION_WORDS || gue->flags ||
	    found->magic != bpf_htonl(LARCH_QUESTION_MAGIC))
		return LARCH_DROP_BAD_TOKEN;
	*question = *found;
	kept.h_proto = bpf_htons(gue->protocol == IPPROTO_IPV6 ? ETH_P_IPV6 : ETH_P_IP);
	if (bpf_xdp_adjust_head(context,
				(int)(before + sizeof(*gue) + sizeof(*found) - sizeof(*ethernet))))
		return LARCH_DROP_INTERNAL;
	cursor = cursor_begin(context);
	ethernet = cursor_take(&cursor, sizeof(*ethernet));
	if (!ethernet)
		return LARCH_DROP_INTERNAL;
	*ethernet = kept; /* its addresses count if its sender must be told something */
	return GO;
}

/* Did we ask this, and not long ago? */
static __always_inline bool chance_is_ours(const struct larch_settings *settings,
					   const struct packet *packet,
					   const struct larch_question *question)
{
	__u32 epoch = bpf_ntohl(question->epoch);
	__u64 token = larch_token(settings->token, packet->hash, epoch,
				  bpf_ntohs(question->backend), question->hop);

	return chance_epoch(settings) - epoch <= LARCH_CHANCE_EPOCHS &&
	       question->token[0] == bpf_htonl(token >> 32) &&
	       question->token[1] == bpf_htonl((__u32)token);
}

/*
 * The owner has been found: its flow is remembered, unless this packet ends it. `place`: of an
 * entry that was in doubt.
 */
static __always_inline void chance_claim(struct packet *packet, int place)
{
	if (place == NO_PLACE)
		place = flow_room(packet, LARCH_FLOW_OPEN);
	if (place != NO_PLACE && !(packet->tcp_flags & (TCP_FIN | TCP_RST)))
		flow_insert(packet, place, LARCH_FLOW_OPEN);
}

/* Whatever it says: there are agents. */
static __always_inline void chance_note_agent(__u32 service)
{
	struct larch_pressure *pressure = bpf_map_lookup_elem(&larch_pressure, &service);

	if (pressure)
		__sync_fetch_and_add(&pressure->answered, 1);
}

/*
 * An agent's answer, at our own end of the tunnels. What it carries becomes the packet that is
 * balanced; anything that we did not ask ourselves is refused. CHANCE_CLAIMED: packet->backend has
 * the flow. CHANCE_NEXT: it does not, and packet->hop is the number of the candidate to ask.
 */
STAGE int chance_answer(struct xdp_md *context, struct packet *packet)
{
	const struct larch_settings *settings = service_settings();
	struct larch_question question;
	__u32 frame_bytes;
	int go;

	if (!packet || !settings)
		return LARCH_DROP_INTERNAL;
	frame_bytes = packet->frame_bytes;
	go = chance_open(context, packet, &question);
	if (go != GO)
		return go;
	__builtin_memset(packet, 0, sizeof(*packet));
	go = parse(context, packet);
	packet->frame_bytes = frame_bytes;
	packet->flags = settings->flags;
	if (go != GO || service_find(settings, packet) != GO ||
	    !(packet->policy.flags & LARCH_SERVICE_AGENTS) || !packet_of_stream(packet) ||
	    (question.answer != LARCH_ANSWER_MINE && question.answer != LARCH_ANSWER_OTHERS) ||
	    !chance_is_ours(settings, packet, &question))
		return LARCH_DROP_BAD_TOKEN;
	chance_note_agent(packet->service);
	packet->backend = bpf_ntohs(question.backend);
	packet->hop = question.hop == LARCH_HOP_TABLE ? 0 : question.hop + 1;
	return question.answer == LARCH_ANSWER_MINE ? LARCH_CHANCE_CLAIMED : LARCH_CHANCE_NEXT;
}
