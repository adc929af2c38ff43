// SPDX-License-Identifier: BSD-2-Clause
/*
 * Plans, rings and costs for the benchmark. See bench_generation.h. The rings come from larchd's
 * own ring builder, the tree and the costs are made up: 24 leaves at depth 6, by source.
 */
#include <errno.h>
#include <string.h>

#include "bench.h"
#include "bench_generation.h"
#include "larch/plan.h"
#include "larch/tuple.h"
#include "lib/prng.h"
#include "ring.h"

#define LEAVES 24
#define DEPTH  6

/* Cuts the prefixes from which flows come into 2^depth ranges, and numbers the leaves over them. */
static void fill_tree(struct larch_tree *tree, uint64_t first_source)
{
	tree->depth = DEPTH;
	tree->leaves = LEAVES;
	for (uint32_t level = 0, node = 0; level < DEPTH; level++) {
		for (uint32_t i = 0; i < 1u << level; i++, node++) {
			tree->node[node].feature = LARCH_FEATURE_SOURCE;
			tree->node[node].threshold =
				first_source + ((2 * i + 1) * BENCH_PREFIXES >> (level + 1)) - 1;
		}
	}
	for (uint32_t i = 0; i < 1u << DEPTH; i++)
		tree->leaf[i] = (uint8_t)(i * LEAVES >> DEPTH);
}

static void fill_plan(struct larch_plan *plan, uint32_t first)
{
	uint64_t source = first >= BENCH_MEMBERS ? larch_source_ipv6(BENCH_CLIENT_HIGH, 0)
						 : larch_source_ipv4(BENCH_CLIENT_IPV4);

	plan->generation = 1;
	plan->flags = LARCH_PLAN_LEARNED;
	plan->members = BENCH_MEMBERS;
	memset(plan->member_of, LARCH_NO_MEMBER, sizeof(plan->member_of));
	for (uint32_t i = 0; i < BENCH_MEMBERS; i++) {
		plan->member[i] = (uint16_t)(first + i);
		plan->member_of[plan->member[i]] = (uint8_t)i;
	}
	fill_tree(&plan->tree, source);
}

static void fill_rings(struct larch_ring *rings, struct larch_costs *costs,
		       const struct ring_builder *builder, struct prng *prng)
{
	double weight[BENCH_MEMBERS];

	for (uint32_t ring = 0; ring < LARCH_RING_LEAF + LEAVES; ring++) {
		for (uint32_t i = 0; i < BENCH_MEMBERS; i++)
			weight[i] = prng_unit(prng);
		ring_build(builder, weight, NULL, &rings[ring]);
	}
	for (uint32_t leaf = 0; leaf < LEAVES; leaf++) {
		for (uint32_t i = 0; i < BENCH_MEMBERS; i++)
			costs[leaf].member[i] = (struct larch_cost){
				.net = (uint32_t)(500 + prng_below(prng, 1000)),
				.service = (uint32_t)(500 + prng_below(prng, 1000)),
			};
	}
}

static void publish(const struct generation_maps *maps, const uint32_t *first, uint32_t services,
		    const struct ring_builder *builder)
{
	struct prng prng = prng_seed(1, 1);

	for (uint32_t service = 0; service < services; service++) {
		fill_plan(&maps->plans[larch_bank_index(service, 0)], first[service]);
		fill_rings(&maps->rings[larch_ring_index(service, 0, 0)],
			   &maps->costs[larch_costs_index(service, 0, 0)], builder, &prng);
		maps->active[service].generation = 1;
	}
}

int generation_publish(const struct generation_maps *maps, const uint32_t *first, uint32_t services)
{
	struct ring_builder *builder;
	uint64_t identity[BENCH_MEMBERS];
	int error;

	if (!maps->plans || !maps->rings || !maps->costs || !maps->active)
		return -ENOMEM;
	for (uint32_t i = 0; i < BENCH_MEMBERS; i++)
		identity[i] = ring_identity(&i, sizeof(i));
	error = ring_builder_new(&builder, identity, BENCH_MEMBERS);
	if (error)
		return error;
	publish(maps, first, services, builder);
	ring_builder_free(builder);
	return 0;
}
