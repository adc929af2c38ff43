/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One generation of one service: its members, its tree, the rings and the costs. There are three
 * banks: the current generation, the last one, and the one being built. A single store to
 * larch_active makes a bank current.
 */
#pragma once

#include "types.h"

#define LARCH_BANKS	  3
#define LARCH_TREE_NODES  ((1 << LARCH_MAX_DEPTH) - 1)
#define LARCH_TREE_LEAVES (1 << LARCH_MAX_DEPTH)

/* What the tree may look at: everything the first packet of a flow shows. */
#define LARCH_FEATURES(X)                                                                          \
	X(SOURCE, 0, "source prefix")	   /* see larch/cell.h */                                  \
	X(PORT, 1, "destination port")	   /* host byte order */                                   \
	X(PROTOCOL, 2, "protocol")	   /* IPPROTO_* */                                         \
	X(HOPS, 3, "distance in hops")	   /* from TTL or hop limit */                             \
	X(SIZE, 4, "first packet's size")  /* class, 0..3 */                                       \
	X(INGRESS, 5, "ingress interface") /* index */

enum larch_feature {
#define X(name, number, text) LARCH_FEATURE_##name = number,
	LARCH_FEATURES(X)
#undef X
		LARCH_FEATURE_COUNT = 6,
};

#define LARCH_FEATURE_SLOTS 8 /* power of two, so that an index can be masked */

struct larch_features {
	__u64 value[LARCH_FEATURE_SLOTS];
};

/* A node sends a flow to the right if value[feature] > threshold; both are below 2^63. */
struct larch_node {
	__u64 threshold;
	__u32 feature;
	__u32 padding;
};

/*
 * The tree in heap order: the children of node i are 2i + 1 and 2i + 2, and all leaves lie at
 * `depth` (a leaf higher up is repeated below itself), so that a walk has no data-dependent branch.
 */
struct larch_tree {
	__u32 depth;
	__u32 leaves;
	struct larch_node node[LARCH_TREE_NODES];
	__u8 leaf[LARCH_TREE_LEAVES];
};

/* Entry of larch_active. */
struct larch_active {
	__u32 bank;
	__u32 generation; /* 0: nothing has been published */
};

enum larch_plan_flag {
	LARCH_PLAN_LEARNED = 1, /* the learned arm is steered by tree and leaf rings */
};

/* Entry of larch_plans, at service * LARCH_BANKS + bank. */
struct larch_plan {
	__u32 generation;
	__u32 flags; /* enum larch_plan_flag */
	__u64 digest;
	__u32 members;
	__u32 padding;
	__u16 member[LARCH_MAX_MEMBERS + 1]; /* id in larch_backends */
	__u8 member_of[LARCH_MAX_BACKENDS];  /* the reverse; LARCH_NO_MEMBER: not of this service */
	struct larch_tree tree;
};

/* Members that a slot names; LARCH_NO_MEMBER where there is none. */
struct larch_slot {
	__u8 primary;
	__u8 secondary;
};

#define LARCH_RING_SLOTS   2048
#define LARCH_RING_CONTROL 0 /* configured weights, nothing learned */
#define LARCH_RING_GLOBAL  1 /* learned capacity, no classes */
#define LARCH_RING_LEAF	   2 /* of leaf 0; the others follow */
#define LARCH_RINGS	   (LARCH_RING_LEAF + LARCH_MAX_LEAVES)

/* Entry of larch_rings, at (service * LARCH_BANKS + bank) * LARCH_RINGS + ring. */
struct larch_ring {
	struct larch_slot slot[LARCH_RING_SLOTS];
};

/* What a request of one leaf costs at one member when nothing else is there, us. */
struct larch_cost {
	__u32 net;     /* connect time: the client's round trip and the way to the backend */
	__u32 service; /* server time */
};

/* Entry of larch_costs, at (service * LARCH_BANKS + bank) * LARCH_MAX_LEAVES + leaf. */
struct larch_costs {
	struct larch_cost member[LARCH_MAX_MEMBERS + 1];
};

LARCH_INLINE __u32 larch_bank_index(__u32 service, __u32 bank)
{
	return service * LARCH_BANKS + bank;
}

LARCH_INLINE __u32 larch_ring_index(__u32 service, __u32 bank, __u32 ring)
{
	return larch_bank_index(service, bank) * LARCH_RINGS + ring;
}

/* Entry of larch_leaf_cnt: the leaf of whatever generation was in force. */
LARCH_INLINE __u32 larch_leaf_index(__u32 service, __u32 leaf)
{
	return service * LARCH_MAX_LEAVES + leaf;
}

LARCH_INLINE __u32 larch_costs_index(__u32 service, __u32 bank, __u32 leaf)
{
	return larch_bank_index(service, bank) * LARCH_MAX_LEAVES + leaf;
}

/* The leaf of a flow. The result is below LARCH_MAX_LEAVES in every tree, valid or not. */
LARCH_INLINE __u32 larch_tree_walk(const struct larch_tree *tree,
				   const struct larch_features *features)
{
	__u32 depth = tree->depth;
	__u64 at = 0;

	for (__u32 level = 0; level < LARCH_MAX_DEPTH; level++) {
		const struct larch_node *node;

		if (level >= depth || at >= LARCH_TREE_NODES)
			break;
		node = &tree->node[at];
		/*
		 * To the left by the borrow of a subtraction: a branch would be mispredicted half
		 * of the time. It is taken away, in 64 bits: the compiler makes an OR of what is
		 * added, and of that, and of a word's lower half, Linux 6.1 knows no bounds.
		 */
		at = 2 * at + 2 -
		     ((features->value[node->feature & (LARCH_FEATURE_SLOTS - 1)] -
		       node->threshold - 1) >>
		      63);
	}
	if (depth > LARCH_MAX_DEPTH)
		return 0;
	at -= (1u << depth) - 1;
	return tree->leaf[at & (LARCH_TREE_LEAVES - 1)] & (LARCH_MAX_LEAVES - 1);
}
