// SPDX-License-Identifier: BSD-2-Clause
/*
 * Compares the learned arm with the control arm over the last blocks of time, and decides whether
 * learning may go on.
 *
 * In: both arms' response histograms, one block a tick. Out: quantiles, their ratios with 95 %
 * intervals, and a verdict. The intervals come from a bootstrap over blocks (Efron 1979; blocks
 * since samples of one second are not independent, Kunsch 1989): blocks are drawn with
 * replacement, each with both of its arms, since what a second does to one arm it does to the
 * other. A resample is a vector of how often each block was drawn; its quantile needs the weighted
 * sum of the blocks' cumulative counts at a few buckets only, near the quantile of the whole.
 */
#include "judge.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS	  LARCH_LATENCY_BUCKETS
#define RESAMPLES 320
#define TAIL	  (RESAMPLES / 40) /* resamples beyond each end of a 95 % interval */

/* Column b of each array is block b; the ring of blocks wraps. */
struct judge {
	uint64_t blocks; /* added since the evidence was last cleared */
	float below[JUDGE_ARMS][BUCKETS][JUDGE_BLOCKS]; /* responses up to and with a bucket */
	double sum_us[JUDGE_ARMS][JUDGE_BLOCKS];
	double square_us[JUDGE_ARMS][JUDGE_BLOCKS]; /* sum of squares */
	double count[JUDGE_ARMS][JUDGE_BLOCKS];	    /* samples; all above are weighted */
	double weight[JUDGE_BLOCKS];		    /* of each control sample */
	unsigned worse;				    /* ticks in a row that found learned worse */
	unsigned off_left;   /* ticks until learning is tried again; 0: it is on */
	unsigned off_length; /* of the last off period; 0: there was none */
	unsigned on_ticks;   /* since it ended */
};

enum statistic { MEAN, P50, P95, P99, STATISTICS };

static const double probability[STATISTICS] = {[P50] = 0.50, [P95] = 0.95, [P99] = 0.99};

/* The blocks that a comparison looks at, and how often each counts. */
struct window {
	unsigned count;
	uint8_t block[JUDGE_BLOCKS]; /* [count]: those that hold samples */
	unsigned both;		     /* blocks with samples of both arms */
	double times[JUDGE_BLOCKS];
	double samples[JUDGE_ARMS]; /* by weight */
};

/* A small generator with a fixed seed: equal histograms give equal intervals. */
static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 32);
}

