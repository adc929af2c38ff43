/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A flow's 5-tuple and its keyed hash, from which everything about a flow is drawn: its place in
 * the flow table, its arm and its slot in the rings.
 */
#pragma once

#include "cell.h"
#include "flow.h"
#include "plan.h"
#include "service.h"
#include "types.h"

struct larch_tuple {
	__be32 source[4]; /* IPv4: in the last word, as ::ffff:a.b.c.d */
	__be32 destination[4];
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol;
	__u8 ipv6;
	__u16 padding;
};

/* One step of a keyed multiply-xorshift hash (the finaliser of MurmurHash3, keyed by its input). */
LARCH_INLINE __u64 larch_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0xff51afd7ed558ccdull;
	hash ^= hash >> 32;
	return hash;
}

/* by_source: a flow is all that one address sends to another by one protocol, whatever the ports.
 */
LARCH_INLINE __u64 larch_hash(const struct larch_tuple *tuple, int by_source, const __u64 seed[2])
{
	__u32 ports = (__u32)tuple->source_port << 16 | tuple->destination_port;
	__u64 rest = (__u64)tuple->protocol << 32 | (by_source ? 0 : ports);
	__u64 hash = seed[0];

	if (tuple->ipv6) {
		hash = larch_mix(hash, (__u64)tuple->source[0] << 32 | tuple->source[1]);
		hash = larch_mix(hash, (__u64)tuple->source[2] << 32 | tuple->source[3]);
		hash = larch_mix(hash, (__u64)tuple->destination[0] << 32 | tuple->destination[1]);
		hash = larch_mix(hash, (__u64)tuple->destination[2] << 32 | tuple->destination[3]);
	} else {
		hash = larch_mix(hash, (__u64)tuple->source[3] << 32 | tuple->destination[3]);
	}
	hash = larch_mix(hash, rest ^ seed[1]);
	hash *= 0xc4ceb9fe1a85ec53ull;
	return hash ^ hash >> 29;
}

/*
 * The fields of a hash. Bits 0..21 name the first bucket; 22..32 the ring's slot; 33..34 what an
 * exploring flow takes; 35..63 are the tag, of which 60..63 (56..63 when it is smallest) choose the
 * arm and 48..56 exploration (independent of bucket and slot).
 */
LARCH_INLINE __u32 larch_hash_bucket(__u64 hash, __u32 mask)
{
	return (__u32)hash & mask;
}

LARCH_INLINE __u32 larch_hash_second_bucket(__u64 hash, __u32 mask)
{
	return ((__u32)hash ^ ((__u32)(hash >> 35) | 1) * 0x9e3779b1u) & mask;
}

LARCH_INLINE __u32 larch_hash_tag(__u64 hash)
{
	return (__u32)(hash >> 35);
}

/*
 * A flow's slot in a ring. In the global one it is another: rings draw alike for a slot
 * (user/ring.c), so that at the leaf's own slot the global ring would mostly name the leaf's
 * candidates again.
 */
LARCH_INLINE __u32 larch_hash_slot(__u64 hash, __u32 ring)
{
	__u32 bits = (__u32)(hash >> (ring == LARCH_RING_GLOBAL ? 11 : 22));

	return bits & (LARCH_RING_SLOTS - 1);
}

/* The arm of a flow that begins now; halvings: larch_policy.halvings. */
LARCH_INLINE enum larch_arm larch_hash_arm(__u64 hash, __u32 halvings)
{
	return hash >> (64 - LARCH_CONTROL_BITS - (halvings & 15)) == 0 ? LARCH_ARM_CONTROL
									: LARCH_ARM_LEARNED;
}

LARCH_INLINE int larch_hash_explores(__u64 hash)
{
	return (hash >> 48 & ((1u << LARCH_EXPLORE_BITS) - 1)) == 0;
}

/* Of the control arm: takes its backend even if that is sick, to see whether it still is. */
LARCH_INLINE int larch_hash_probes(__u64 hash)
{
	return (hash >> 48 & ((1u << LARCH_PROBE_BITS) - 1)) == 0;
}

/* Which of the candidates an exploring flow takes. */
LARCH_INLINE __u32 larch_hash_choice(__u64 hash)
{
	return (__u32)(hash >> 33) & 3;
}

/* Names the bit that a service's address sets in the filter of larch_settings. */
LARCH_INLINE __u64 larch_filter_hash(const __be32 address[4])
{
	__u64 high = (__u64)address[0] << 32 | address[1];
	__u64 low = (__u64)address[2] << 32 | address[3];

	return ((high * 0x9e3779b97f4a7c15ull) ^ low) * 0xff51afd7ed558ccdull;
}

/* Where an entry of larch_vips is looked for first. `hash` is larch_filter_hash() of its address.
 */
LARCH_INLINE __u32 larch_vip_place(__u64 hash, const struct larch_vip *vip, __u32 salt)
{
	__u64 rest = (__u64)vip->kind << 24 | (__u64)vip->protocol << 16 | vip->port;

	return (__u32)((hash ^ rest ^ (__u64)salt << 32) * 0x9e3779b97f4a7c15ull >> 49) &
	       (LARCH_VIP_SLOTS - 1);
}

/* Index in larch_vips of the slot that is `probe` steps from a place in the table of this number.
 */
LARCH_INLINE __u32 larch_vip_index(__u32 place, __u32 probe, __u32 table)
{
	return (table & 1) * LARCH_VIP_SLOTS + ((place + probe) & (LARCH_VIP_SLOTS - 1));
}

LARCH_INLINE void larch_filter_add(__u64 *filter, __u64 hash)
{
	filter[hash >> 58] |= 1ull << (hash >> 52 & 63);
}

LARCH_INLINE int larch_filter_test(const __u64 *filter, __u64 hash)
{
	return filter[hash >> 58] >> (hash >> 52 & 63) & 1;
}

LARCH_INLINE struct larch_features larch_features_of(const struct larch_cell *cell)
{
	struct larch_features features = {};

	features.value[LARCH_FEATURE_SOURCE] = cell->source;
	features.value[LARCH_FEATURE_PORT] = cell->port;
	features.value[LARCH_FEATURE_PROTOCOL] = cell->protocol;
	features.value[LARCH_FEATURE_HOPS] = cell->hops;
	features.value[LARCH_FEATURE_SIZE] = cell->size;
	features.value[LARCH_FEATURE_INGRESS] = cell->ingress;
	return features;
}
