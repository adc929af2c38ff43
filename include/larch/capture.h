/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Copies of packets with chosen outcomes, for people who look for a fault. larchctl says what it
 * wants in larch_capture, sets LARCH_CAPTURE in the settings, and reads larch_captured.
 */
#pragma once

#include "outcome.h"
#include "tuple.h"
#include "types.h"

#define LARCH_CAPTURE_BYTES 256	       /* of a frame, at most */
#define LARCH_CAPTURE_RING  (1u << 18) /* bytes of larch_captured */
#define LARCH_CAPTURE_ANY   (~0ull)    /* outcomes */

/* The one value of larch_capture. A packet is copied if all of it fits. */
struct larch_capture {
	__u64 until;	   /* ns of the monotonic clock; nothing is copied later, whoever is gone */
	__u64 outcomes;	   /* bit n: enum larch_outcome n */
	__be32 address[4]; /* the flow's source or destination; IPv4 as ::ffff:a.b.c.d */
	__u64 lost;	   /* packets that found no room in larch_captured; the kernel's */
	__u32 snap;	   /* bytes of a frame that are copied, up to LARCH_CAPTURE_BYTES */
	__u8 prefix;	   /* bits of `address` that count, IPv4 as 96 and more; 0: any */
	__u8 padding;
	__be16 port; /* the flow's source's or destination's; 0: any */
};

/* A record of larch_captured. */
struct larch_captured {
	__u64 time; /* ns of the monotonic clock */
	__u32 outcome;
	__u32 interface;	  /* that it came in by */
	__u32 bytes;		  /* of the frame as it leaves, or as it came if it does not */
	__u32 captured;		  /* bytes in `data` */
	struct larch_tuple tuple; /* of its flow; addresses are 0 if it was not parsed so far */
	__u8 data[LARCH_CAPTURE_BYTES];
};

_Static_assert(sizeof(struct larch_capture) == 48, "no hidden padding");
_Static_assert(sizeof(struct larch_captured) == 64 + LARCH_CAPTURE_BYTES, "no hidden padding");
_Static_assert(LARCH_OUTCOME_COUNT <= 64, "outcomes are bits of a word");
