// SPDX-License-Identifier: BSD-2-Clause
// The tables of addresses: every entry is found where the packet path looks, and nothing else is.
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "vips.h"

static struct larch_vip_slot *slots, *entries;

static void begin(void)
{
	slots = calloc(2 * LARCH_VIP_SLOTS, sizeof(*slots));
	entries = calloc(LARCH_MAX_VIPS + 1, sizeof(*entries));
	cr_assert(slots && entries);
}

static void end(void)
{
	free(slots);
	free(entries);
}

TestSuite(vips, .init = begin, .fini = end);

/* Addresses in a row, each with two ports, as operators have them. */
static void fill(size_t count, uint16_t service)
{
	for (size_t i = 0; i < count; i++) {
		entries[i] = (struct larch_vip_slot){
			.vip.address = {0, 0, htonl(0xffff), htonl(0xcb007100 + (uint32_t)i / 2)},
			.vip.port = i % 2 ? htons(443) : htons(80),
			.vip.protocol = IPPROTO_TCP,
			.vip.kind = LARCH_VIP_SERVICE,
			.service = (uint16_t)(service + i % 7),
		};
	}
}

static uint32_t build(uint32_t vips, size_t count)
{
	int64_t built = vips_build(slots, vips, entries, count);

	cr_assert_geq(built, 0);
	return (uint32_t)built;
}

Test(vips, a_full_table_has_every_entry)
{
	uint32_t vips;

	fill(LARCH_MAX_VIPS, 3);
	vips = build(0, LARCH_MAX_VIPS);
	for (size_t i = 0; i < LARCH_MAX_VIPS; i++) {
		const struct larch_vip_slot *slot = vips_find(slots, vips, &entries[i].vip);

		cr_assert_not_null(slot);
		cr_assert_eq(slot->service, entries[i].service);
	}
}

Test(vips, what_is_not_there_is_not_found)
{
	struct larch_vip other;
	uint32_t vips;

	fill(1000, 0);
	vips = build(0, 1000);
	for (size_t i = 0; i < 1000; i++) {
		other = entries[i].vip;
		other.protocol = IPPROTO_UDP;
		cr_assert_null(vips_find(slots, vips, &other));
		other = entries[i].vip;
		other.kind = LARCH_VIP_RETURN;
		cr_assert_null(vips_find(slots, vips, &other));
	}
}

Test(vips, a_new_table_leaves_the_one_in_force_alone)
{
	uint32_t before, after;

	fill(500, 0);
	before = build(0, 500);
	fill(500, 20);
	after = build(before, 500);
	cr_assert_neq(before & 1, after & 1);
	cr_assert_lt(vips_find(slots, before, &entries[9].vip)->service, 20);
	cr_assert_geq(vips_find(slots, after, &entries[9].vip)->service, 20);
}

Test(vips, an_entry_that_left_is_gone)
{
	uint32_t vips;

	fill(500, 0);
	vips = build(build(0, 500), 100);
	vips = build(vips, 100);
	cr_assert_not_null(vips_find(slots, vips, &entries[99].vip));
	cr_assert_null(vips_find(slots, vips, &entries[100].vip));
}

Test(vips, put_replaces_the_entry_of_the_same_key)
{
	uint32_t vips;

	fill(10, 0);
	vips = build(0, 10);
	entries[4].service = 33;
	cr_assert_eq(vips_put(slots, vips, &entries[4]), 0);
	cr_assert_eq(vips_find(slots, vips, &entries[4].vip)->service, 33);
}

Test(vips, more_than_there_is_room_for_is_refused)
{
	fill(LARCH_MAX_VIPS + 1, 0);
	cr_assert_eq(vips_build(slots, 0, entries, LARCH_MAX_VIPS + 1), -ENOSPC);
}

Test(vips, an_empty_table_is_one)
{
	struct larch_vip vip = {.kind = LARCH_VIP_SERVICE};

	cr_assert_null(vips_find(slots, build(0, 0), &vip));
}
