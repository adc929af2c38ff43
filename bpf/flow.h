/* SPDX-License-Identifier: GPL-2.0-only */
/* Stage 4: the flow table. Which backend does this flow belong to, and where is room for it? */
#pragma once

#include "maps.h"
#include "packet.h"

/* An open flow that was silent for this many stamp units (5 minutes) may lose its place. */
#define IDLE_STAMPS 35

/* How willingly an entry gives up its place. */
enum flow_claim {
	CLAIM_FREE,
	CLAIM_DEAD,    /* closed, or a SYN without answer, for a while */
	CLAIM_CLOSING, /* closed, and silent since */
	CLAIM_SYN,     /* may never have been a flow */
	CLAIM_IDLE,    /* open, silent for long, or half closed: a live eviction */
	CLAIM_NEVER,
};

static __always_inline struct larch_bucket *flow_bucket(__u32 index)
{
	return bpf_map_lookup_elem(&larch_flows, &index);
}

/* Places in the table are numbered: bucket * LARCH_BUCKET_FLOWS + entry. */
#define NO_PLACE (-1)

static __always_inline struct larch_flow *flow_at(int place)
{
	struct larch_bucket *bucket = flow_bucket((__u32)place / LARCH_BUCKET_FLOWS);

	return bucket ? &bucket->flow[place & (LARCH_BUCKET_FLOWS - 1)] : NULL;
}

static __always_inline int flow_find_in(__u32 index, __u32 tag)
{
	struct larch_bucket *bucket = flow_bucket(index);

	if (!bucket)
		return NO_PLACE;
	for (int i = 0; i < LARCH_BUCKET_FLOWS; i++) {
		union larch_identity identity = {
			.word = READ_ONCE(bucket->flow[i].identity.word),
		};

		if (identity.tag == tag && identity.state != LARCH_FLOW_FREE)
			return index * LARCH_BUCKET_FLOWS + i;
	}
	return NO_PLACE;
}

/* The place of the flow with this hash, or NO_PLACE. */
STAGE int flow_find(__u64 hash, __u32 mask)
{
	__u32 tag = larch_hash_tag(hash);
	int place = flow_find_in(larch_hash_bucket(hash, mask), tag);

	return place == NO_PLACE ? flow_find_in(larch_hash_second_bucket(hash, mask), tag) : place;
}

/* Added to a place that is free for the flow, which is nowhere in the table. */
#define VACANT (1 << 30)

/*
 * The same for a flow that is most likely new, in one look: where its first bucket has room to
 * spare, its second, and with it a cache miss, is left alone. Should the flow stand there all the
 * same (its first bucket has emptied since), the new entry is the one that is found from now on.
 */
STAGE int flow_find_new(__u64 hash, __u32 mask)
{
	__u32 tag = larch_hash_tag(hash), index = larch_hash_bucket(hash, mask), taken = 0;
	struct larch_bucket *bucket = flow_bucket(index);
	int vacant = NO_PLACE;

	if (!bucket)
		return NO_PLACE;
	for (int i = 0; i < LARCH_BUCKET_FLOWS; i++) {
		union larch_identity identity = {
			.word = READ_ONCE(bucket->flow[i].identity.word),
		};

		if (identity.state == LARCH_FLOW_FREE)
			vacant = index * LARCH_BUCKET_FLOWS + i;
		else if (identity.tag == tag)
			return index * LARCH_BUCKET_FLOWS + i;
		else
			taken++;
	}
	if (taken < LARCH_BUCKET_FLOWS - 1)
		return vacant | VACANT;
	return flow_find_in(larch_hash_second_bucket(hash, mask), tag);
}

/* Replaces an entry's identity if nobody else changed it since it was read. */
static __always_inline bool flow_set(struct packet *packet, struct larch_flow *flow,
				     union larch_identity identity)
{
	if (__sync_val_compare_and_swap(&flow->identity.word, packet->identity.word,
					identity.word) != packet->identity.word)
		return false;
	packet->identity = identity;
	return true;
}

/* Keeps stamp and state fresh; writes only when one changes, mostly once in 8.6 s. */
static __always_inline void flow_touch(struct packet *packet, struct larch_flow *flow,
				       enum larch_flow_state state)
{
	union larch_identity identity = packet->identity;

	identity.stamp = packet->stamp;
	identity.state = state;
	if (identity.word != packet->identity.word)
		flow_set(packet, flow, identity);
}

/*
 * The client has sent its FIN, but may go on to receive: while it acknowledges, or waits for the
 * answer to its last request, the flow is alive.
 */
static __always_inline enum flow_claim flow_claim_closing(const struct larch_flow *flow, __u32 age)
{
	union larch_timing timing = {.word = READ_ONCE(flow->timing.word)};

	if (larch_phase_waits(timing.phase) && age < LARCH_HALF_CLOSED_STAMPS)
		return CLAIM_NEVER;
	if (age == 0)
		return CLAIM_IDLE;
	return age >= LARCH_SYN_STAMPS ? CLAIM_DEAD : CLAIM_CLOSING;
}

/* A datagram flow ends by being silent for as long as its service says. */
static __always_inline enum flow_claim flow_claim_open(const struct larch_flow *flow, __u32 age)
{
	union larch_timing timing = {.word = READ_ONCE(flow->timing.word)};

	if (timing.phase == LARCH_PHASE_DATAGRAM && age >= timing.acked)
		return CLAIM_DEAD;
	return age >= IDLE_STAMPS ? CLAIM_IDLE : CLAIM_NEVER;
}

static __always_inline enum flow_claim flow_claim(const struct larch_flow *flow,
						  union larch_identity identity, __u32 now)
{
	__u32 age = larch_stamp_age(identity.stamp, now);

