// SPDX-License-Identifier: BSD-2-Clause
/*
 * Remembers, for each cell that BPF keeps, the sums last seen, and hands on what has grown: to the
 * learner's rows, to the histograms of both arms, and to those of the source's prefix.
 *
 * In: cells with ever-growing sums, once a tick. Out: the learner's table, the judge's histograms.
 * A mark keeps the used stretch of the histogram only: 300 to 700 bytes a cell.
 */
#include "cells.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "larch/tuple.h"
#include "lookup.h"
#include "prefixes.h"
#include "renew.h"
#include "rows.h"

#define LEAST_US 1
#define MOST_US	 60000000.0
/* Of one cell in one tick: no host takes so many, not even in ten seconds. */
#define MOST_SAMPLES (1u << 26)

/* Ticks for which a cell must be missing from the map before its mark is forgotten. */
#define FORGET_TICKS 60
#define RECENT_LEAST 0.01f /* samples: what is less is nothing */
/* A cell is read while it is written: its sums and its histogram may differ by some samples. */
#define TORN 64

enum sum { CONNECTS, CONNECT_US, RESPONSES, RESPONSE_US, SERVER_US, WORK_US, SUMS };

_Static_assert(offsetof(struct larch_samples, latency) == SUMS * sizeof(__u64), "sums come first");
_Static_assert(offsetof(struct larch_samples, work_us) == WORK_US * sizeof(__u64), "in this order");

/* One bucket of a cell's histogram. */
struct bucket {
	uint32_t seen; /* last */
	float recent;  /* new, with decay */
};

/* What was last seen of a cell. */
struct mark {
	uint64_t sum[SUMS];
	struct bucket *bucket; /* [length]: the histogram from bucket `first` on; others are 0 */
	uint8_t first, length;
	float responses, connects, connect_us; /* new, with decay */
	unsigned idle;			       /* ticks without anything new */
	unsigned unseen;		       /* sweeps of the map that did not meet it */
};

/* What a cell has grown by. */
struct growth {
	uint64_t sum[SUMS];
	unsigned first, end;			 /* the stretch of the histogram that is not 0 */
	uint32_t latency[LARCH_LATENCY_BUCKETS]; /* set from first to end, if there are responses */
};

struct cells {
	double connect_factor, response_factor;
	double connect_weight, response_weight; /* of what this tick brings */
	size_t members;
	int16_t column[LARCH_MAX_BACKENDS]; /* -1: no member */
	size_t count, capacity;
	struct larch_cell *key; /* [count] */
	struct mark *mark;	/* [count] */
	struct lookup lookup;
	struct rows rows;
	struct prefixes prefixes;
	struct renew renew;
	struct latency arm[JUDGE_ARMS]; /* of this tick */
	uint64_t samples, connects;	/* of this tick */
	uint64_t refused;
	unsigned idle_ticks;
	bool swept; /* cells were seen in this tick */
};

int cells_set_options(struct cells *cells, const struct cells_options *options)
{
	if (!(options->half_life_connect > 0 && options->half_life_server > 0))
		return -EINVAL;
	cells->connect_weight = cells->response_weight = 1;
	cells->connect_factor = exp2(-1 / options->half_life_connect);
	cells->response_factor = exp2(-1 / options->half_life_server);
	return 0;
}

int cells_new(struct cells **out, const struct cells_options *options)
{
	struct cells *cells = calloc(1, sizeof(*cells));
	int error = cells ? cells_set_options(cells, options) : -ENOMEM;

	if (error) {
		free(cells);
		return error;
	}
	for (size_t id = 0; id < LARCH_MAX_BACKENDS; id++)
		cells->column[id] = -1;
	*out = cells;
	return 0;
}

void cells_free(struct cells *cells)
{
	if (!cells)
		return;
	for (size_t i = 0; i < cells->count; i++)
		free(cells->mark[i].bucket);
	free(cells->mark);
	free(cells->key);
	lookup_free(&cells->lookup);
	rows_free(&cells->rows);
	prefixes_free(&cells->prefixes);
	free(cells);
}

int cells_members(struct cells *cells, const uint16_t *backend, size_t members)
{
	int16_t column[LARCH_MAX_BACKENDS];
	int from[LARCH_MAX_MEMBERS];
	int err;

	if (members > LARCH_MAX_MEMBERS)
		return -EINVAL;
	for (size_t id = 0; id < LARCH_MAX_BACKENDS; id++)
		column[id] = -1;
	for (size_t i = 0; i < members; i++) {
		if (backend[i] >= LARCH_MAX_BACKENDS || column[backend[i]] >= 0)
			return -EINVAL;
		column[backend[i]] = (int16_t)i;
		from[i] = cells->column[backend[i]];
	}
	err = rows_members(&cells->rows, from, members);
	if (err)
		return err;
	memcpy(cells->column, column, sizeof(column));
	memset(&cells->renew, 0, sizeof(cells->renew));
	cells->members = members;
	return 0;
}

