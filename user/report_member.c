// SPDX-License-Identifier: BSD-2-Clause
/* One backend of a service, as lists and tables show it. See report.h. */
#include <math.h>
#include <string.h>

#include "clock.h"
#include "controller.h"
#include "larch/score.h"
#include "report.h"

/* Mean of one value per leaf, weighed by the leaves' demand; or plainly if none is known. */
static double over_leaves(const struct generation *generation,
			  double (*value)(const struct generation *generation, size_t leaf,
					  size_t member),
			  size_t member)
{
	double sum = 0, weight = 0, plain = 0;

	for (size_t leaf = 0; leaf < generation->leaves; leaf++) {
		double here = value(generation, leaf, member);

		sum += generation->demand[leaf] * here;
		weight += generation->demand[leaf];
		plain += here / (double)generation->leaves;
	}
	return weight > 0 ? sum / weight : plain;
}

static double leaf_share(const struct generation *generation, size_t leaf, size_t member)
{
	return generation->share[leaf * generation->members + member];
}

static double leaf_net(const struct generation *generation, size_t leaf, size_t member)
{
	return generation->costs[leaf].member[member].net;
}

static double leaf_service(const struct generation *generation, size_t leaf, size_t member)
{
	return generation->costs[leaf].member[member].service;
}

double report_control_share(const struct generation *generation, size_t member)
{
	const struct larch_ring *ring = &generation->ring[LARCH_RING_CONTROL];
	size_t slots = 0;

	for (size_t i = 0; i < LARCH_RING_SLOTS; i++)
		slots += ring->slot[i].primary == member;
	return (double)slots / LARCH_RING_SLOTS;
}

static void take_generation(const struct service *service, uint16_t backend,
			    struct report_member *out)
{
	const struct generation *current = service->current;
	size_t member = current ? current->plan.member_of[backend] : LARCH_NO_MEMBER;

	if (!current || member >= current->members)
		return;
	out->share = report_is_learned(service) ? over_leaves(current, leaf_share, member)
						: report_control_share(current, member);
	if (over_leaves(current, leaf_service, member) <= 0)
		return;
	out->net_us = over_leaves(current, leaf_net, member);
	out->service_us = over_leaves(current, leaf_service, member);
}

static void take_live(const struct controller *controller, uint16_t backend,
		      struct report_member *out)
{
	struct larch_live live;

	out->flows = controller->flows.flows[backend];
	if (!controller->datapath || !controller->datapath->live)
		return;
	live = controller->datapath->live[backend];
	out->in_flight = live.in_flight > 0 ? live.in_flight : 0;
	out->slowdown = (double)larch_slowdown(&live, clock_now()) / LARCH_SLOWDOWN_ONE;
}

void report_member(const struct controller *controller, const struct service *service, size_t index,
		   struct report_member *out)
{
	const struct learner_member *member = &service->member[index];
	const struct lifecycle *life = &service->life[index];
	const struct registry_backend *backend = &controller->registry.backend[member->backend];

	*out = (struct report_member){
		.name = report_backend(controller, member->backend),
		.backend = member->backend,
		.weight = member->weight,
		.net_us = NAN,
		.service_us = NAN,
		.slowdown = 1,
		.concurrency = backend->concurrency,
		.concurrency_from = backend->origin,
		.state = life->state,
		.reason = *life->reason ? life->reason : NULL,
		.since = life->since,
	};
	take_generation(service, member->backend, out);
	take_live(controller, member->backend, out);
}
