// SPDX-License-Identifier: BSD-2-Clause
// Generations on their way from node to node: what must be the same, and what must be refused.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "digest.h"
#include "plan_scene.h"
#include "ring.h"
#include "snapshot.h"

#define MEMBERS 3
#define LEAVES	2

/* 10.0.0.LAST */
static struct in6_addr address_of(unsigned last)
{
	struct in6_addr address = {};

	address.s6_addr[10] = address.s6_addr[11] = 0xff;
	address.s6_addr[12] = 10;
	address.s6_addr[15] = (uint8_t)last;
	return address;
}

/*
 * A generation of the backends 10.0.0.11, .12 and .13, whose node has them in some order, by some
 * ids: member i is the one of number order[i].
 */
static struct generation *generation_of(const unsigned *order, uint16_t first_id,
					struct in6_addr address[MEMBERS])
{
	static const double share[LEAVES + 2][MEMBERS] = {
		{100, 100, 50}, {3, 2, 1}, {1, 0, 1}, {0.2, 0.7, 0.1}};
	uint64_t identity[MEMBERS];
	struct ring_builder *builder;
	struct generation *generation;
	double weight[MEMBERS];

	cr_assert_eq(generation_new(&generation, LEAVES, MEMBERS), 0);
	generation->plan.generation = 17;
	generation->plan.flags = LARCH_PLAN_LEARNED;
	generation->plan.members = MEMBERS;
	memset(generation->plan.member_of, LARCH_NO_MEMBER, sizeof(generation->plan.member_of));
	for (size_t i = 0; i < MEMBERS; i++) {
		address[i] = address_of(11 + order[i]);
		identity[i] = ring_identity(&address[i], sizeof(address[i]));
		generation->plan.member[i] = (uint16_t)(first_id + i);
		generation->plan.member_of[first_id + i] = (uint8_t)i;
		generation->costs[0].member[i] = (struct larch_cost){1000 + order[i], 5000};
		generation->costs[1].member[i] = (struct larch_cost){900, 400 * (order[i] + 1)};
	}
	generation->plan.tree.depth = 1;
	generation->plan.tree.leaves = LEAVES;
	generation->plan.tree.node[0].threshold = SCENE_BORDER;
	generation->plan.tree.leaf[1] = 1;
	generation->demand[0] = 12.5;
	generation->demand[1] = 1.0 / 3;
	cr_assert_eq(ring_builder_new(&builder, identity, MEMBERS), 0);
	for (size_t ring = 0; ring < LEAVES + 2; ring++) {
		for (size_t i = 0; i < MEMBERS; i++)
			weight[i] = share[ring][order[i]];
		ring_build(builder, weight, NULL, &generation->ring[ring]);
	}
	ring_builder_free(builder);
	generation->plan.digest = generation_digest(generation);
	return generation;
}

static const unsigned orders[][MEMBERS] = {{0, 1, 2}, {2, 0, 1}, {1, 2, 0}};

static struct snapshot *snapshot_of(const unsigned *order, uint16_t first_id)
{
	struct snapshot *snapshot = snapshot_new();
	struct in6_addr address[MEMBERS];
	struct generation *generation = generation_of(order, first_id, address);

	cr_assert_not_null(snapshot);
	strcpy(snapshot->node, "lb1");
	snapshot->written_ms = 1700000000123;
	snapshot->seed = 0xfedcba9876543210;
	cr_assert_eq(snapshot_add(snapshot, "web", generation, address), 0);
	generation_free(generation);
	return snapshot;
}

struct text {
	char *bytes;
	size_t length;
};

static struct text text_of(const struct snapshot *snapshot)
{
	struct text text;

	cr_assert_eq(snapshot_write_text(snapshot, &text.bytes, &text.length), 0);
	return text;
}

static struct text some_text(void)
{
	struct snapshot *snapshot = snapshot_of(orders[1], 40);
	struct text text = text_of(snapshot);

	snapshot_free(snapshot);
	return text;
}

