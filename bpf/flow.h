/* SPDX-License-Identifier: GPL-2.0-only */
/* Stage 4: the flow table. Which backend does this flow belong to, and where is room for it? */
#pragma once

#include "larch/measure.h"
#include "maps.h"
#include "packet.h"

/* An open flow that was silent for this many stamp units (5 minutes) may lose its place. */
#define IDLE_STAMPS 35

/*
 * A SYN keeps its place for this long (units of 2^10 ns: 1 s, after which a client sends it again,
 * RFC 6298) from further SYNs: else a flood would take it before its client can answer.
 */
#define HANDSHAKE (1u << 20)

/*
 * Of a client that has spoken so recently (1.5 s, in units of 2^10 ns), a SYN behind the end of its
 * flow may be somebody else's, and so may the end.
 */
#define LINGER (1500000000u >> LARCH_START_SHIFT)

/* How willingly an entry gives up its place. */
enum flow_claim {
	CLAIM_FREE,
	CLAIM_DEAD,    /* closed, or a SYN without answer, for a while */
	CLAIM_CLOSING, /* closed, and silent since */
	CLAIM_SYN,     /* may never have been a flow */
	CLAIM_YOUNG,   /* the same, but its client has hardly had time to answer */
	CLAIM_IDLE,    /* open, silent for long, or half closed: a live eviction */
	CLAIM_NEVER,
};

/* A claim and the age within it, as one number. */
#define RANK(claim, age) ((__u32)(claim) << LARCH_START_BITS | (LARCH_START_MASK - (age)))
#define RANK_CLAIM(rank) ((rank) >> LARCH_START_BITS)

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
 * The same for a flow that is most likely new: where it is not, and its first bucket has room to
 * spare, also says where. Both buckets are looked through all the same: a late copy of a SYN must
 * find its flow in the second, though the first may have emptied since, or it would be hidden.
 */
