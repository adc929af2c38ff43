// SPDX-License-Identifier: BSD-2-Clause
/*
 * Finds an item of an array by its key, a struct larch_cell. The array belongs to the caller, who
 * keeps the keys side by side; items are numbered as there. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "larch/cell.h"

#define LOOKUP_NONE SIZE_MAX

struct lookup {
	uint64_t *slot; /* high half of the key's hash, and the item's number + 1; 0: free */
	size_t slots;	/* a power of two, or 0 */
};

void lookup_free(struct lookup *lookup);

/* Numbers all `items` keys anew, with room for `capacity` of them. -ENOMEM: nothing changed. */
int lookup_build(struct lookup *lookup, const struct larch_cell *key, size_t items,
		 size_t capacity);

/* Adds an item whose key is not there yet. Its number must be below the capacity. */
void lookup_add(struct lookup *lookup, const struct larch_cell *key, size_t item);

/* The number of the item with this key, or LOOKUP_NONE. */
size_t lookup_find(const struct lookup *lookup, const struct larch_cell *keys,
		   const struct larch_cell *key);
