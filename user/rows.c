// SPDX-License-Identifier: BSD-2-Clause
/*
 * Keeps the learner's table: adds rows as kinds of clients show up, forgets, folds and sorts. The
 * arrays are what the learner reads, so nothing is copied for it.
 *
 * In: cells whose samples are to be added. Out: struct table's arrays.
 */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "larch/tuple.h"

/* Less of a tally than this is nothing (and would end in slow denormal numbers). */
#define NOTHING 1e-6

struct ordered {
	double use;
	size_t row;
};

static size_t row_limit(const struct rows *rows)
{
	size_t limit = rows->members ? ROWS_TALLIES_MOST / rows->members : ROWS_MOST;

	return limit < ROWS_MOST ? limit : ROWS_MOST;
}

/* The rest is kept free for the rows that others fold into. */
static size_t ordinary_limit(const struct rows *rows)
{
	return row_limit(rows) - row_limit(rows) / 16;
}

static struct tally *row_tally(const struct rows *rows, size_t row)
{
	return &rows->tally[row * rows->members];
}

void rows_free(struct rows *rows)
{
	free(rows->key);
	free(rows->features);
	free(rows->tally);
	lookup_free(&rows->lookup);
	*rows = (struct rows){0};
}

static int grow(struct rows *rows)
{
	size_t capacity = rows->capacity ? 2 * rows->capacity : 64;
	struct larch_cell *key = realloc(rows->key, capacity * sizeof(*key));
	struct larch_features *features;
	struct tally *tally;

	if (!key)
		return -ENOMEM;
	rows->key = key;
	features = realloc(rows->features, capacity * sizeof(*features));
	if (!features)
		return -ENOMEM;
	rows->features = features;
	tally = realloc(rows->tally, capacity * rows->members * sizeof(*tally));
	if (!tally)
		return -ENOMEM;
	rows->tally = tally;
	if (lookup_build(&rows->lookup, rows->key, rows->count, capacity))
		return -ENOMEM;
	rows->capacity = capacity;
	return 0;
}

static int add_row(struct rows *rows, const struct larch_cell *key)
{
	size_t row = rows->count;

	if (row == rows->capacity && grow(rows))
		return -ENOMEM;
	rows->key[row] = *key;
	rows->features[row] = larch_features_of(key);
	memset(row_tally(rows, row), 0, rows->members * sizeof(*rows->tally));
	lookup_add(&rows->lookup, key, row);
	rows->count++;
	rows->sorted = false;
	return 0;
}

/* Room for ordinary rows ends before room for those they fold into, and the last of all fits. */
static bool has_room(const struct rows *rows, const struct larch_cell *key, bool last)
{
	if (last)
		return true;
	return rows->count < (key->source ? ordinary_limit(rows) : row_limit(rows) - 1);
}

struct tally *rows_get(struct rows *rows, const struct larch_cell *cell)
{
	static const struct larch_cell last = {0};
	struct larch_cell key = {
		.source = cell->source,
		.ingress = cell->ingress,
		.port = cell->port,
		.protocol = cell->protocol,
		.hops = cell->hops,
		.size = cell->size,
	};

	if (!rows->members)
		return NULL;
	for (;;) {
		size_t row = lookup_find(&rows->lookup, rows->key, &key);
		bool is_last = !memcmp(&key, &last, sizeof(key));

		if (row != LOOKUP_NONE)
			return row_tally(rows, row);
		if (has_room(rows, &key, is_last))
			return add_row(rows, &key) ? NULL : row_tally(rows, rows->count - 1);
		if (key.source)
			key.source = 0;
		else
			key = last;
	}
}

static double row_use(const struct rows *rows, size_t row)
{
	const struct tally *tally = row_tally(rows, row);
	double use = 0;

	for (size_t i = 0; i < rows->members; i++)
		use += tally[i].connects + tally[i].responses;
	return use;
}

/* Removes the rows that `gone` marks; their order stays. */
static void compact(struct rows *rows, const bool *gone)
{
	size_t kept = 0;

	for (size_t row = 0; row < rows->count; row++) {
		if (gone[row])
			continue;
		if (kept != row) {
			rows->key[kept] = rows->key[row];
			rows->features[kept] = rows->features[row];
			memcpy(row_tally(rows, kept), row_tally(rows, row),
			       rows->members * sizeof(*rows->tally));
		}
		kept++;
	}
	rows->count = kept;
	lookup_build(&rows->lookup, rows->key, kept, rows->capacity); /* as big as it was */
}

static int compare_use(const void *left, const void *right)
{
	const struct ordered *a = left, *b = right;

	if (a->use != b->use)
		return a->use < b->use ? -1 : 1;
	return (a->row > b->row) - (a->row < b->row);
}

/* Adds a row's tallies to those of the same kind with source 0. */
static void fold_row(struct rows *rows, size_t row)
{
	struct larch_cell key = rows->key[row];
	const struct tally *from;
	struct tally *to;

	key.source = 0;
	to = rows_get(rows, &key);
	if (!to)
		return; /* no memory: then it is forgotten */
	from = row_tally(rows, row);
	for (size_t i = 0; i < rows->members; i++) {
		to[i].connects += from[i].connects;
		to[i].connect_us += from[i].connect_us;
		to[i].responses += from[i].responses;
		to[i].work_us += from[i].work_us;
	}
}

