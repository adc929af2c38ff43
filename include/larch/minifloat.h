/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Log-linear codes: a number keeps its leading one and the next `mantissa` bits. Codes rise with
 * the value, so that they serve as histogram buckets and as compact fields alike. Relative width
 * of a code: 2^-mantissa. Values below 2^(mantissa + 1) are exact.
 */
#pragma once

#include "types.h"

LARCH_INLINE __u32 larch_log2(__u32 value)
{
	__u32 log = 0;

	if (value >> 16) {
		log += 16;
		value >>= 16;
	}
	if (value >> 8) {
		log += 8;
		value >>= 8;
	}
	if (value >> 4) {
		log += 4;
		value >>= 4;
	}
	if (value >> 2) {
		log += 2;
		value >>= 2;
	}
	return log + (value >> 1);
}

/* The code of a value. */
LARCH_INLINE __u32 larch_pack(__u32 value, __u32 mantissa)
{
	__u32 shift;

	if (value < (1u << mantissa))
		return value;
	shift = larch_log2(value) - mantissa;
	return (shift << mantissa) + (value >> shift);
}

/* The code whose smallest value is nearest: what is unpacked again is right in the mean. */
LARCH_INLINE __u32 larch_pack_near(__u32 value, __u32 mantissa)
{
	if (value < (2u << mantissa))
		return value;
	return larch_pack(value + (1u << (larch_log2(value) - mantissa - 1)), mantissa);
}

/* The smallest value that has this code. */
LARCH_INLINE __u64 larch_unpack(__u32 code, __u32 mantissa)
{
	__u32 exponent = code >> mantissa;

	if (exponent == 0)
		return code;
	return (__u64)((code & ((1u << mantissa) - 1)) | (1u << mantissa)) << (exponent - 1);
}

/* Latency histograms: microseconds, 8 buckets an octave, up to 67 s; longer ones count there. */
#define LARCH_LATENCY_MANTISSA 3
#define LARCH_LATENCY_BUCKETS  192

LARCH_INLINE __u32 larch_latency_bucket(__u32 us)
{
	__u32 bucket = larch_pack(us, LARCH_LATENCY_MANTISSA);

	return bucket < LARCH_LATENCY_BUCKETS ? bucket : LARCH_LATENCY_BUCKETS - 1;
}
