/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage 6: every TCP flow is timed in-band, from the client's packets alone. `connect`: from the
 * SYN to the client's first ACK. `response`: from the last segment of a request to the first
 * segment whose ACK number has moved. Never changes a verdict.
 */
#pragma once

#include "larch/measure.h"
#include "maps.h"
#include "packet.h"

/* An answer that fits one segment may be acknowledged late (RFC 1122: up to 500 ms). */
#define ONE_SEGMENT 1460
#define ACKED_MASK  0xffff
/*
 * A segment of at most this many bytes that comes later than so many connect times, and 2 ms, does
 * not go on with the request before. Longer ones may be of an upload that had to wait.
 */
#define SHORT	    512
#define PAUSE	    2
#define PAUSE_LEAST 2000
/* An answer within half the connect time was under way before its request. */
#define EARLY 2

static __always_inline struct larch_live *sample_live(const struct packet *packet)
{
	__u32 backend = packet->backend;

	return bpf_map_lookup_elem(&larch_live, &backend);
}

static __always_inline struct larch_evidence *sample_evidence(const struct packet *packet)
{
	__u32 service = packet->service;

	return bpf_map_lookup_elem(&larch_evidence, &service);
}

/* The flow's own connect time, us; 0: not known. */
static __always_inline __u32 sample_connect_us(const struct packet *packet)
{
	return larch_connect_us(packet->identity.connect);
}

/*
 * The backend owes one answer more; returns how many other requests it has. Where answers are not
 * what is timed, nobody waits for one: it may never come.
 */
static __always_inline __u32 sample_owes(const struct packet *packet, __u64 now)
{
	struct larch_live *live = sample_live(packet);

	if (!live)
		return 0;
	return packet->policy.signal == LARCH_SIGNAL_RESPONSE ? larch_answer_awaited(live, now)
							      : larch_request_begins(live, now);
}

static __always_inline void sample_gave(const struct packet *packet, __u64 now)
{
	struct larch_live *live = sample_live(packet);

	if (live)
		larch_gave(live, now);
}

/* The connect was answered: a sign of life of the server only where answers are not timed. */
static __always_inline void sample_gave_connect(const struct packet *packet, __u64 now)
{
	struct larch_live *live = sample_live(packet);

	if (!live)
		return;
	if (packet->policy.signal == LARCH_SIGNAL_RESPONSE)
		larch_accepted(live);
	else
		larch_gave(live, now);
	larch_connect_ends(live);
}

/* Nobody waits any more for what the phase says. */
static __always_inline void sample_released(const struct packet *packet, __u32 phase)
{
	struct larch_live *live = sample_live(packet);

	if (!live)
		return;
	larch_released(live);
	if (!larch_phase_connects(phase))
		return;
	larch_gives_up(&live->connects);
	larch_connect_ends(live);
}

static __always_inline void sample_refused(const struct packet *packet, __u64 now)
{
	struct larch_live *live = sample_live(packet);

	if (live)
		larch_refused(live, now);
}

/* A SYN was sent. */
static __always_inline void sample_syn(struct packet *packet)
{
	struct larch_live *live;

	if (packet->policy.signal == LARCH_SIGNAL_NONE || !(packet->flags & LARCH_COUNT_SYNS))
		return;
	live = sample_live(packet);
	if (live)
		larch_connect_begins(live, packet_now(packet));
}

static __always_inline void sample_count_opened(const struct packet *packet, bool clear)
{
	struct larch_evidence *evidence = sample_evidence(packet);

	if (!evidence)
		return;
	evidence->opened++;
	evidence->unclear += !clear;
}

/* The client's first ACK: the connection stands. */
static __always_inline void sample_connected(struct packet *packet, struct larch_flow *flow,
					     union larch_timing *timing,
					     struct larch_measurement *found)
{
	union larch_identity identity = packet->identity;
	__u64 now = packet_now(packet);
	__u32 us = larch_start_us(timing->start, now);

	identity.state = LARCH_FLOW_OPEN;
	if (timing->phase == LARCH_PHASE_CONNECT &&
	    larch_start_age(timing->start, now) < LARCH_SYN_GIVEN_UP) {
		identity.connect = larch_connect_code(us);
		found->connect_us = us;
	}
	flow_set(packet, flow, identity);
	sample_count_opened(packet, timing->phase == LARCH_PHASE_CONNECT);
	if (larch_phase_connects(timing->phase) && packet->flags & LARCH_COUNT_SYNS)
		sample_gave_connect(packet, now);
	timing->phase = LARCH_PHASE_FRESH;
	timing->acked = packet->acknowledged & ACKED_MASK;
}