/* Folds the least used rows, down to `keep` (not counting rows that this adds). */
static void fold(struct rows *rows, size_t keep)
{
	size_t count = rows->count, folded = count - keep;
	struct ordered *order = malloc(count * sizeof(*order));
	bool *gone = calloc(2 * count, sizeof(*gone)); /* folding a row adds at most one */

	for (size_t row = 0; order && row < count; row++)
		order[row] = (struct ordered){row_use(rows, row), row};
	if (order && gone) {
		qsort(order, count, sizeof(*order), compare_use);
		for (size_t i = 0; i < folded; i++) {
			if (!rows->key[order[i].row].source)
				continue;
			fold_row(rows, order[i].row);
			gone[order[i].row] = true;
		}
		compact(rows, gone);
	}
	free(order);
	free(gone);
}

static void decay_row(struct rows *rows, size_t row, double connect_factor, double response_factor)
{
	struct tally *tally = row_tally(rows, row);

	for (size_t i = 0; i < rows->members; i++) {
		tally[i].connects *= connect_factor;
		tally[i].connect_us *= connect_factor;
		tally[i].responses *= response_factor;
		tally[i].work_us *= response_factor;
		if (tally[i].connects < NOTHING)
			tally[i].connects = tally[i].connect_us = 0;
		if (tally[i].responses < NOTHING)
			tally[i].responses = tally[i].work_us = 0;
	}
}

static void drop_forgotten(struct rows *rows)
{
	bool *gone = calloc(rows->count + 1, sizeof(*gone));
	bool any = false;

	for (size_t row = 0; gone && row < rows->count; row++) {
		gone[row] = row_use(rows, row) < ROWS_FORGOTTEN;
		any |= gone[row];
	}
	if (any)
		compact(rows, gone);
	free(gone);
}

void rows_decay(struct rows *rows, double connect_factor, double response_factor)
{
	for (size_t row = 0; row < rows->count; row++)
		decay_row(rows, row, connect_factor, response_factor);
	drop_forgotten(rows);
	if (rows->members && rows->count >= ordinary_limit(rows))
		fold(rows, ordinary_limit(rows) - ordinary_limit(rows) / 8);
}

void rows_scale(struct rows *rows, size_t member, double factor)
{
	for (size_t row = 0; row < rows->count; row++)
		row_tally(rows, row)[member].work_us *= factor;
}

int rows_members(struct rows *rows, const int *from, size_t members)
{
	struct tally *tally = calloc(rows->capacity * members + 1, sizeof(*tally));

	if (!tally)
		return -ENOMEM;
	for (size_t row = 0; row < rows->count; row++)
		for (size_t i = 0; i < members; i++)
			if (from[i] >= 0)
				tally[row * members + i] = row_tally(rows, row)[from[i]];
	free(rows->tally);
	rows->tally = tally;
	rows->members = members;
	drop_forgotten(rows);
	if (members && rows->count > row_limit(rows))
		fold(rows, ordinary_limit(rows));
	return 0;
}

static int compare_features(const void *left, const void *right)
{
	const struct larch_features *a = left, *b = right;

	for (unsigned i = 0; i < LARCH_FEATURE_COUNT; i++)
		if (a->value[i] != b->value[i])
			return a->value[i] < b->value[i] ? -1 : 1;
	return 0;
}

/* The eighth value of the features, unused by them, takes each row's old place through the sort. */
#define OLD_PLACE (LARCH_FEATURE_SLOTS - 1)
_Static_assert(LARCH_FEATURE_COUNT <= OLD_PLACE, "a value is left for the sort");

/* Moves the tallies and keys to where the features went, cycle by cycle; `spare` is one row. */
static void follow(struct rows *rows, struct tally *spare)
{
	size_t size = rows->members * sizeof(*spare);

	for (size_t row = 0; row < rows->count; row++) {
		struct larch_cell key = rows->key[row];
		size_t to = row, from = rows->features[row].value[OLD_PLACE];

		if (from == row)
			continue;
		memcpy(spare, row_tally(rows, row), size);
		for (; from != row; from = rows->features[to].value[OLD_PLACE]) {
			rows->key[to] = rows->key[from];
			memcpy(row_tally(rows, to), row_tally(rows, from), size);
			rows->features[to].value[OLD_PLACE] = to;
			to = from;
		}
		rows->key[to] = key;
		memcpy(row_tally(rows, to), spare, size);
		rows->features[to].value[OLD_PLACE] = to;
	}
}

int rows_sort(struct rows *rows)
{
	struct tally *spare;

	if (rows->sorted || rows->count == 0)
		return 0;
	spare = malloc(rows->members * sizeof(*spare) + 1);
	if (!spare)
		return -ENOMEM;
	for (size_t row = 0; row < rows->count; row++)
		rows->features[row].value[OLD_PLACE] = row;
	qsort(rows->features, rows->count, sizeof(*rows->features), compare_features);
	follow(rows, spare);
	for (size_t row = 0; row < rows->count; row++)
		rows->features[row].value[OLD_PLACE] = 0;
	lookup_build(&rows->lookup, rows->key, rows->count, rows->capacity);
	rows->sorted = true;
	free(spare);
	return 0;
}
