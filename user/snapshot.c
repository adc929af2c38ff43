// SPDX-License-Identifier: BSD-2-Clause
/* Snapshots in memory, and how they become text. See snapshot.h; snapshot_read.c reads them. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "endpoint.h"
#include "snapshot.h"

struct snapshot *snapshot_new(void)
{
	return calloc(1, sizeof(struct snapshot));
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (size_t i = 0; i < snapshot->services; i++)
		generation_free(snapshot->service[i].generation);
	free(snapshot);
}

/* ---- numbers ---- */

static const uint16_t *own_ids(void)
{
	static uint16_t id[LARCH_MAX_MEMBERS];

	for (size_t i = 0; i < LARCH_MAX_MEMBERS; i++)
		id[i] = (uint16_t)i;
	return id;
}

/* place[i]: how many addresses come before that of member i. */
static void order_addresses(const struct in6_addr *address, size_t members, uint8_t *place)
{
	for (size_t i = 0; i < members; i++) {
		size_t before = 0;

		for (size_t j = 0; j < members; j++)
			before += memcmp(&address[j], &address[i], sizeof(*address)) < 0;
		place[i] = (uint8_t)before;
	}
}

static int fill_service(struct snapshot_service *service, const struct generation *generation,
			const struct in6_addr *address)
{
	uint8_t place[LARCH_MAX_MEMBERS];
	int error;

	order_addresses(address, generation->members, place);
	error = generation_renumber(&service->generation, generation, place, own_ids(),
				    generation->members);
	if (error)
		return error;
	service->generation->plan.generation = generation->plan.generation;
	for (size_t i = 0; i < generation->members; i++)
		service->address[place[i]] = address[i];
	service->digest = snapshot_digest(service->generation, service->address);
	return 0;
}

int snapshot_add(struct snapshot *snapshot, const char *name, const struct generation *generation,
		 const struct in6_addr *address)
{
	struct snapshot_service *service = &snapshot->service[snapshot->services];
	int error;

	if (snapshot->services == LARCH_MAX_SERVICES)
		return -ENOSPC;
	error = fill_service(service, generation, address);
	if (error)
		return error;
	snprintf(service->name, sizeof(service->name), "%s", name);
	snapshot->services++;
	return 0;
}

uint64_t snapshot_digest(const struct generation *generation, const struct in6_addr *address)
{
	return digest_fold(generation_digest(generation), address,
			   generation->members * sizeof(*address));
}

uint64_t snapshot_digest_of(const struct generation *generation, const struct in6_addr *address)
{
	struct snapshot_service service;

	if (fill_service(&service, generation, address) != 0)
		return 0;
	generation_free(service.generation);
	return service.digest;
}

const struct snapshot_service *snapshot_find(const struct snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->services; i++) {
		if (strcmp(snapshot->service[i].name, name) == 0)
			return &snapshot->service[i];
	}
	return NULL;
}

int snapshot_place(const struct snapshot_service *service, const struct in6_addr *address,
		   const uint16_t *backend, size_t members, struct generation **out,
		   size_t *missing)
{
	uint8_t place[LARCH_MAX_MEMBERS];

	for (size_t i = 0; i < service->generation->members; i++) {
		size_t at = 0;

		while (at < members && !IN6_ARE_ADDR_EQUAL(&address[at], &service->address[i]))
			at++;
		if (at == members) {
			*missing = i;
			return -ENOENT;
		}
		place[i] = (uint8_t)at;
	}
	return generation_renumber(out, service->generation, place, backend, members);
}

/* ---- text ---- */

static json_t *write_members(const struct snapshot_service *service)
{
	json_t *list = json_array();
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < service->generation->members; i++)
		json_array_append_new(
			list, json_string(endpoint_address_text(&service->address[i], text)));
	return list;
}

