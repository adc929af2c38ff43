// SPDX-License-Identifier: BSD-2-Clause
/*
 * The secret seed of the flow hash, from a file: nodes that stand for each other have the same.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Reads a seed: 16 bytes as 32 hexadecimal digits, in a file that not everybody can read. 0, or
 * -EINVAL, and why[] says what is wrong and what to do.
 */
int seed_read(const char *file, uint64_t seed[2], char *why, size_t size);

/* What tells seeds apart and says nothing of them. */
uint64_t seed_mark(const uint64_t seed[2]);
