// SPDX-License-Identifier: BSD-2-Clause
/* Rings: shares, minimal movement, secondaries, and what happens at the edges of the weights. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "larch/choice.h"
#include "ring.h"

#define MEMBERS 12
#define SLOTS	LARCH_RING_SLOTS

static const double ring_weights[MEMBERS] = {1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 0.5, 20};

static struct ring_builder *ring_test_builder(size_t members)
{
	uint64_t identity[LARCH_MAX_MEMBERS];
	struct ring_builder *builder;

	for (uint32_t i = 0; i < members; i++) {
		uint8_t address[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};

		identity[i] = ring_identity(address, sizeof(address));
	}
	cr_assert_eq(ring_builder_new(&builder, identity, members), 0);
	return builder;
}

static void ring_of(size_t members, const double *weight, const struct larch_ring *fallback,
		    struct larch_ring *out)
{
	struct ring_builder *builder = ring_test_builder(members);

	ring_build(builder, weight, fallback, out);
	ring_builder_free(builder);
}

static double ring_total(const double *weight, size_t members)
{
	double total = 0;

	for (size_t i = 0; i < members; i++)
		total += weight[i];
	return total;
}

/* Within five standard deviations of a binomial count. */
static void ring_expect_share(size_t found, size_t tries, double share)
{
	double mean = (double)tries * share;
	double deviation = sqrt(mean * (1 - share)) + 1e-9;

	cr_expect(fabs((double)found - mean) <= 5 * deviation, "%zu of %zu, expected %.1f +- %.1f",
		  found, tries, mean, deviation);
}

Test(ring, shares_follow_weights)
{
	double total = ring_total(ring_weights, MEMBERS);
	size_t found[MEMBERS] = {0};
	struct larch_ring ring;

	ring_of(MEMBERS, ring_weights, NULL, &ring);
	for (size_t s = 0; s < SLOTS; s++)
		found[ring.slot[s].primary]++;
	for (size_t i = 0; i < MEMBERS; i++)
		ring_expect_share(found[i], SLOTS, ring_weights[i] / total);
}

Test(ring, shares_follow_weights_over_many_rings_of_two)
{
	size_t first = 0;

	for (uint64_t k = 0; k < 50; k++) {
		uint64_t identity[2] = {2 * k, 2 * k + 1};
		double weight[2] = {1, 3};
		struct ring_builder *builder;
		struct larch_ring ring;

		cr_assert_eq(ring_builder_new(&builder, identity, 2), 0);
		ring_build(builder, weight, NULL, &ring);
		for (size_t s = 0; s < SLOTS; s++)
			first += ring.slot[s].primary == 0;
		ring_builder_free(builder);
	}
	ring_expect_share(first, 50 * SLOTS, 0.25);
}

Test(ring, secondary_is_distinct_and_follows_the_weights_of_the_others)
{
	double total = ring_total(ring_weights, MEMBERS);
	size_t primary[MEMBERS] = {0}, secondary[MEMBERS] = {0};
	struct larch_ring ring;

	ring_of(MEMBERS, ring_weights, NULL, &ring);
	for (size_t s = 0; s < SLOTS; s++) {
		cr_assert_neq(ring.slot[s].primary, ring.slot[s].secondary);
		primary[ring.slot[s].primary]++;
		secondary[ring.slot[s].secondary]++;
	}
	for (size_t i = 0; i < MEMBERS; i++) {
		double expected = 0;

		for (size_t j = 0; j < MEMBERS; j++)
			if (j != i)
				expected += (double)primary[j] * ring_weights[i] /
					    (total - ring_weights[j]);
		ring_expect_share(secondary[i], SLOTS, expected / SLOTS);
	}
}