static json_t *write_tree(const struct larch_tree *tree)
{
	json_t *nodes = json_array(), *leaf = json_array();
	size_t leaves = 1u << tree->depth;

	for (size_t i = 0; i + 1 < leaves; i++)
		json_array_append_new(nodes, json_pack("[i, I]", (int)tree->node[i].feature,
						       (json_int_t)tree->node[i].threshold));
	for (size_t i = 0; i < leaves; i++)
		json_array_append_new(leaf, json_integer(tree->leaf[i]));
	return json_pack("{s:i, s:i, s:o, s:o}", "depth", (int)tree->depth, "leaves",
			 (int)tree->leaves, "nodes", nodes, "leaf", leaf);
}

static json_t *write_demand(const struct generation *generation)
{
	json_t *list = json_array();

	for (size_t leaf = 0; leaf < generation->leaves; leaf++)
		json_array_append_new(list, json_real(generation->demand[leaf]));
	return list;
}

static json_t *write_costs(const struct generation *generation)
{
	json_t *list = json_array();

	for (size_t leaf = 0; leaf < generation->leaves; leaf++) {
		json_t *row = json_array();

		for (size_t i = 0; i < generation->members; i++) {
			const struct larch_cost *cost = &generation->costs[leaf].member[i];

			json_array_append_new(row, json_pack("[I, I]", (json_int_t)cost->net,
							     (json_int_t)cost->service));
		}
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *write_ring(const struct larch_ring *ring)
{
	static const char digits[] = "0123456789abcdef";
	char text[4 * LARCH_RING_SLOTS], *at = text;

	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++) {
		const uint8_t member[] = {ring->slot[slot].primary, ring->slot[slot].secondary};

		for (size_t i = 0; i < 2; i++) {
			*at++ = digits[member[i] >> 4];
			*at++ = digits[member[i] & 15];
		}
	}
	return json_stringn(text, sizeof(text));
}

static json_t *write_rings(const struct generation *generation)
{
	json_t *list = json_array();

	for (size_t ring = 0; ring < LARCH_RING_LEAF + generation->leaves; ring++)
		json_array_append_new(list, write_ring(&generation->ring[ring]));
	return list;
}

static json_t *write_service(const struct snapshot_service *service)
{
	const struct generation *generation = service->generation;
	char digest[17];

	snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)service->digest);
	return json_pack("{s:s, s:I, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "service", service->name,
			 "generation", (json_int_t)generation->plan.generation, "digest", digest,
			 "learned", (generation->plan.flags & LARCH_PLAN_LEARNED) != 0, "members",
			 write_members(service), "tree", write_tree(&generation->plan.tree),
			 "demand", write_demand(generation), "costs", write_costs(generation),
			 "rings", write_rings(generation));
}

static char *write_json(const struct snapshot *snapshot)
{
	json_t *services = json_array(), *all;
	char seed[17], *text;

	for (size_t i = 0; i < snapshot->services; i++)
		json_array_append_new(services, write_service(&snapshot->service[i]));
	snprintf(seed, sizeof(seed), "%016llx", (unsigned long long)snapshot->seed);
	all = json_pack("{s:s, s:I, s:s, s:o}", "node", snapshot->node, "written_ms",
			(json_int_t)snapshot->written_ms, "seed", seed, "services", services);
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	json_decref(all);
	return text;
}

int snapshot_write_text(const struct snapshot *snapshot, char **text, size_t *length)
{
	char *json = write_json(snapshot);
	size_t size = json ? strlen(json) : 0;
	uint64_t digest;
	int wrote;

	if (!json)
		return -ENOMEM;
	json[size++] = '\n'; /* in place of its end */
	digest = digest_fold(DIGEST_BEGIN, json, size);
	*text = malloc(size + 64);
	if (!*text) {
		free(json);
		return -ENOMEM;
	}
	wrote = sprintf(*text, SNAPSHOT_MAGIC "%016llx\n", (unsigned long long)digest);
	memcpy(*text + wrote, json, size);
	*length = (size_t)wrote + size;
	free(json);
	return 0;
}