/* A request was answered: is the measurement one that counts? */
static __always_inline bool sample_counts(const struct packet *packet, bool timed, bool early)
{
	struct larch_evidence *evidence = packet->identity.connect ? sample_evidence(packet) : NULL;

	if (!evidence)
		return false;
	evidence->answered++;
	evidence->early += early;
	evidence->timed += timed;
	return timed && packet->policy.signal == LARCH_SIGNAL_RESPONSE;
}

/* The ACK number has moved: the answer has begun to arrive. */
static __always_inline void sample_answered(struct packet *packet, union larch_timing *timing,
					    struct larch_measurement *found)
{
	__u16 advance = packet->acknowledged - timing->acked;
	__u64 now = packet_now(packet);
	bool timed = timing->phase == LARCH_PHASE_FIRST || timing->phase == LARCH_PHASE_REQUEST;
	__u32 us = larch_start_us(timing->start, now);
	__u32 connect = sample_connect_us(packet);
	bool early = timed && us < connect / EARLY;

	/* A client sends the ACK of its first answer at once; later it may wait, up to a request.
	 */
	if (packet->payload || (timing->phase != LARCH_PHASE_FIRST && advance <= ONE_SEGMENT))
		timed = false;
	if (sample_counts(packet, timed, early)) {
		found->response_us = us;
		found->now = now;
		found->server_us = us > connect ? us - connect : 1;
		found->queue = larch_unpack(timing->queue, LARCH_QUEUE_MANTISSA);
	}
	sample_gave(packet, now);
	timing->phase = LARCH_PHASE_IDLE;
	timing->acked = packet->acknowledged & ACKED_MASK;
}

/* A new request; `session`: the flow's first one. */
static __always_inline void sample_count_request(const struct packet *packet, bool session,
						 bool spoken_to)
{
	struct larch_evidence *evidence = packet->identity.connect ? sample_evidence(packet) : NULL;

	if (!evidence)
		return;
	evidence->requests++;
	evidence->sessions += session;
	evidence->server_first += session && spoken_to;
}

/*
 * A flow has begun to wait for an answer. Only whose client has received nothing yet sends the ACK
 * of its first answer at once.
 */
static __always_inline void sample_begin(struct packet *packet, union larch_timing *timing,
					 __u64 now)
{
	bool session = timing->phase == LARCH_PHASE_FRESH;
	__u32 acked = packet->acknowledged & ACKED_MASK;
	bool spoken_to = acked != timing->acked;

	sample_count_request(packet, session, spoken_to);
	timing->queue = larch_queue_code(sample_owes(packet, now));
	timing->phase = session && !spoken_to ? LARCH_PHASE_FIRST : LARCH_PHASE_REQUEST;
	timing->acked = acked;
}

/* Has the client paused since its last segment? The rest of a request follows sooner. */
static __always_inline bool sample_paused(const struct packet *packet, union larch_timing timing,
					  __u64 now)
{
	__u32 connect = sample_connect_us(packet);

	return connect && larch_start_us(timing.start, now) > PAUSE * connect + PAUSE_LEAST;
}

/*
 * More payload while an answer is awaited. The rest of a request follows as fast as the server
 * acknowledges; after a pause, it is another request, or a stream.
 */
static __always_inline bool sample_overlaps(const struct packet *packet, union larch_timing timing,
					    __u64 now)
{
	struct larch_evidence *evidence;

	if (timing.phase == LARCH_PHASE_BLURRED || packet->payload > SHORT ||
	    !sample_paused(packet, timing, now))
		return false;
	evidence = sample_evidence(packet);
	if (evidence)
		evidence->overlapping++;
	return true;
}

/*
 * The rest of a long request: whenever its place in the stream has passed another 16 KiB, that is
 * what `next` can tell.
 */
static __always_inline void sample_rest(const struct packet *packet, __u32 next)
{
	struct larch_live *live;

	if (packet->policy.signal != LARCH_SIGNAL_RESPONSE ||
	    ((packet->sequence + packet->payload) & LARCH_NEXT_MASK) >= next)
		return;
	live = sample_live(packet);
	if (live)
		larch_uploads(live);
}

