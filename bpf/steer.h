/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage 5: new flows only. The arm says who decides: the control ring, or the leaf's ring and the
 * global ring, whose candidates are compared by their live scores.
 */
#pragma once

#include "larch/choice.h"
#include "larch/score.h"
#include "maps.h"
#include "packet.h"

/* Of the packet's own bank. */
static __always_inline const struct larch_slot *steer_slot(const struct packet *packet, __u32 ring)
{
	return classify_slot(packet, packet->bank, ring);
}

/* Member to backend id. */
static __always_inline bool steer_take(struct packet *packet, const struct larch_plan *plan,
				       __u8 member)
{
	if (member == LARCH_NO_MEMBER)
		return false;
	packet->backend = plan->member[member];
	return packet->backend < LARCH_MAX_BACKENDS;
}

/* Can the packet be sent to this backend? See forward.h. */
static __always_inline bool steer_usable(const struct packet *packet, __u32 id)
{
	const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);

	if (!backend || backend->tunnel == LARCH_TUNNEL_NONE || !backend->ready)
		return false;
	if (backend->tunnel == LARCH_TUNNEL_LOCAL)
		return packet->policy.mode != LARCH_MODE_NAT;
	return packet->policy.mode != LARCH_MODE_L2 || backend->ready == LARCH_READY_DIRECT;
}

static __always_inline bool steer_sick(const struct larch_plan *plan, __u8 member, __u64 now)
{
	__u32 backend = plan->member[member];
	const struct larch_live *live = bpf_map_lookup_elem(&larch_live, &backend);

	return live && larch_sick(live, now);
}

/*
 * Where a slot's primary is sick and its secondary is not, the secondary takes the flow. That is
 * health, not learning: no cost is compared, and a balancer with health checks alone would do it,
 * too. A flow that probes finds out whether the backend has recovered.
 */
static __always_inline bool steer_passes_over(struct packet *packet, const struct larch_plan *plan,
					      const struct larch_slot *slot)
{
	__u8 primary = slot->primary, secondary = slot->secondary;
	__u64 now;

	if (packet->by_ring || larch_hash_probes(packet->hash) || primary == LARCH_NO_MEMBER ||
	    secondary == LARCH_NO_MEMBER)
		return false;
	now = packet_now(packet);
	return steer_sick(plan, primary, now) && !steer_sick(plan, secondary, now);
}

static __always_inline bool steer_by_control(struct packet *packet, const struct larch_plan *plan)
{
	const struct larch_slot *slot = steer_slot(packet, LARCH_RING_CONTROL);

	if (!slot)
		return false;
	if (steer_passes_over(packet, plan, slot))
		return steer_take(packet, plan, slot->secondary);
	return steer_take(packet, plan, slot->primary);
}

/*
 * The live score of a candidate. A flow that is not remembered from its first packet on must go by
 * the rings alone: scores change from one packet to the next.
 */
static __always_inline __u64 steer_score(const struct packet *packet, const struct larch_plan *plan,
					 const struct larch_costs *costs, __u8 member, __u64 now)
{
	__u32 backend = plan->member[member];
	struct larch_live *live;

	if (packet->by_ring)
		return 0;
	live = bpf_map_lookup_elem(&larch_live, &backend);
	return live ? larch_score(&costs->member[member], live, now) : LARCH_SCORE_MOST;
}

/* Three candidates, of which the one with the smallest live score takes the flow. */
static __always_inline bool steer_by_learning(struct packet *packet, const struct larch_plan *plan)
{
	__u32 index = larch_costs_index(packet->service, packet->bank, packet->leaf);
	const struct larch_costs *costs = bpf_map_lookup_elem(&larch_costs, &index);
	const struct larch_slot *leaf = steer_slot(packet, LARCH_RING_LEAF + packet->leaf), *pair;
	const struct larch_ring *global = classify_ring(packet, packet->bank, LARCH_RING_GLOBAL);
	__u32 slot = larch_hash_slot(packet->hash, LARCH_RING_GLOBAL);
	struct larch_choice choice = LARCH_NO_CHOICE;
	__u8 candidate[LARCH_CANDIDATES];
	__u64 now;

	if (!costs || !leaf || !global)
		return false;
	pair = &global->slot[slot & ~1u];
	larch_candidates(leaf, &pair[slot & 1], candidate);
	larch_doubt(costs, pair, slot, candidate);
	now = packet_now(packet);
	/* Unrolled: Linux 6.1 refuses a loop whose first instruction follows a helper call. */
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < LARCH_CANDIDATES; i++) {
		if (candidate[i] != LARCH_NO_MEMBER)
			larch_offer(&choice, packet->hash, i, candidate[i],
				    steer_score(packet, plan, costs, candidate[i], now));
	}
	return steer_take(packet, plan, choice.member);
}

