// SPDX-License-Identifier: BSD-2-Clause
/*
 * Prepares a table for the growth of a tree. In: struct table; out: struct tree_rows, the same for
 * any order of the table's rows.
 *
 * Bins: a feature starts as one bin, the range of all its values; the bin with the most rows is cut
 * at its most natural border until there are enough bins. When the features together still tell
 * too many rows apart, all get by with half as many bins.
 *
 * Exact sums: each addend is first rounded to a multiple of a power of two, so coarse that no sum
 * needs more than 52 bits (the pre-rounding of Demmel and Nguyen 2013, with one fixed bin).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tree_rows.h"

#define BYTES	    8
#define RADIX	    256
#define MIN_BINS    4		      /* 4^6 = 4096 rows at most */
#define MAX_TALLIES (size_t)(1 << 18) /* of all rows told apart: 8 MB */
#define MIN_ROWS    (size_t)2048      /* that may be told apart, with however many members */
#define COUNT_GRID  0x1p-24	      /* flows */
#define TIME_GRID   0x1p-10	      /* us */
#define COARSER	    0x1p16
#define COARSEST    0x1p32

/* The two halves of a tally, connects and responses, are alike: a count and a sum of times. */
typedef double halves __attribute__((vector_size(16), aligned(8)));
typedef int64_t signs __attribute__((vector_size(16)));

_Static_assert(sizeof(struct tally) == 2 * sizeof(halves), "a tally has two halves");
_Static_assert(_Alignof(struct tally) == _Alignof(halves), "halves lie where tallies may");

struct item {
	uint64_t key;
	uint32_t row;
};

/* Distinct values of one feature. */
struct values {
	size_t count;
	uint64_t *value; /* [count], ascending */
	uint32_t *first; /* [count + 1]: rows with smaller values */
	uint32_t *of;	 /* [rows]: index in value */
	uint8_t *bin;	 /* [count] */
};

struct work {
	const struct table *table;
	struct item *item;    /* [rows] */
	struct item *scratch; /* [rows] */
	uint32_t *group;      /* [rows]: index of the row that it is added to */
	struct values values[LARCH_FEATURE_COUNT]; /* by column */
};

uint64_t tree_rows_threshold(uint64_t below, uint64_t above)
{
	int highest = 63 - __builtin_clzll(below ^ above);

	return (above >> highest << highest) - 1;
}

void tree_rows_add(struct tally *restrict to, const struct tally *restrict from, size_t members)
{
	for (size_t j = 0; j < members; j++) {
		to[j].connects += from[j].connects;
		to[j].connect_us += from[j].connect_us;
		to[j].responses += from[j].responses;
		to[j].work_us += from[j].work_us;
	}
}

/* One pass of a radix sort. */
static void sort_by_byte(const struct item *from, struct item *to, size_t count, unsigned shift)
{
	size_t start[RADIX + 1] = {0};

	for (size_t i = 0; i < count; i++)
		start[(from[i].key >> shift & (RADIX - 1)) + 1]++;
	for (size_t i = 0; i < RADIX; i++)
		start[i + 1] += start[i];
	for (size_t i = 0; i < count; i++)
		to[start[from[i].key >> shift & (RADIX - 1)]++] = from[i];
}

/* Sorts work->item by key, in as many passes as there are bytes that vary. */
static void sort_items(struct work *work)
{
	size_t count = work->table->rows;
	uint64_t varies = 0;

	for (size_t i = 1; i < count; i++)
		varies |= work->item[i].key ^ work->item[0].key;
	for (unsigned byte = 0; byte < BYTES; byte++) {
		struct item *sorted = work->scratch;

		if (!(varies >> 8 * byte & (RADIX - 1)))
			continue;
		sort_by_byte(work->item, sorted, count, 8 * byte);
		work->scratch = work->item;
		work->item = sorted;
	}
}

static bool feature_varies(const struct table *table, unsigned feature)
{
	for (size_t i = 1; i < table->rows; i++)
		if (table->features[i].value[feature] != table->features[0].value[feature])
			return true;
	return false;
}

