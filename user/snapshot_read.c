// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reading a snapshot's text: nothing of it is believed. A text that is whole may still come from a
 * node with a fault, so each value is checked before it gets anywhere. See snapshot.h.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "endpoint.h"
#include "snapshot.h"

#define MOST_DEMAND 1e12 /* requests a second */

/* What is said of the first thing that is wrong. */
struct complaint {
	char *text;
	size_t size;
};

/* What generation_read() wants of a service; too large for the stack. */
struct tables {
	struct larch_plan plan;
	struct larch_ring ring[LARCH_RINGS];
	struct larch_costs costs[LARCH_MAX_LEAVES];
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct complaint *complaint,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(complaint->text, complaint->size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* ---- values ---- */

static bool take_whole(const json_t *value, uint64_t least, uint64_t most, uint64_t *out)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || (uint64_t)number < least ||
	    (uint64_t)number > most)
		return false;
	*out = (uint64_t)number;
	return true;
}

/* A list of so many values; NULL: it is none. */
static const json_t *take_list(const json_t *mapping, const char *key, size_t count)
{
	const json_t *list = json_object_get(mapping, key);

	return json_array_size(list) == count && json_is_array(list) ? list : NULL;
}

static bool take_text(const json_t *mapping, const char *key, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(mapping, key));

	if (!text || !*text || strlen(text) >= size)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(const char *text, size_t digits, uint64_t *out)
{
	uint64_t number = 0;

	for (size_t i = 0; i < digits; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return false;
		number = number << 4 | (uint64_t)digit;
	}
	*out = number;
	return true;
}

static bool take_digest(const json_t *mapping, const char *key, uint64_t *out)
{
	const json_t *value = json_object_get(mapping, key);

	return json_string_length(value) == 16 && take_hex(json_string_value(value), 16, out);
}

/* ---- a service ---- */

static bool read_members(const json_t *service, struct snapshot_service *out, struct tables *tables)
{
	const json_t *list = json_object_get(service, "members");
	size_t count = json_array_size(list);

	if (!json_is_array(list) || !count || count > LARCH_MAX_MEMBERS)
		return false;
	tables->plan.members = (uint32_t)count;
	memset(tables->plan.member_of, LARCH_NO_MEMBER, sizeof(tables->plan.member_of));
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !endpoint_address(text, 0, &out->address[i]))
			return false;
		if (i && memcmp(&out->address[i - 1], &out->address[i], sizeof(*out->address)) >= 0)
			return false;
		tables->plan.member[i] = (uint16_t)i;
		tables->plan.member_of[i] = (uint8_t)i;
	}
	return true;
}

static bool read_node(const json_t *value, struct larch_node *node)
{
	uint64_t feature;
	uint64_t threshold;

	if (json_array_size(value) != 2 ||
	    !take_whole(json_array_get(value, 0), 0, LARCH_FEATURE_COUNT - 1, &feature) ||
	    !take_whole(json_array_get(value, 1), 0, INT64_MAX, &threshold))
		return false;
	node->feature = (uint32_t)feature;
	node->threshold = threshold;
	return true;
}

static bool read_tree(const json_t *service, struct larch_tree *tree)
{
	const json_t *from = json_object_get(service, "tree"), *nodes, *leaf;
	uint64_t depth, leaves, number;

	if (!take_whole(json_object_get(from, "depth"), 0, LARCH_MAX_DEPTH, &depth) ||
	    !take_whole(json_object_get(from, "leaves"), 1, LARCH_MAX_LEAVES, &leaves))
		return false;
	nodes = take_list(from, "nodes", (1u << depth) - 1);
	leaf = take_list(from, "leaf", 1u << depth);
	if (!nodes || !leaf)
		return false;
	tree->depth = (uint32_t)depth;
	tree->leaves = (uint32_t)leaves;
	for (size_t i = 0; i + 1 < 1u << depth; i++) {
		if (!read_node(json_array_get(nodes, i), &tree->node[i]))
			return false;
	}
	for (size_t i = 0; i < 1u << depth; i++) {
		if (!take_whole(json_array_get(leaf, i), 0, leaves - 1, &number))
			return false;
		tree->leaf[i] = (uint8_t)number;
	}
	return true;
}

