// SPDX-License-Identifier: BSD-2-Clause
/* The walk over the flow table. See flows.h and larch/flow.h. */
#include <stdbool.h>
#include <string.h>

#include "flows.h"

/*
 * Closed flows keep their entry this long (2 minutes): their client may have closed its half only
 * and go on to receive. The packet path takes their place sooner if it needs it.
 */
#define CLOSING_STAMPS 14

static uint32_t age_of(union larch_identity identity, uint32_t now)
{
	return larch_stamp_age((uint32_t)identity.stamp, now);
}

/* Of a datagram flow the packet path has the same opinion, to the stamp. */
static bool is_dead(union larch_identity identity, union larch_timing timing, uint32_t age)
{
	if (identity.state == LARCH_FLOW_SYN)
		return age > LARCH_SYN_STAMPS;
	if (identity.state == LARCH_FLOW_OPEN && timing.phase == LARCH_PHASE_DATAGRAM)
		return age >= timing.acked;
	if (identity.state != LARCH_FLOW_CLOSING)
		return false;
	return age > (larch_phase_waits(timing.phase) ? LARCH_HALF_CLOSED_STAMPS : CLOSING_STAMPS);
}

/* Is an answer still expected? Of who has been silent for long the packet path gives it up, too. */
static bool is_waiting(union larch_identity identity, union larch_timing timing, uint32_t age,
		       int count_syns)
{
	return larch_phase_waits(timing.phase) && age < LARCH_REQUEST_STAMPS &&
	       (count_syns || identity.state != LARCH_FLOW_SYN);
}

/* Does the flow still need its backend? Of one that was closed and is silent, only the entry is
 * left. */
static bool is_alive(union larch_identity identity, union larch_timing timing, uint32_t age)
{
	return identity.state != LARCH_FLOW_CLOSING || age <= LARCH_SYN_STAMPS ||
	       larch_phase_waits(timing.phase);
}

/* Replaces the word unless the packet path was faster. */
static bool replace(struct larch_flow *flow, __u64 before, __u64 after)
{
	return __atomic_compare_exchange_n(&flow->identity.word, &before, after, false,
					   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* A SYN that nobody has answered for long: its client has given up, too, or was refused. */
static bool give_up(struct larch_flow *flow, union larch_identity identity,
		    union larch_timing *timing, uint64_t now_ns)
{
	__u64 before = timing->word;

	if (identity.state != LARCH_FLOW_SYN || !larch_phase_waits(timing->phase) ||
	    larch_start_age(timing->start, now_ns) < LARCH_SYN_GIVEN_UP)
		return false;
	timing->phase = LARCH_PHASE_FRESH;
	return __atomic_compare_exchange_n(&flow->timing.word, &before, timing->word, false,
					   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void visit(struct larch_flow *flow, uint32_t now, uint64_t now_ns, int count_syns,
		  struct flows_count *out)
{
	union larch_identity identity = {
		.word = __atomic_load_n(&flow->identity.word, __ATOMIC_RELAXED),
	};
	union larch_timing timing = {
		.word = __atomic_load_n(&flow->timing.word, __ATOMIC_RELAXED),
	};
	uint32_t age = age_of(identity, now);

	if (identity.state == LARCH_FLOW_FREE)
		return;
	if (count_syns && give_up(flow, identity, &timing, now_ns))
		out->given_up[identity.backend]++;
	if (is_dead(identity, timing, age) && replace(flow, identity.word, 0)) {
		out->cleared++;
		return;
	}
	if (age > FLOWS_SILENT_STAMPS) {
		union larch_identity kept = identity;

		kept.stamp = (now - FLOWS_SILENT_STAMPS) & LARCH_STAMP_MASK;
		replace(flow, identity.word, kept.word);
	}
	out->open += identity.state == LARCH_FLOW_OPEN;
	out->syn += identity.state == LARCH_FLOW_SYN;
	out->closing += identity.state == LARCH_FLOW_CLOSING;
	if (is_alive(identity, timing, age)) {
		out->flows[identity.backend]++;
		out->silent[identity.backend] += age >= FLOWS_SILENT_STAMPS;
	}
	if (is_waiting(identity, timing, age, count_syns)) {
		out->waiting[identity.backend]++;
		out->connecting[identity.backend] += larch_phase_connects(timing.phase);
	}
}

void flows_walk(struct larch_bucket *bucket, size_t buckets, uint32_t now, uint64_t now_ns,
		int count_syns, struct flows_count *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < buckets; i++) {
		for (size_t j = 0; j < LARCH_BUCKET_FLOWS; j++)
			visit(&bucket[i].flow[j], now, now_ns, count_syns, out);
	}
}

uint32_t flows_clear(struct larch_bucket *bucket, size_t buckets, uint32_t now, uint32_t backend)
{
	uint32_t left = 0;

	for (size_t i = 0; i < buckets * LARCH_BUCKET_FLOWS; i++) {
		struct larch_flow *flow =
			&bucket[i / LARCH_BUCKET_FLOWS].flow[i % LARCH_BUCKET_FLOWS];
		union larch_identity identity = {
			.word = __atomic_load_n(&flow->identity.word, __ATOMIC_RELAXED),
		};

		if (identity.state == LARCH_FLOW_FREE || identity.backend != backend)
			continue;
		left += age_of(identity, now) < FLOWS_SILENT_STAMPS ||
			!replace(flow, identity.word, 0);
	}
	return left;
}
