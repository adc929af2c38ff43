/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What packets reveal of a flow's backend, and what becomes of it: requests owed, samples, and the
 * slowdown. The kernel does it with every packet; the simulator does the same.
 */
#pragma once

#include "backend.h"
#include "cell.h"
#include "flow.h"
#include "score.h"
#include "types.h"

#define LARCH_QUEUE_MOST 31 /* code of the longest queue that a flow's clock remembers */

/* What one packet revealed. */
struct larch_measurement {
	__u32 connect_us;  /* 0: nothing */
	__u32 response_us; /* 0: nothing */
	__u32 server_us;
	__u32 queue; /* requests in flight when the request passed */
	__u64 now;   /* when the answer passed, ns */
};

/* From a start of a flow's clock to now, us; at least 1. */
LARCH_INLINE __u32 larch_start_us(__u32 start, __u64 now)
{
	__u32 us = (__u32)((__u64)larch_start_age(start, now) * 128 / 125); /* 1024 ns to 1000 */

	return us ? us : 1;
}

/* A connect time as a flow's entry remembers it; 0 is none. */
LARCH_INLINE __u32 larch_connect_code(__u32 us)
{
	__u32 code = larch_pack_near(us, LARCH_CONNECT_MANTISSA);

	return code < LARCH_CONNECT_MOST ? code : LARCH_CONNECT_MOST;
}

LARCH_INLINE __u32 larch_connect_us(__u32 code)
{
	return (__u32)larch_unpack(code, LARCH_CONNECT_MANTISSA);
}

/* Requests in flight as a flow's clock remembers them. */
LARCH_INLINE __u32 larch_queue_code(__u32 queue)
{
	__u32 code = larch_pack(queue, LARCH_QUEUE_MANTISSA);

	return code < LARCH_QUEUE_MOST ? code : LARCH_QUEUE_MOST;
}

/* One more waits for the backend. */
LARCH_INLINE void larch_waits(union larch_wait *wait, __u64 now)
{
	union larch_wait next = {.word = *(volatile __u32 *)&wait->word};

	if (next.count == LARCH_WAIT_MOST)
		return;
	if (!next.count)
		next.since = (__u32)(now >> 20) & LARCH_WAIT_MASK;
	next.count++;
	*(volatile __u32 *)&wait->word = next.word;
}

/* The backend owes one answer more. */
LARCH_INLINE void larch_owes(struct larch_live *live, __u64 now)
{
	__sync_fetch_and_add(&live->in_flight, 1);
	if (live->asked != (__u32)(now >> 20))
		*(volatile __u32 *)&live->asked = (__u32)(now >> 20);
}

/* A connect begins, and is owed an answer. */
LARCH_INLINE void larch_connect_begins(struct larch_live *live, __u64 now)
{
	larch_waits(&live->connects, now);
	larch_owes(live, now);
	__sync_fetch_and_add(&live->connecting, 1);
}

/* A connect is in flight no more, however it has ended. */
LARCH_INLINE void larch_connect_ends(struct larch_live *live)
{
	__sync_fetch_and_add(&live->connecting, -1);
}

/* A request begins; returns how many others the backend has at that time. */
LARCH_INLINE __u32 larch_request_begins(struct larch_live *live, __u64 now)
{
	__u32 requests = (__u32)larch_requests(live);

	larch_owes(live, now);
	return requests;
}

/* The same where answers are what is timed: its client waits for one. */
LARCH_INLINE __u32 larch_answer_awaited(struct larch_live *live, __u64 now)
{
	larch_waits(&live->requests, now);
	return larch_request_begins(live, now);
}

/*
 * One less waits, who was counted: a client that goes on to speak after a pause, or that resets the
 * connection it has just begun. It says nothing of the backend, and of the others.
 */
LARCH_INLINE void larch_gives_up(union larch_wait *wait)
{
	union larch_wait next = {.word = *(volatile __u32 *)&wait->word};

	if (!next.count || next.count == LARCH_WAIT_MOST)
		return;
	next.count--;
	*(volatile __u32 *)&wait->word = next.word;
}

/* 16 KiB more have come of a request whose first part came before. */
LARCH_INLINE void larch_uploads(struct larch_live *live)
{
	if (live->requests.count < LARCH_WAIT_MOST)
		*(volatile __u32 *)&live->uploads = live->uploads + 1;
}

/*
 * It owes one less, for a connection has come to stand. The kernel of a server that hangs goes on
 * to take connections: who waits for answers goes on to wait.
 */
LARCH_INLINE void larch_accepted(struct larch_live *live)
{
	__sync_fetch_and_add(&live->in_flight, -1);
	if (live->connects.word)
		*(volatile __u32 *)&live->connects.word = 0;
	if (live->failures)
		*(volatile __u32 *)&live->failures = 0;
}

/* It owes one less, for it has given what shows that it lives. */
LARCH_INLINE void larch_gave(struct larch_live *live, __u64 now)
{
	__u64 waited = larch_waited(live->requests.word, LARCH_SILENCE_WAIT, now);
	__u64 most = (__u64)live->patience_us * (1000 * LARCH_SILENCE_SUSPECT / LARCH_SLOWDOWN_ONE);

	if (most && waited > most)
		*(volatile __u32 *)&live->spoken = (__u32)(now >> 20);
	larch_accepted(live);
	if (live->requests.word)
		*(volatile __u32 *)&live->requests.word = 0;
	if (live->uploads)
		*(volatile __u32 *)&live->uploads = 0;
}

