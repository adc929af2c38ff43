/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the program looks up about a packet's destination, and the settings of the whole program. */
#pragma once

#include "types.h"

/*
 * Key of larch_services: one address, port and protocol of a service. IPv4 as ::ffff:a.b.c.d.
 * Each address stands there once more with port and protocol 0, which says that it is a service's.
 */
struct larch_vip {
	__be32 address[4];
	__be16 port; /* 0: any */
	__u8 protocol;
	__u8 padding;
};

/* Value of larch_services. */
struct larch_service {
	__u16 id;    /* index in larch_active, larch_svc_count; below LARCH_MAX_SERVICES */
	__u8 signal; /* enum larch_signal */
	__u8 padding[5];
};

/* What a service's flows are timed by. */
enum larch_signal {
	LARCH_SIGNAL_NONE = 0,	   /* not at all */
	LARCH_SIGNAL_CONNECT = 1,  /* connects only */
	LARCH_SIGNAL_RESPONSE = 2, /* connects, and requests with their answers */
};

/*
 * A filter of one bit for each service's address lets packets that are not ours pass cheaply: a
 * Bloom filter with one hash function.
 */
#define LARCH_FILTER_WORDS 64

/* Entries of larch_services: addresses with port, and addresses alone. */
#define LARCH_MAX_VIPS 8192

enum larch_settings_flag {
	LARCH_COUNT_SYNS = 1, /* connects not yet answered count as in flight */
};

/* The one value of larch_settings. Written by the daemon; zero until then: every packet passes. */
struct larch_settings {
	__u32 abi;	   /* LARCH_ABI */
	__u32 flags;	   /* enum larch_settings_flag */
	__u64 seed[2];	   /* secret key of the flow hash; never changes while flows live */
	__u32 bucket_mask; /* buckets of the flow table, less one */
	__u32 padding;
	__u64 filter[LARCH_FILTER_WORDS];
};

_Static_assert(sizeof(struct larch_vip) == 20, "no hidden padding");
_Static_assert(sizeof(struct larch_service) == 8, "no hidden padding");
