// SPDX-License-Identifier: BSD-2-Clause
/*
 * null: a node of its own; or
 * {"role":"leader"|"follower","file","trouble","age_s","leader","silent",
 *  "services":[{"service","generation","digest","leader_generation","leader_digest","agrees",
 *               "why"}]}
 *
 * age_s: since this node wrote something, or the leader something new. digest: the same on all
 * nodes that steer alike, unlike that of the tables in this node's own numbers. What is the
 * leader's is null at the leader itself.
 */
#include "controller.h"
#include "report.h"

/* A controller that has just begun has no configuration yet. */
static const struct config_generations *generations_of(const struct controller *controller)
{
	static const struct config_generations none;

	return controller->config ? &controller->config->generations : &none;
}

static json_t *age(const struct controller *controller, bool follows)
{
	double seconds = follows ? nodes_heard_s(controller) : nodes_wrote_s(controller);

	return seconds < 0 ? json_null() : report_real(seconds);
}

static json_t *digest_or_null(uint64_t digest)
{
	return digest ? report_digest(digest) : json_null();
}

static json_t *leader_generation(const struct controller *controller, const struct service *service)
{
	const struct snapshot *leader = controller->nodes.leader;
	const struct snapshot_service *found =
		leader ? snapshot_find(leader, service->config->name) : NULL;

	return found ? json_integer(found->generation->plan.generation) : json_null();
}

json_t *report_nodes_service(struct controller *controller, const struct service *service)
{
	const struct config_generations *generations = generations_of(controller);
	uint64_t own, leader;

	if (!nodes_are_several(controller))
		return json_null();
	own = nodes_digest(controller, service);
	leader = nodes_leader_digest(controller, service);
	return json_pack(
		"{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "service", service->config->name,
		"generation",
		(json_int_t)(service->current ? service->current->plan.generation : 0), "digest",
		digest_or_null(own), "leader_generation", leader_generation(controller, service),
		"leader_digest", digest_or_null(leader), "agrees",
		*generations->follow ? json_boolean(own && own == leader) : json_null(), "why",
		report_string(*generations->follow ? nodes_why(controller, service) : NULL));
}

json_t *report_nodes(struct controller *controller)
{
	const struct config_generations *generations = generations_of(controller);
	const struct nodes *nodes = &controller->nodes;
	bool follows = *generations->follow;
	json_t *services;

	if (!nodes_are_several(controller))
		return json_null();
	services = json_array();
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		if (controller->service[i].used)
			json_array_append_new(
				services,
				report_nodes_service(controller, &controller->service[i]));
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:o}", "role",
			 follows ? "follower" : "leader", "file",
			 follows ? generations->follow : generations->write, "trouble",
			 report_string(*nodes->trouble ? nodes->trouble : NULL), "age_s",
			 age(controller, follows), "leader",
			 report_string(nodes->leader ? nodes->leader->node : NULL), "silent",
			 follows && nodes->silent, "services", services);
}

static void warn_of_service(struct controller *controller, const struct service *service,
			    json_t *list)
{
	const char *why = controller->nodes.why[service->id];

	if (*why)
		json_array_append_new(list, json_sprintf("%s: %s", service->config->name, why));
}

void report_nodes_warn(struct controller *controller, json_t *list)
{
	const struct config_generations *generations = generations_of(controller);
	const struct nodes *nodes = &controller->nodes;

	if (report_is_live(controller) && controller->config && controller_seed_differs(controller))
		json_array_append_new(
			list, json_sprintf("the flow table hashes by another seed than that of %s: "
					   "it was made with it",
					   controller->config->seed.file));
	if (*nodes->trouble)
		json_array_append_new(list, json_sprintf("%s %s",
							 *generations->follow ? generations->follow
									      : generations->write,
							 nodes->trouble));
	if (!*generations->follow)
		return;
	if (nodes->silent)
		json_array_append_new(
			list, json_sprintf("the leader %s has been silent for %.0f s: its last "
					   "generations stay",
					   nodes->leader->node, nodes_heard_s(controller)));
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		if (controller->service[i].used)
			warn_of_service(controller, &controller->service[i], list);
	}
}