/* The node's own numbers of backends are not in it. */
Test(snapshot, nodes_that_steer_alike_have_the_same_bytes)
{
	struct snapshot *one = snapshot_of(orders[0], 7);
	struct text first = text_of(one);

	for (size_t i = 1; i < 3; i++) {
		struct snapshot *other = snapshot_of(orders[i], (uint16_t)(100 * i));
		struct text second = text_of(other);
		struct in6_addr address[MEMBERS];
		struct generation *generation = generation_of(orders[i], 3, address);

		cr_expect_eq(first.length, second.length);
		cr_expect_arr_eq(first.bytes, second.bytes, first.length);
		cr_expect_eq(snapshot_digest_of(generation, address), one->service[0].digest);
		generation->ring[3].slot[77].primary ^= 1;
		cr_expect_neq(snapshot_digest_of(generation, address), one->service[0].digest);
		generation->ring[3].slot[77].primary ^= 1;
		address[1] = address_of(99);
		cr_expect_neq(snapshot_digest_of(generation, address), one->service[0].digest);
		generation_free(generation);
		snapshot_free(other);
		free(second.bytes);
	}
	snapshot_free(one);
	free(first.bytes);
}

/* Which backend, by its address, takes slot `slot` of a ring? 0: none. */
static unsigned taker(const struct generation *generation, size_t ring, size_t slot, bool second,
		      const struct in6_addr *address)
{
	const struct larch_slot *found = &generation->ring[ring].slot[slot];
	uint8_t member = second ? found->secondary : found->primary;

	return member < generation->members ? address[member].s6_addr[15] : 0;
}

Test(snapshot, what_comes_back_is_what_was_written)
{
	struct text text = some_text();
	struct in6_addr before_address[MEMBERS], address[MEMBERS + 1];
	struct generation *before = generation_of(orders[1], 40, before_address), *after;
	uint16_t backend[MEMBERS + 1] = {900, 3, 500, 7};
	struct snapshot *snapshot;
	char why[200] = "";
	size_t missing;

	cr_assert_eq(snapshot_read_text(text.bytes, text.length, &snapshot, why, sizeof(why)), 0,
		     "%s", why);
	cr_expect_str_eq(snapshot->node, "lb1");
	cr_expect_eq(snapshot->written_ms, 1700000000123);
	cr_expect_eq(snapshot->seed, 0xfedcba9876543210);
	cr_assert_eq(snapshot->services, 1);
	cr_expect_eq(snapshot_find(snapshot, "web"), &snapshot->service[0]);
	cr_expect_null(snapshot_find(snapshot, "we"));
	/* a node with one backend more, in another order */
	for (unsigned i = 0; i < MEMBERS + 1; i++)
		address[i] = address_of(14 - i);
	cr_assert_eq(snapshot_place(&snapshot->service[0], address, backend, MEMBERS + 1, &after,
				    &missing),
		     0);
	cr_expect_eq(after->members, MEMBERS + 1);
	cr_expect_eq(after->plan.flags, LARCH_PLAN_LEARNED);
	cr_expect_eq(after->plan.digest, generation_digest(after));
	cr_expect_arr_eq(&after->plan.tree, &before->plan.tree, sizeof(after->plan.tree));
	cr_expect_arr_eq(after->demand, before->demand, sizeof(*after->demand) * LEAVES);
	for (size_t i = 0; i < MEMBERS + 1; i++) {
		cr_expect_eq(after->plan.member[i], backend[i]);
		cr_expect_eq(after->plan.member_of[backend[i]], i);
	}
	for (size_t ring = 0; ring < LEAVES + 2; ring++) {
		for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
			for (int second = 0; second < 2; second++)
				cr_assert_eq(taker(after, ring, slot, second, address),
					     taker(before, ring, slot, second, before_address),
					     "ring %zu, slot %zu", ring, slot);
		}
	}
	cr_expect_eq(after->costs[1].member[1].service, 1200, "10.0.0.13");
	cr_expect_eq(after->costs[1].member[3].service, 400, "10.0.0.11");
	cr_expect_eq(after->share[0], 0, "10.0.0.14 takes nothing");
	cr_expect_float_eq(after->share[LEAVES * 0 + 1] + after->share[2] + after->share[3], 1,
			   1e-9);
	generation_free(before);
	generation_free(after);
	snapshot_free(snapshot);
	free(text.bytes);
}

