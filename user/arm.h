// SPDX-License-Identifier: BSD-2-Clause
/*
 * How large the control arm of a service is. Each of its flows pays for the comparison, and the
 * judge needs only so many: the arm is the smallest that still brings them. Also remembers which
 * size was in force when, so that of a flow of the past its arm can be told. Pure: the time is
 * given.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larch/cell.h"

/*
 * Control flows a tick that are enough. The judge asks for 1000 samples within its 60 blocks to
 * compare a p99, and finds harm of 30 % within a minute by 20 flows a tick (one answer each); one
 * and a half times as many leave room for ticks that bring fewer. Not more: from here on a
 * narrower interval costs more than it tells.
 */
#define ARM_FLOWS 32
/*
 * It is halved only if the half brings so many times that: by three times the deviation of what
 * ARM_TICKS ticks count, or it would soon be doubled again.
 */
#define ARM_SPARE   1.3
#define ARM_TICKS   5
#define ARM_CHANGES 64 /* that are remembered */

struct arm_change {
	double when; /* s, of the clock by which flows are asked for */
	unsigned halvings;
};

struct arm {
	unsigned halvings; /* larch_policy.halvings: the arm has 1 flow in 2^(4 + this) */
	unsigned ticks;	   /* counted since the last step */
	double flows;	   /* of the control arm in them */
	struct arm_change
		change[ARM_CHANGES]; /* ring buffer, at changes % size; the first begins */
	size_t changes;
	unsigned least, most; /* halvings so far */
};

void arm_begin(struct arm *arm, unsigned halvings, double now);

/*
 * A tick in which so many flows of the control arm were connected. True: the arm has become another
 * size, twice as large or half as large.
 */
bool arm_step(struct arm *arm, double flows, double now);

/* 1 flow in so many. */
unsigned arm_one_in(const struct arm *arm);

/* What a control sample weighs while it has this size: see judge_add(). */
double arm_weight(const struct arm *arm);

/*
 * The arm of a flow with this hash that began at `when`; NAN: at any time since arm_begin(). False:
 * it may have been of either, for the size was not the same all the time, or is not known.
 */
bool arm_find(const struct arm *arm, uint64_t hash, double when, enum larch_arm *out);