static bool read_ring(const json_t *value, size_t members, struct larch_ring *ring)
{
	const char *text = json_string_value(value);

	if (!text || json_string_length(value) != 4 * LARCH_RING_SLOTS)
		return false;
	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
		uint64_t primary, secondary;

		if (!take_hex(text + 4 * slot, 2, &primary) ||
		    !take_hex(text + 4 * slot + 2, 2, &secondary) ||
		    (primary >= members && primary != LARCH_NO_MEMBER) ||
		    (secondary >= members && secondary != LARCH_NO_MEMBER))
			return false;
		ring->slot[slot].primary = (uint8_t)primary;
		ring->slot[slot].secondary = (uint8_t)secondary;
	}
	return true;
}

static bool read_rings(const json_t *service, struct tables *tables)
{
	size_t count = LARCH_RING_LEAF + tables->plan.tree.leaves;
	const json_t *list = take_list(service, "rings", count);

	for (size_t i = 0; list && i < count; i++) {
		if (!read_ring(json_array_get(list, i), tables->plan.members, &tables->ring[i]))
			return false;
	}
	return list;
}

static bool read_leaf_costs(const json_t *row, size_t members, struct larch_costs *costs)
{
	if (!json_is_array(row) || json_array_size(row) != members)
		return false;
	for (size_t i = 0; i < members; i++) {
		const json_t *pair = json_array_get(row, i);
		uint64_t net, service;

		if (json_array_size(pair) != 2 ||
		    !take_whole(json_array_get(pair, 0), 0, UINT32_MAX, &net) ||
		    !take_whole(json_array_get(pair, 1), 0, UINT32_MAX, &service))
			return false;
		costs->member[i] = (struct larch_cost){(uint32_t)net, (uint32_t)service};
	}
	return true;
}

static bool read_costs(const json_t *service, struct tables *tables)
{
	size_t leaves = tables->plan.tree.leaves;
	const json_t *list = take_list(service, "costs", leaves);

	for (size_t i = 0; list && i < leaves; i++) {
		if (!read_leaf_costs(json_array_get(list, i), tables->plan.members,
				     &tables->costs[i]))
			return false;
	}
	return list;
}

static bool read_demand(const json_t *service, struct generation *generation)
{
	const json_t *list = take_list(service, "demand", generation->leaves);

	for (size_t i = 0; list && i < generation->leaves; i++) {
		const json_t *value = json_array_get(list, i);
		double number = json_number_value(value);

		if (!json_is_number(value) || !(number >= 0 && number <= MOST_DEMAND))
			return false;
		generation->demand[i] = number;
	}
	return list;
}

static bool read_head(const json_t *service, struct snapshot_service *out, struct larch_plan *plan)
{
	const json_t *learned = json_object_get(service, "learned");
	uint64_t generation;

	if (!json_is_boolean(learned) || !take_digest(service, "digest", &out->digest) ||
	    !take_whole(json_object_get(service, "generation"), 1, UINT32_MAX, &generation))
		return false;
	plan->flags = json_is_true(learned) ? LARCH_PLAN_LEARNED : 0;
	plan->generation = (uint32_t)generation;
	return true;
}