Test(ring, raising_a_weight_moves_slots_only_to_that_member)
{
	double raised[MEMBERS];
	struct larch_ring before, after;

	memcpy(raised, ring_weights, sizeof(raised));
	raised[3] *= 2.5;
	ring_of(MEMBERS, ring_weights, NULL, &before);
	ring_of(MEMBERS, raised, NULL, &after);
	cr_expect_gt(ring_moved(&before, &after), 0);
	for (size_t s = 0; s < SLOTS; s++)
		if (before.slot[s].primary != after.slot[s].primary)
			cr_assert_eq(after.slot[s].primary, 3);
}

Test(ring, removing_a_member_moves_only_its_slots_and_to_their_secondaries)
{
	double removed[MEMBERS];
	struct larch_ring before, after;

	memcpy(removed, ring_weights, sizeof(removed));
	removed[7] = 0;
	ring_of(MEMBERS, ring_weights, NULL, &before);
	ring_of(MEMBERS, removed, NULL, &after);
	for (size_t s = 0; s < SLOTS; s++) {
		struct larch_slot was = before.slot[s];

		cr_assert_eq(after.slot[s].primary, was.primary == 7 ? was.secondary : was.primary);
	}
}

Test(ring, order_of_members_does_not_matter)
{
	uint64_t identity[MEMBERS], turned[MEMBERS];
	double weight[MEMBERS];
	struct ring_builder *builder, *other;
	struct larch_ring ring, same;

	for (size_t i = 0; i < MEMBERS; i++)
		identity[i] = ring_identity(&(uint8_t){(uint8_t)i}, 1);
	for (size_t i = 0; i < MEMBERS; i++) {
		turned[i] = identity[(i + 5) % MEMBERS];
		weight[i] = ring_weights[(i + 5) % MEMBERS];
	}
	cr_assert_eq(ring_builder_new(&builder, identity, MEMBERS), 0);
	cr_assert_eq(ring_builder_new(&other, turned, MEMBERS), 0);
	ring_build(builder, ring_weights, NULL, &ring);
	ring_build(other, weight, NULL, &same);
	for (size_t s = 0; s < SLOTS; s++) {
		cr_assert_eq(identity[ring.slot[s].primary], turned[same.slot[s].primary]);
		cr_assert_eq(identity[ring.slot[s].secondary], turned[same.slot[s].secondary]);
	}
	ring_builder_free(builder);
	ring_builder_free(other);
}

Test(ring, only_the_ratio_of_weights_matters)
{
	static const double scales[] = {1e-30, 1.0 / 3, 0.7, 1024, 3e9};
	struct larch_ring ring, scaled;

	ring_of(MEMBERS, ring_weights, NULL, &ring);
	for (size_t k = 0; k < sizeof(scales) / sizeof(scales[0]); k++) {
		double weight[MEMBERS];

		for (size_t i = 0; i < MEMBERS; i++)
			weight[i] = ring_weights[i] * scales[k];
		ring_of(MEMBERS, weight, NULL, &scaled);
		cr_expect(!memcmp(&ring, &scaled, sizeof(ring)), "scale %g", scales[k]);
	}
}

Test(ring, bytes_are_the_same_on_every_machine)
{
	struct larch_ring ring;
	uint64_t digest;

	ring_of(MEMBERS, ring_weights, NULL, &ring);
	digest = ring_identity(&ring, sizeof(ring));
	cr_expect_eq(digest, 0x2dcb00351318fb2a, "%#llx", (unsigned long long)digest);
}

Test(ring, useless_weights_take_no_slot)
{
	double weight[5] = {1, 0, -1, NAN, INFINITY};
	struct larch_ring ring;

	ring_of(5, weight, NULL, &ring);
	for (size_t s = 0; s < SLOTS; s++) {
		cr_assert_eq(ring.slot[s].primary, 0);
		cr_assert_eq(ring.slot[s].secondary, LARCH_NO_MEMBER);
	}
}

Test(ring, extreme_weights_do_not_overflow)
{
	double weight[4] = {5e-324, 1e-320, 1.7e308, 1e-300};
	struct larch_ring ring;

	ring_of(4, weight, NULL, &ring);
	for (size_t s = 0; s < SLOTS; s++) {
		cr_assert_eq(ring.slot[s].primary, 2);
		cr_assert_lt(ring.slot[s].secondary, 4);
		cr_assert_neq(ring.slot[s].secondary, 2);
	}
}