static int values_make(struct work *work, unsigned feature, struct values *out)
{
	size_t rows = work->table->rows;
	size_t n = 0;

	out->value = malloc(rows * sizeof(*out->value));
	out->first = malloc((rows + 1) * sizeof(*out->first));
	out->of = malloc(rows * sizeof(*out->of));
	out->bin = malloc(rows);
	if (!out->value || !out->first || !out->of || !out->bin)
		return -ENOMEM;
	for (size_t i = 0; i < rows; i++) {
		work->item[i].key = work->table->features[i].value[feature];
		work->item[i].row = (uint32_t)i;
	}
	sort_items(work);
	for (size_t i = 0; i < rows; i++) {
		if (!i || work->item[i].key != out->value[n - 1]) {
			out->value[n] = work->item[i].key;
			out->first[n++] = (uint32_t)i;
		}
		out->of[work->item[i].row] = (uint32_t)(n - 1);
	}
	out->first[n] = (uint32_t)rows;
	out->count = n;
	return 0;
}

/* Index of the first value of [low, high) beyond the most natural border inside it. */
static size_t values_border(const struct values *values, size_t low, size_t high)
{
	uint64_t threshold = tree_rows_threshold(values->value[low], values->value[high - 1]);

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (values->value[middle] > threshold)
			high = middle;
		else
			low = middle;
	}
	return high;
}

/* The bin with the most rows that can still be cut; `bins` if there is none. */
static unsigned heaviest_bin(const struct values *values, const size_t *start, unsigned bins)
{
	unsigned best = bins;
	uint32_t most = 0;

	for (unsigned b = 0; b < bins; b++) {
		uint32_t rows = values->first[start[b + 1]] - values->first[start[b]];

		if (start[b + 1] - start[b] > 1 && rows > most) {
			most = rows;
			best = b;
		}
	}
	return best;
}

static void column_bin(struct tree_column *column, struct values *values, unsigned limit)
{
	size_t start[TREE_BINS + 1] = {0, values->count};
	unsigned bins = 1;

	while (bins < limit) {
		unsigned cut = heaviest_bin(values, start, bins);

		if (cut == bins)
			break;
		memmove(&start[cut + 2], &start[cut + 1], (bins - cut) * sizeof(*start));
		start[cut + 1] = values_border(values, start[cut], start[cut + 2]);
		bins++;
	}
	column->bins = bins;
	for (unsigned b = 0; b < bins; b++) {
		column->value[b] = values->value[start[b]];
		memset(&values->bin[start[b]], (int)b, start[b + 1] - start[b]);
	}
}

/* How many columns have more bins, so that theirs are the less significant bytes of the key. */
static unsigned column_place(const struct tree_rows *rows, size_t column)
{
	unsigned place = 0;

	for (size_t c = 0; c < rows->columns; c++) {
		unsigned bins = rows->column[c].bins;

		place += bins > rows->column[column].bins ||
			 (bins == rows->column[column].bins && c < column);
	}
	return place;
}

/* Gives every row the number of its group; returns how many groups there are. */
static size_t group_rows(struct work *work, const struct tree_rows *out)
{
	size_t rows = work->table->rows;
	size_t groups = 0;

	for (size_t i = 0; i < rows; i++)
		work->item[i] = (struct item){.row = (uint32_t)i};
	for (size_t c = 0; c < out->columns; c++) {
		unsigned shift = 8 * column_place(out, c);
		const struct values *values = &work->values[c];

		for (size_t i = 0; i < rows; i++)
			work->item[i].key |= (uint64_t)values->bin[values->of[i]] << shift;
	}
	sort_items(work);
	for (size_t i = 0; i < rows; i++) {
		groups += !i || work->item[i].key != work->item[i - 1].key;
		work->group[work->item[i].row] = (uint32_t)(groups - 1);
	}
	return groups;
}

/* Bins the columns so finely that there are not too many groups of rows. */
static void choose_bins(struct work *work, struct tree_rows *out)
{
	size_t most = MAX_TALLIES / (out->members ? out->members : 1);

	if (most < MIN_ROWS)
		most = MIN_ROWS;
	for (unsigned limit = TREE_BINS; limit >= MIN_BINS; limit /= 2) {
		for (size_t c = 0; c < out->columns; c++)
			column_bin(&out->column[c], &work->values[c], limit);
		out->rows = group_rows(work, out);
		if (out->rows <= most)
			break;
	}
}

static int find_columns(struct work *work, struct tree_rows *out)
{
	for (unsigned feature = 0; feature < LARCH_FEATURE_COUNT; feature++) {
		int error;

		if (work->table->ignored >> feature & 1 || !feature_varies(work->table, feature))
			continue;
		out->column[out->columns].feature = feature;
		error = values_make(work, feature, &work->values[out->columns++]);
		if (error)
			return error;
	}
	return 0;
}