static void decay_mark(struct mark *mark, float connect_factor, float response_factor)
{
	mark->connects *= connect_factor;
	mark->connect_us *= connect_factor;
	mark->responses *= response_factor;
	if (mark->connects < RECENT_LEAST)
		mark->connects = mark->connect_us = 0;
	if (mark->responses < RECENT_LEAST)
		mark->responses = 0; /* and the buckets say nothing any more */
	for (unsigned i = 0; mark->responses > 0 && i < mark->length; i++)
		mark->bucket[i].recent *= response_factor;
}

/* Ages the marks, and forgets those whose cells are no longer in the map. */
static void age_marks(struct cells *cells, double connect_factor, double response_factor)
{
	size_t kept = 0;

	for (size_t i = 0; i < cells->count; i++) {
		decay_mark(&cells->mark[i], (float)connect_factor, (float)response_factor);
		cells->mark[i].idle++;
		cells->mark[i].unseen += cells->swept;
		if (cells->mark[i].unseen > FORGET_TICKS) {
			free(cells->mark[i].bucket);
			continue;
		}
		cells->key[kept] = cells->key[i];
		cells->mark[kept++] = cells->mark[i];
	}
	if (kept == cells->count)
		return;
	cells->count = kept;
	lookup_build(&cells->lookup, cells->key, kept, cells->capacity); /* as big as it was */
}

/* What came evenly over so many ticks, and would have faded since: (1 + d + ... + d^(n-1)) / n. */
static double late_weight(double factor, double ticks)
{
	return ticks > 1 ? (1 - pow(factor, ticks)) / ((1 - factor) * ticks) : 1;
}

/* Who has become much faster is remembered as what the last ticks made of them. */
static void renew_members(struct cells *cells)
{
	for (size_t i = 0; i < cells->members; i++) {
		double factor = renew_factor(&cells->renew, i);

		if (factor < 1)
			rows_scale(&cells->rows, i, factor);
	}
}

void cells_begin(struct cells *cells, double ticks)
{
	double connect_factor = pow(cells->connect_factor, ticks);
	double response_factor = pow(cells->response_factor, ticks);

	age_marks(cells, connect_factor, response_factor);
	renew_members(cells);
	rows_decay(&cells->rows, connect_factor, response_factor);
	prefixes_decay(&cells->prefixes, response_factor);
	cells->connect_weight = late_weight(cells->connect_factor, ticks);
	cells->response_weight = late_weight(cells->response_factor, ticks);
	memset(cells->arm, 0, sizeof(cells->arm));
	cells->samples = cells->connects = 0;
	cells->idle_ticks++;
	cells->swept = false;
}

/* Makes room for one cell more. */
static int reserve_mark(struct cells *cells)
{
	size_t capacity = cells->capacity ? 2 * cells->capacity : 256;
	struct larch_cell *key;
	struct mark *mark;

	if (cells->count < cells->capacity)
		return 0;
	key = realloc(cells->key, capacity * sizeof(*key));
	if (!key)
		return -ENOMEM;
	cells->key = key;
	mark = realloc(cells->mark, capacity * sizeof(*mark));
	if (!mark)
		return -ENOMEM;
	cells->mark = mark;
	if (lookup_build(&cells->lookup, cells->key, cells->count, capacity))
		return -ENOMEM;
	cells->capacity = capacity;
	return 0;
}

static bool any_count(const uint32_t *latency, unsigned first, unsigned end)
{
	uint32_t any = 0;

	for (unsigned i = first; i < end; i++)
		any |= latency[i];
	return any != 0;
}

