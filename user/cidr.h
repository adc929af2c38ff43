// SPDX-License-Identifier: BSD-2-Clause
/*
 * Client prefixes as people write them: from ranges of the source feature (larch/cell.h) to the
 * fewest CIDR blocks that cover them exactly. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larch/cell.h"

#define CIDR_TEXT 64
/* Blocks that one range of both families needs at most. */
#define CIDR_MOST (2 * 24 + 2 * 48)

/* The sources that exist: every IPv4 /24, then every IPv6 /48. */
#define CIDR_IPV4_LAST ((1ull << 24) - 1)
#define CIDR_IPV6_LAST (LARCH_SOURCE_IPV6 | ((1ull << 48) - 1))

struct cidr {
	uint64_t source; /* the first one of the block */
	unsigned length; /* of the prefix: at most 24 (IPv4) or 48 (IPv6) */
};

/*
 * Covers the sources from `low` to `high`, both included; what lies between the families is
 * nothing. In order of sources. Returns how many blocks it takes, of which `limit` are written.
 */
size_t cidr_cover(uint64_t low, uint64_t high, struct cidr *out, size_t limit);

bool cidr_is_ipv6(uint64_t source);

/* Writes "198.51.100.0/24" and returns out. */
const char *cidr_text(const struct cidr *cidr, char out[CIDR_TEXT]);

/* The prefix that one value of the feature stands for. */
const char *cidr_source_text(uint64_t source, char out[CIDR_TEXT]);