static int fill_bins(const struct work *work, struct tree_rows *out)
{
	for (size_t c = 0; c < out->columns; c++) {
		const struct values *values = &work->values[c];

		out->column[c].bin = malloc(out->rows);
		if (!out->column[c].bin)
			return -ENOMEM;
		for (size_t i = 0; i < work->table->rows; i++)
			out->column[c].bin[work->group[i]] = values->bin[values->of[i]];
	}
	return 0;
}

/* Adds one row, rounded to a grid (`magic`: 1.5 * 2^52 times its steps). Negative: false. */
static bool add_rounded(struct tally *restrict to, const struct tally *restrict from,
			size_t members, halves magic)
{
	const halves *add = (const halves *)from;
	halves *sum = (halves *)to;
	signs sign = {0};

	for (size_t i = 0; i < 2 * members; i++) {
		sign |= (signs)(add[i] + 0.0); /* -0.0 + 0.0 is 0.0 */
		sum[i] += (add[i] + magic) - magic;
	}
	return sign[0] >= 0 && sign[1] >= 0;
}

/* Whether all sums were exact: no total takes more than 51 bits. NaN: false. */
static bool totals_fit(const struct tree_rows *rows, struct tally *total, double scale)
{
	double count = scale * COUNT_GRID * 0x1p51;
	double time = scale * TIME_GRID * 0x1p51;
	bool fit = true;

	memset(total, 0, rows->members * sizeof(*total));
	for (size_t i = 0; i < rows->rows; i++)
		tree_rows_add(total, &rows->tally[i * rows->members], rows->members);
	for (size_t j = 0; j < rows->members; j++)
		fit = fit && total[j].connects <= count && total[j].responses <= count &&
		      total[j].connect_us <= time && total[j].work_us <= time;
	return fit;
}

static int add_rows(const struct work *work, struct tree_rows *out, double scale)
{
	halves magic = {scale * COUNT_GRID * 0x1.8p52, scale * TIME_GRID * 0x1.8p52};
	size_t members = out->members;

	memset(out->tally, 0, out->rows * members * sizeof(*out->tally));
	for (size_t i = 0; i < work->table->rows; i++)
		if (!add_rounded(&out->tally[work->group[i] * members],
				 &work->table->tally[i * members], members, magic))
			return -EINVAL;
	return 0;
}

/* Adds the rows of each group, on a coarser grid if a sum does not fit. */
static int fill_tallies(const struct work *work, struct tree_rows *out)
{
	struct tally *total = calloc(out->members + 1, sizeof(*total));
	int error = -EINVAL;

	out->tally = malloc((out->rows * out->members + 1) * sizeof(*out->tally));
	if (!total || !out->tally) {
		free(total);
		return -ENOMEM;
	}
	for (double scale = 1; scale <= COARSEST; scale *= COARSER) {
		error = add_rows(work, out, scale);
		if (error)
			break;
		error = totals_fit(out, total, scale) ? 0 : -EINVAL;
		if (!error)
			break;
	}
	free(total);
	return error;
}

static int make(struct work *work, struct tree_rows *out)
{
	size_t rows = work->table->rows;
	int error;

	work->item = malloc(rows * sizeof(*work->item));
	work->scratch = malloc(rows * sizeof(*work->scratch));
	work->group = malloc(rows * sizeof(*work->group));
	if (!work->item || !work->scratch || !work->group)
		return -ENOMEM;
	error = find_columns(work, out);
	if (error)
		return error;
	choose_bins(work, out);
	error = fill_bins(work, out);
	return error ? error : fill_tallies(work, out);
}

int tree_rows_make(const struct table *table, struct tree_rows *out)
{
	struct work work = {.table = table};
	int error = 0;

	*out = (struct tree_rows){.members = table->members};
	if (table->rows > UINT32_MAX)
		return -EINVAL;
	if (table->rows)
		error = make(&work, out);
	for (size_t c = 0; c < LARCH_FEATURE_COUNT; c++) {
		free(work.values[c].value);
		free(work.values[c].first);
		free(work.values[c].of);
		free(work.values[c].bin);
	}
	free(work.item);
	free(work.scratch);
	free(work.group);
	return error;
}

void tree_rows_free(struct tree_rows *rows)
{
	for (size_t c = 0; c < LARCH_FEATURE_COUNT; c++)
		free(rows->column[c].bin);
	free(rows->tally);
}
