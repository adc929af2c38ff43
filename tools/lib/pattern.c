// SPDX-License-Identifier: BSD-2-Clause
// Makes, checks and digests answer bodies. In: nonce and offset. Out: bytes, or what disagrees.
// Byte k of a pattern is byte k % 8 (least significant first) of the word that mixes the nonce
// with k / 8.
#include "pattern.h"

#include <endian.h>
#include <string.h>

#include "prng.h"

#define WORD 8

static uint64_t pattern_word(uint64_t nonce, uint64_t number)
{
	return htole64(prng_mix(nonce + (number + 1) * PRNG_STEP));
}

// The piece that begins at offset and ends with its word, or with the length if that is sooner.
static size_t piece_length(uint64_t offset, size_t length)
{
	size_t rest = WORD - offset % WORD;

	return rest < length ? rest : length;
}

void pattern_fill(uint64_t nonce, uint64_t offset, void *out, size_t length)
{
	unsigned char *to = out;

	while (length) {
		uint64_t word = pattern_word(nonce, offset / WORD);
		size_t piece = piece_length(offset, length);

		if (piece == WORD)
			memcpy(to, &word, WORD);
		else
			memcpy(to, (unsigned char *)&word + offset % WORD, piece);
		to += piece;
		offset += piece;
		length -= piece;
	}
}

static size_t piece_match(const unsigned char *a, const unsigned char *b, size_t length)
{
	size_t i = 0;

	while (i < length && a[i] == b[i])
		i++;
	return i;
}

size_t pattern_match(uint64_t nonce, uint64_t offset, const void *bytes, size_t length)
{
	const unsigned char *from = bytes;
	size_t done = 0;

	while (done < length) {
		uint64_t word = pattern_word(nonce, offset / WORD);
		size_t piece = piece_length(offset, length - done);

		if (piece != WORD || memcmp(from + done, &word, WORD)) {
			const unsigned char *want = (unsigned char *)&word + offset % WORD;
			size_t same = piece_match(from + done, want, piece);

			if (same < piece)
				return done + same;
		}
		done += piece;
		offset += piece;
	}
	return length;
}

uint64_t pattern_digest(uint64_t digest, const void *bytes, size_t length)
{
	const unsigned char *from = bytes;

	for (size_t i = 0; i < length; i++)
		digest = (digest ^ from[i]) * 0x100000001b3ULL;
	return digest;
}
