// SPDX-License-Identifier: BSD-2-Clause
/*
 * Logarithm and exponential from additions, multiplications and divisions alone. libm's may differ
 * in the last bit between versions and CPUs; these give the same bits on every node. Relative error
 * about 1e-14.
 */
#pragma once

#include <stdint.h>
#include <string.h>

/* Natural logarithm of a positive normal number, from log((1 + t) / (1 - t)) = 2 atanh(t). */
static inline double numeric_log(double x)
{
	const int64_t root_half = 0x3fe6a09e667f3bcd; /* sqrt(1/2) as bits */
	int64_t bits, exponent;
	double t, square, sum;

	memcpy(&bits, &x, sizeof(bits));
	exponent = (bits - root_half) >> 52;
	bits -= exponent * (INT64_C(1) << 52);
	memcpy(&x, &bits, sizeof(bits));
	t = (x - 1) / (x + 1);
	square = t * t;
	sum = 1.0 / 15;
	sum = sum * square + 1.0 / 13;
	sum = sum * square + 1.0 / 11;
	sum = sum * square + 1.0 / 9;
	sum = sum * square + 1.0 / 7;
	sum = sum * square + 1.0 / 5;
	sum = sum * square + 1.0 / 3;
	sum = sum * square + 1.0;
	return (double)exponent * 0.69314718055994530942 + 2 * t * sum;
}

/* e to the power of x; x is cut to +-700. */
static inline double numeric_exp(double x)
{
	const double ln2_high = 0x1.62e42fefa0000p-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
	const double round = 0x1.8p52;
	double whole, rest, sum = 1, power;
	int64_t bits;

	x = x > 700 ? 700 : x > -700 ? x : -700;
	whole = (x * 1.44269504088896340736 + round) - round;
	rest = (x - whole * ln2_high) - whole * ln2_low;
	sum = 1 + sum * rest * (1.0 / 12); /* the series, from its end */
	sum = 1 + sum * rest * (1.0 / 11);
	sum = 1 + sum * rest * (1.0 / 10);
	sum = 1 + sum * rest * (1.0 / 9);
	sum = 1 + sum * rest * (1.0 / 8);
	sum = 1 + sum * rest * (1.0 / 7);
	sum = 1 + sum * rest * (1.0 / 6);
	sum = 1 + sum * rest * (1.0 / 5);
	sum = 1 + sum * rest * (1.0 / 4);
	sum = 1 + sum * rest * (1.0 / 3);
	sum = 1 + sum * rest * (1.0 / 2);
	sum = 1 + sum * rest;
	bits = ((int64_t)whole + 1023) * (INT64_C(1) << 52);
	memcpy(&power, &bits, sizeof(bits));
	return sum * power;
}
