// SPDX-License-Identifier: BSD-2-Clause
/* A digest of bytes: only a change has to show, nobody attacks it. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGEST_BEGIN 0xcbf29ce484222325ull

/*
 * FNV-1a, 64 bits, by words. Each step is a bijection of the digest so far, and of the word: any
 * change within one word shows for certain.
 */
static inline uint64_t digest_fold(uint64_t digest, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t word;

	for (; length >= sizeof(word); length -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		digest = (digest ^ word) * 0x100000001b3ull;
		digest ^= digest >> 32;
	}
	while (length--)
		digest = (digest ^ *at++) * 0x100000001b3ull;
	return digest;
}
