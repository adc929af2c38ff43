// SPDX-License-Identifier: BSD-2-Clause
/*
 * {"services":[{"service","state","reason","learned","generation","digest","evidence","depth",
 *    "flows", "node":NODE,
 *    "leaves":[{"leaf","clients":{"text",...},"seen":[{"prefix","flows"}],"prefixes","part",
 *       "flows","new_flows","why","backends":[{"backend","id","share","learned_share","net_us",
 *       "service_us","connects","responses"}]}]}]}
 * NODE: {"leaf":N} or {"question":{"feature","threshold","text"},"yes":NODE,"no":NODE}
 *
 * What the kernel steers by, read from its own tree; "evidence": whether the samples behind it are
 * there too (not so after a daemon has adopted it). "share": by the ring in force, which is that of
 * control unless the service is steered by what was learned; "learned_share": by that. "clients"
 * also holds what the leaf's path tests: sources (CIDR), ports, protocols, hops, bytes, interfaces.
 * "seen": the busiest of the "prefixes" whose recent samples reach the leaf. "part": of the flows.
 * "new_flows": of the learned arm, that reached leaves of this number since the maps were made,
 * whatever generation.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller.h"
#include "region.h"
#include "report.h"
#include "report_seen.h"

static const struct tally *leaf_tally(const struct generation *generation, size_t leaf,
				      size_t member)
{
	const struct tree *tree = generation->tree;

	if (!tree || leaf >= tree->leaves || member >= tree->members)
		return NULL;
	return &tree->tally[(size_t)tree->leaf_node[leaf] * tree->members + member];
}

static double total_of(const struct larch_cost *cost)
{
	return (double)cost->net + cost->service;
}

/* Part of all flows that reaches the leaf; NAN: not known. */
static double part_of(const struct generation *generation, size_t leaf)
{
	double sum = 0;

	for (size_t i = 0; i < generation->leaves; i++)
		sum += generation->demand[i];
	return generation->leaves == 1 ? 1 : sum > 0 ? generation->demand[leaf] / sum : NAN;
}

static json_t *one_backend(const struct controller *controller, const struct service *service,
			   size_t leaf, size_t member)
{
	const struct generation *generation = service->current;
	double learned = generation->share[leaf * generation->members + member];
	const struct larch_cost *cost = &generation->costs[leaf].member[member];
	const struct tally *tally = leaf_tally(generation, leaf, member);
	uint16_t id = generation->plan.member[member];
	bool known = cost->service != 0;

	return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "backend",
			 report_backend(controller, id), "id", id, "share",
			 report_real(report_is_learned(service)
					     ? learned
					     : report_control_share(generation, member)),
			 "learned_share", report_real(learned), "net_us",
			 report_real(known ? (double)cost->net : NAN), "service_us",
			 report_real(known ? (double)cost->service : NAN), "connects",
			 report_real(tally ? tally->connects : NAN), "responses",
			 report_real(tally ? tally->responses : NAN));
}

static bool is_out(const struct generation *generation, size_t leaf, size_t member)
{
	return generation->share[leaf * generation->members + member] <= 0 &&
	       report_control_share(generation, member) <= 0;
}

/* Of those that take flows: the members with the smallest and second smallest cost in a leaf. */
static size_t find_fastest(const struct generation *generation, size_t leaf, size_t other_than)
{
	const struct larch_cost *cost = generation->costs[leaf].member;
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < generation->members; i++) {
		if (i == other_than || !cost[i].service || is_out(generation, leaf, i))
			continue;
		if (best == SIZE_MAX || total_of(&cost[i]) < total_of(&cost[best]))
			best = i;
	}
	return best;
}

static void compare(const char *first, const char *second, double ratio, char *out, size_t size)
{
	if (ratio < 1.005)
		snprintf(out, size, "%s and %s are equally fast here", first, second);
	else
		snprintf(out, size, "%s is %.0f %% faster here than %s, the next one", first,
			 100 * (ratio - 1), second);
}

/* How the same two compare over all clients: that they differ is why the leaf exists. */
static void compare_at_root(const struct generation *generation, size_t first, size_t second,
			    char *out, size_t size)
{
	const struct cost *cost = generation->tree->cost;
	double a = cost[first].net + cost[first].service;
	double b = cost[second].net + cost[second].service;

	if (!(a > 0 && b > 0))
		snprintf(out, size, "nothing is known of all clients");
	else if (fabs(b / a - 1) < 0.005)
		snprintf(out, size, "over all clients they are equal");
	else
		snprintf(out, size, "over all clients it is %.0f %% %s",
			 100 * (b > a ? b / a - 1 : a / b - 1), b > a ? "faster" : "slower");
}