/* Who pauses in a request is slow himself, and does not wait. Once, or it would be at the cost of
 * others who do. */
static __always_inline void sample_goes_on(const struct packet *packet)
{
	struct larch_live *live;

	if (packet->policy.signal != LARCH_SIGNAL_RESPONSE)
		return;
	live = sample_live(packet);
	if (live)
		larch_gives_up(&live->requests);
}

/* A segment with payload: a request, or more of it, or the same again. */
static __always_inline void sample_request(struct packet *packet, union larch_timing *timing)
{
	bool waits = larch_phase_waits(timing->phase);
	__u64 now = packet_now(packet);

	if (!waits) {
		sample_begin(packet, timing, now);
	} else if ((packet->sequence & LARCH_NEXT_MASK) != timing->next) {
		timing->phase = LARCH_PHASE_BLURRED; /* sent again, or out of order (Karn) */
	} else {
		bool paused =
			timing->phase != LARCH_PHASE_BLURRED && sample_paused(packet, *timing, now);

		sample_rest(packet, timing->next);
		if (paused && !sample_overlaps(packet, *timing, now))
			sample_goes_on(packet);
		if (paused)
			timing->phase = LARCH_PHASE_BLURRED;
	}
	timing->start = now >> LARCH_START_SHIFT;
	timing->next = (packet->sequence + packet->payload) & LARCH_NEXT_MASK;
}

/* The flow's clock, driven by one packet of a flow that has an entry. */
static __always_inline void sample_flow(struct packet *packet, struct larch_flow *flow,
					struct larch_measurement *found)
{
	union larch_timing before = {.word = READ_ONCE(flow->timing.word)};
	union larch_timing timing = before;
	union larch_identity identity = packet->identity;

	if (packet->tcp_flags & TCP_SYN)
		return;
	if (identity.state == LARCH_FLOW_SYN && !(packet->tcp_flags & TCP_RST)) {
		sample_connected(packet, flow, &timing, found);
	} else if (larch_phase_waits(timing.phase) &&
		   (packet->tcp_flags & TCP_RST ||
		    larch_stamp_age(identity.stamp, packet->stamp) >= LARCH_REQUEST_STAMPS)) {
		if (flow_is_owed(packet, timing))
			sample_released(packet, timing.phase);
		timing.phase = LARCH_PHASE_IDLE;
	} else if (larch_phase_waits(timing.phase) &&
		   (packet->acknowledged & ACKED_MASK) != timing.acked) {
		sample_answered(packet, &timing, found);
	}
	if (packet->payload && !(packet->tcp_flags & TCP_RST) &&
	    packet->policy.signal >= LARCH_SIGNAL_RESPONSE)
		sample_request(packet, &timing);
	if (timing.word != before.word)
		WRITE_ONCE(flow->timing.word, timing.word);
}

static __always_inline struct larch_samples *sample_cell(struct larch_cell *cell)
{
	struct larch_samples *samples = bpf_map_lookup_elem(&larch_cells, cell);
	__u32 zero = 0;

	if (samples)
		return samples;
	samples = bpf_map_lookup_elem(&larch_new_cell, &zero);
	if (!samples)
		return NULL;
	bpf_map_update_elem(&larch_cells, cell, samples, BPF_NOEXIST);
	return bpf_map_lookup_elem(&larch_cells, cell);
}

/* The cell's samples; when there is no room for another cell, those of the cell for all others. */
static __always_inline struct larch_samples *sample_cell_or_rest(const struct larch_cell *cell)
{
	struct larch_cell key = *cell;
	struct larch_samples *samples = sample_cell(&key);

	if (samples)
		return samples;
	key.source = 0;
	key.ingress = 0;
	key.port = 0;
	key.hops = 0;
	key.size = 0;
	return sample_cell(&key);
}

/* How the answer compares with what was expected of the backend: the fast loop's memory. */
static __always_inline void sample_slowdown(const struct packet *packet, struct larch_live *live,
					    const struct larch_measurement *found)
{
	__u32 index = larch_costs_index(packet->service, packet->bank, packet->leaf);
	const struct larch_costs *costs = bpf_map_lookup_elem(&larch_costs, &index);
	const struct larch_plan *plan = classify_plan(packet);

	if (costs && plan && packet->backend < LARCH_MAX_BACKENDS)
		larch_slowdown_learn(live, &costs->member[plan->member_of[packet->backend]], found);
}

