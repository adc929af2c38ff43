// SPDX-License-Identifier: BSD-2-Clause
/* The busiest client prefixes of each leaf. See report_seen.h. */
#include <string.h>

#include "cidr.h"
#include "controller.h"
#include "report.h"
#include "report_seen.h"

/* A prefix is complete: it takes its place among the busiest. */
static void enter(struct report_seen *seen, const struct report_prefix *prefix)
{
	size_t at = REPORT_SEEN;

	if (prefix->flows <= 0)
		return;
	seen->prefixes++;
	while (at > 0 && prefix->flows > seen->top[at - 1].flows)
		at--;
	if (at == REPORT_SEEN)
		return;
	memmove(&seen->top[at + 1], &seen->top[at], (REPORT_SEEN - 1 - at) * sizeof(seen->top[0]));
	seen->top[at] = *prefix;
}

void report_seen(struct service *service, const struct larch_tree *tree, struct report_seen *seen)
{
	struct report_prefix open[LARCH_MAX_LEAVES] = {};
	struct table table;

	memset(seen, 0, LARCH_MAX_LEAVES * sizeof(*seen));
	if (!service->cells || cells_table(service->cells, &table) != 0)
		return;
	for (size_t row = 0; row < table.rows; row++) { /* ordered by source first */
		uint32_t leaf = larch_tree_walk(tree, &table.features[row]);
		uint64_t source = table.features[row].value[LARCH_FEATURE_SOURCE];

		if (open[leaf].source != source) {
			enter(&seen[leaf], &open[leaf]);
			open[leaf] = (struct report_prefix){.source = source};
		}
		open[leaf].flows += table_flows(&table, row);
	}
	for (size_t leaf = 0; leaf < LARCH_MAX_LEAVES; leaf++)
		enter(&seen[leaf], &open[leaf]);
}

json_t *report_seen_list(const struct report_seen *seen)
{
	json_t *list = json_array();
	char text[CIDR_TEXT];

	for (size_t i = 0; i < REPORT_SEEN && seen->top[i].flows > 0; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:o}", "prefix",
				  seen->top[i].source ? cidr_source_text(seen->top[i].source, text)
						      : "others",
				  "flows", report_real(seen->top[i].flows)));
	return list;
}
