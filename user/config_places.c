// SPDX-License-Identifier: BSD-2-Clause
/* A hash table with open addressing, at most half full: see config_places.h. */
#include "config_places.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define FIRST_SIZE 256 /* a power of two */

struct entry {
	const json_t *value; /* NULL: free */
	struct config_place place;
};

struct config_places {
	size_t size, used;
	struct entry *entry;
};

struct config_places *config_places_new(void)
{
	struct config_places *places = calloc(1, sizeof(*places));

	if (!places)
		return NULL;
	places->size = FIRST_SIZE;
	places->entry = calloc(places->size, sizeof(*places->entry));
	if (!places->entry) {
		free(places);
		return NULL;
	}
	return places;
}

void config_places_free(struct config_places *places)
{
	if (!places)
		return;
	free(places->entry);
	free(places);
}

/* The value's entry, or the free one that it would take. */
static struct entry *locate(const struct config_places *places, const json_t *value)
{
	size_t at = ((uint64_t)(uintptr_t)value * 0x9e3779b97f4a7c15u) >> 32;

	for (;; at++) {
		struct entry *entry = &places->entry[at & (places->size - 1)];

		if (entry->value == value || !entry->value)
			return entry;
	}
}

static int grow(struct config_places *places)
{
	struct config_places larger = {.size = 2 * places->size, .used = places->used};

	larger.entry = calloc(larger.size, sizeof(*larger.entry));
	if (!larger.entry)
		return -ENOMEM;
	for (size_t i = 0; i < places->size; i++) {
		if (places->entry[i].value)
			*locate(&larger, places->entry[i].value) = places->entry[i];
	}
	free(places->entry);
	*places = larger;
	return 0;
}

int config_places_put(struct config_places *places, const json_t *value,
		      const struct config_place *place)
{
	struct entry *entry;

	if (2 * places->used >= places->size && grow(places))
		return -ENOMEM;
	entry = locate(places, value);
	places->used += !entry->value;
	*entry = (struct entry){.value = value, .place = *place};
	return 0;
}

struct config_place config_places_get(const struct config_places *places, const json_t *value)
{
	if (!places)
		return (struct config_place){0};
	return locate(places, value)->place;
}