/* Widens the stretch of the histogram that is kept, by octaves, so that it holds all of `now`. */
static int reserve_buckets(struct mark *mark, const struct larch_samples *now)
{
	const unsigned octave = 1 << LARCH_LATENCY_MANTISSA;
	unsigned first = 0, end = LARCH_LATENCY_BUCKETS;
	unsigned first_most = mark->length ? mark->first : LARCH_LATENCY_BUCKETS;
	unsigned end_least = mark->first + mark->length;
	struct bucket *bucket;

	while (first < first_most && !any_count(now->latency, first, first + octave))
		first += octave;
	while (end > end_least && end > first && !any_count(now->latency, end - octave, end))
		end -= octave;
	if (end - first == mark->length)
		return 0;
	bucket = calloc(end - first, sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	if (mark->length)
		memcpy(&bucket[mark->first - first], mark->bucket, mark->length * sizeof(*bucket));
	free(mark->bucket);
	mark->bucket = bucket;
	mark->first = (uint8_t)first;
	mark->length = (uint8_t)(end - first);
	return 0;
}

/* The buckets must hold all of `now`. */
static void set_mark(struct mark *mark, const struct larch_samples *now)
{
	memcpy(mark->sum, now, sizeof(mark->sum));
	for (unsigned i = 0; i < mark->length; i++)
		mark->bucket[i].seen = now->latency[mark->first + i];
}

/* The histogram's counters are narrow and wrap; no bucket can grow by more than all responses. */
static bool histogram_grown(const struct mark *mark, const struct larch_samples *now,
			    struct growth *out)
{
	uint64_t most = out->sum[RESPONSES] + TORN;
	uint32_t largest = 0;

	for (unsigned i = 0; i < mark->length; i++) {
		uint32_t more = now->latency[mark->first + i] - mark->bucket[i].seen;

		out->latency[mark->first + i] = more;
		largest = more > largest ? more : largest;
	}
	return largest <= most;
}

/*
 * False if something shrank: the cell was deleted and came back. The mark's buckets must hold all
 * of `now`.
 */
static bool grown(const struct mark *mark, const struct larch_samples *now, struct growth *out)
{
	uint64_t sum[SUMS];

	out->first = mark->first;
	out->end = mark->first + mark->length;
	memcpy(sum, now, sizeof(sum));
	for (unsigned i = 0; i < SUMS; i++) {
		if (sum[i] < mark->sum[i])
			return false;
		out->sum[i] = sum[i] - mark->sum[i];
	}
	return out->sum[RESPONSES] == 0 || histogram_grown(mark, now, out);
}

static void grown_from_zero(const struct larch_samples *now, struct growth *out)
{
	memcpy(out->sum, now, sizeof(out->sum));
	memcpy(out->latency, now->latency, sizeof(out->latency));
}

static bool mean_plausible(uint64_t sum, uint64_t count, double least)
{
	double mean = count ? (double)sum / (double)count : 0;

	return count ? mean >= least && mean <= MOST_US : sum == 0;
}

/* Work may be less than 1 us: it is divided by the load and rounded down. */
static bool plausible(const struct growth *growth)
{
	const uint64_t *sum = growth->sum;
	uint64_t counted = 0;

	if (sum[CONNECTS] > MOST_SAMPLES || sum[RESPONSES] > MOST_SAMPLES ||
	    !mean_plausible(sum[CONNECT_US], sum[CONNECTS], LEAST_US) ||
	    !mean_plausible(sum[RESPONSE_US], sum[RESPONSES], LEAST_US) ||
	    !mean_plausible(sum[SERVER_US], sum[RESPONSES], LEAST_US) ||
	    !mean_plausible(sum[WORK_US], sum[RESPONSES], 0))
		return false;
	for (unsigned i = growth->first; sum[RESPONSES] && i < growth->end; i++)
		counted += growth->latency[i];
	return counted <= sum[RESPONSES] + TORN;
}

static void add_histogram(struct cells *cells, unsigned arm, const struct growth *growth,
			  struct prefix_arms *prefix)
{
	for (unsigned i = growth->first; i < growth->end; i++) {
		if (!growth->latency[i])
			continue;
		cells->arm[arm].bucket[i] += growth->latency[i];
		prefix->bucket[arm][i] += (float)(cells->response_weight * growth->latency[i]);
	}
}

/* Adds what was new in a member's cell to everything that learns from it. */
static int teach(struct cells *cells, const struct larch_cell *key, const struct growth *growth)
{
	struct tally *tally = rows_get(&cells->rows, key);
	const uint64_t *sum = growth->sum;
	struct prefix_arms *prefix;

	if (!tally)
		return -ENOMEM;
	if (sum[RESPONSES]) {
		prefix = prefixes_get(&cells->prefixes, key->source);
		if (!prefix)
			return -ENOMEM;
		add_histogram(cells, key->arm, growth, prefix);
	}
	tally += cells->column[key->backend];
	if (tally->responses >= RENEW_LEAST_ROW)
		renew_add(&cells->renew, (size_t)cells->column[key->backend], key->source,
			  (double)sum[RESPONSES], (double)sum[WORK_US],
			  tally->work_us / tally->responses);
	tally->connects += cells->connect_weight * (double)sum[CONNECTS];
	tally->connect_us += cells->connect_weight * (double)sum[CONNECT_US];
	tally->responses += cells->response_weight * (double)sum[RESPONSES];
	tally->work_us += cells->response_weight * (double)sum[WORK_US];
	cells->connects += sum[CONNECTS];
	cells->samples += sum[RESPONSES];
	cells->idle_ticks = 0;
	return 0;
}

/* The cell's own recent samples; what is left of buckets that had become nothing goes first. */
static void note_recent(const struct cells *cells, struct mark *mark, const struct growth *growth)
{
	const uint64_t *sum = growth->sum;
	float weight = (float)cells->response_weight, connect_weight = (float)cells->connect_weight;

	for (unsigned i = 0; sum[RESPONSES] && i < mark->length; i++) {
		float left = mark->responses > 0 ? mark->bucket[i].recent : 0;

		mark->bucket[i].recent = left + weight * (float)growth->latency[mark->first + i];
	}
	mark->responses += weight * (float)sum[RESPONSES];
	mark->connects += connect_weight * (float)sum[CONNECTS];
	mark->connect_us += connect_weight * (float)sum[CONNECT_US];
}

/* Takes what is new in a cell whose mark differs from what it holds now. */
static int take(struct cells *cells, const struct larch_cell *key, struct mark *mark,
		const struct larch_samples *now)
{
	struct growth growth;
	int err = 0;

	if (!grown(mark, now, &growth))
		grown_from_zero(now, &growth);
	if (!plausible(&growth))
		err = -ERANGE;
	else if (cells->column[key->backend] >= 0)
		err = teach(cells, key, &growth);
	if (err == -ENOMEM)
		return err;
	if (!err && cells->column[key->backend] >= 0)
		note_recent(cells, mark, &growth);
	cells->refused += err == -ERANGE;
	mark->idle = 0;
	set_mark(mark, now);
	return err;
}

static int update_new(struct cells *cells, const struct larch_cell *key,
		      const struct larch_samples *now, bool fresh)
{
	struct mark mark = {0};
	int err = reserve_mark(cells);

	if (!err)
		err = reserve_buckets(&mark, now);
	if (!err && fresh)
		err = take(cells, key, &mark, now);
	else if (!err)
		set_mark(&mark, now);
	if (err == -ENOMEM) {
		free(mark.bucket);
		return err;
	}
	cells->key[cells->count] = *key;
	cells->mark[cells->count] = mark;
	lookup_add(&cells->lookup, key, cells->count++);
	return err;
}

int cells_update(struct cells *cells, const struct larch_cell *key, const struct larch_samples *now,
		 bool fresh)
{
	struct mark *mark;
	size_t at;

	if (key->backend >= LARCH_MAX_BACKENDS || key->arm >= JUDGE_ARMS) {
		cells->refused++;
		return -ERANGE;
	}
	cells->swept = true;
	at = lookup_find(&cells->lookup, cells->key, key);
	if (at == LOOKUP_NONE)
		return update_new(cells, key, now, fresh);
	mark = &cells->mark[at];
	mark->unseen = 0;
	if (!memcmp(mark->sum, now, sizeof(mark->sum)))
		return 0;
	if (reserve_buckets(mark, now))
		return -ENOMEM;
	return take(cells, key, mark, now);
}

int cells_table(struct cells *cells, struct table *out)
{
	int err = rows_sort(&cells->rows);

	if (err)
		return err;
	*out = (struct table){
		.rows = cells->rows.count,
		.members = cells->members,
		.features = cells->rows.features,
		.tally = cells->rows.tally,
	};
	return 0;
}

const struct latency *cells_arms(const struct cells *cells)
{
	return cells->arm;
}

void cells_statistics(const struct cells *cells, struct cells_statistics *out)
{
	*out = (struct cells_statistics){
		.rows = cells->rows.count,
		.samples = cells->samples,
		.connects = cells->connects,
		.refused = cells->refused,
		.idle_ticks = cells->idle_ticks,
	};
}

size_t cells_prefixes(const struct cells *cells, struct cells_prefix *out, size_t limit)
{
	return prefixes_list(&cells->prefixes, out, limit);
}

static void add_mark(const struct mark *mark, unsigned arm, struct cells_leaf *out)
{
	for (unsigned i = 0; mark->responses > 0 && i < mark->length; i++)
		out->arm[arm].bucket[mark->first + i] += (double)mark->bucket[i].recent;
	out->connects[arm] += (double)mark->connects;
	out->connect_us[arm] += (double)mark->connect_us;
}

void cells_leaves(const struct cells *cells, const struct larch_tree *tree,
		  struct cells_leaf out[LARCH_MAX_LEAVES])
{
	memset(out, 0, LARCH_MAX_LEAVES * sizeof(*out));
	for (size_t i = 0; i < cells->count; i++) {
		const struct larch_cell *key = &cells->key[i];
		struct larch_features features = larch_features_of(key);

		if (cells->column[key->backend] >= 0)
			add_mark(&cells->mark[i], key->arm, &out[larch_tree_walk(tree, &features)]);
	}
}

size_t cells_idle(const struct cells *cells, unsigned ticks, struct larch_cell *out, size_t limit)
{
	size_t found = 0;

	for (size_t i = 0; i < cells->count && found < limit; i++)
		if (cells->mark[i].idle >= ticks)
			out[found++] = cells->key[i];
	return found;
}
