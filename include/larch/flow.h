/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The flow table: buckets of one cache line with four flows of two words each. Any CPU and the
 * daemon (which maps the table) read and write a word in one access, so there is no lock and no
 * torn entry. A flow is looked for in two buckets that its hash names.
 */
#pragma once

#include "types.h"

#define LARCH_BUCKET_FLOWS 4
#define LARCH_FLOW_BUCKETS (1u << 18) /* by default; any power of two up to 2^22 works */

enum larch_flow_state {
	LARCH_FLOW_FREE = 0,
	LARCH_FLOW_SYN = 1,	/* TCP: SYN seen, nothing after it */
	LARCH_FLOW_OPEN = 2,	/* TCP: acknowledged by the client; UDP: from the first packet on */
	LARCH_FLOW_CLOSING = 3, /* FIN or RST seen; its place may be taken */
};

/* What the flow's clock is doing. */
enum larch_flow_phase {
	LARCH_PHASE_FRESH = 0,	       /* no request yet */
	LARCH_PHASE_IDLE = 1,	       /* between requests */
	LARCH_PHASE_CONNECT = 2,       /* SYN sent, waiting for the client's first ACK */
	LARCH_PHASE_CONNECT_AGAIN = 3, /* SYN was sent more than once: not measured (Karn) */
	LARCH_PHASE_FIRST = 4,	       /* first request sent, answer awaited */
	LARCH_PHASE_REQUEST = 5,       /* later request sent, answer awaited */
	LARCH_PHASE_BLURRED = 6,  /* request sent, but a retransmission spoilt the measurement */
	LARCH_PHASE_DATAGRAM = 7, /* not timed; `acked` is the idle time-out in stamp units */
};

/*
 * Unit of `stamp`: 2^larch_settings.stamp_shift ticks of the kernel, which comes to 6.8 to 10.3 s
 * (reading the tick counter costs nothing, reading a clock does); wraps after about an hour.
 */
#define LARCH_STAMP_BITS 9
#define LARCH_STAMP_MASK ((1u << LARCH_STAMP_BITS) - 1)
/* Unit of `start`: 2^10 ns of the monotonic clock; wraps after 68 s. */
#define LARCH_START_SHIFT 10
#define LARCH_START_BITS  26
#define LARCH_START_MASK  ((1u << LARCH_START_BITS) - 1)
/* A request open for this many stamp units is given up (before `start` wraps). */
#define LARCH_REQUEST_STAMPS 6
/* A flow that stays a bare SYN for this many stamp units is dead. */
#define LARCH_SYN_STAMPS 2
/* Its backend is no more expected to answer after so long (3 s, when it came twice again; 2^10 ns).
 */
#define LARCH_SYN_GIVEN_UP (3000000000u >> LARCH_START_SHIFT)
/* A closed flow whose backend still owes an answer is taken for half closed for this many. */
#define LARCH_HALF_CLOSED_STAMPS 35

#define LARCH_NEXT_BITS 14 /* of `next` */
#define LARCH_NEXT_MASK ((1u << LARCH_NEXT_BITS) - 1)

#define LARCH_CONNECT_MANTISSA 7 /* 11 bits: 4 of exponent, for LARCH_SYN_GIVEN_UP and more */
#define LARCH_CONNECT_MOST     2047
#define LARCH_QUEUE_MANTISSA   2 /* 5 bits: 3 of exponent */

union larch_identity {
	struct {
		__u64 tag : 29;	    /* of the flow's hash */
		__u64 backend : 10; /* id in larch_backends */
		__u64 stamp : 9;    /* when last seen, in units of 2^33 ns */
		__u64 state : 2;    /* enum larch_flow_state */
		__u64 size : 2;	    /* size class of the first packet */
		__u64 connect : 11; /* larch_connect_code(connect time in us), 0: not known */
		__u64 arm : 1;	    /* enum larch_arm, in which it began */
	};
	__u64 word;
};

union larch_timing {
	struct {
		__u64 start : 26; /* when the request (or the SYN) passed, in units of 2^10 ns */
		__u64 acked : 16; /* low bits of the ACK number that the request carried */
		__u64 next : 14;  /* low bits of the sequence number after the request */
		__u64 queue : 5;  /* larch_pack(requests in flight at the backend then) */
		__u64 phase : 3;  /* enum larch_flow_phase */
	};
	__u64 word;
};

struct larch_flow {
	union larch_identity identity;
	union larch_timing timing;
};

struct larch_bucket {
	struct larch_flow flow[LARCH_BUCKET_FLOWS];
} __attribute__((aligned(64)));

_Static_assert(sizeof(union larch_identity) == 8, "identity is one word");
_Static_assert(sizeof(union larch_timing) == 8, "timing is one word");
_Static_assert(sizeof(struct larch_bucket) == 64, "a bucket is one cache line");

/* Does the phase stand for a request (or a connect) that the backend has not answered? */
LARCH_INLINE int larch_phase_waits(__u32 phase)
{
	return phase >= LARCH_PHASE_CONNECT && phase != LARCH_PHASE_DATAGRAM;
}

/* Is it a connect that the phase waits for? */
LARCH_INLINE int larch_phase_connects(__u32 phase)
{
	return phase == LARCH_PHASE_CONNECT || phase == LARCH_PHASE_CONNECT_AGAIN;
}

/* Units from a start to a later moment of the monotonic clock, ns. */
LARCH_INLINE __u32 larch_start_age(__u32 start, __u64 now)
{
	return ((__u32)(now >> LARCH_START_SHIFT) - start) & LARCH_START_MASK;
}

/* Units from one stamp to a later one. */
LARCH_INLINE __u32 larch_stamp_age(__u32 stamp, __u32 now)
{
	return (now - stamp) & LARCH_STAMP_MASK;
}
