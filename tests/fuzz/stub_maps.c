// SPDX-License-Identifier: BSD-2-Clause
/*
 * Maps in memory: arrays, hashes, LRU hashes and LPM tries of any key and value. A hash is searched
 * from its first entry to its last: a fuzzer's world holds few. See stub.h.
 */
#include "stub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPS_MOST 64

struct stub_map {
	struct stub_shape shape;
	bool indexed;	      /* an array: the key is the number of the entry */
	uint32_t limit;	      /* entries that it may hold */
	uint32_t used;	      /* of a hash: entries behind have never been in use */
	uint32_t frozen_used; /* the same, at stub_freeze() */
	uint32_t victim;      /* of an LRU hash: the entry that gives way next */
	uint8_t *keys, *values;
	bool *present;
	bool *noted; /* has been saved since stub_freeze() */
};

/* How an entry was before it was touched. */
struct note {
	struct stub_map *map;
	uint32_t at;
	bool present;
	size_t bytes; /* where key and value are in `noted` */
};

static struct stub_map *maps[MAPS_MOST];
static size_t map_count;
static bool frozen;
static struct note *notes;
static size_t note_count, note_room;
static uint8_t *noted; /* what the notes are about */
static size_t noted_size, noted_room;

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "stub: out of memory\n");
		abort();
	}
	return memory;
}

static bool is_array(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_DEVMAP;
}