int judge_new(struct judge **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void judge_free(struct judge *judge)
{
	free(judge);
}

static double weighted_sum(const double times[JUDGE_BLOCKS], const float column[JUDGE_BLOCKS])
{
	double sum[4] = {0};

	for (unsigned b = 0; b < JUDGE_BLOCKS; b += 4)
		for (unsigned k = 0; k < 4; k++)
			sum[k] += times[b + k] * (double)column[b + k];
	return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

_Static_assert(JUDGE_BLOCKS % 4 == 0, "weighted_sum() takes four blocks at a time");

static double arm_samples(const struct judge *judge, const struct window *window, unsigned arm)
{
	return weighted_sum(window->times, judge->below[arm][BUCKETS - 1]);
}

static double arm_mean(const struct judge *judge, const struct window *window, unsigned arm)
{
	double sum = 0;

	for (unsigned i = 0; i < window->count; i++)
		sum += window->times[window->block[i]] * judge->sum_us[arm][window->block[i]];
	return sum / window->samples[arm];
}

/* Looks for the quantile's bucket from *hint on, and leaves it there. */
static double arm_quantile(const struct judge *judge, const struct window *window, unsigned arm,
			   double q, unsigned *hint)
{
	const float(*below)[JUDGE_BLOCKS] = judge->below[arm];
	double wanted = q * window->samples[arm];
	double upper = weighted_sum(window->times, below[*hint]);
	double lower = 0;

	if (upper < wanted) {
		while (upper < wanted && *hint < BUCKETS - 1) {
			lower = upper;
			upper = weighted_sum(window->times, below[++*hint]);
		}
		return latency_value(*hint, (wanted - lower) / (upper - lower));
	}
	while (*hint > 0) {
		lower = weighted_sum(window->times, below[*hint - 1]);
		if (lower < wanted)
			break;
		upper = lower;
		lower = 0;
		--*hint;
	}
	return latency_value(*hint, upper > lower ? (wanted - lower) / (upper - lower) : 0);
}

static double arm_statistic(const struct judge *judge, const struct window *window, unsigned arm,
			    enum statistic which, unsigned *hint)
{
	if (which == MEAN)
		return arm_mean(judge, window, arm);
	return arm_quantile(judge, window, arm, probability[which], hint);
}

/* Latencies below 1 us read as 0; for ratios they count as 1 us. */
static double latency_ratio(double control_us, double learned_us)
{
	return fmax(control_us, 1) / fmax(learned_us, 1);
}

static void window_count(const struct judge *judge, struct window *window)
{
	for (unsigned arm = 0; arm < JUDGE_ARMS; arm++)
		window->samples[arm] = arm_samples(judge, window, arm);
}

/* The last `blocks` blocks, each once. */
static void window_open(const struct judge *judge, unsigned blocks, struct window *window)
{
	memset(window, 0, sizeof(*window));
	for (unsigned age = blocks; age > 0; age--) {
		unsigned b = (unsigned)((judge->blocks - age) % JUDGE_BLOCKS);
		bool learned = judge->below[LARCH_ARM_LEARNED][BUCKETS - 1][b] > 0;
		bool control = judge->below[LARCH_ARM_CONTROL][BUCKETS - 1][b] > 0;

		if (!learned && !control)
			continue;
		window->block[window->count++] = (uint8_t)b;
		window->both += learned && control;
		window->times[b] = 1;
	}
	window_count(judge, window);
}

static void window_resample(const struct judge *judge, const struct window *whole, uint64_t *random,
			    struct window *out)
{
	memset(out->times, 0, sizeof(out->times));
	for (unsigned i = 0; i < whole->count; i++) {
		uint64_t pick = (uint64_t)next_random(random) * whole->count >> 32;

		out->times[whole->block[pick]] += 1;
	}
	window_count(judge, out);
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/*
 * How much wider an interval has to be that comes from few blocks: the resamples' variance is too
 * small by (k - 1) / k, and Student's t takes the place of the normal distribution.
 */
static double few_blocks(unsigned blocks)
{
	double freedom = blocks - 1.0;

	return sqrt(blocks / freedom) * (1 + 1.25 / freedom + 1.2 / (freedom * freedom));
}

static void set_interval(struct judge_quantile *out, double *ratio, unsigned count, unsigned blocks,
			 double widen)
{
	unsigned tail = count * TAIL / RESAMPLES;

	if (count == 0 || blocks < 2) {
		out->ratio_low = out->ratio_high = out->ratio;
		return;
	}
	qsort(ratio, count, sizeof(*ratio), compare_doubles);
	out->ratio_low = out->ratio * pow(ratio[tail] / out->ratio, widen);
	out->ratio_high = out->ratio * pow(ratio[count - 1 - tail] / out->ratio, widen);
}

/* Point estimates of `which` statistics (a bit mask), and the buckets where they were found. */
static void estimate(const struct judge *judge, const struct window *window, unsigned which,
		     struct judge_quantile out[STATISTICS], unsigned hint[STATISTICS][JUDGE_ARMS])
{
	for (unsigned s = 0; s < STATISTICS; s++) {
		if (!(which & 1u << s))
			continue;
		hint[s][LARCH_ARM_LEARNED] = hint[s][LARCH_ARM_CONTROL] = 0;
		out[s].learned_us = arm_statistic(judge, window, LARCH_ARM_LEARNED, s,
						  &hint[s][LARCH_ARM_LEARNED]);
		out[s].control_us = arm_statistic(judge, window, LARCH_ARM_CONTROL, s,
						  &hint[s][LARCH_ARM_CONTROL]);
		out[s].ratio = latency_ratio(out[s].control_us, out[s].learned_us);
	}
}

/* Variance of one sample of an arm, in squares of its mean. */
static double spread(const struct judge *judge, const struct window *window, unsigned arm,
		     double mean)
{
	double square = 0;

	for (unsigned i = 0; i < window->count; i++)
		square += window->times[window->block[i]] * judge->square_us[arm][window->block[i]];
	return square / fmax(window->samples[arm] * mean * mean, 1e-9) - 1;
}

/*
 * Variance of the logarithm of the means' ratio, from how far each block is from what the whole
 * would lead to expect of it.
 */
static double ratio_variance(const struct judge *judge, const struct window *whole,
			     const double us[JUDGE_ARMS])
{
	double variance = 0;

	for (unsigned i = 0; i < whole->count; i++) {
		unsigned b = whole->block[i];
		double off = 0;

		for (unsigned arm = 0; arm < JUDGE_ARMS; arm++) {
			double samples = (double)judge->below[arm][BUCKETS - 1][b];
			double part = (judge->sum_us[arm][b] - us[arm] * samples) /
				      (us[arm] * whole->samples[arm]);

			off += arm == LARCH_ARM_CONTROL ? part : -part;
		}
		variance += off * off;
	}
	return variance;
}

/* How many control samples of equal weight would tell as much (Kish 1965). */
static double worth(const struct judge *judge, const struct window *whole)
{
	double squares = 0, sum = whole->samples[LARCH_ARM_CONTROL];

	for (unsigned i = 0; i < whole->count; i++) {
		unsigned b = whole->block[i];

		squares += judge->count[LARCH_ARM_CONTROL][b] * judge->weight[b] * judge->weight[b];
	}
	return sum * sum / squares;
}

/*
 * How much wider the means' interval has to be than the blocks say. Latencies have long tails, of
 * which few control samples have met little: their mean is then too low, and so is what they say
 * of its error. The many learned samples know the tail.
 */
static double unmet_tail(const struct judge *judge, const struct window *whole,
			 const struct judge_quantile *mean)
{
	const double us[JUDGE_ARMS] = {
		[LARCH_ARM_LEARNED] = mean->learned_us,
		[LARCH_ARM_CONTROL] = mean->control_us,
	};
	double learned, control, variance;

	if (us[LARCH_ARM_LEARNED] <= 0 || us[LARCH_ARM_CONTROL] <= 0)
		return 1;
	learned = spread(judge, whole, LARCH_ARM_LEARNED, us[LARCH_ARM_LEARNED]);
	control = spread(judge, whole, LARCH_ARM_CONTROL, us[LARCH_ARM_CONTROL]);
	variance = ratio_variance(judge, whole, us);
	if (learned <= control || variance <= 0)
		return 1;
	return sqrt(1 + (learned - control) / worth(judge, whole) / variance);
}

static void bootstrap(const struct judge *judge, const struct window *whole, unsigned which,
		      struct judge_quantile out[STATISTICS], unsigned hint[STATISTICS][JUDGE_ARMS])
{
	double ratio[STATISTICS][RESAMPLES];
	struct window draw = *whole;
	uint64_t random = 1;
	unsigned count = 0;

	for (unsigned r = 0; r < RESAMPLES; r++) {
		window_resample(judge, whole, &random, &draw);
		if (draw.samples[LARCH_ARM_LEARNED] <= 0 || draw.samples[LARCH_ARM_CONTROL] <= 0)
			continue;
		for (unsigned s = 0; s < STATISTICS; s++) {
			double us[JUDGE_ARMS];

			if (!(which & 1u << s))
				continue;
			for (unsigned arm = 0; arm < JUDGE_ARMS; arm++)
				us[arm] = arm_statistic(judge, &draw, arm, s, &hint[s][arm]);
			ratio[s][count] =
				latency_ratio(us[LARCH_ARM_CONTROL], us[LARCH_ARM_LEARNED]);
		}
		count++;
	}
	for (unsigned s = 0; s < STATISTICS; s++) {
		double widen = whole->count > 1 ? few_blocks(whole->count) : 1;

		if (!(which & 1u << s))
			continue;
		widen *= s == MEAN ? unmet_tail(judge, whole, &out[MEAN]) : 1;
		set_interval(&out[s], ratio[s], count, whole->count, widen);
	}
}

static unsigned kept_blocks(const struct judge *judge, unsigned limit)
{
	if (limit > JUDGE_BLOCKS)
		limit = JUDGE_BLOCKS;
	return judge->blocks < limit ? (unsigned)judge->blocks : limit;
}

/* Samples of a window in which each block is once, whatever they weigh. */
static double counted(const struct judge *judge, const struct window *window, unsigned arm)
{
	double sum = 0;

	for (unsigned i = 0; i < window->count; i++)
		sum += judge->count[arm][window->block[i]];
	return sum;
}

static bool has_samples(const struct judge *judge, const struct window *window, double samples)
{
	return window->both >= JUDGE_LEAST_BLOCKS &&
	       counted(judge, window, LARCH_ARM_LEARNED) >= samples &&
	       counted(judge, window, LARCH_ARM_CONTROL) >= samples;
}

void judge_compare(const struct judge *judge, unsigned blocks, struct judge_report *out)
{
	const unsigned all = (1u << STATISTICS) - 1;
	struct judge_quantile found[STATISTICS] = {0};
	unsigned hint[STATISTICS][JUDGE_ARMS];
	struct window window;

	blocks = kept_blocks(judge, blocks);
	window_open(judge, blocks, &window);
	*out = (struct judge_report){
		.ticks = blocks,
		.learned_samples = counted(judge, &window, LARCH_ARM_LEARNED),
		.control_samples = counted(judge, &window, LARCH_ARM_CONTROL),
		.enough = has_samples(judge, &window, JUDGE_SAMPLES),
	};
	if (out->learned_samples <= 0 || out->control_samples <= 0)
		return;
	estimate(judge, &window, all, found, hint);
	bootstrap(judge, &window, all, found, hint);
	out->p50 = found[P50];
	out->p95 = found[P95];
	out->p99 = found[P99];
	out->mean = found[MEAN];
	out->learned_mean_us = found[MEAN].learned_us;
	out->control_mean_us = found[MEAN].control_us;
}

/* Does the stretched interval leave no doubt of harm? */
static bool surely_worse(const struct judge_quantile *found)
{
	return found->ratio * pow(found->ratio_high / found->ratio, JUDGE_CAUTION) < JUDGE_HARMLESS;
}

static bool learned_worse(const struct judge *judge)
{
	struct judge_quantile found[STATISTICS] = {0};
	unsigned hint[STATISTICS][JUDGE_ARMS];
	struct window window;
	unsigned suspect = 0;
	bool worse = false;

	window_open(judge, kept_blocks(judge, JUDGE_BLOCKS), &window);
	if (!has_samples(judge, &window, JUDGE_VERDICT_SAMPLES))
		return false;
	estimate(judge, &window, 1u << MEAN | 1u << P50 | 1u << P95, found, hint);
	for (unsigned s = MEAN; s <= P95; s++)
		suspect |= found[s].ratio < JUDGE_HARMLESS ? 1u << s : 0;
	if (!(suspect & 1u << MEAN)) /* a dearer middle may be worth a cheaper tail */
		suspect &= ~(1u << P50);
	if (!suspect)
		return false;
	bootstrap(judge, &window, suspect, found, hint);
	for (unsigned s = MEAN; s <= P95; s++)
		worse |= suspect & 1u << s && surely_worse(&found[s]);
	return worse;
}

/* Adds an arm's part of block b; returns how many samples it holds. */
static double add_part(struct judge *judge, unsigned b, unsigned a, const struct latency *arm,
		       double weight)
{
	double below = 0, sum = 0, square = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		double value = latency_value(i, 0.5);

		below += arm->bucket[i];
		sum += arm->bucket[i] * value;
		square += arm->bucket[i] * value * value;
		judge->below[a][i][b] = (float)(weight * below);
	}
	judge->sum_us[a][b] = weight * sum;
	judge->square_us[a][b] = weight * square;
	judge->count[a][b] = below;
	return below;
}

/* Adds a block; returns how many samples it holds. */
static double add_block(struct judge *judge, const struct latency arm[JUDGE_ARMS], double weight)
{
	unsigned b = (unsigned)(judge->blocks++ % JUDGE_BLOCKS);

	judge->weight[b] = weight;
	return add_part(judge, b, LARCH_ARM_LEARNED, &arm[LARCH_ARM_LEARNED], 1) +
	       add_part(judge, b, LARCH_ARM_CONTROL, &arm[LARCH_ARM_CONTROL], weight);
}

static void switch_off(struct judge *judge)
{
	bool soon = judge->off_length > 0 && judge->on_ticks <= JUDGE_PROBATION;
	unsigned length = soon ? 2 * judge->off_length : JUDGE_OFF_LEAST;

	judge->off_length = length < JUDGE_OFF_MOST ? length : JUDGE_OFF_MOST;
	judge->off_left = judge->off_length;
}

void judge_observe(struct judge *judge, const struct latency arm[JUDGE_ARMS], double weight)
{
	add_block(judge, arm, weight);
}

void judge_clear(struct judge *judge)
{
	memset(judge->below, 0, sizeof(judge->below));
	memset(judge->sum_us, 0, sizeof(judge->sum_us));
	memset(judge->square_us, 0, sizeof(judge->square_us));
	memset(judge->count, 0, sizeof(judge->count));
	judge->blocks = 0;
	judge->worse = 0;
}

static void switch_on(struct judge *judge)
{
	judge_clear(judge);
	judge->on_ticks = 0;
}

void judge_add(struct judge *judge, const struct latency arm[JUDGE_ARMS], double weight)
{
	if (judge->off_left > 0) {
		if (--judge->off_left == 0)
			switch_on(judge);
		return;
	}
	if (judge->on_ticks <= JUDGE_PROBATION)
		judge->on_ticks++;
	if (add_block(judge, arm, weight) <= 0)
		return; /* nothing new was learnt of either arm */
	judge->worse = learned_worse(judge) ? judge->worse + 1 : 0;
	if (judge->worse >= JUDGE_PATIENCE)
		switch_off(judge);
}

enum judge_verdict judge_verdict(const struct judge *judge)
{
	return judge->off_left > 0 ? JUDGE_OFF : JUDGE_ON;
}

unsigned judge_off_ticks(const struct judge *judge)
{
	return judge->off_left;
}