	switch (identity.state) {
	case LARCH_FLOW_FREE:
		return CLAIM_FREE;
	case LARCH_FLOW_SYN:
		return age >= LARCH_SYN_STAMPS ? CLAIM_DEAD : CLAIM_SYN;
	case LARCH_FLOW_CLOSING:
		return flow_claim_closing(flow, age);
	default:
		return flow_claim_open(flow, age);
	}
}

/* What a bucket has to offer. */
struct flow_room {
	int place; /* its most willing entry */
	enum flow_claim claim;
	__u32 taken; /* places that are not free */
};

static __always_inline struct flow_room flow_room_in(__u32 index, __u32 now)
{
	struct flow_room room = {.place = NO_PLACE, .claim = CLAIM_NEVER};
	struct larch_bucket *bucket = flow_bucket(index);

	if (!bucket)
		return room;
	for (int i = 0; i < LARCH_BUCKET_FLOWS; i++) {
		union larch_identity identity = {
			.word = READ_ONCE(bucket->flow[i].identity.word),
		};
		enum flow_claim claim = flow_claim(&bucket->flow[i], identity, now);

		room.taken += claim != CLAIM_FREE;
		if (claim < room.claim) {
			room.claim = claim;
			room.place = index * LARCH_BUCKET_FLOWS + i;
		}
	}
	return room;
}

/* Only entries below this claim give way to a flow in this state. */
static __always_inline enum flow_claim flow_limit(__u32 state)
{
	return state == LARCH_FLOW_SYN ? CLAIM_IDLE : CLAIM_NEVER;
}

/*
 * The place that a new flow with this hash may take, or NO_PLACE: in its first bucket, unless the
 * second has a more willing entry or the first is about to be full and the second is not (two
 * choices keep buckets level; Azar et al. 1994). A bare SYN never takes the place of an open flow.
 */
STAGE int flow_room(__u64 hash, __u32 mask, __u32 state, __u32 now)
{
	struct flow_room first = flow_room_in(larch_hash_bucket(hash, mask), now), second;

	if (first.claim == CLAIM_FREE && first.taken < LARCH_BUCKET_FLOWS - 1)
		return first.place;
	second = flow_room_in(larch_hash_second_bucket(hash, mask), now);
	if (second.claim < first.claim ||
	    (second.claim == first.claim && second.taken < first.taken))
		first = second;
	return first.claim < flow_limit(state) ? first.place : NO_PLACE;
}

/* Is the flow's backend thought to owe it an answer? Connects count only where SYNs do. */
static __always_inline bool flow_is_owed(const struct packet *packet, union larch_timing timing)
{
	if (timing.phase == LARCH_PHASE_CONNECT || timing.phase == LARCH_PHASE_CONNECT_AGAIN)
		return packet->flags & LARCH_COUNT_SYNS;
	return larch_phase_waits(timing.phase);
}

/* The backend of a flow that loses its place owes it nothing any more. */
static __always_inline void flow_forget(const struct packet *packet, const struct larch_flow *flow)
{
	union larch_timing timing = {.word = READ_ONCE(flow->timing.word)};
	__u32 backend = packet->identity.backend;
	struct larch_live *live;

	if (packet->identity.state == LARCH_FLOW_FREE || !flow_is_owed(packet, timing))
		return;
	live = bpf_map_lookup_elem(&larch_live, &backend);
	if (live)
		__sync_fetch_and_add(&live->in_flight, -1);
}

static __always_inline void flow_count_eviction(union larch_identity identity)
{
	__u32 backend = identity.backend;
	struct larch_traffic *traffic = bpf_map_lookup_elem(&larch_bck_count, &backend);

	if (traffic)
		traffic->evicted++;
}

/* May the new flow take the entry that stands there now? Another CPU may have been faster. */
static __always_inline bool flow_gives_way(const struct larch_flow *flow,
					   union larch_identity before, union larch_identity after)
{
	enum flow_claim claim = flow_claim(flow, before, after.stamp);

	if (before.tag == after.tag && before.state != LARCH_FLOW_FREE)
		return true;
	if (claim == CLAIM_IDLE && after.state != LARCH_FLOW_SYN)
		flow_count_eviction(before);
	return claim < flow_limit(after.state);
}

/* A datagram flow of the packet's service that was silent for so many stamp units has ended. */
static __always_inline __u32 flow_idle_limit(const struct packet *packet)
{
	return packet->policy.idle ? packet->policy.idle : IDLE_STAMPS;
}

/* What a new flow's clock begins with. */
static __always_inline union larch_timing flow_timing(const struct packet *packet)
{
	union larch_timing timing = {};

	if (packet_of_stream(packet))
		return timing;
	timing.phase = LARCH_PHASE_DATAGRAM;
	timing.acked = flow_idle_limit(packet);
	return timing;
}

/* Remembers the packet's flow with its backend at `place`. NULL: somebody else is there now. */
static __always_inline struct larch_flow *flow_insert(struct packet *packet, int place,
						      enum larch_flow_state state)
{
	union larch_identity identity = {
		.tag = larch_hash_tag(packet->hash),
		.backend = packet->backend,
		.stamp = packet->stamp,
		.state = state,
		.size = packet->cell.size,
	};
	struct larch_flow *flow = flow_at(place);

	if (!flow)
		return NULL;
	packet->identity.word = READ_ONCE(flow->identity.word);
	if (!flow_gives_way(flow, packet->identity, identity))
		return NULL;
	flow_forget(packet, flow);
	if (!flow_set(packet, flow, identity))
		return NULL;
	WRITE_ONCE(flow->timing.word, flow_timing(packet).word);
	return flow;
}