/* Members that the rings name for the packet's flow, by its arm. False: there is no such ring. */
static __always_inline bool steer_candidates(const struct packet *packet,
					     const struct larch_plan *plan,
					     __u8 candidate[LARCH_CANDIDATES])
{
	const struct larch_slot *leaf, *global;

	if (!(plan->flags & LARCH_PLAN_LEARNED) || packet->cell.arm != LARCH_ARM_LEARNED) {
		leaf = steer_slot(packet, LARCH_RING_CONTROL);
		if (!leaf)
			return false;
		larch_candidates(leaf, leaf, candidate);
		return true;
	}
	leaf = steer_slot(packet, LARCH_RING_LEAF + packet->leaf);
	global = steer_slot(packet, LARCH_RING_GLOBAL);
	if (!leaf || !global)
		return false;
	larch_candidates(leaf, global, candidate);
	return true;
}

/*
 * Chooses another backend than packet->backend, which does not answer or cannot be used: the next
 * usable one in the order of the candidates, and behind the last the first again, so that further
 * retransmissions come to all of them. False: there is none, and packet->backend stays.
 */
static __always_inline bool steer_on(struct packet *packet)
{
	const struct larch_plan *plan = classify_plan(packet);
	struct larch_choice choice = LARCH_NO_CHOICE;
	__u32 at = LARCH_CANDIDATES - 1, backend = packet->backend, member;
	__u8 candidate[LARCH_CANDIDATES];

	if (!plan || backend >= LARCH_MAX_BACKENDS)
		return false;
	/* Before all else: Linux 6.1 does not know the bounds of what has been spilled. */
	member = plan->member_of[backend];
	if (!steer_candidates(packet, plan, candidate))
		return false;
#pragma clang loop unroll(full)
	for (__u32 i = LARCH_CANDIDATES; i-- > 0;)
		at = candidate[i] == member ? i : at;
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < LARCH_CANDIDATES; i++) {
		__u32 rank = i > at ? i - at : i + LARCH_CANDIDATES - at;

		if (candidate[i] == LARCH_NO_MEMBER || candidate[i] == member ||
		    rank >= choice.rank || !steer_usable(packet, plan->member[candidate[i]]))
			continue;
		choice.rank = rank;
		choice.member = candidate[i];
	}
	return steer_take(packet, plan, choice.member);
}

/*
 * Chooses packet->backend by the generation and leaf that classify() found. A backend that has gone
 * since the generation was built gives way to the next candidate; where all have, forward() says
 * what is wrong with the first.
 */
STAGE int steer(struct packet *packet)
{
	const struct larch_plan *plan;
	bool found;

	if (!packet)
		return LARCH_DROP_INTERNAL;
	plan = classify_plan(packet);
	if (!plan)
		return LARCH_DROP_INTERNAL;
	if (plan->flags & LARCH_PLAN_LEARNED && packet->cell.arm == LARCH_ARM_LEARNED)
		found = steer_by_learning(packet, plan);
	else
		found = steer_by_control(packet, plan);
	if (!found)
		return LARCH_DROP_NO_BACKEND;
	if (!steer_usable(packet, packet->backend))
		steer_on(packet);
	return GO;
}

/* A backend of a NAT service that is a client of it is its own server: see nat_forward(). */
STAGE int steer_own(struct packet *packet)
{
	const struct larch_settings *settings = service_settings();
	struct larch_vip vip = {.kind = LARCH_VIP_RETURN};
	const struct larch_vip_slot *slot;

	if (!packet || !settings ||
	    !larch_filter_test(settings->filter, larch_filter_hash(packet->tuple.source)))
		return LARCH_DROP_NO_BACKEND;
	__builtin_memcpy(vip.address, packet->tuple.source, sizeof(vip.address));
	vip.port = packet->policy.port ?: packet->tuple.destination_port;
	vip.protocol = packet->tuple.protocol;
	slot = service_look_up(settings, &vip);
	if (!slot && !packet->policy.port) {
		vip.port = 0;
		slot = service_look_up(settings, &vip);
	}
	if (!slot || slot->service != packet->service || !steer_usable(packet, slot->backend))
		return LARCH_DROP_NO_BACKEND;
	packet->backend = slot->backend;
	return GO;
}