Test(ring, without_weight_every_slot_names_nobody)
{
	double weight[MEMBERS] = {0};
	struct larch_ring ring, fallback;

	ring_of(MEMBERS, ring_weights, NULL, &fallback);
	ring_of(MEMBERS, weight, &fallback, &ring);
	for (size_t s = 0; s < SLOTS; s++) {
		cr_assert_eq(ring.slot[s].primary, LARCH_NO_MEMBER);
		cr_assert_eq(ring.slot[s].secondary, LARCH_NO_MEMBER);
	}
}

Test(ring, without_members_every_slot_names_nobody)
{
	struct larch_ring ring;

	ring_of(0, NULL, NULL, &ring);
	for (size_t s = 0; s < SLOTS; s++)
		cr_assert_eq(ring.slot[s].primary, LARCH_NO_MEMBER);
}

Test(ring, lonely_member_gets_its_secondary_from_the_fallback)
{
	double weight[MEMBERS] = {[4] = 2};
	struct larch_ring ring, fallback;

	ring_of(MEMBERS, ring_weights, NULL, &fallback);
	ring_of(MEMBERS, weight, &fallback, &ring);
	for (size_t s = 0; s < SLOTS; s++) {
		struct larch_slot other = fallback.slot[s];

		cr_assert_eq(ring.slot[s].primary, 4);
		cr_assert_eq(ring.slot[s].secondary,
			     other.primary == 4 ? other.secondary : other.primary);
	}
}

Test(ring, fallback_that_names_no_other_leaves_no_secondary)
{
	double weight[MEMBERS] = {[4] = 2};
	struct larch_ring ring, fallback;

	ring_of(MEMBERS, weight, NULL, &fallback);
	ring_of(MEMBERS, weight, &fallback, &ring);
	for (size_t s = 0; s < SLOTS; s++)
		cr_assert_eq(ring.slot[s].secondary, LARCH_NO_MEMBER);
}

Test(ring, fallback_is_not_used_where_two_have_weight)
{
	double two[MEMBERS] = {[4] = 2, [5] = 1}, one[MEMBERS] = {[9] = 1};
	struct larch_ring ring, fallback;

	ring_of(MEMBERS, one, NULL, &fallback);
	ring_of(MEMBERS, two, &fallback, &ring);
	for (size_t s = 0; s < SLOTS; s++)
		cr_assert_eq(ring.slot[s].primary + ring.slot[s].secondary, 9);
}

Test(ring, the_most_members_fit)
{
	double weight[LARCH_MAX_MEMBERS];
	size_t last = 0;
	struct larch_ring ring;

	for (size_t i = 0; i < LARCH_MAX_MEMBERS; i++)
		weight[i] = 1;
	ring_of(LARCH_MAX_MEMBERS, weight, NULL, &ring);
	for (size_t s = 0; s < SLOTS; s++) {
		cr_assert_lt(ring.slot[s].primary, LARCH_MAX_MEMBERS);
		cr_assert_lt(ring.slot[s].secondary, LARCH_MAX_MEMBERS);
		last += ring.slot[s].primary == LARCH_MAX_MEMBERS - 1;
	}
	ring_expect_share(last, SLOTS, 1.0 / LARCH_MAX_MEMBERS);
}

Test(ring, too_many_members_are_refused)
{
	static const uint64_t identity[LARCH_MAX_MEMBERS + 1];
	struct ring_builder *builder;

	cr_expect_eq(ring_builder_new(&builder, identity, LARCH_MAX_MEMBERS + 1), -EINVAL);
}

Test(ring, equal_identities_are_refused)
{
	uint64_t identity[3] = {7, 8, 7};
	struct ring_builder *builder;

	cr_expect_eq(ring_builder_new(&builder, identity, 3), -EEXIST);
}

