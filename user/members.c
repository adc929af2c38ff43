// SPDX-License-Identifier: BSD-2-Clause
/* The members of services in the controller: their states, and who has a say in them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "controller.h"
#include "log.h"
#include "members.h"

struct lifecycle *members_life(struct service *service, uint16_t backend)
{
	for (size_t i = 0; i < service->members; i++) {
		if (service->life[i].backend == backend)
			return &service->life[i];
	}
	return NULL;
}

/* Once a change: the log tells the life of every backend. */
static void tell_state(const struct service *service, const struct lifecycle *life,
		       const char *backend)
{
	bool bad = life->state == LIFECYCLE_DOWN;
	enum log_level level = !bad		   ? LOG_LEVEL_INFO
			       : life->unreachable ? LOG_LEVEL_DEBUG /* has been said: nexthops.c */
						   : LOG_LEVEL_WARNING;

	log_line(level, "%s: %s is %s%s%s", service->config->name, backend,
		 lifecycle_text(life->state), *life->reason ? ": " : "", life->reason);
}

static void tell_panic(const struct service *service, bool before)
{
	const struct lifecycle_count *count = &service->count;

	if (count->panic && !before)
		log_error("%s: PANIC: only %zu of %zu backends are well; all that can be reached "
			  "take flows",
			  service->config->name, count->well, count->meant);
	else if (before && !count->panic)
		log_info("%s: no panic any more: %zu of %zu backends are well",
			 service->config->name, count->well, count->meant);
}

/* Works out the states of all members. */
static void refresh_states(struct controller *controller, struct service *service)
{
	const struct lifecycle_now now = {.ns = clock_now(), .wall = time(NULL)};
	const struct lifecycle_rules rules = {
		.slow_start_ns = (uint64_t)(service->config->slow_start * 1e9),
		.panic_threshold = service->config->panic_threshold,
	};
	enum lifecycle_state before[LARCH_MAX_MEMBERS];
	bool panic = service->count.panic;

	for (size_t i = 0; i < service->members; i++) {
		struct lifecycle *life = &service->life[i];

		life->weight = service->config->members[i].weight;
		life->flows = controller->registry.backend[life->backend].flows;
		life->unreachable =
			controller_unreachable(controller, life->backend, service->config->mode);
		before[i] = life->state;
	}
	lifecycle_update(service->life, service->members, &rules, &now, &service->count);
	for (size_t i = 0; i < service->members; i++) {
		if (service->life[i].state == before[i])
			continue;
		controller->members_news++;
		if (service->current)
			tell_state(service, &service->life[i],
				   controller->registry.backend[service->life[i].backend].name);
	}
	tell_panic(service, panic);
}

bool members_refresh(struct controller *controller, struct service *service)
{
	bool changed = false;

	refresh_states(controller, service);
	for (size_t i = 0; i < service->members; i++) {
		const struct lifecycle *life = &service->life[i];
		struct learner_member *member = &service->member[i];

		changed |= member->usable != life->takes || member->weight != life->weight ||
			   fabs(member->cold - life->cold) > 0;
		member->usable = life->takes;
		member->weight = life->weight;
		member->cold = life->cold;
		member->concurrency = controller->registry.backend[life->backend].concurrency;
	}
	return changed;
}

/* Publishes if the states have changed what its members take. */
static void follow(struct controller *controller, struct service *service, const char *why)
{
	service->members_changed |= members_refresh(controller, service);
	controller_follow_members(controller, why);
}

static struct lifecycle *life_of(struct controller *controller, uint16_t service, uint16_t backend)
{
	if (service >= LARCH_MAX_SERVICES || !controller->service[service].used)
		return NULL;
	return members_life(&controller->service[service], backend);
}

void controller_checked(struct controller *controller, uint16_t service, uint16_t backend, bool up,
			const char *reason)
{
	struct lifecycle *life = life_of(controller, service, backend);

	if (!life)
		return;
	snprintf(life->unfit, sizeof(life->unfit), "%s", up ? "" : reason);
	controller->members_news++;
	controller->verdicts = true;
}

void controller_follow_checks(struct controller *controller)
{
	if (!controller->verdicts)
		return;
	controller->verdicts = false;
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		struct service *service = &controller->service[i];

		if (service->used && service->config)
			service->members_changed |= members_refresh(controller, service);
	}
	controller_follow_members(controller, "health checks' verdicts");
}

/* May one more of the service's members be out? */
static bool may_eject(const struct service *service)
{
	double most = service->config->eject_most * (double)service->count.meant;
	size_t out = 0;

	for (size_t i = 0; i < service->members; i++)
		out += service->life[i].ejection.out;
	return service->count.well > 1 && (double)(out + 1) <= fmax(1, most);
}

static void watch_member(struct controller *controller, struct service *service,
			 struct lifecycle *life, unsigned crowd, uint64_t now)
{
	const struct ejection_rules rules = {
		.first_ns = (uint64_t)(service->config->eject_for * 1e9),
	};
	/* What nobody times tells nothing of its backends; who is out comes back all the same. */
	const char *trouble =
		service->config->signal == LARCH_SIGNAL_NONE
			? NULL
			: ejection_trouble(&controller->datapath->live[life->backend], crowd, now);
	enum ejection_change change = ejection_watch(&life->ejection, trouble != NULL,
						     trouble && may_eject(service), &rules, now);

	if (change == EJECTION_STAYS)
		return;
	snprintf(life->ejected, sizeof(life->ejected), "%s", change == EJECTION_OUT ? trouble : "");
	follow(controller, service, "a backend that clients find dead, or its return");
}

/* Those who wait for a backend may be of any service that has it: the most patient one counts. */
static void find_crowds(const struct controller *controller, unsigned crowd[LARCH_MAX_BACKENDS])
{
	memset(crowd, 0, LARCH_MAX_BACKENDS * sizeof(*crowd));
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];

		for (size_t j = 0; service->used && j < service->members; j++) {
			unsigned *at = &crowd[service->life[j].backend],
				 own = ejection_crowd(&service->odds);

			*at = own > *at ? own : *at;
		}
	}
}

void controller_watch_backends(struct controller *controller)
{
	unsigned crowd[LARCH_MAX_BACKENDS];
	uint64_t now = clock_now();

	find_crowds(controller, crowd);

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		struct service *service = &controller->service[i];

		for (size_t j = 0; service->used && j < service->members; j++)
			watch_member(controller, service, &service->life[j],
				     crowd[service->life[j].backend], now);
	}
}

static void give_order(struct controller *controller, struct service *service,
		       struct lifecycle *life, const struct members_order *order)
{
	/* The same order once more moves the deadline alone. */
	if (life->order != order->order)
		life->ordered_ns = clock_now();
	life->order = order->order;
	life->deadline = order->deadline;
	life->deadline_ns = 0;
	controller->members_news++;
	follow(controller, service, "the operator's order");
}

bool members_is_meant(const struct controller *controller, const struct service *service,
		      const struct lifecycle *life, const struct members_order *order)
{
	return (!order->service || strcmp(service->config->name, order->service) == 0) &&
	       strcmp(controller->registry.backend[life->backend].name, order->backend) == 0;
}

size_t controller_order(struct controller *controller, const struct members_order *order)
{
	size_t count = 0;

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		struct service *service = &controller->service[i];

		for (size_t j = 0; service->used && j < service->members; j++) {
			if (!members_is_meant(controller, service, &service->life[j], order))
				continue;
			give_order(controller, service, &service->life[j], order);
			count++;
		}
	}
	return count;
}
