// SPDX-License-Identifier: BSD-2-Clause
/*
 * The table as the tree's growth sees it: features in at most 256 bins, rows that fall into the
 * same bins added up, and tallies rounded to a grid on which sums are exact. So sums do not depend
 * on their order, and a part can be had by subtraction.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "table.h"

#define TREE_BINS 256

/* A feature that varies. Bins are ranges of values that a prefix (a CIDR block) describes. */
struct tree_column {
	unsigned feature; /* enum larch_feature */
	unsigned bins;
	uint64_t value[TREE_BINS]; /* of each bin: one value in it; ascending */
	uint8_t *bin;		   /* [rows] */
};

struct tree_rows {
	size_t rows; /* in canonical order: the feature with the most bins varies fastest */
	size_t members;
	struct tally *tally; /* [rows][members] */
	size_t columns;
	struct tree_column column[LARCH_FEATURE_COUNT]; /* by ascending feature */
};

/*
 * Errors: -ENOMEM; -EINVAL: a tally is negative, not finite, or sums to more than 2^59 flows or
 * 2^73 us. Release *out with tree_rows_free() in any case.
 */
int tree_rows_make(const struct table *table, struct tree_rows *out);

void tree_rows_free(struct tree_rows *rows);

/* to[] += from[] */
void tree_rows_add(struct tally *restrict to, const struct tally *restrict from, size_t members);

/*
 * The threshold between two values, below < above: of all t with below <= t < above the one whose
 * t + 1 has the most trailing zero bits, so that prefixes are cut where CIDR blocks end.
 */
uint64_t tree_rows_threshold(uint64_t below, uint64_t above);
