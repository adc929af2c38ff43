// SPDX-License-Identifier: BSD-2-Clause
/* What ringbench compares Larch's rings with. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "larch/plan.h"

/*
 * Weighted Maglev hashing: members take turns in choosing slots, each by a permutation of its own
 * (Eisenbud et al., NSDI 2016); one of half the weight has half the turns. Primaries only.
 */
struct maglev;

int maglev_new(struct maglev **out, const uint64_t *identity, size_t members);
void maglev_free(struct maglev *maglev);
void maglev_build(const struct maglev *maglev, const double *weight, struct larch_ring *out);
