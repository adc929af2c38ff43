/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The fast loop, in integers: what a candidate would cost a new flow right now, and how an answer
 * changes what is thought of its backend. The kernel runs it; explain and the tests run the same.
 */
#pragma once

#include "backend.h"
#include "plan.h"
#include "types.h"

/* Below 1.5 a slowdown is noise and counts as 1. */
#define LARCH_SLOWDOWN_NOISE (LARCH_SLOWDOWN_ONE + LARCH_SLOWDOWN_ONE / 2)
/*
 * From here on it is taken out of what the tree learns of the backend, but for 30 s only: what
 * lasts is for the tree to learn, whose shares know the capacity. See larch_work_us().
 */
#define LARCH_SLOWDOWN_OWNED	   (2 * LARCH_SLOWDOWN_ONE)
#define LARCH_SLOWDOWN_LASTS	   28610 /* units of 2^20 ns */
#define LARCH_SLOWDOWN_LEAST	   (LARCH_SLOWDOWN_ONE / 4)
#define LARCH_SLOWDOWN_SAMPLE	   4
#define LARCH_SLOWDOWN_SAMPLE_MOST (16 * LARCH_SLOWDOWN_ONE)
#define LARCH_SLOWDOWN_SICK	   (3 * LARCH_SLOWDOWN_ONE)
#define LARCH_SLOWDOWN_MOST	   (64 * LARCH_SLOWDOWN_ONE)
#define LARCH_SLOWDOWN_WEIGHT	   4 /* EWMA: 2^-4 of each sample */
/*
 * Several who wait, and nobody is answered: that is silence. One or two may have asked for what
 * takes long, and be the only ones who have asked at all.
 */
#define LARCH_SILENCE_WAIT 3
/*
 * It may last for this many service times, times larch_live.concurrency: so the way there and back
 * has its time, too. And for this long at least: hosts pause.
 */
#define LARCH_SILENCE	      8
#define LARCH_SILENCE_SUSPECT (4 * LARCH_SLOWDOWN_ONE)
#define LARCH_SILENCE_LEAST   10000 /* us */
/* Slowdown decays to 1 with a time constant of 1 s: by half in 0.69 s. */
#define LARCH_SLOWDOWN_HALF_LIFE 661 /* units of 2^20 ns */
#define LARCH_SCORE_MOST	 0xffffffffffffull
/*
 * Requests of which more than this has arrived for each who waits (units of 16 KiB) are uploads:
 * nobody answers before their end. What only the kernel of a server takes is less (64 KiB).
 */
#define LARCH_UPLOAD 4
/*
 * Who is suspect, by failures without an answer between them or by silence, costs a second more:
 * as long as a client waits before it tries again (RFC 6298). So none is too near to be avoided.
 */
#define LARCH_SUSPECT_FAILURES 3
#define LARCH_SUSPECT_US       1000000
/*
 * Who has not been asked for so long (2 s; units of 2^20 ns) cannot have shown life either: the
 * next flow tries it, as if nothing were known against it, and the others wait for what it meets.
 */
#define LARCH_TRIED 2048

/* Slowdown at `now`: what was learned by `updated`, decayed towards 1. */
LARCH_INLINE __u32 larch_slowdown_decayed(__u32 slowdown, __u64 updated, __u64 now)
{
	__u64 age = now > updated ? now - updated : 0;
	__s64 excess = (__s64)slowdown - LARCH_SLOWDOWN_ONE;
	__u64 units = age >> 20, halvings, rest;

	if (slowdown == 0 || units >= 16 * LARCH_SLOWDOWN_HALF_LIFE)
		return LARCH_SLOWDOWN_ONE;
	/* A division costs more than all else here: units / 661, exact below 16 half-lives. */
	halvings = units * 101527 >> 26;
	rest = units - halvings * LARCH_SLOWDOWN_HALF_LIFE;
	/* Linear between halvings: 1 - rest / (2 * 661); 793 = 2^20 / 1322. */
	excess -= excess * (__s64)rest * 793 >> 20;
	return (__u32)(LARCH_SLOWDOWN_ONE + (excess >> halvings));
}

