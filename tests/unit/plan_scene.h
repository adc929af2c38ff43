// SPDX-License-Identifier: BSD-2-Clause
/*
 * A small world for the tests of explain and of the reports: four backends (ids 10 to 13), a tree
 * of three leaves, rings that name the members in turn, and costs that tell them apart.
 *
 *   source up to 10.1.255.0/24?  yes: leaf 0   no: at most 5 hops away?  yes: leaf 1   no: leaf 2
 */
#pragma once

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "endpoint.h"
#include "explain.h"

#define SCENE_MEMBERS	  4
#define SCENE_FIRST	  10
#define SCENE_LEAVES	  3
#define SCENE_BUCKETS	  64
#define SCENE_BORDER	  0x0a01ff /* 10.1.255.0/24 */
#define SCENE_HZ	  250
#define SCENE_STAMP	  123 /* now */
#define SCENE_STAMP_SHIFT 11

struct scene {
	struct larch_plan plan;
	struct larch_ring ring[LARCH_RINGS];
	struct larch_costs costs[LARCH_MAX_LEAVES];
	struct larch_live live[LARCH_MAX_BACKENDS];
	struct larch_bucket flows[SCENE_BUCKETS];
	struct larch_settings settings;
};

static inline void scene_tree(struct larch_tree *tree)
{
	tree->depth = 2;
	tree->leaves = SCENE_LEAVES;
	tree->node[0].feature = LARCH_FEATURE_SOURCE;
	tree->node[0].threshold = SCENE_BORDER;
	tree->node[2].feature = LARCH_FEATURE_HOPS;
	tree->node[2].threshold = 5;
	tree->leaf[2] = 1;
	tree->leaf[3] = 2;
}

/* In each slot and ring: member (slot + ring) mod 4, then the one after it. */
static inline void scene_rings(struct scene *scene)
{
	for (size_t ring = 0; ring < LARCH_RINGS; ring++) {
		for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
			scene->ring[ring].slot[slot].primary =
				(__u8)((slot + ring) % SCENE_MEMBERS);
			scene->ring[ring].slot[slot].secondary =
				(__u8)((slot + ring + 1) % SCENE_MEMBERS);
		}
	}
}

static inline struct scene *scene_new(void)
{
	struct scene *scene = aligned_alloc(64, (sizeof(*scene) + 63) / 64 * 64);

	cr_assert_not_null(scene);
	memset(scene, 0, sizeof(*scene));
	scene->plan.generation = 7;
	scene->plan.flags = LARCH_PLAN_LEARNED;
	scene->plan.members = SCENE_MEMBERS;
	memset(scene->plan.member_of, LARCH_NO_MEMBER, sizeof(scene->plan.member_of));
	for (size_t i = 0; i < SCENE_MEMBERS; i++) {
		scene->plan.member[i] = (__u16)(SCENE_FIRST + i);
		scene->plan.member_of[SCENE_FIRST + i] = (__u8)i;
		scene->live[SCENE_FIRST + i].concurrency = 4;
		scene->live[SCENE_FIRST + i].share = (1u << 16) / 4;
		scene->live[SCENE_FIRST + i].service_us = 1000;
		scene->live[SCENE_FIRST + i].patience_us = 32000;
		for (size_t leaf = 0; leaf < SCENE_LEAVES; leaf++) {
			scene->costs[leaf].member[i].net = 100;
			scene->costs[leaf].member[i].service = (__u32)(1000 * (i + 1));
		}
	}
	scene_tree(&scene->plan.tree);
	scene_rings(scene);
	scene->settings.abi = LARCH_ABI;
	scene->settings.seed[0] = 0x0123456789abcdef;
	scene->settings.seed[1] = 0xfedcba9876543210;
	scene->settings.bucket_mask = SCENE_BUCKETS - 1;
	scene->settings.hz = SCENE_HZ;
	scene->settings.stamp_shift = SCENE_STAMP_SHIFT;
	return scene;
}

static inline struct explain_input scene_input(const struct scene *scene, const char *source,
					       uint16_t port)
{
	struct explain_input input = {
		.settings = &scene->settings,
		.flows = scene->flows,
		.plan = &scene->plan,
		.rings = scene->ring,
		.costs = scene->costs,
		.live = scene->live,
		.own = LARCH_NO_BACKEND,
		.now_ns = 1000000000000,
		.stamp = SCENE_STAMP,
	};

	cr_assert_eq(endpoint_tuple(source, port, "203.0.113.10", 443, IPPROTO_TCP, &input.tuple),
		     0);
	return input;
}

/* A source port whose flow is of this arm and explores or not. */
static inline uint16_t scene_port(const struct scene *scene, const char *source, enum larch_arm arm,
				  bool explores)
{
	for (uint32_t port = 1024; port <= UINT16_MAX; port++) {
		struct explain_input input = scene_input(scene, source, (uint16_t)port);
		uint64_t hash = larch_hash(&input.tuple, 0, scene->settings.seed);

		if (larch_hash_arm(hash, 0) == arm && larch_hash_explores(hash) == explores)
			return (uint16_t)port;
	}
	cr_assert_fail("no such port");
	return 0;
}
