// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who benefits, by the leaves of the tree in force: [{"leaf","clients":{"text",...},
 * "learned":ARM,"control":ARM,"ratio"}], recent samples.
 * ARM: {"samples","mean_us","p50_us","p95_us","p99_us","connects","connect_us"}; connect_us: mean.
 */
#include <math.h>
#include <stdlib.h>

#include "controller.h"
#include "region.h"
#include "report.h"

static json_t *one_arm(const struct cells_leaf *leaf, unsigned arm)
{
	const struct latency *latency = &leaf->arm[arm];
	double samples = latency_count(latency), connects = leaf->connects[arm];

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "samples", report_real(samples),
			 "mean_us", report_real(samples > 0 ? latency_mean(latency) : NAN),
			 "p50_us", report_real(samples > 0 ? latency_quantile(latency, 0.50) : NAN),
			 "p95_us", report_real(samples > 0 ? latency_quantile(latency, 0.95) : NAN),
			 "p99_us", report_real(samples > 0 ? latency_quantile(latency, 0.99) : NAN),
			 "connects", report_real(connects), "connect_us",
			 report_real(connects > 0 ? leaf->connect_us[arm] / connects : NAN));
}

static json_t *one_leaf(const struct controller *controller, const struct service *service,
			const struct region *region, const struct cells_leaf *leaf)
{
	double learned = latency_mean(&leaf->arm[LARCH_ARM_LEARNED]);
	double control = latency_mean(&leaf->arm[LARCH_ARM_CONTROL]);

	return json_pack("{s:i, s:o, s:o, s:o, s:o}", "leaf", region->leaf, "clients",
			 report_clients(controller, service, region), "learned",
			 one_arm(leaf, LARCH_ARM_LEARNED), "control",
			 one_arm(leaf, LARCH_ARM_CONTROL), "ratio",
			 report_real(learned > 0 && control > 0 ? control / learned : NAN));
}

json_t *report_leaves(const struct controller *controller, const struct service *service)
{
	struct cells_leaf *leaf = calloc(LARCH_MAX_LEAVES, sizeof(*leaf));
	struct region region[REGION_MOST];
	json_t *list = json_array();
	size_t count;

	if (!leaf || !service->current || !service->cells) {
		free(leaf);
		return list;
	}
	cells_leaves(service->cells, &service->current->plan.tree, leaf);
	count = region_list(&service->current->plan.tree, region, REGION_MOST);
	for (size_t i = 0; i < count && i < REGION_MOST; i++)
		json_array_append_new(
			list, one_leaf(controller, service, &region[i], &leaf[region[i].leaf]));
	free(leaf);
	return list;
}
