// SPDX-License-Identifier: BSD-2-Clause
/*
 * The rows of the learner's table: one for each kind of client, with a decayed tally for each
 * member. Bounded; part of the memory of samples (cells.c). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "larch/cell.h"
#include "lookup.h"
#include "table.h"

#define ROWS_MOST	  65536
#define ROWS_TALLIES_MOST (1u << 20) /* rows times members: 32 MB */
#define ROWS_FORGOTTEN	  0.01	     /* connects and responses below which a row is dropped */

struct rows {
	size_t count;
	size_t capacity;
	size_t members;
	bool sorted;
	struct larch_cell *key;		 /* [count]: backend, arm and service are 0 */
	struct larch_features *features; /* [count] */
	struct tally *tally;		 /* [count][members] */
	struct lookup lookup;
};

void rows_free(struct rows *rows);

/*
 * Sets the members; from[members] says which column each had, -1: none. -ENOMEM: nothing changed.
 */
int rows_members(struct rows *rows, const int *from, size_t members);

/*
 * The tallies of the row of a cell, which is added if it is missing. When the table is full, the
 * row that takes what has no other: the same with source 0, or the one that is 0 in everything.
 * Valid until rows change. NULL: no memory, or no members.
 */
struct tally *rows_get(struct rows *rows, const struct larch_cell *cell);

/* Forgets by factors, drops rows with nothing left, and makes room in a table that is full. */
void rows_decay(struct rows *rows, double connect_factor, double response_factor);

/* Multiplies the server times of a member. */
void rows_scale(struct rows *rows, size_t member, double factor);

/* Orders the rows by their features. -ENOMEM: they stay as they were. */
int rows_sort(struct rows *rows);
