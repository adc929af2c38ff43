// SPDX-License-Identifier: BSD-2-Clause
/* A controller that was filled by hand, without a kernel part, for the tests of the reports. */
#pragma once

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller.h"
#include "plan_scene.h"
#include "region.h"
#include "report.h"
#include "request.h"

struct report_world {
	struct scene *scene;
	struct controller *controller;
	struct larch_config config;
	struct config_service service;
	struct config_interface interface;
	struct larch_vip vip[2];
	struct datapath datapath;
};

static struct report_world world;

static inline void report_make_vips(void)
{
	struct larch_tuple tuple;

	cr_assert_eq(endpoint_tuple("1.2.3.4", 1, "203.0.113.10", 443, IPPROTO_TCP, &tuple), 0);
	memcpy(world.vip[0].address, tuple.destination, sizeof(tuple.destination));
	world.vip[0].port = htons(443);
	world.vip[0].protocol = IPPROTO_TCP;
	cr_assert_eq(endpoint_tuple("::1", 1, "2001:db8::10", 443, IPPROTO_TCP, &tuple), 0);
	memcpy(world.vip[1].address, tuple.destination, sizeof(tuple.destination));
	world.vip[1].port = htons(80);
	world.vip[1].protocol = IPPROTO_TCP;
}

static inline void report_make_backends(struct service *service)
{
	service->members = SCENE_MEMBERS;
	for (uint16_t i = 0; i < SCENE_MEMBERS; i++) {
		struct registry_backend *backend =
			&world.controller->registry.backend[SCENE_FIRST + i];

		backend->used = backend->configured = true;
		snprintf(backend->name, sizeof(backend->name), "b%u", i + 1u);
		backend->address.s6_addr[10] = backend->address.s6_addr[11] = 0xff;
		backend->address.s6_addr[12] = 10;
		backend->address.s6_addr[15] = (uint8_t)(11 + i);
		backend->nexthop.ready = true;
		service->member[i] = (struct learner_member){
			.backend = (uint16_t)(SCENE_FIRST + i),
			.weight = 100,
			.usable = true,
			.concurrency = 4,
		};
		service->life[i] = (struct lifecycle){
			.backend = (uint16_t)(SCENE_FIRST + i),
			.weight = 100,
			.takes = true,
		};
	}
}

/* A member that takes no new flows. */
static inline void report_stop(size_t member, enum lifecycle_state state, const char *reason)
{
	struct service *service = &world.controller->service[3];

	service->member[member].usable = false;
	service->life[member].takes = false;
	service->life[member].state = state;
	strcpy(service->life[member].reason, reason);
}

static inline struct generation *report_make_generation(void)
{
	static const double demand[SCENE_LEAVES] = {50, 30, 20};
	struct generation *generation;

	cr_assert_eq(generation_new(&generation, SCENE_LEAVES, SCENE_MEMBERS), 0);
	generation->plan = world.scene->plan;
	generation->plan.digest = 0xabcdef;
	memcpy(generation->ring, world.scene->ring,
	       (LARCH_RING_LEAF + SCENE_LEAVES) * sizeof(*generation->ring));
	memcpy(generation->costs, world.scene->costs, SCENE_LEAVES * sizeof(*generation->costs));
	memcpy(generation->demand, demand, sizeof(demand));
	for (size_t leaf = 0; leaf < SCENE_LEAVES; leaf++) {
		generation->share[leaf * SCENE_MEMBERS] = 0.75;
		generation->share[leaf * SCENE_MEMBERS + leaf + 1] = 0.25;
	}
	return generation;
}

static inline void report_begin(void)
{
	const struct cells_options forgetting = {.half_life_server = 10, .half_life_connect = 2};
	struct service *service;

	memset(&world, 0, sizeof(world));
	world.scene = scene_new();
	world.controller = calloc(1, sizeof(*world.controller));
	cr_assert_not_null(world.controller);
	service = &world.controller->service[3];
	report_make_vips();
	strcpy(world.service.name, "web");
	world.service.vips = world.vip;
	world.service.vip_count = 2;
	world.service.learning = CONFIG_LEARNING_ON;
	world.service.signal = LARCH_SIGNAL_RESPONSE;
	strcpy(world.interface.name, "lo");
	world.config.interfaces = &world.interface;
	world.config.interface_count = 1;
	world.config.learning.interval_ms = 1000;
	world.datapath.settings = &world.scene->settings;
	world.datapath.live = world.scene->live;
	world.datapath.flows = world.scene->flows;
	world.datapath.buckets = SCENE_BUCKETS;
	world.controller->datapath = &world.datapath;
	world.controller->config = &world.config;
	world.controller->options.config_file = "larch.yaml";
	service->used = true;
	service->id = 3;
	service->config = &world.service;
	service->state = SERVICE_LEARNED;
	report_make_backends(service);
	service->current = report_make_generation();
	cr_assert_eq(cells_new(&service->cells, &forgetting), 0);
	cr_assert_eq(judge_new(&service->judge), 0);
}

static inline void report_end(void)
{
	struct service *service = &world.controller->service[3];

	generation_free(service->current);
	cells_free(service->cells);
	judge_free(service->judge);
	free(world.controller);
	free(world.scene);
}

/* The answer to a request in text; the caller releases it. */
/* The flow as the table of the scene knows it, last seen `age` units of stamps ago. */
static inline struct larch_flow *report_remember(const struct explain_input *input,
						 unsigned backend, uint32_t age)
{
	struct larch_flow *flow;
	struct explain explain;

	explain_flow(input, &explain);
	flow = &world.scene->flows[explain.bucket].flow[0];
	flow->identity.tag = larch_hash_tag(explain.hash) & ((1u << 29) - 1);
	flow->identity.state = LARCH_FLOW_OPEN;
	flow->identity.backend = backend % LARCH_MAX_BACKENDS;
	flow->identity.stamp = (datapath_stamp(&world.datapath) - age) & LARCH_STAMP_MASK;
	return flow;
}

static inline json_t *report_ask(const char *request)
{
	char *text = request_answer(world.controller, request, strlen(request));
	json_t *answer = json_loads(text, 0, NULL);

	cr_assert_not_null(answer, "%s", text);
	cr_assert_null(strstr(text, "0123456789abcdef"), "the seed is a secret");
	free(text);
	return answer;
}

static inline const char *report_word(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	cr_assert_not_null(text, "%s", name);
	return text;
}

static inline double report_value_of(const json_t *object, const char *name)
{
	cr_assert(json_is_number(json_object_get(object, name)), "%s", name);
	return json_number_value(json_object_get(object, name));
}

static inline const json_t *report_first(const json_t *object, const char *name)
{
	return json_array_get(json_object_get(object, name), 0);
}