Test(snapshot, a_backend_that_the_node_does_not_have)
{
	struct snapshot *snapshot = snapshot_of(orders[0], 1);
	const struct in6_addr address[] = {address_of(11), address_of(13), address_of(20)};
	const uint16_t backend[] = {1, 2, 3};
	struct generation *out = NULL;
	size_t missing = 99;

	cr_expect_eq(snapshot_place(&snapshot->service[0], address, backend, 3, &out, &missing),
		     -ENOENT);
	cr_expect_eq(missing, 1);
	cr_expect_null(out);
	snapshot_free(snapshot);
}

/* ---- what is refused ---- */

static void expect_refusal(const char *bytes, size_t length, const char *said)
{
	struct snapshot *snapshot = (void *)-1;
	char why[200] = "";

	cr_assert_eq(snapshot_read_text(bytes, length, &snapshot, why, sizeof(why)), -EINVAL,
		     "%.100s", bytes);
	cr_expect_not_null(strstr(why, said), "said '%s', not '%s'", why, said);
	cr_expect_eq(snapshot, (void *)-1, "nothing is given out");
}

Test(snapshot, every_truncation)
{
	struct text text = some_text();

	for (size_t length = 0; length < text.length; length++) {
		/* at the very end of its memory, so that a look beyond it shows */
		char *copy = malloc(length ? length : 1);

		memcpy(copy, text.bytes, length);
		expect_refusal(copy, length,
			       !length		  ? "is empty"
			       : length < 20 + 17 ? "is no file of generations"
						  : "is truncated or damaged");
		free(copy);
	}
	free(text.bytes);
}

Test(snapshot, every_bit_of_every_byte)
{
	struct text text = some_text();

	for (size_t i = 0; i < text.length; i++) {
		/* all of the head and of what has structure, and one bit of each byte of the rings
		 */
		for (unsigned bit = 0; bit < 8; bit++) {
			struct snapshot *snapshot;
			char why[200];

			if (i > 1000 && bit != i % 8)
				continue;
			text.bytes[i] ^= (char)(1 << bit);
			cr_assert_eq(snapshot_read_text(text.bytes, text.length, &snapshot, why,
							sizeof(why)),
				     -EINVAL, "byte %zu, bit %u", i, bit);
			text.bytes[i] ^= (char)(1 << bit);
		}
	}
	free(text.bytes);
}

Test(snapshot, other_files)
{
	struct text text = some_text();

	expect_refusal("services: []\n...\n", 17, "is no file of generations");
	text.bytes[18] = '2';
	expect_refusal(text.bytes, text.length, "of this version of Larch");
	text.bytes[18] = '1';
	text.bytes = realloc(text.bytes, text.length + 1);
	text.bytes[text.length] = '\n';
	expect_refusal(text.bytes, text.length + 1, "truncated or damaged");
	free(text.bytes);
}

/* The JSON in a text whose digest is right. */
static struct text sealed(const char *json, size_t length)
{
	struct text text = {.bytes = malloc(length + 64)};
	int head = sprintf(text.bytes, SNAPSHOT_MAGIC "%016llx\n",
			   (unsigned long long)digest_fold(DIGEST_BEGIN, json, length));

	memcpy(text.bytes + head, json, length);
	text.length = (size_t)head + length;
	return text;
}

static void expect_json_refused(const json_t *all, const char *said)
{
	char *json = json_dumps(all, JSON_COMPACT);
	struct text text = sealed(json, strlen(json));

	expect_refusal(text.bytes, text.length, said);
	free(text.bytes);
	free(json);
}

static json_t *some_json(void)
{
	struct text text = some_text();
	json_t *all = json_loadb(strchr(text.bytes, '\n') + 1,
				 text.length - (size_t)(strchr(text.bytes, '\n') + 1 - text.bytes),
				 0, NULL);

	cr_assert_not_null(all);
	free(text.bytes);
	return all;
}