STAGE int flow_find_new(__u64 hash, __u32 mask)
{
	__u32 tag = larch_hash_tag(hash), index = larch_hash_bucket(hash, mask), taken = 0;
	struct larch_bucket *bucket = flow_bucket(index);
	int vacant = NO_PLACE, second;

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
	second = flow_find_in(larch_hash_second_bucket(hash, mask), tag);
	if (second != NO_PLACE || taken >= LARCH_BUCKET_FLOWS - 1)
		return second;
	return vacant | VACANT;
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

/*
 * Is it the client's own reset? Its sequence number follows the last request (and a FIN), which
 * who only guesses the ports does not know. Without a timed request anything is believed.
 */
static __always_inline bool flow_reset_is_true(const struct packet *packet,
					       const struct larch_flow *flow)
{
	union larch_timing timing = {.word = READ_ONCE(flow->timing.word)};

	if (packet->policy.signal < LARCH_SIGNAL_RESPONSE || timing.phase == LARCH_PHASE_FRESH ||
	    timing.phase == LARCH_PHASE_CONNECT || timing.phase == LARCH_PHASE_CONNECT_AGAIN)
		return true;
	return ((packet->sequence - timing.next) & LARCH_NEXT_MASK) <= 1;
}

/*
 * The state of a stream's flow after the packet. Who goes on to send after its end has not ended:
 * a FIN or a reset was not the client's, or lost data comes before it once more. A SYN ends
 * nothing, whatever flags go with it: a flow is a SYN until the client's first ACK ends the connect
 * that it counts.
 */
static __always_inline enum larch_flow_state flow_state_after(const struct packet *packet,
							      const struct larch_flow *flow)
{
	__u32 state = packet->identity.state;

	if (packet->tcp_flags & TCP_SYN)
		return state;
	if (packet->tcp_flags & TCP_RST)
		return flow_reset_is_true(packet, flow) ? LARCH_FLOW_CLOSING : state;
	if (packet->tcp_flags & TCP_FIN)
		return LARCH_FLOW_CLOSING;
	if (state == LARCH_FLOW_SYN || (state == LARCH_FLOW_CLOSING && packet->payload))
		return LARCH_FLOW_OPEN;
	return state;
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

/* When the client of a closing flow has last spoken, unless the flow's clock runs. */
static __always_inline void flow_note_end(struct packet *packet, struct larch_flow *flow)
{
	union larch_timing timing = {.word = READ_ONCE(flow->timing.word)};

	if (larch_phase_waits(timing.phase))
		return;
	timing.start = packet_now(packet) >> LARCH_START_SHIFT;
	WRITE_ONCE(flow->timing.word, timing.word);
}

/*
 * Has a closing flow's client spoken just now? Whoever knows the ports can send a FIN and a SYN. A
 * flow that goes on must not move by them: the SYN goes where the flow went. Of a client that is
 * silent, nothing tells: the port may as well be used again.
 */
static __always_inline bool flow_lingers(struct packet *packet, const struct larch_flow *flow)
{
	union larch_timing timing = {.word = READ_ONCE(flow->timing.word)};

	return packet->identity.state == LARCH_FLOW_CLOSING &&
	       larch_stamp_age(packet->identity.stamp, packet->stamp) <= 1 &&
	       larch_start_age(timing.start, packet_now(packet)) < LINGER;
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

/* Nobody but its SYN has been seen. */
static __always_inline enum flow_claim flow_claim_syn(const struct larch_flow *flow, __u32 age,
						      __u64 now)
{
	union larch_timing timing = {.word = READ_ONCE(flow->timing.word)};

	if (age >= LARCH_SYN_STAMPS)
		return CLAIM_DEAD;
	return larch_start_age(timing.start, now) < HANDSHAKE ? CLAIM_YOUNG : CLAIM_SYN;
}

static __always_inline enum flow_claim
flow_claim(const struct larch_flow *flow, union larch_identity identity, __u32 age, __u64 now)
{
	switch (identity.state) {
	case LARCH_FLOW_FREE:
		return CLAIM_FREE;
	case LARCH_FLOW_SYN:
		return flow_claim_syn(flow, age, now);
	case LARCH_FLOW_CLOSING:
		return flow_claim_closing(flow, age);
	default:
		return flow_claim_open(flow, age);
	}
}

/*
 * The smaller, the more willing is the entry: by its claim, and of equals the one that is there
 * (SYNs) or silent (others) longest. Verified on its own: a bucket has four of them.
 */
STAGE __u32 flow_rank(const struct larch_flow *flow, __u32 stamp, __u64 now)
{
	union larch_identity identity;
	union larch_timing timing;
	__u32 age;

	if (!flow)
		return RANK(CLAIM_NEVER, 0);
	identity.word = READ_ONCE(flow->identity.word);
	timing.word = READ_ONCE(flow->timing.word);
	age = larch_stamp_age(identity.stamp, stamp);
	if (identity.state == LARCH_FLOW_SYN)
		return RANK(flow_claim(flow, identity, age, now),
			    larch_start_age(timing.start, now));
	return RANK(flow_claim(flow, identity, age, now), age);
}

/* What a bucket has to offer. */
struct flow_room {
	int place;   /* its most willing entry */
	__u32 rank;  /* of that entry */
	__u32 taken; /* places that are not free */
};

static __always_inline struct flow_room flow_room_in(__u32 index, __u32 stamp, __u64 now)
{
	struct flow_room room = {.place = NO_PLACE, .rank = RANK(CLAIM_NEVER, 0)};
	struct larch_bucket *bucket = flow_bucket(index);

	if (!bucket)
		return room;
#pragma clang loop unroll(full)
	for (int i = 0; i < LARCH_BUCKET_FLOWS; i++) {
		__u32 rank = flow_rank(&bucket->flow[i], stamp, now);

		room.taken += RANK_CLAIM(rank) != CLAIM_FREE;
		if (rank < room.rank) {
			room.rank = rank;
			room.place = index * LARCH_BUCKET_FLOWS + i;
		}
	}
	return room;
}

/* Two choices keep buckets level; Azar et al. 1994. */
static __always_inline bool flow_room_better(const struct flow_room *one,
					     const struct flow_room *other)
{
	if (RANK_CLAIM(one->rank) == CLAIM_FREE && RANK_CLAIM(other->rank) == CLAIM_FREE)
		return one->taken < other->taken;
	return one->rank < other->rank;
}

/* Only entries below this claim give way to a flow in this state. */
static __always_inline enum flow_claim flow_limit(__u32 state)
{
	return state == LARCH_FLOW_SYN ? CLAIM_YOUNG : CLAIM_NEVER;
}

/*
 * The place that the packet's new flow may take, or NO_PLACE: in its first bucket, unless the
 * second has a more willing entry or the first is about to be full and the second is not. A bare
 * SYN never takes the place of an open flow. Where SYNs crowd, the new entry may be taken before
 * its client answers: then the flow goes by the ring, which does not change.
 */
STAGE int flow_room(struct packet *packet, __u32 state)
{
	struct flow_room first, second;
	__u64 now;

	if (!packet)
		return NO_PLACE;
	now = packet_now(packet);
	first = flow_room_in(larch_hash_bucket(packet->hash, packet->bucket_mask), packet->stamp,
			     now);
	if (RANK_CLAIM(first.rank) == CLAIM_FREE && first.taken < LARCH_BUCKET_FLOWS - 1)
		return first.place | VACANT;
	second = flow_room_in(larch_hash_second_bucket(packet->hash, packet->bucket_mask),
			      packet->stamp, now);
	if (flow_room_better(&second, &first))
		first = second;
	if (RANK_CLAIM(first.rank) >= flow_limit(state))
		return NO_PLACE;
	if (RANK_CLAIM(first.rank) >= CLAIM_SYN)
		packet->by_ring = 1;
	return RANK_CLAIM(first.rank) == CLAIM_FREE ? first.place | VACANT : first.place;
}

/* Is the flow's backend thought to owe it an answer? Connects count only where SYNs do. */
static __always_inline bool flow_is_owed(const struct packet *packet, union larch_timing timing)
{
	if (larch_phase_connects(timing.phase))
		return packet->flags & LARCH_COUNT_SYNS;
	return larch_phase_waits(timing.phase);
}

/* The backend of a flow that it loses owes it nothing any more. */
static __always_inline void flow_forget(const struct packet *packet, union larch_identity identity,
					union larch_timing timing)
{
	__u32 backend = identity.backend;
	struct larch_live *live;

	if (identity.state == LARCH_FLOW_FREE || !flow_is_owed(packet, timing))
		return;
	live = bpf_map_lookup_elem(&larch_live, &backend);
	if (!live)
		return;
	larch_released(live);
	if (larch_phase_connects(timing.phase))
		larch_connect_ends(live);
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
					   union larch_identity before, union larch_identity after,
					   __u64 now)
{
	enum flow_claim claim = RANK_CLAIM(flow_rank(flow, after.stamp, now));

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
static __always_inline union larch_timing flow_timing(struct packet *packet, __u32 state)
{
	union larch_timing timing = {};

	if (state == LARCH_FLOW_SYN) {
		timing.start = packet_now(packet) >> LARCH_START_SHIFT;
		if (packet->policy.signal != LARCH_SIGNAL_NONE)
			timing.phase = LARCH_PHASE_CONNECT;
	} else if (!packet_of_stream(packet)) {
		timing.phase = LARCH_PHASE_DATAGRAM;
		timing.acked = flow_idle_limit(packet);
	}
	return timing;
}

/*
 * Remembers the packet's flow with its backend at `place`. NULL: somebody else is there now. A
 * place that was free must still be: how old the flow of another CPU is, its clock says too late.
 */
static __always_inline struct larch_flow *flow_insert(struct packet *packet, int place,
						      enum larch_flow_state state)
{
	union larch_identity identity = {
		.tag = larch_hash_tag(packet->hash),
		.backend = packet->backend,
		.stamp = packet->stamp,
		.state = state,
		.size = packet->cell.size,
		.arm = packet->cell.arm,
	};
	struct larch_flow *flow = flow_at(place & ~VACANT);
	union larch_identity before;
	union larch_timing timing;

	if (!flow)
		return NULL;
	before.word = packet->identity.word = READ_ONCE(flow->identity.word);
	timing.word = READ_ONCE(flow->timing.word);
	if (place & VACANT && before.state != LARCH_FLOW_FREE)
		return NULL;
	if (!flow_gives_way(flow, before, identity, packet_now(packet)) ||
	    !flow_set(packet, flow, identity))
		return NULL;
	flow_forget(packet, before, timing);
	WRITE_ONCE(flow->timing.word, flow_timing(packet, state).word);
	return flow;
}
