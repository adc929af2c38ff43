// SPDX-License-Identifier: BSD-2-Clause
// The bytes of an answer: any stretch of the endless pattern of a nonce, made or checked without
// what comes before it, so that server and generator agree on every byte and store none.
#ifndef TOOLS_LIB_PATTERN_H
#define TOOLS_LIB_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_DIGEST_START 0xcbf29ce484222325ULL

// Writes bytes [offset, offset + length) of the nonce's pattern to out.
void pattern_fill(uint64_t nonce, uint64_t offset, void *out, size_t length);

// Returns how many of the leading bytes agree with the pattern: length if all of them do.
size_t pattern_match(uint64_t nonce, uint64_t offset, const void *bytes, size_t length);

// Adds bytes to a 64-bit FNV-1a digest, which begins as PATTERN_DIGEST_START; returns the new one.
uint64_t pattern_digest(uint64_t digest, const void *bytes, size_t length);

#endif