/* Is it one of the few values that may as well be another one? */
static bool is_free(const char *key, const json_t *instead)
{
	if (strcmp(key, "service") == 0)
		return json_is_string(instead) && json_string_length(instead);
	if (strcmp(key, "generation") == 0)
		return json_is_integer(instead) && json_integer_value(instead) > 0 &&
		       json_integer_value(instead) <= UINT32_MAX;
	return strcmp(key, "demand") == 0 && json_is_number(instead) &&
	       json_number_value(instead) >= 0 && json_number_value(instead) <= 1e12;
}

static size_t replace_each(json_t *all, json_t *value, const char *key);

/* Puts others in the place of a value that is there now, by put(); then the value again. */
static size_t replace(json_t *all, json_t *parent, const char *key, size_t index, json_t *value)
{
	static const char *const others[] = {
		"null",	 "-1",	     "4294967296", "9223372036854775807",
		"1e300", "\"x\"",    "\"\"",	   "[]",
		"{}",	 "[[0, 1]]", "true"};
	size_t tried = 0;

	json_incref(value);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		json_t *other = json_loads(others[i], JSON_DECODE_ANY, NULL);

		if (json_equal(other, value) || is_free(key, other)) {
			json_decref(other);
			continue;
		}
		if (json_is_object(parent))
			json_object_set_new(parent, key, other);
		else
			json_array_set_new(parent, index, other);
		expect_json_refused(all, " ");
		tried++;
	}
	if (json_is_object(parent))
		json_object_set(parent, key, value);
	else
		json_array_set(parent, index, value);
	tried += replace_each(all, value, key);
	json_decref(value);
	return tried;
}

static size_t replace_each(json_t *all, json_t *value, const char *key)
{
	static const char *const keys[] = {"service", "generation", "digest", "learned", "members",
					   "tree",    "demand",	    "costs",  "rings",	 "depth",
					   "leaves",  "nodes",	    "leaf"};
	size_t tried = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *child = json_object_get(value, keys[i]);

		if (child)
			tried += replace(all, value, keys[i], 0, child);
	}
	for (size_t i = 0; i < json_array_size(value); i++)
		tried += replace(all, value, key, i, json_array_get(value, i));
	return tried;
}

/* Whole, with the right digest, and nonsense all the same. */
Test(snapshot, every_value_is_checked)
{
	json_t *all = some_json(), *service = json_array_get(json_object_get(all, "services"), 0);

	cr_expect_gt(replace_each(all, service, ""), 300);
	json_object_del(all, "seed");
	expect_json_refused(all, "its node, written_ms or seed make no sense");
	json_decref(all);
}

Test(snapshot, what_of_a_service_makes_no_sense_is_named)
{
	static const char *const keys[] = {"members", "tree", "rings", "costs", "demand", "digest"};
	char said[64];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *all = some_json();
		json_t *service = json_array_get(json_object_get(all, "services"), 0);

		json_object_del(service, keys[i]);
		snprintf(said, sizeof(said), "%s", keys[i]);
		expect_json_refused(all, said);
		json_decref(all);
	}
}

Test(snapshot, members_twice_and_in_another_order)
{
	json_t *all = some_json(), *service = json_array_get(json_object_get(all, "services"), 0);
	json_t *members = json_object_get(service, "members");

	cr_expect_str_eq(json_string_value(json_array_get(members, 0)), "10.0.0.11");
	json_array_set_new(members, 0, json_string("10.0.0.12"));
	expect_json_refused(all, "web: its members make no sense");
	json_array_set_new(members, 0, json_string("10.0.0.99"));
	expect_json_refused(all, "web: its members make no sense");
	json_array_set_new(members, 0, json_string("10.0.0.1"));
	expect_json_refused(all, "web: its digest is not that of its tables");
	json_array_set_new(members, 0, json_string("10.0.0.11"));
	json_array_append_new(json_object_get(all, "services"), json_deep_copy(service));
	expect_json_refused(all, "service 2 has no name of its own");
	json_decref(all);
}

Test(snapshot, tables_that_are_not_those_of_the_digest)
{
	json_t *all = some_json(), *service = json_array_get(json_object_get(all, "services"), 0);

	json_object_set_new(service, "learned", json_false());
	expect_json_refused(all, "web: its digest is not that of its tables");
	json_decref(all);
}