/* Requests that the backend works on, or that are on their way. */
LARCH_INLINE __u64 larch_requests(const struct larch_live *live)
{
	__s64 connects = live->connecting > 0 ? live->connecting : 0;
	__s64 requests = (__s64)live->in_flight - connects;

	return requests > 0 ? (__u64)requests : 0;
}

/*
 * What a new flow would have before it: requests, and connects, each of them a request to come. Of
 * these no more count than there are requests, and than keep the backend busy: nothing comes of a
 * flood of SYNs, and who is served says who is busy.
 */
LARCH_INLINE __u64 larch_queue(const struct larch_live *live)
{
	__u64 connects = live->connecting > 0 ? (__u64)live->connecting : 0;
	__u64 requests = larch_requests(live), most = requests + live->concurrency;

	return requests + (connects < most ? connects : most);
}

/*
 * For how long `least` or more have waited (a larch_wait's word), ns; 0: fewer do, or they have
 * begun on another CPU, a moment after now.
 */
LARCH_INLINE __u64 larch_waited(__u32 wait, __u32 least, __u64 now)
{
	__u32 age = ((__u32)(now >> 20) - wait) & LARCH_WAIT_MASK;

	return wait >> LARCH_WAIT_BITS >= least && age <= LARCH_WAIT_MASK / 2 ? (__u64)age << 20
									      : 0;
}

/* Has somebody asked the backend so recently that it may not have answered yet? */
LARCH_INLINE int larch_tried(const struct larch_live *live, __u64 now)
{
	__s32 age = (__s32)((__u32)(now >> 20) - live->asked);

	return age < LARCH_TRIED && age > -LARCH_TRIED;
}

/* For how long several have waited for the backend in vain, ns; 0: they have not. */
LARCH_INLINE __u64 larch_silent_ns(const struct larch_live *live, __u64 now)
{
	__u64 silent, connect;
	__u32 requests;

	if (live->in_flight <= 0 || !larch_tried(live, now))
		return 0;
	connect = larch_waited(live->connects.word, LARCH_SILENCE_WAIT, now);
	requests = *(const volatile __u32 *)&live->requests.word;
	if (live->uploads > LARCH_UPLOAD * (requests >> LARCH_WAIT_BITS))
		return connect;
	silent = larch_waited(requests, LARCH_SILENCE_WAIT, now);
	return silent > connect ? silent : connect;
}

/* A wait as a multiple of what is borne; 0: it is borne. */
LARCH_INLINE __u32 larch_silence_of(__u64 silent, __u64 patience)
{
	if (!patience || silent <= patience)
		return 0;
	silent = (silent << LARCH_SLOWDOWN_BITS) / patience;
	return silent < LARCH_SLOWDOWN_MOST ? (__u32)silent : LARCH_SLOWDOWN_MOST;
}

/*
 * The same of connects: the server's kernel answers them, and no request before them. So they wait
 * for the way, and one service time is enough. More than can be served in that time are a flood,
 * and tell nothing.
 */
LARCH_INLINE __u32 larch_silence_connecting(const struct larch_live *live, __u64 now)
{
	__u32 wait = *(const volatile __u32 *)&live->connects.word;
	__u64 silent = larch_waited(wait, LARCH_SILENCE_WAIT, now);
	__u64 patience = ((__u64)live->patience_us * live->share >> 16) / LARCH_SILENCE;
	__u64 count = wait >> LARCH_WAIT_BITS;

	if (!live->patience_us || live->in_flight <= 0 || !larch_tried(live, now) ||
	    count == LARCH_WAIT_MOST ||
	    count * live->service_us * live->share >> 16 > silent / 1000)
		return 0;
	if (patience < LARCH_SILENCE_LEAST)
		patience = LARCH_SILENCE_LEAST;
	return larch_silence_of(silent, patience * 1000);
}

/* How much longer than its patience the backend has been silent; 0: it is not. */
LARCH_INLINE __u32 larch_silence(const struct larch_live *live, __u64 now)
{
	__u64 patience = (__u64)live->patience_us * 1000;
	__u32 connecting = larch_silence_connecting(live, now);
	__u32 silence = larch_silence_of(larch_silent_ns(live, now), patience);

	return silence > connecting ? silence : connecting;
}

