// SPDX-License-Identifier: BSD-2-Clause
/*
 * The judge: is the learned arm better than the control arm, and how sure is that? Keeps the last
 * blocks of time (one a tick) of both arms and compares quantiles, with confidence intervals by
 * bootstrap over blocks, since flows of one second are not independent. Decides when learning has
 * to be switched off, and when it is tried again. Pure: time is counted in ticks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "larch/cell.h"
#include "latency.h"

#define JUDGE_BLOCKS 60 /* ticks that are kept */
#define JUDGE_ARMS   2	/* enum larch_arm */

struct judge;

int judge_new(struct judge **out);
void judge_free(struct judge *judge);

/*
 * Adds what one tick measured. arm[JUDGE_ARMS]: response histograms of this tick alone. weight: of
 * each control sample, in proportion to how many flows it stands for. Only ratios between blocks
 * matter: an arm of half the size has twice the weight, or the times in which it was larger would
 * be compared with a learned arm that has them all alike.
 */
void judge_add(struct judge *judge, const struct latency arm[JUDGE_ARMS], double weight);

/* The same of values that are compared, but judged by nobody: the verdict stays. */
void judge_observe(struct judge *judge, const struct latency arm[JUDGE_ARMS], double weight);

/* Forgets all evidence. */
void judge_clear(struct judge *judge);

struct judge_quantile {
	double learned_us, control_us;
	double ratio;		      /* control / learned: above 1, learning helps */
	double ratio_low, ratio_high; /* 95 % confidence interval of ratio */
};

struct judge_report {
	uint64_t ticks; /* blocks behind this report */
	double learned_samples, control_samples;
	double learned_mean_us, control_mean_us;
	bool enough; /* samples enough for the quantiles to mean something */
	struct judge_quantile p50, p95, p99;
	struct judge_quantile mean; /* the means once more, with their ratio */
};

/*
 * `enough` asks for 1000 samples of each arm, so that ten lie beyond each p99, in at least ten
 * blocks. An arm without samples leaves all quantiles 0.
 */
#define JUDGE_SAMPLES	   1000
#define JUDGE_LEAST_BLOCKS 10

/* Over the last `blocks` blocks (at most JUDGE_BLOCKS). Deterministic. */
void judge_compare(const struct judge *judge, unsigned blocks, struct judge_report *out);

enum judge_verdict {
	JUDGE_ON,  /* learning may steer */
	JUDGE_OFF, /* learned was worse with confidence for 10 ticks: steer by control */
};

/*
 * Worse: the mean or the p95 is, or with the mean the median, by an interval stretched
 * JUDGE_CAUTION times (in logarithms) over the 95 % interval of all blocks. For the question is
 * asked anew every tick: at 95 % a look, an arm that does no harm would be switched off several
 * times an hour. The median has the narrowest interval, and finds harm to all soonest; but a dearer
 * median may be worth a cheaper tail. Harm below 1 % is none. 200 samples of each arm, ten beyond
 * the p95, are needed in JUDGE_LEAST_BLOCKS blocks.
 */
#define JUDGE_CAUTION	      1.8
#define JUDGE_HARMLESS	      0.99 /* ratios down to this do no harm */
#define JUDGE_VERDICT_SAMPLES 200
#define JUDGE_PATIENCE	      10 /* ticks in a row that must find learned worse */

/*
 * The verdict after the last judge_add(). Off periods back off: 30, 60, 120 ... 960 ticks. The
 * next one is twice as long if it begins within JUDGE_PROBATION ticks after the last one ended,
 * and 30 ticks again otherwise. What is measured while off is no evidence and is not kept; when
 * learning returns, evidence starts anew.
 */
#define JUDGE_OFF_LEAST 30
#define JUDGE_OFF_MOST	960
#define JUDGE_PROBATION 600

enum judge_verdict judge_verdict(const struct judge *judge);

/* Ticks until learning is tried again; 0 while it is on. */
unsigned judge_off_ticks(const struct judge *judge);