/* It owes one less, for nobody waits any more: no sign of life. */
LARCH_INLINE void larch_released(struct larch_live *live)
{
	__sync_fetch_and_add(&live->in_flight, -1);
}

/* It has sent a reset where an answer (or a connect) was due. */
LARCH_INLINE void larch_refused(struct larch_live *live, __u64 now)
{
	__sync_fetch_and_add(&live->failures, 1);
	*(volatile __u32 *)&live->asked = (__u32)(now >> 20);
}

/* Was the request asked in a silence that has ended since? */
LARCH_INLINE int larch_was_silent(const struct larch_live *live,
				  const struct larch_measurement *found)
{
	__s32 age = (__s32)((__u32)(found->now >> 20) - live->spoken);

	return age >= 0 && (__u64)age << 20 < (__u64)found->response_us * 1000;
}

/* Is the backend in trouble that is not yet the tree's to learn? Then by how much, else 0. */
LARCH_INLINE __u32 larch_trouble(const struct larch_live *live, __u64 now)
{
	__u32 slowdown = larch_slowdown_decayed(live->slowdown, live->updated, now);

	if (slowdown < LARCH_SLOWDOWN_OWNED || !live->slow_since ||
	    (__u32)(now >> 20) - live->slow_since >= LARCH_SLOWDOWN_LASTS)
		return 0;
	return slowdown;
}

/*
 * What a server time would have been without load and without trouble: the base cost that the tree
 * learns. A slowdown beyond noise and tails is the fast loop's own: a tree that learned it, too,
 * would charge it twice, and for long after the backend has recovered. How long a server hung is
 * nothing that it could learn at all.
 */
LARCH_INLINE __u64 larch_work_us(const struct larch_live *live,
				 const struct larch_measurement *found)
{
	__u32 concurrency = live->concurrency ? live->concurrency : 1;
	__u32 load = found->queue + 1 > concurrency ? found->queue + 1 : concurrency;
	__u64 work = (__u64)found->server_us * concurrency / load;
	__u32 trouble = larch_trouble(live, found->now);

	if (larch_was_silent(live, found))
		return work < live->service_us ? work : live->service_us;
	return trouble ? (work << LARCH_SLOWDOWN_BITS) / trouble : work;
}

/* Adds what was measured to a cell. */
LARCH_INLINE void larch_samples_add(struct larch_samples *samples, const struct larch_live *live,
				    const struct larch_measurement *found)
{
	__u32 bucket;

	if (found->connect_us) {
		__sync_fetch_and_add(&samples->connects, 1);
		__sync_fetch_and_add(&samples->connect_us, found->connect_us);
	}
	if (!found->response_us)
		return;
	__sync_fetch_and_add(&samples->responses, 1);
	__sync_fetch_and_add(&samples->response_us, found->response_us);
	__sync_fetch_and_add(&samples->server_us, found->server_us);
	__sync_fetch_and_add(&samples->work_us, larch_work_us(live, found));
	bucket = larch_latency_bucket(found->response_us);
	if (bucket < LARCH_LATENCY_BUCKETS)
		__sync_fetch_and_add(&samples->latency[bucket], 1);
}

/*
 * A pause makes requests wait, and makes them many: it must not pass for little concurrency. But
 * little concurrency passes for trouble, too, where it is thought to be more: with a single worker,
 * by as much as there are requests.
 */
LARCH_INLINE void larch_bands_add(struct larch_bands *bands, const struct larch_live *live,
				  const struct larch_measurement *found)
{
	struct larch_band *band = &bands->band[larch_band(found->queue)];

	if (larch_trouble(live, found->now) > (found->queue + 1) << LARCH_SLOWDOWN_BITS ||
	    larch_was_silent(live, found))
		return;
	__sync_fetch_and_add(&band->requests, 1);
	__sync_fetch_and_add(&band->server_us, found->server_us);
	__sync_fetch_and_add(&band->response_us, found->response_us);
}

/* Connect times have a histogram for each arm of a service: cells hold their sums alone. */
LARCH_INLINE void larch_connects_add(struct larch_connects *connects, __u32 us)
{
	__u32 bucket = larch_latency_bucket(us);

	if (bucket < LARCH_LATENCY_BUCKETS)
		__sync_fetch_and_add(&connects->latency[bucket], 1);
}

/* How an answer compares with what was expected of the backend: the fast loop's memory. */
LARCH_INLINE void larch_slowdown_learn(struct larch_live *live, const struct larch_cost *cost,
				       const struct larch_measurement *found)
{
	__u32 decayed;

	if (!cost->service || larch_was_silent(live, found))
		return;
	decayed = larch_slowdown_decayed(live->slowdown, live->updated, found->now);
	live->slowdown = larch_slowdown_sample(decayed, found->server_us,
					       larch_predicted(cost, live, found->queue));
	live->updated = found->now;
	if (live->slowdown < LARCH_SLOWDOWN_NOISE)
		live->slow_since = 0;
	else if (!live->slow_since)
		live->slow_since = (__u32)(found->now >> 20) ?: 1;
}