Test(ring, moved_counts_primaries_that_differ)
{
	struct larch_ring a, b;

	ring_of(MEMBERS, ring_weights, NULL, &a);
	b = a;
	cr_expect_eq(ring_moved(&a, &b), 0);
	b.slot[0].primary ^= 1;
	b.slot[SLOTS - 1].primary ^= 1;
	b.slot[5].secondary ^= 1;
	cr_expect_eq(ring_moved(&a, &b), 2);
}

Test(ring, identity_depends_on_every_byte_and_the_length)
{
	uint8_t a[16] = {0}, b[16] = {0};

	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] = 1;
		cr_expect_neq(ring_identity(a, sizeof(a)), ring_identity(b, sizeof(b)));
		b[i] = 0;
	}
	cr_expect_neq(ring_identity(a, 4), ring_identity(a, 16));
}

/* Leaves avoid those that the global ring prefers: what it adds must not be what they have. */
Test(ring, the_global_ring_names_a_third)
{
	static struct larch_ring leaf, global;
	double near[MEMBERS], even[MEMBERS];
	uint64_t state = 1;
	size_t others = 0, tries = 20000;

	for (size_t i = 0; i < MEMBERS; i++) {
		even[i] = 1;
		near[i] = i < MEMBERS / 2 ? 1 : 0.01;
	}
	ring_of(MEMBERS, near, NULL, &leaf);
	ring_of(MEMBERS, even, NULL, &global);
	for (size_t i = 0; i < tries; i++) {
		uint8_t candidate[LARCH_CANDIDATES];
		uint64_t hash;

		state = state * 6364136223846793005ull + 1442695040888963407ull;
		hash = (state ^ state >> 29) * 0xff51afd7ed558ccdull;
		larch_candidates(&leaf.slot[larch_hash_slot(hash, LARCH_RING_LEAF)],
				 &global.slot[larch_hash_slot(hash, LARCH_RING_GLOBAL)], candidate);
		others += candidate[2] != candidate[0] && candidate[2] != candidate[1];
	}
	ring_expect_share(others, tries, 1 - 2.0 / MEMBERS);
}

/* Member i costs 1000 (i + 1) at rest; two slots beside each other name 4 and a spare, 2 and 5. */
static uint8_t second_of(uint8_t first, uint8_t second, uint8_t spare, uint32_t slot)
{
	const struct larch_slot pair[2] = {[0] = {4, spare}, [1] = {2, 5}};
	uint8_t member[LARCH_CANDIDATES] = {first, second, pair[slot & 1].primary};
	static struct larch_costs costs;

	for (uint32_t i = 0; i < 8; i++)
		costs.member[i] = (struct larch_cost){.net = 400, .service = 1000 * (i + 1) - 400};
	larch_doubt(&costs, pair, slot, member);
	cr_expect_eq(member[0], first, "the first stays");
	cr_expect_eq(member[2], pair[slot & 1].primary, "so does the global ring's");
	return member[1];
}

Test(ring, a_leaf_that_names_the_dearest_has_its_second_from_the_global_ring)
{
	cr_expect_eq(second_of(6, 7, 1, 0), 1);
	cr_expect_eq(second_of(7, 6, 3, 2), 2);
	cr_expect_eq(second_of(7, LARCH_NO_MEMBER, 3, 2), 2, "none is dearer than any");
	cr_expect_eq(second_of(6, 7, LARCH_NO_MEMBER, 0), 2, "of the slot beside it");
	cr_expect_eq(second_of(7, 7, 6, 1), 4);
}

Test(ring, a_leaf_that_names_one_that_is_not_dearer_is_believed)
{
	cr_expect_eq(second_of(1, 7, 1, 0), 7, "one is as cheap");
	cr_expect_eq(second_of(7, 1, 1, 0), 1);
	cr_expect_eq(second_of(3, 6, 3, 0), 6, "dearer, but not by more than a third");
	cr_expect_eq(second_of(4, 6, 3, 0), 2, "by more");
	cr_expect_eq(second_of(LARCH_NO_MEMBER, 0, 0, 0), 0);
}