static __always_inline void sample_band(const struct packet *packet, const struct larch_live *live,
					const struct larch_measurement *found)
{
	__u32 backend = packet->backend;
	struct larch_bands *bands = bpf_map_lookup_elem(&larch_bands, &backend);

	if (bands)
		larch_bands_add(bands, live, found);
}

static __always_inline void sample_connect(const struct packet *packet, __u32 us)
{
	__u32 index = larch_connects_index(packet->service, packet->cell.arm);
	struct larch_connects *connects = bpf_map_lookup_elem(&larch_connects, &index);

	if (connects)
		larch_connects_add(connects, us);
}

/*
 * Remembers what was measured: in the cell that classify() found, if there is room, in the
 * backend's bands and in its slowdown.
 */
STAGE int sample_record(const struct packet *packet, const struct larch_measurement *found)
{
	struct larch_samples *samples;
	struct larch_live *live;

	if (!packet || !found)
		return 0;
	live = sample_live(packet);
	if (!live)
		return 0;
	samples = sample_cell_or_rest(&packet->cell);
	if (samples)
		larch_samples_add(samples, live, found);
	if (found->connect_us)
		sample_connect(packet, found->connect_us);
	if (found->response_us) {
		sample_band(packet, live, found);
		sample_slowdown(packet, live, found);
	}
	return 0;
}

/* Does an answer say anything about its flow? */
static __always_inline bool sample_wants_answer(const struct packet *packet)
{
	return !packet_of_stream(packet) || packet->payload || packet->tcp_flags & TCP_RST;
}

/* The server's first byte after a request: its answer has begun. */
static __always_inline void sample_served(struct packet *packet, union larch_timing *timing,
					  struct larch_measurement *found)
{
	__u64 now = packet_now(packet);
	__u32 connect = sample_connect_us(packet);
	bool young = larch_stamp_age(packet->identity.stamp, packet->stamp) < LARCH_REQUEST_STAMPS;

	if (sample_counts(packet, timing->phase != LARCH_PHASE_BLURRED && young, false)) {
		found->server_us = larch_start_us(timing->start, now);
		found->response_us = found->server_us + connect;
		found->now = now;
		found->queue = larch_unpack(timing->queue, LARCH_QUEUE_MANTISSA);
	}
	sample_gave(packet, now);
	timing->phase = LARCH_PHASE_IDLE;
}

/*
 * What an answer that passes here tells: the server's share is measured alone, and the client's ACK
 * adds nothing. The server's reset ends the flow, and is a failure where an answer was due; its
 * datagrams keep theirs alive.
 */
STAGE int sample_answer(struct packet *packet)
{
	struct larch_measurement found = {};
	union larch_timing before, timing;
	union larch_identity identity;
	struct larch_flow *flow;
	bool reset;
	int place;

	if (!packet)
		return 0;
	place = flow_find(packet->hash, packet->bucket_mask);
	flow = place == NO_PLACE ? NULL : flow_at(place);
	if (!flow)
		return 0;
	identity.word = packet->identity.word = READ_ONCE(flow->identity.word);
	before.word = timing.word = READ_ONCE(flow->timing.word);
	packet->backend = identity.backend;
	reset = packet->tcp_flags & TCP_RST;
	if (!packet_of_stream(packet)) {
		flow_touch(packet, flow, identity.state);
		return 0;
	}
	if (reset) {
		flow_touch(packet, flow, LARCH_FLOW_CLOSING);
		timing.start -= LINGER; /* no forgery: the next SYN need not come here */
	}
	if (timing.phase >= LARCH_PHASE_FIRST && larch_phase_waits(timing.phase) && !reset) {
		sample_served(packet, &timing, &found);
	} else if (reset && larch_phase_waits(timing.phase)) {
		if (flow_is_owed(packet, timing))
			sample_released(packet, timing.phase);
		sample_refused(packet, packet_now(packet));
		timing.phase = LARCH_PHASE_IDLE;
	}
	if (timing.word == before.word)
		return 0;
	/* The client's packets may move the clock on another CPU: then this one is late. */
	__sync_val_compare_and_swap(&flow->timing.word, before.word, timing.word);
	if (found.response_us && classify_known(packet) == GO) {
		packet->cell.backend = packet->backend;
		sample_record(packet, &found);
	}
	return 0;
}