static int read_tables(const json_t *service, struct snapshot_service *out, struct tables *tables,
		       const struct complaint *complaint)
{
	const char *wrong = NULL;
	int error;

	if (!read_head(service, out, &tables->plan))
		wrong = "generation, digest or learned";
	else if (!read_members(service, out, tables))
		wrong = "members";
	else if (!read_tree(service, &tables->plan.tree))
		wrong = "tree";
	else if (!read_rings(service, tables))
		wrong = "rings";
	else if (!read_costs(service, tables))
		wrong = "costs";
	if (wrong)
		return refuse(complaint, "%s: its %s make no sense", out->name, wrong);
	error = generation_make(&out->generation, &tables->plan, tables->ring, tables->costs);
	if (!error && snapshot_digest(out->generation, out->address) != out->digest)
		return refuse(complaint, "%s: its digest is not that of its tables", out->name);
	if (!error && !read_demand(service, out->generation))
		return refuse(complaint, "%s: its demand makes no sense", out->name);
	return error;
}

static int read_service(const json_t *service, struct snapshot *snapshot,
			const struct complaint *complaint)
{
	struct snapshot_service *out = &snapshot->service[snapshot->services];
	char name[CONFIG_NAME_MAX];
	struct tables *tables;
	int error;

	if (!take_text(service, "service", name, sizeof(name)) || snapshot_find(snapshot, name))
		return refuse(complaint, "service %zu has no name of its own",
			      snapshot->services + 1);
	memcpy(out->name, name, sizeof(name));
	tables = calloc(1, sizeof(*tables));
	if (!tables)
		return -ENOMEM;
	snapshot->services++; /* what it has is released with the others' */
	error = read_tables(service, out, tables, complaint);
	free(tables);
	return error;
}

/* ---- the whole ---- */

static int read_json(const json_t *all, struct snapshot *snapshot,
		     const struct complaint *complaint)
{
	const json_t *services = json_object_get(all, "services");
	size_t count = json_array_size(services);
	int error = 0;

	if (!take_text(all, "node", snapshot->node, sizeof(snapshot->node)) ||
	    !take_whole(json_object_get(all, "written_ms"), 1, INT64_MAX, &snapshot->written_ms) ||
	    !take_digest(all, "seed", &snapshot->seed))
		return refuse(complaint, "its node, written_ms or seed make no sense");
	if (!json_is_array(services) || count > LARCH_MAX_SERVICES)
		return refuse(complaint, "its services are no list of at most %u",
			      LARCH_MAX_SERVICES);
	for (size_t i = 0; i < count && !error; i++)
		error = read_service(json_array_get(services, i), snapshot, complaint);
	return error;
}

/* Is it a snapshot of this version, and whole? *json is where its JSON begins. */
static int check_text(const char *text, size_t length, const char **json,
		      const struct complaint *complaint)
{
	const size_t magic = strlen(SNAPSHOT_MAGIC), head = magic + 16 + 1;
	uint64_t digest;

	if (!length)
		return refuse(complaint, "is empty");
	if (length < head || memcmp(text, SNAPSHOT_MAGIC, magic) != 0)
		return refuse(complaint, "is no file of generations of this version of Larch: it "
					 "does not begin with '" SNAPSHOT_MAGIC "'");
	if (!take_hex(text + magic, 16, &digest) || text[head - 1] != '\n' ||
	    digest != digest_fold(DIGEST_BEGIN, text + head, length - head))
		return refuse(complaint, "is truncated or damaged: its digest is another one");
	*json = text + head;
	return 0;
}

int snapshot_read_text(const char *text, size_t length, struct snapshot **out, char *why,
		       size_t size)
{
	const struct complaint complaint = {why, size};
	struct snapshot *snapshot;
	const char *json = NULL;
	json_error_t trouble;
	json_t *all;
	int error = check_text(text, length, &json, &complaint);

	if (error)
		return error;
	all = json_loadb(json, length - (size_t)(json - text), JSON_REJECT_DUPLICATES, &trouble);
	if (!all)
		return refuse(&complaint, "is no JSON: %s", trouble.text);
	snapshot = snapshot_new();
	error = snapshot ? read_json(all, snapshot, &complaint) : -ENOMEM;
	json_decref(all);
	if (error == -ENOMEM)
		snprintf(why, size, "cannot be read: no memory");
	if (error)
		snapshot_free(snapshot);
	else
		*out = snapshot;
	return error;
}
