// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where the values of a tree stand in the file that it was read from: a table from value to place.
 * (By value, not by path: paths of a hostile file would need memory without bounds.)
 */
#pragma once

#include <jansson.h>

/* Lines and columns, in characters, count from 1. Items of a list have no key: its place is 0. */
struct config_place {
	unsigned line, column;
	unsigned key_line, key_column;
};

struct config_places;

/* NULL: no memory. */
struct config_places *config_places_new(void);
void config_places_free(struct config_places *places);

/* Notes the place of a value, or replaces what was noted. 0 or -ENOMEM. */
int config_places_put(struct config_places *places, const json_t *value,
		      const struct config_place *place);

/* All zero: unknown, or there is no table (NULL). */
struct config_place config_places_get(const struct config_places *places, const json_t *value);
