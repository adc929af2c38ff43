// SPDX-License-Identifier: BSD-2-Clause
/* The learner and its members' lives: who is in the rings, and how one comes back. */
#include <errno.h>

#include "learner_scene.h"

#define COUNT 6

/* Slots of a ring that name a member, first or second. */
static size_t slots_of(const struct larch_ring *ring, size_t member)
{
	size_t slots = 0;

	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++)
		slots += ring->slot[slot].primary == member || ring->slot[slot].secondary == member;
	return slots;
}

/* True: the member is in all rings; false: in none. */
static void assert_in_rings(const struct generation *generation, size_t member, bool in)
{
	for (size_t ring = 0; ring < LARCH_RING_LEAF + generation->leaves; ring++)
		cr_assert_eq(slots_of(&generation->ring[ring], member) > 0, in,
			     "member %zu, ring %zu", member, ring);
}

static void set_service(void)
{
	uint64_t state = 21;

	random_members(&state, COUNT);
	random_table(&state, COUNT, 20);
}

static struct generation *keep(const struct generation *last)
{
	struct generation *out;

	input.last = last;
	cr_assert_eq(learner_keep(&input, &out), 0);
	return out;
}

Test(learner_members, unusable_and_drained_members_are_in_no_ring)
{
	struct generation *begun, *learned, *kept;

	set_service();
	learned = learn(NULL);
	cr_assert_gt(learned->leaves, 1);
	for (size_t i = 0; i < COUNT; i++)
		assert_in_rings(learned, i, true);
	members[1].usable = false;
	members[4].weight = 0;
	kept = keep(learned);
	generation_free(learned);
	learned = learn(kept);
	cr_assert_eq(learner_begin(&input, &begun), 0);
	for (size_t i = 0; i < COUNT; i++) {
		assert_in_rings(begun, i, i != 1 && i != 4);
		assert_in_rings(kept, i, i != 1 && i != 4);
		assert_in_rings(learned, i, i != 1 && i != 4);
	}
	generation_free(begun);
	generation_free(learned);
	generation_free(kept);
}

Test(learner_members, one_that_goes_takes_no_slots_from_the_others)
{
	struct generation *before, *after;

	set_service();
	before = learn(NULL);
	members[2].usable = false;
	after = keep(before);
	for (size_t ring = 0; ring < LARCH_RING_LEAF + before->leaves; ring++)
		for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
			struct larch_slot was = before->ring[ring].slot[slot];

			if (was.primary != 2)
				cr_assert_eq(after->ring[ring].slot[slot].primary, was.primary);
		}
	generation_free(before);
	generation_free(after);
}

/* Largest part of a leaf's flows that moved to other members. */
static double furthest(const struct generation *before, const struct generation *after)
{
	double most = 0;

	cr_assert_eq(before->leaves, after->leaves);
	for (size_t leaf = 0; leaf < after->leaves; leaf++) {
		double moved = 0;

		for (size_t i = leaf * COUNT; i < (leaf + 1) * COUNT; i++)
			moved += fabs(after->share[i] - before->share[i]) / 2;
		most = fmax(most, moved);
	}
	return most;
}

Test(learner_members, one_that_comes_back_is_let_in_by_degrees)
{
	struct generation *last, *alone;

	set_service();
	alone = learn(NULL);
	for (unsigned tick = 0; tick < 30; tick++) {
		struct generation *next = learn(alone);

		generation_free(alone);
		alone = next;
	}
	members[0].usable = false;
	last = learn(alone);
	members[0].usable = true;
	for (unsigned tick = 0; tick < 30; tick++) {
		struct generation *next = learn(last);

		cr_assert_leq(furthest(last, next), input.shares.limit + 1e-9, "tick %u", tick);
		for (size_t leaf = 0; tick == 0 && leaf < next->leaves; leaf++)
			cr_assert_gt(next->share[leaf * COUNT], 0);
		generation_free(last);
		last = next;
	}
	/* It has what it had before it went. */
	for (size_t leaf = 0; leaf < last->leaves; leaf++)
		cr_assert_float_eq(last->share[leaf * COUNT], alone->share[leaf * COUNT], 0.02);
	generation_free(last);
	generation_free(alone);
}

Test(learner_members, only_one_left_takes_every_slot_alone)
{
	struct generation *generation;

	set_service();
	for (size_t i = 0; i < COUNT; i++)
		members[i].usable = i == 3;
	generation = learn(NULL);
	for (size_t ring = 0; ring < LARCH_RING_LEAF + generation->leaves; ring++)
		for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
			cr_assert_eq(generation->ring[ring].slot[slot].primary, 3);
			cr_assert_eq(generation->ring[ring].slot[slot].secondary, LARCH_NO_MEMBER);
		}
	generation_free(generation);
}

Test(learner_members, none_left_is_refused)
{
	struct generation *generation;

	set_service();
	for (size_t i = 0; i < COUNT; i++)
		members[i].usable = false;
	cr_assert_eq(learner_train(&input, &generation), 0);
	cr_assert_eq(learner_solve(&input, generation), -EINVAL);
	generation_free(generation);
}
