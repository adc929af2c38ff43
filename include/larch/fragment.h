/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which way the first fragment of a packet went: only it has the ports. */
#pragma once

#include "types.h"

#define LARCH_MAX_FRAGMENTS 4096

/* Key of larch_fragments: the packet that the fragments are of (RFC 791, RFC 8200). */
struct larch_fragment {
	__be32 source[4]; /* IPv4 as ::ffff:a.b.c.d */
	__be32 destination[4];
	__be32 identification; /* as on the wire; IPv4: 16 bits of it */
	__u8 protocol;	       /* IPv4 only */
	__u8 padding[3];
};

/* Value of larch_fragments: where they go. */
struct larch_fragment_way {
	__u64 hash; /* of the flow */
	__u16 service;
	__u16 backend; /* id */
	__u16 stamp;   /* when the first fragment passed, as flows are stamped */
	__u16 answer;  /* of a NAT backend, to its client; else from a client */
};

/* An entry that is as many stamp units old is of a packet that nobody reassembles any more. */
#define LARCH_FRAGMENT_STAMPS 8

_Static_assert(sizeof(struct larch_fragment) == 40, "no hidden padding");
_Static_assert(sizeof(struct larch_fragment_way) == 16, "no hidden padding");