static json_t *why(const struct controller *controller, const struct generation *generation,
		   size_t leaf)
{
	size_t first = find_fastest(generation, leaf, SIZE_MAX);
	size_t second = first == SIZE_MAX ? SIZE_MAX : find_fastest(generation, leaf, first);
	const struct larch_cost *cost = generation->costs[leaf].member;
	char here[192], root[96];

	if (first == SIZE_MAX)
		return json_string("nothing is measured yet: shares as configured");
	if (second == SIZE_MAX)
		return json_string("only one backend was measured");
	compare(report_backend(controller, generation->plan.member[first]),
		report_backend(controller, generation->plan.member[second]),
		total_of(&cost[second]) / total_of(&cost[first]), here, sizeof(here));
	if (!generation->tree || generation->leaves < 2)
		return json_string(here);
	compare_at_root(generation, first, second, root, sizeof(root));
	return json_sprintf("%s; %s", here, root);
}

static double node_flows(const struct generation *generation, size_t leaf)
{
	const struct tree *tree = generation->tree;

	return tree && leaf < tree->leaves ? tree->node[tree->leaf_node[leaf]].flows : NAN;
}

/* New flows of the learned arm that reached leaves of this number; null: nobody counts. */
static json_t *new_flows(const struct controller *controller, const struct service *service,
			 uint32_t leaf)
{
	struct larch_traffic traffic;

	if (!report_is_live(controller) ||
	    datapath_leaf_traffic(controller->datapath, service->id, leaf, &traffic) != 0)
		return json_null();
	return json_integer((json_int_t)traffic.flows);
}

static json_t *one_leaf(const struct controller *controller, const struct service *service,
			const struct region *region, const struct report_seen *seen)
{
	const struct generation *generation = service->current;
	json_t *backends = json_array();

	for (size_t i = 0; i < generation->members; i++)
		json_array_append_new(backends, one_backend(controller, service, region->leaf, i));
	return json_pack("{s:i, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "leaf", region->leaf,
			 "clients", report_clients(controller, service, region), "seen",
			 report_seen_list(seen), "prefixes", (json_int_t)seen->prefixes, "part",
			 report_real(part_of(generation, region->leaf)), "flows",
			 report_real(node_flows(generation, region->leaf)), "new_flows",
			 new_flows(controller, service, region->leaf), "why",
			 why(controller, generation, region->leaf), "backends", backends);
}

static json_t *leaves(const struct controller *controller, struct service *service)
{
	struct report_seen seen[LARCH_MAX_LEAVES];
	struct region region[REGION_MOST];
	size_t count = region_list(&service->current->plan.tree, region, REGION_MOST);
	json_t *list = json_array();

	report_seen(service, &service->current->plan.tree, seen);
	for (size_t i = 0; i < count && i < REGION_MOST; i++) {
		if (region[i].leaf < service->current->leaves)
			json_array_append_new(list, one_leaf(controller, service, &region[i],
							     &seen[region[i].leaf]));
	}
	return list;
}

static json_t *node(const struct controller *controller, const struct larch_tree *tree, size_t at)
{
	const struct larch_node *test = &tree->node[at];
	unsigned leaf;

	if (region_leaf(tree, at, &leaf))
		return json_pack("{s:i}", "leaf", leaf);
	return json_pack("{s:o, s:o, s:o}", "question",
			 report_question(controller, test->feature, test->threshold), "yes",
			 node(controller, tree, 2 * at + 1), "no",
			 node(controller, tree, 2 * at + 2));
}

static json_t *one_service(struct controller *controller, struct service *service,
			   const json_t *request)
{
	const struct generation *current = service->current;

	(void)request;
	if (!current)
		return json_pack("{s:s, s:s, s:o, s:n}", "service", service->config->name, "state",
				 report_state(service), "reason", report_string(service->reason),
				 "generation");
	return json_pack(
		"{s:s, s:s, s:o, s:b, s:I, s:o, s:b, s:i, s:o, s:o, s:o}", "service",
		service->config->name, "state", report_state(service), "reason",
		report_string(service->reason), "learned", report_is_learned(service), "generation",
		(json_int_t)current->plan.generation, "digest", report_digest(current->plan.digest),
		"evidence", current->tree != NULL, "depth", current->plan.tree.depth, "flows",
		report_real(current->tree ? current->tree->node[0].flows : NAN), "node",
		node(controller, &current->plan.tree, 0), "leaves", leaves(controller, service));
}

json_t *report_tree(struct controller *controller, const json_t *request)
{
	return report_each(controller, request, one_service);
}