static bool is_lru(uint32_t type)
{
	return type == BPF_MAP_TYPE_LRU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static bool is_known(uint32_t type)
{
	return is_array(type) || is_lru(type) || type == BPF_MAP_TYPE_HASH ||
	       type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LPM_TRIE;
}

static struct stub_map *map_new(const struct stub_shape *shape)
{
	struct stub_map *map = need(calloc(1, sizeof(*map)));
	size_t bytes = (size_t)shape->entries * shape->value;

	if (!is_known(shape->type) || map_count == MAPS_MOST) {
		fprintf(stderr, "stub: no map of type %u, or too many maps\n", shape->type);
		abort();
	}
	map->shape = *shape;
	map->indexed = is_array(shape->type);
	map->limit = shape->entries;
	/* aligned like a page: no value type asks for more */
	map->values = need(aligned_alloc(4096, (bytes + 4095) / 4096 * 4096));
	memset(map->values, 0, bytes);
	map->noted = need(calloc(shape->entries, 1));
	if (!map->indexed) {
		map->keys = need(calloc(shape->entries, shape->key));
		map->present = need(calloc(shape->entries, 1));
	}
	maps[map_count++] = map;
	return map;
}

struct stub_map *stub_map(void *definition, const struct stub_shape *shape)
{
	struct stub_map **map = definition;

	if (!*map)
		*map = map_new(shape);
	return *map;
}

static void *value_at(struct stub_map *map, uint32_t at)
{
	return map->values + (size_t)at * map->shape.value;
}

static void *key_at(struct stub_map *map, uint32_t at)
{
	return map->keys + (size_t)at * map->shape.key;
}

/* Makes an array of `*room` elements hold `count` of them. */
static void *grow(void *array, size_t *room, size_t count, size_t size)
{
	if (count <= *room)
		return array;
	*room = 2 * count;
	return need(realloc(array, *room * size));
}

/* Whatever is handed out may be written to: it is saved first. */
static void note(struct stub_map *map, uint32_t at)
{
	size_t size = map->shape.key + map->shape.value;
	uint8_t *bytes;

	if (!frozen || map->noted[at])
		return;
	map->noted[at] = true;
	notes = grow(notes, &note_room, note_count + 1, sizeof(*notes));
	noted = grow(noted, &noted_room, noted_size + size, 1);
	bytes = noted + noted_size;
	notes[note_count++] = (struct note){map, at, !map->indexed && map->present[at], noted_size};
	noted_size += size;
	if (!map->indexed)
		memcpy(bytes, key_at(map, at), map->shape.key);
	memcpy(bytes + map->shape.key, value_at(map, at), map->shape.value);
}

void stub_freeze(void)
{
	for (size_t i = 0; i < map_count; i++)
		maps[i]->frozen_used = maps[i]->used;
	frozen = true;
}

static void undo(const struct note *saved)
{
	struct stub_map *map = saved->map;
	const uint8_t *bytes = noted + saved->bytes;

	memcpy(value_at(map, saved->at), bytes + map->shape.key, map->shape.value);
	map->noted[saved->at] = false;
	if (map->indexed)
		return;
	memcpy(key_at(map, saved->at), bytes, map->shape.key);
	map->present[saved->at] = saved->present;
}

void stub_rewind(void)
{
	while (note_count)
		undo(&notes[--note_count]);
	noted_size = 0;
	for (size_t i = 0; i < map_count; i++) {
		maps[i]->used = maps[i]->frozen_used;
		maps[i]->limit = maps[i]->shape.entries;
		maps[i]->victim = 0;
	}
}

/* Do the first `bits` bits agree? */
static bool same_prefix(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
	uint8_t mask = (uint8_t)(0xff00 >> bits % 8);

	return memcmp(a, b, bits / 8) == 0 && (!mask || !((a[bits / 8] ^ b[bits / 8]) & mask));
}

/* The longest prefix that the key begins with. */
static int find_prefix(struct stub_map *map, const void *key)
{
	const struct bpf_lpm_trie_key *wanted = key;
	uint32_t longest = 0;
	int found = -1;

	for (uint32_t i = 0; i < map->used; i++) {
		const struct bpf_lpm_trie_key *entry = key_at(map, i);

		if (map->present[i] && entry->prefixlen <= wanted->prefixlen &&
		    (found < 0 || entry->prefixlen > longest) &&
		    same_prefix(entry->data, wanted->data, entry->prefixlen)) {
			longest = entry->prefixlen;
			found = (int)i;
		}
	}
	return found;
}

static int find_exactly(struct stub_map *map, const void *key)
{
	if (map->indexed) {
		uint32_t at;

		memcpy(&at, key, sizeof(at));
		return at < map->shape.entries ? (int)at : -1;
	}
	for (uint32_t i = 0; i < map->used; i++) {
		if (map->present[i] && memcmp(key_at(map, i), key, map->shape.key) == 0)
			return (int)i;
	}
	return -1;
}

void *stub_lookup(struct stub_map *map, const void *key)
{
	int at = map->shape.type == BPF_MAP_TYPE_LPM_TRIE ? find_prefix(map, key)
							  : find_exactly(map, key);

	if (at < 0)
		return NULL;
	note(map, (uint32_t)at);
	return value_at(map, (uint32_t)at);
}

/* A place for one key more, or -1. */
static int find_room(struct stub_map *map)
{
	uint32_t present = 0;
	int room = -1;

	for (uint32_t i = 0; i < map->used; i++) {
		present += map->present[i];
		if (!map->present[i])
			room = (int)i;
	}
	if (present >= map->limit && !is_lru(map->shape.type))
		return -1;
	if (present >= map->limit)
		return (int)(map->victim++ % map->used);
	return room < 0 ? (int)map->used++ : room;
}

long stub_update(struct stub_map *map, const void *key, const void *value, __u64 flags)
{
	int at = find_exactly(map, key);

	if (at >= 0 && flags & BPF_NOEXIST)
		return -EEXIST;
	if (at < 0 && (map->indexed || flags & BPF_EXIST))
		return map->indexed ? -E2BIG : -ENOENT;
	if (at < 0)
		at = find_room(map);
	if (at < 0)
		return -E2BIG;
	note(map, (uint32_t)at);
	if (!map->indexed) {
		map->present[at] = true;
		memcpy(key_at(map, (uint32_t)at), key, map->shape.key);
	}
	memcpy(value_at(map, (uint32_t)at), value, map->shape.value);
	return 0;
}

long stub_delete(struct stub_map *map, const void *key)
{
	int at = find_exactly(map, key);

	if (map->indexed)
		return -EINVAL;
	if (at < 0)
		return -ENOENT;
	note(map, (uint32_t)at);
	map->present[at] = false;
	return 0;
}

void *stub_values(struct stub_map *map)
{
	return map->values;
}

void stub_limit(struct stub_map *map, uint32_t entries)
{
	map->limit = entries < map->shape.entries ? entries : map->shape.entries;
}

bool stub_next(struct stub_map *map, const void *key, void *next)
{
	int at = key ? find_exactly(map, key) : -1;
	uint32_t end = map->indexed ? map->shape.entries : map->used;

	for (uint32_t i = (uint32_t)(at + 1); i < end; i++) {
		if (map->indexed)
			memcpy(next, &i, sizeof(i));
		else if (map->present[i])
			memcpy(next, key_at(map, i), map->shape.key);
		else
			continue;
		return true;
	}
	return false;
}

int stub_descriptor(const struct stub_map *map)
{
	for (size_t i = 0; i < map_count; i++) {
		if (maps[i] == map)
			return (int)i;
	}
	return -1;
}

struct stub_map *stub_described(int descriptor)
{
	return descriptor >= 0 && (size_t)descriptor < map_count ? maps[descriptor] : NULL;
}

size_t stub_value_size(const struct stub_map *map)
{
	return map->shape.value;
}

size_t stub_key_size(const struct stub_map *map)
{
	return map->shape.key;
}