/* Slowdown at `now`, raised by this silence. */
LARCH_INLINE __u32 larch_slowdown_with(const struct larch_live *live, __u32 silence, __u64 now)
{
	__u32 slowdown = larch_slowdown_decayed(live->slowdown, live->updated, now);

	if (silence > slowdown)
		slowdown = silence;
	return slowdown < LARCH_SLOWDOWN_NOISE ? LARCH_SLOWDOWN_ONE : slowdown;
}

/* Slowdown at `now`, raised if the backend is silent. */
LARCH_INLINE __u32 larch_slowdown(const struct larch_live *live, __u64 now)
{
	return larch_slowdown_with(live, larch_silence(live, now), now);
}

/* Is it likelier that the backend fails than that it is slow? Answers alone never say so. */
LARCH_INLINE int larch_suspect(const struct larch_live *live, __u32 silence, __u64 now)
{
	return silence > LARCH_SILENCE_SUSPECT ||
	       (live->failures >= LARCH_SUSPECT_FAILURES && larch_tried(live, now));
}

/* Does it answer so late, or not at all, that even who compares nothing should pass it over? */
LARCH_INLINE int larch_sick(const struct larch_live *live, __u64 now)
{
	__u32 silence = larch_silence(live, now);

	return larch_slowdown_with(live, silence, now) >= LARCH_SLOWDOWN_SICK ||
	       larch_suspect(live, silence, now);
}

/*
 * What a request of a leaf with this cost would take at the backend now, us. Smallest wins. Waiting
 * is counted by requests served at once (share), not by what keeps the backend just busy.
 */
LARCH_INLINE __u64 larch_score(const struct larch_cost *cost, const struct larch_live *live,
			       __u64 now)
{
	__u64 queue = larch_queue(live);
	__u64 load = (1 << 16) + (queue > 0xffff ? 0xffff : queue) * live->share;
	__u32 silence = larch_silence(live, now);
	__u32 slowdown = larch_slowdown_with(live, silence, now);
	__u64 service = (__u64)cost->service * slowdown >> LARCH_SLOWDOWN_BITS;
	__u64 score;

	if (service > 0xffffffff)
		service = 0xffffffff;
	if (load > 0xffffffff)
		load = 0xffffffff;
	score = cost->net + (service * load >> 16);
	if (larch_suspect(live, silence, now))
		score += LARCH_SUSPECT_US;
	return score < LARCH_SCORE_MOST ? score : LARCH_SCORE_MOST;
}

/* What a request of this leaf should take that met `queue` others at the backend, us; at least 1.
 */
LARCH_INLINE __u64 larch_predicted(const struct larch_cost *cost, const struct larch_live *live,
				   __u32 queue)
{
	__u64 predicted = cost->service;

	if (queue + 1 > live->concurrency)
		predicted +=
			(__u64)(queue + 1 - live->concurrency) * live->service_us * live->share >>
			16;
	return predicted ? predicted : 1;
}

/*
 * The slowdown after an answer that took `server_us` where `predicted` was expected. One answer
 * counts only for so many times what was thought: a tail is no trouble, but trouble soon tells.
 */
LARCH_INLINE __u32 larch_slowdown_sample(__u32 decayed, __u64 server_us, __u64 predicted)
{
	__u64 ratio = (server_us << LARCH_SLOWDOWN_BITS) / predicted;
	__u64 most = (__u64)decayed * LARCH_SLOWDOWN_SAMPLE;
	__s64 step;

	if (most < LARCH_SLOWDOWN_SAMPLE * LARCH_SLOWDOWN_ONE)
		most = LARCH_SLOWDOWN_SAMPLE * LARCH_SLOWDOWN_ONE;
	if (most > LARCH_SLOWDOWN_SAMPLE_MOST)
		most = LARCH_SLOWDOWN_SAMPLE_MOST;
	if (ratio > most)
		ratio = most;
	if (ratio < LARCH_SLOWDOWN_LEAST)
		ratio = LARCH_SLOWDOWN_LEAST;
	step = (__s64)ratio - decayed;
	return (__u32)(decayed + (step >> LARCH_SLOWDOWN_WEIGHT));
}
