// SPDX-License-Identifier: BSD-2-Clause
// A seeded stream of random numbers, the same on every machine: a 64-bit counter stepped by the
// golden ratio and scrambled (the construction of splitmix64: Steele, Lea, Flood, OOPSLA 2014).
#ifndef TOOLS_LIB_PRNG_H
#define TOOLS_LIB_PRNG_H

#include <math.h>
#include <stdint.h>

#define PRNG_STEP 0x9e3779b97f4a7c15ULL

struct prng {
	uint64_t state;
};

static inline uint64_t prng_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

// Streams of the same seed with different purposes are independent.
static inline struct prng prng_seed(uint64_t seed, uint64_t purpose)
{
	return (struct prng){prng_mix(seed + PRNG_STEP) ^ prng_mix(purpose * PRNG_STEP + 1)};
}

static inline uint64_t prng_next(struct prng *p)
{
	return prng_mix(p->state += PRNG_STEP);
}

// Uniform in [0, bound).
static inline uint64_t prng_below(struct prng *p, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)prng_next(p) * bound) >> 64);
}

// Uniform in (0, 1]: its logarithm is always finite.
static inline double prng_unit(struct prng *p)
{
	return (double)((prng_next(p) >> 11) + 1) * 0x1p-53;
}

// Exponential with mean 1.
static inline double prng_exponential(struct prng *p)
{
	return -log(prng_unit(p));
}

// Lognormal with mean 1 and the given standard deviation: what a service time's spread looks like.
static inline double prng_lognormal(struct prng *p, double deviation)
{
	double variance = log1p(deviation * deviation);
	double normal = sqrt(2 * prng_exponential(p)) * cos(2 * M_PI * prng_unit(p));

	return exp(sqrt(variance) * normal - variance / 2);
}

#endif
