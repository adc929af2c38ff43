// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the packet path does with the packets of each service: policies, access lists, connection
 * ids, and the limits of all of them. In an order by which no packet meets half of it: what a
 * policy relies on stands before the policy, and what none relies on any more goes last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "clock.h"
#include "controller.h"
#include "log.h"
#include "policy.h"
#include "publisher.h"

/* ---- access lists ---- */

struct access_change {
	struct access_list found, wanted;
};

static void take_found(void *context, const struct larch_access *key, uint32_t verdict)
{
	struct access_list *found = context;

	if (found->count < LARCH_MAX_ACCESS)
		access_add(found, key, verdict);
}

static int begin_access(const struct controller *controller, struct access_change *change)
{
	const struct larch_config *config = controller->config;
	uint16_t id[LARCH_MAX_SERVICES];
	int error;

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		if (service->used && service->config)
			id[service->config - config->services] = service->id;
	}
	error = access_build(config, id, &change->wanted);
	if (error)
		return error;
	change->found.entry = calloc(LARCH_MAX_ACCESS, sizeof(*change->found.entry));
	if (!change->found.entry)
		return -ENOMEM;
	error = datapath_each_access(controller->datapath, take_found, &change->found);
	access_sort(&change->found);
	return error;
}

static int write_access(void *datapath, const struct access_entry *entry)
{
	return publisher_access(datapath, &entry->key, entry->verdict);
}

static int drop_access(void *datapath, const struct larch_access *key)
{
	return publisher_remove_access(datapath, key);
}

/* What is allowed or denied from now on. Two long lists may not both fit: the old one goes first.
 */
static int write_lists(struct controller *controller, const struct access_change *change)
{
	bool fits = change->found.count + change->wanted.count <= LARCH_MAX_ACCESS;

	return access_compare(&change->found, &change->wanted, write_access,
			      fits ? NULL : drop_access, controller->datapath);
}

static int drop_lists(struct controller *controller, const struct access_change *change)
{
	return access_compare(&change->found, &change->wanted, NULL, drop_access,
			      controller->datapath);
}

static void end_access(struct access_change *change)
{
	access_free(&change->found);
	access_free(&change->wanted);
}

/* ---- services ---- */

void controller_write_policy(struct controller *controller, const struct service *service)
{
	struct larch_service entry;

	policy_service(service->config, larch_stamp_ns(controller->datapath->settings), &entry);
	entry.policy.signal = service_signal(service) & 15;
	entry.policy.halvings = service->arm.halvings & 15;
	if (service->config->agent && nodes_are_several(controller))
		entry.policy.flags |= LARCH_SERVICE_DOUBTS;
	if (service->agents.silent)
		entry.policy.flags &= (__u16) ~(LARCH_SERVICE_AGENTS | LARCH_SERVICE_DOUBTS);
	publisher_service(controller->datapath, service->id, &entry);
}

static void write_policies(struct controller *controller)
{
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		if (service->used && service->config)
			controller_write_policy(controller, service);
	}
}

/* ---- agents ---- */

static void tell_agents(const struct service *service, enum agents_news news)
{
	const char *name = service->config->name;

	switch (news) {
	case AGENTS_SILENT:
		log_warning("%s: no agent answers: for %u s from now, packets of flows that nobody "
			    "remembers go by the ring. Run the agent on the service's backends and "
			    "let UDP port %u through both ways, or set agent: false",
			    name, service->agents.pause_ms / 1000, LARCH_GUE_PORT);
		break;
	case AGENTS_TRIED:
		log_info("%s: agents are asked again", name);
		break;
	case AGENTS_ANSWERED:
		log_info("%s: agents answer", name);
		break;
	case AGENTS_SAME:
		break;
	}
}

static void follow_agents(struct controller *controller, struct service *service, uint64_t now_ms)
{
	const struct larch_pressure *pressure = &controller->datapath->pressure[service->id];
	uint32_t answered = __atomic_load_n(&pressure->answered, __ATOMIC_RELAXED);
	uint32_t asked = __atomic_load_n(&pressure->asked, __ATOMIC_RELAXED);
	enum agents_news news;

	if (!service->config->agent) {
		service->agents = (struct agents){};
		return;
	}
	news = agents_step(&service->agents, now_ms, asked, answered);
	if (news == AGENTS_SAME)
		return;
	tell_agents(service, news);
	controller_write_policy(controller, service);
}

void controller_follow_agents(struct controller *controller)
{
	uint64_t now_ms = clock_now() / NS_PER_MS;

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		struct service *service = &controller->service[i];

		if (service->used && service->config)
			follow_agents(controller, service, now_ms);
	}
}

int controller_write_services(struct controller *controller)
{
	struct access_change change = {};
	int error = begin_access(controller, &change);

	if (!error)
		error = write_lists(controller, &change);
	if (!error)
		error = controller_write_quic(controller);
	if (!error) {
		publisher_limits(controller->datapath, controller->config->limit);
		write_policies(controller);
		error = controller_write_addresses(controller);
	}
	if (!error)
		error = drop_lists(controller, &change);
	end_access(&change);
	return error;
}
