// SPDX-License-Identifier: BSD-2-Clause
/*
 * How much single samples vary, when only sums are known. In: the rows; out: the squared
 * coefficients of variation of connect and server times. Whatever makes the means of neighbouring
 * rows differ is in it: also the decay's weights. Which rows are neighbours depends on the feature
 * that makes the classes; the wrong order takes classes for noise, so the least estimate counts.
 * And where each class is a row or two, in any order most neighbours differ by more than noise:
 * then the pairs that differ least tell, with a margin for long tails.
 */
#include <math.h>

#include "numeric.h"
#include "tree_split.h"

#define PRIOR_SERVICE  1.0  /* exponential */
#define PRIOR_NET      0.1  /* ways vary much less: a third of their mean */
#define PRIOR_PAIRS    16   /* that it counts for */
#define MOST	       16.0 /* of one pair: it may lie on the border between two classes */
#define BLOCK	       32   /* samples that are compared together: single ones hide long tails */
#define ENOUGH_ROWS    4096 /* times members */
#define ENOUGH_MEMBERS 4
#define QUARTILE       0.1015 /* of the square of a normal variable of variance 1 */
#define MARGIN	       4.0    /* how much longer than normal the tails may make the mean */
#define SCALE	       64     /* buckets of squares: four an octave, up to MOST */
#define PER_OCTAVE     4
#define LOG_TWO	       0.6931471805599453

struct pairs {
	double sum;
	double count;
	uint32_t scale[SCALE]; /* how many squares are of which size; [SCALE - 1]: MOST */
};

/* Rows in succession of one member: [0] the last full block, [1] the one being filled. */
struct block {
	double flows[2];
	double us[2];
};

static unsigned scale_bucket(double square)
{
	double at;

	if (!(square > 0))
		return 0;
	at = ceil(numeric_log(square / MOST) / LOG_TWO * PER_OCTAVE) + (SCALE - 1);
	return at < 0 ? 0 : at > SCALE - 1 ? SCALE - 1 : (unsigned)at;
}

/* Variance of one sample relative to its squared mean, from two means of flows[] samples. */
static void pairs_add(struct pairs *pairs, const double *flows, const double *us)
{
	double all = flows[0] + flows[1];
	double both = us[0] + us[1];
	double difference, square;

	if (!(flows[0] > 0 && both > 0))
		return;
	/* Relative to the mean of both, which is too small by 1 / all for skewed times. */
	difference = (us[0] / flows[0] - us[1] / flows[1]) * all / both;
	square = difference * difference * flows[0] * flows[1] / all * (1 + 1 / all);
	square = square < MOST ? square : MOST;
	pairs->sum += square;
	pairs->count += 1;
	pairs->scale[scale_bucket(square)]++;
}

/* The upper end of the bucket below which a quarter of the squares lie. */
static double pairs_quartile(const struct pairs *pairs)
{
	double below = 0;

	for (int b = 0; b < SCALE; b++) {
		below += pairs->scale[b];
		if (4 * below >= pairs->count)
			return MOST * numeric_exp(LOG_TWO / PER_OCTAVE * (b - (SCALE - 1)));
	}
	return MOST;
}

static double pairs_noise(const struct pairs *pairs, double prior)
{
	double sum = pairs->sum;
	double calm = pairs->count * MARGIN * pairs_quartile(pairs) / QUARTILE;

	return (fmin(sum, calm) + prior * PRIOR_PAIRS) / (pairs->count + PRIOR_PAIRS);
}

/* Rows by their bin in one column; within a bin in canonical order. */
static void order_by_column(const struct tree_column *column, size_t rows, uint32_t *order)
{
	uint32_t start[TREE_BINS + 1] = {0};

	for (size_t i = 0; i < rows; i++)
		start[column->bin[i] + 1]++;
	for (size_t b = 0; b < TREE_BINS; b++)
		start[b + 1] += start[b];
	for (size_t i = 0; i < rows; i++)
		order[start[column->bin[i]]++] = (uint32_t)i;
}

/* Adds a row to the block of one member; a full block is compared with the last and replaces it. */
static void block_add(struct block *block, double flows, double us, struct pairs *pairs)
{
	block->flows[1] += flows;
	block->us[1] += us;
	if (block->flows[1] < BLOCK)
		return;
	pairs_add(pairs, block->flows, block->us);
	*block = (struct block){{block->flows[1], 0}, {block->us[1], 0}};
}

/* Lowers *out to what rows in this order say. */
static void estimate_in_order(const struct tree_rows *rows, const uint32_t *order,
			      struct tree_noise *out)
{
	struct pairs net = {.sum = 0}, service = {.sum = 0};
	size_t step = 1 + rows->rows * rows->members / ENOUGH_ROWS;

	if (step > rows->members / ENOUGH_MEMBERS)
		step = rows->members / ENOUGH_MEMBERS + (rows->members < ENOUGH_MEMBERS);
	for (size_t j = 0; j < rows->members; j += step) {
		struct block net_block = {0}, service_block = {0};

		for (size_t i = 0; i < rows->rows; i++) {
			const struct tally *tally = &rows->tally[order[i] * rows->members + j];

			block_add(&net_block, tally->connects, tally->connect_us, &net);
			block_add(&service_block, tally->responses, tally->work_us, &service);
		}
	}
	out->net = fmin(out->net, pairs_noise(&net, PRIOR_NET));
	out->service = fmin(out->service, pairs_noise(&service, PRIOR_SERVICE));
}

void tree_noise_estimate(const struct tree_rows *rows, uint32_t *order, struct tree_noise *out)
{
	*out = (struct tree_noise){MOST, MOST};
	for (size_t i = 0; i < rows->rows; i++)
		order[i] = (uint32_t)i;
	estimate_in_order(rows, order, out);
	for (size_t c = 0; c < rows->columns; c++) {
		order_by_column(&rows->column[c], rows->rows, order);
		estimate_in_order(rows, order, out);
	}
}
