// SPDX-License-Identifier: BSD-2-Clause
/* Which clients were seen in each leaf: the busiest prefixes. For the tree in words. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "larch/plan.h"

#define REPORT_SEEN 4 /* prefixes per leaf */

struct service;

struct report_prefix {
	uint64_t source;
	double flows; /* recent ones; 0: not in use */
};

struct report_seen {
	struct report_prefix top[REPORT_SEEN]; /* most flows first */
	size_t prefixes;		       /* of all that were seen */
};

/* By the samples at hand and this tree. seen[LARCH_MAX_LEAVES]. */
void report_seen(struct service *service, const struct larch_tree *tree, struct report_seen *seen);

/* [{"prefix","flows"}] */
json_t *report_seen_list(const struct report_seen *seen);
