// SPDX-License-Identifier: BSD-2-Clause
/*
 * Open addressing with linear probing, never more than half full. Slots hold part of the hash, so
 * that a probe seldom has to look at a key. Nothing is deleted: who removes items builds anew.
 *
 * In: keys. Out: numbers of items.
 */
#include "lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_MASK 0xffffffffull

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9fb21c651e98df25ull;
	return hash ^ (hash >> 29);
}

static uint64_t hash_key(const struct larch_cell *key)
{
	uint64_t word[3], hash = 0;

	_Static_assert(sizeof(word) == sizeof(*key), "a key is three words");
	memcpy(word, key, sizeof(word));
	for (size_t i = 0; i < 3; i++)
		hash = mix(hash, word[i]);
	return mix(hash, 0);
}

void lookup_free(struct lookup *lookup)
{
	free(lookup->slot);
	*lookup = (struct lookup){0};
}

static size_t slots_for(size_t capacity)
{
	size_t slots = 16;

	while (slots < 2 * capacity)
		slots *= 2;
	return slots;
}

int lookup_build(struct lookup *lookup, const struct larch_cell *key, size_t items, size_t capacity)
{
	size_t slots = slots_for(capacity);

	if (slots > lookup->slots) {
		uint64_t *slot = calloc(slots, sizeof(*slot));

		if (!slot)
			return -ENOMEM;
		free(lookup->slot);
		*lookup = (struct lookup){slot, slots};
	} else {
		memset(lookup->slot, 0, lookup->slots * sizeof(*lookup->slot));
	}
	for (size_t item = 0; item < items; item++)
		lookup_add(lookup, &key[item], item);
	return 0;
}

void lookup_add(struct lookup *lookup, const struct larch_cell *key, size_t item)
{
	uint64_t hash = hash_key(key);
	size_t at = hash & (lookup->slots - 1);

	while (lookup->slot[at])
		at = (at + 1) & (lookup->slots - 1);
	lookup->slot[at] = (hash & ~ITEM_MASK) | (item + 1);
}

size_t lookup_find(const struct lookup *lookup, const struct larch_cell *keys,
		   const struct larch_cell *key)
{
	uint64_t hash = hash_key(key);

	if (!lookup->slots)
		return LOOKUP_NONE;
	for (size_t at = hash & (lookup->slots - 1); lookup->slot[at];
	     at = (at + 1) & (lookup->slots - 1)) {
		uint64_t slot = lookup->slot[at];
		size_t item = (slot & ITEM_MASK) - 1;

		if ((slot ^ hash) <= ITEM_MASK && !memcmp(&keys[item], key, sizeof(*key)))
			return item;
	}
	return LOOKUP_NONE;
}
