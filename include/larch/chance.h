/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The second chance: a mid-flow packet of a flow that the balancer does not know goes to one
 * backend after the other, in GUE, with a question behind the GUE header. The backend's agent asks
 * its kernel whether it has the flow's socket, writes the answer into the packet and returns it. At
 * the owner's answer the balancer remembers the flow and sends the packet there for good; else the
 * next is asked.
 */
#pragma once

#include "types.h"

enum larch_answer {
	LARCH_ANSWER_NONE = 0,	 /* the question, on its way to a backend */
	LARCH_ANSWER_MINE = 1,	 /* the backend has a socket for the flow */
	LARCH_ANSWER_OTHERS = 2, /* it has none */
};

#define LARCH_QUESTION_MAGIC 0x4c726331 /* "Lrc1" */

/* Members of a service that are asked for one packet, at most, after the rings' candidates. */
#define LARCH_CHANCE_MEMBERS 64

/*
 * LARCH_SERVICE_DOUBTS: a flow that was silent for so many stamp units (at least 6.8 s, at
 * most 20.6 s) is asked about.
 */
#define LARCH_CHANCE_DOUBT 2

/* The candidate that the flow table names, and that comes before all others. */
#define LARCH_HOP_TABLE 255

/* Behind the GUE header, before the inner packet. In network byte order. */
struct larch_question {
	__be32 magic;
	__u8 answer;	/* enum larch_answer: the one thing that the agent changes */
	__u8 hop;	/* candidate number, counted by the balancer; or LARCH_HOP_TABLE */
	__be16 backend; /* its id */
	__be32 epoch;	/* when asked, in the balancer's stamp units */
	__be32 token[2];
};

/* What the GUE header says: the question's length. */
#define LARCH_QUESTION_WORDS (sizeof(struct larch_question) / 4)

_Static_assert(sizeof(struct larch_question) == 20, "words, as GUE counts");

/* An answer is good for this many stamp units after the question's own. */
#define LARCH_CHANCE_EPOCHS 1

LARCH_INLINE __u64 larch_rotate(__u64 word, __u32 bits)
{
	return word << bits | word >> (64 - bits);
}

struct larch_sip {
	__u64 a, b, c, d;
};

LARCH_INLINE void larch_sip_round(struct larch_sip *sip)
{
	sip->a += sip->b;
	sip->b = larch_rotate(sip->b, 13) ^ sip->a;
	sip->a = larch_rotate(sip->a, 32);
	sip->c += sip->d;
	sip->d = larch_rotate(sip->d, 16) ^ sip->c;
	sip->a += sip->d;
	sip->d = larch_rotate(sip->d, 21) ^ sip->a;
	sip->c += sip->b;
	sip->b = larch_rotate(sip->b, 17) ^ sip->c;
	sip->c = larch_rotate(sip->c, 32);
}

LARCH_INLINE void larch_sip_word(struct larch_sip *sip, __u64 word)
{
	sip->d ^= word;
	larch_sip_round(sip);
	larch_sip_round(sip);
	sip->a ^= word;
}

/* SipHash-2-4 (Aumasson and Bernstein 2012) of two words, each taken as 8 bytes, little endian. */
LARCH_INLINE __u64 larch_sip_hash(const __u64 key[2], __u64 first, __u64 second)
{
	struct larch_sip sip = {
		.a = key[0] ^ 0x736f6d6570736575ull,
		.b = key[1] ^ 0x646f72616e646f6dull,
		.c = key[0] ^ 0x6c7967656e657261ull,
		.d = key[1] ^ 0x7465646279746573ull,
	};

	larch_sip_word(&sip, first);
	larch_sip_word(&sip, second);
	larch_sip_word(&sip, 16ull << 56);
	sip.c ^= 0xff;
	for (int i = 0; i < 4; i++)
		larch_sip_round(&sip);
	return sip.a ^ sip.b ^ sip.c ^ sip.d;
}

/*
 * Proves that the balancer itself asked this backend about this flow then. `hash` is the flow's
 * keyed hash, so that the token says nothing of the flow to others.
 */
LARCH_INLINE __u64 larch_token(const __u64 key[2], __u64 hash, __u32 epoch, __u16 backend, __u8 hop)
{
	return larch_sip_hash(key, hash, (__u64)epoch << 32 | (__u64)backend << 8 | hop);
}
