// SPDX-License-Identifier: BSD-2-Clause
/* What the reports say of a controller that was filled by hand, without a kernel part. */
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

static void report_make_vips(void)
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

static void report_make_backends(struct service *service)
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
	}
}

static struct generation *report_make_generation(void)
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

static void report_begin(void)
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

static void report_end(void)
{
	struct service *service = &world.controller->service[3];

	generation_free(service->current);
	cells_free(service->cells);
	judge_free(service->judge);
	free(world.controller);
	free(world.scene);
}

TestSuite(report, .init = report_begin, .fini = report_end);

/* The answer to a request in text; the caller releases it. */
static json_t *report_ask(const char *request)
{
	char *text = request_answer(world.controller, request, strlen(request));
	json_t *answer = json_loads(text, 0, NULL);

	cr_assert_not_null(answer, "%s", text);
	cr_assert_null(strstr(text, "0123456789abcdef"), "the seed is a secret");
	free(text);
	return answer;
}

static const char *report_word(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	cr_assert_not_null(text, "%s", name);
	return text;
}

static double report_value_of(const json_t *object, const char *name)
{
	cr_assert(json_is_number(json_object_get(object, name)), "%s", name);
	return json_number_value(json_object_get(object, name));
}

static const json_t *report_first(const json_t *object, const char *name)
{
	return json_array_get(json_object_get(object, name), 0);
}

Test(report, status_names_what_needs_attention)
{
	struct service *service = &world.controller->service[3];
	json_t *answer;

	world.controller->reload_failed = true;
	strcpy(world.controller->reload_error, "larch.yaml:3:1: what");
	for (size_t i = 0; i < SCENE_MEMBERS - 1; i++)
		service->member[i].usable = false;
	answer = report_ask("{\"command\":\"status\"}");
	cr_assert_str_eq(report_word(json_object_get(answer, "config"), "error"),
			 "larch.yaml:3:1: what");
	cr_assert_eq(json_array_size(json_object_get(answer, "warnings")), 3);
	cr_assert_eq(report_value_of(report_first(answer, "services"), "usable"), 1);
	cr_assert_str_eq(report_word(report_first(answer, "services"), "state"), "learned");
	json_decref(answer);
}

Test(report, status_counts_the_flow_table)
{
	json_t *answer;

	world.controller->flows.open = 100;
	world.controller->flows.syn = 28;
	answer = report_ask("{\"command\":\"status\"}");
	cr_assert_eq(report_value_of(json_object_get(answer, "flow_table"), "entries"), 256);
	cr_assert_float_eq(report_value_of(json_object_get(answer, "flow_table"), "fill"), 0.5,
			   1e-9);
	json_decref(answer);
}

Test(report, list_shows_shares_over_all_leaves)
{
	json_t *answer = report_ask("{\"command\":\"list\"}");
	const json_t *service = report_first(answer, "services");
	const json_t *backends = json_object_get(service, "backends");

	cr_assert_str_eq(report_word(report_first(service, "vips"), "address"), "203.0.113.10");
	cr_assert_str_eq(report_word(json_array_get(backends, 0), "address"), "10.0.0.11");
	cr_assert_float_eq(report_value_of(json_array_get(backends, 0), "share"), 0.75, 1e-9);
	cr_assert_float_eq(report_value_of(json_array_get(backends, 1), "share"), 0.125, 1e-9);
	cr_assert_float_eq(report_value_of(json_array_get(backends, 3), "share"), 0.05, 1e-9);
	json_decref(answer);
}

Test(report, list_without_learning_shows_the_control_ring)
{
	json_t *answer;

	world.controller->service[3].current->plan.flags = 0;
	answer = report_ask("{\"command\":\"list\"}");
	cr_assert_float_eq(
		report_value_of(report_first(report_first(answer, "services"), "backends"),
				"share"),
		0.25, 1e-9);
	json_decref(answer);
}

Test(report, list_says_why_a_backend_takes_nothing)
{
	json_t *answer;

	world.controller->service[3].member[0].usable = false;
	world.controller->registry.backend[SCENE_FIRST].nexthop.reason = "no route";
	world.controller->service[3].member[1].weight = 0;
	world.controller->registry.backend[40].used = true;
	strcpy(world.controller->registry.backend[40].name, "old");
	world.controller->flows.flows[40] = 17;
	answer = report_ask("{\"command\":\"list\",\"service\":\"web\"}");
	cr_assert_str_eq(
		report_word(report_first(report_first(answer, "services"), "backends"), "reason"),
		"no route");
	cr_assert_str_eq(
		report_word(
			json_array_get(
				json_object_get(report_first(answer, "services"), "backends"), 1),
			"state"),
		"drained");
	cr_assert_eq(report_value_of(report_first(answer, "leaving"), "flows"), 17);
	json_decref(answer);
}

Test(report, stat_has_a_frontend_and_its_servers)
{
	json_t *answer = report_ask("{\"command\":\"stat\"}");
	const json_t *rows = json_object_get(answer, "rows");

	cr_assert_eq(json_array_size(rows), 1 + SCENE_MEMBERS);
	cr_assert_str_eq(report_word(json_array_get(rows, 0), "svname"), "FRONTEND");
	cr_assert_str_eq(report_word(json_array_get(rows, 4), "svname"), "b4");
	cr_assert_float_eq(report_value_of(json_array_get(rows, 4), "rtime"), 4.0, 1e-9);
	json_decref(answer);
}

Test(report, tree_names_the_clients_of_each_leaf)
{
	json_t *answer = report_ask("{\"command\":\"tree\"}");
	const json_t *service = report_first(answer, "services");
	const json_t *leaves = json_object_get(service, "leaves");

	cr_assert_eq(json_array_size(leaves), 3);
	cr_assert_str_eq(report_word(json_object_get(json_array_get(leaves, 0), "clients"), "text"),
			 "0.0.0.0/5, 8.0.0.0/7, 10.0.0.0/15");
	cr_assert_not_null(
		strstr(report_word(json_object_get(json_array_get(leaves, 1), "clients"), "text"),
		       "0 to 5 hops away"));
	cr_assert_not_null(
		strstr(report_word(json_object_get(json_array_get(leaves, 2), "clients"), "text"),
		       "6 hops away or more"));
	cr_assert_float_eq(report_value_of(json_array_get(leaves, 0), "part"), 0.5, 1e-9);
	json_decref(answer);
}

Test(report, tree_says_why_even_without_evidence)
{
	json_t *answer = report_ask("{\"command\":\"tree\"}");
	const json_t *service = report_first(answer, "services");

	cr_assert(json_is_false(json_object_get(service, "evidence")));
	cr_assert_str_eq(report_word(report_first(service, "leaves"), "why"),
			 "b1 is 91 % faster here than b2, the next one");
	cr_assert(json_is_null(json_object_get(
		report_first(report_first(service, "leaves"), "backends"), "responses")));
	json_decref(answer);
}

Test(report, tree_keeps_its_shape)
{
	json_t *answer = report_ask("{\"command\":\"tree\"}");
	const json_t *node = json_object_get(report_first(answer, "services"), "node");
	const json_t *no = json_object_get(node, "no");

	cr_assert_str_eq(report_word(json_object_get(node, "question"), "text"),
			 "source up to 10.1.255.0/24");
	cr_assert_eq(report_value_of(json_object_get(node, "yes"), "leaf"), 0);
	cr_assert_str_eq(report_word(json_object_get(no, "question"), "text"),
			 "at most 5 hops away");
	json_decref(answer);
}

Test(report, tree_without_a_generation_says_so)
{
	json_t *answer;

	generation_free(world.controller->service[3].current);
	world.controller->service[3].current = NULL;
	answer = report_ask("{\"command\":\"tree\"}");
	cr_assert(json_is_null(json_object_get(report_first(answer, "services"), "generation")));
	json_decref(answer);
}

#define EXPLAIN                                                                                    \
	"{\"command\":\"explain\",\"source\":\"10.1.0.7\",\"source_port\":4711,"                   \
	"\"destination\":\"203.0.113.10\",\"destination_port\":443,\"protocol\":\"tcp\""

Test(report, explain_follows_the_tree_and_tells_what_it_assumed)
{
	json_t *answer = report_ask(EXPLAIN "}");

	cr_assert_str_eq(report_word(answer, "service"), "web");
	cr_assert(json_is_null(json_object_get(answer, "table")));
	cr_assert_eq(json_array_size(json_object_get(answer, "assumed")), 3);
	cr_assert_eq(report_value_of(answer, "leaf"), 0);
	cr_assert_str_eq(report_word(report_first(answer, "steps"), "answer"), "yes");
	cr_assert_str_eq(report_word(answer, "outcome"), "forward_new");
	json_decref(answer);
}

Test(report, explain_assumes_nothing_that_is_given)
{
	json_t *answer = report_ask(EXPLAIN ",\"hops\":3,\"size\":60,\"interface\":\"lo\"}");

	cr_assert_eq(json_array_size(json_object_get(answer, "assumed")), 0);
	json_decref(answer);
}

Test(report, explain_refuses_what_makes_no_sense)
{
	static const char *const wrong[] = {
		EXPLAIN ",\"hops\":300}", EXPLAIN ",\"size\":-1}", EXPLAIN ",\"hops\":\"3\"}",
		EXPLAIN ",\"interface\":\"nope0\"}", EXPLAIN ",\"interface\":7}"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *answer = report_ask(wrong[i]);

		cr_assert_str_eq(report_word(answer, "kind"), "usage", "%s", wrong[i]);
		json_decref(answer);
	}
}

Test(report, explain_of_a_stranger_is_not_found)
{
	json_t *answer = report_ask("{\"command\":\"explain\",\"source\":\"10.1.0.7\","
				    "\"source_port\":1,\"destination\":\"203.0.113.11\","
				    "\"destination_port\":443,\"protocol\":\"tcp\"}");

	cr_assert_str_eq(report_word(answer, "kind"), "not found");
	json_decref(answer);
}

Test(report, explain_says_when_no_backend_can_be_reached)
{
	json_t *answer;

	for (size_t i = 0; i < SCENE_MEMBERS; i++)
		world.controller->registry.backend[SCENE_FIRST + i].nexthop.ready = false;
	answer = report_ask(EXPLAIN "}");
	cr_assert_str_eq(report_word(answer, "outcome"), "drop_no_nexthop");
	json_decref(answer);
}

Test(report, arm_is_that_of_the_hash)
{
	json_t *answer = report_ask("{\"command\":\"arm\",\"tuples\":["
				    "\"10.1.0.7 4711 203.0.113.10 443 tcp\",\"x\","
				    "\"10.1.0.7 4711 203.0.113.10 443 tcp more\"]}");
	struct explain_input input = scene_input(world.scene, "10.1.0.7", 4711);
	bool control = larch_hash_arm(larch_hash(&input.tuple, 0, world.scene->settings.seed)) ==
		       LARCH_ARM_CONTROL;

	cr_assert_str_eq(json_string_value(report_first(answer, "arms")),
			 control ? "control" : "learned");
	cr_assert(json_is_null(json_array_get(json_object_get(answer, "arms"), 1)));
	cr_assert(json_is_null(json_array_get(json_object_get(answer, "arms"), 2)));
	json_decref(answer);
}

static const char *benefit_verdict(double low, double high, bool enough)
{
	static char verdict[32];
	struct judge_report *report = &world.controller->service[3].report;
	json_t *answer;

	report->enough = enough;
	report->mean = (struct judge_quantile){.ratio = 1, .ratio_low = low, .ratio_high = high};
	answer = report_ask("{\"command\":\"benefit\"}");
	snprintf(verdict, sizeof(verdict), "%s",
		 report_word(report_first(answer, "services"), "verdict"));
	json_decref(answer);
	return verdict;
}

Test(report, benefit_needs_the_whole_interval_on_one_side)
{
	cr_assert_str_eq(benefit_verdict(1.1, 1.3, true), "better");
	cr_assert_str_eq(benefit_verdict(0.9, 1.3, true), "no difference");
	cr_assert_str_eq(benefit_verdict(0.7, 0.9, true), "worse");
	cr_assert_str_eq(benefit_verdict(1.1, 1.3, false), "not enough");
}

Test(report, history_begins_with_the_oldest_that_is_left)
{
	struct service *service = &world.controller->service[3];
	json_t *answer;
	const json_t *list;

	service->published = SERVICE_HISTORY + 5;
	for (uint64_t i = 0; i < service->published; i++)
		service->event[i % SERVICE_HISTORY].generation = (uint32_t)i + 1;
	answer = report_ask("{\"command\":\"history\"}");
	list = json_object_get(report_first(answer, "services"), "generations");
	cr_assert_eq(json_array_size(list), SERVICE_HISTORY);
	cr_assert_eq(report_value_of(json_array_get(list, 0), "generation"), 6);
	cr_assert_eq(report_value_of(json_array_get(list, SERVICE_HISTORY - 1), "generation"),
		     SERVICE_HISTORY + 5);
	json_decref(answer);
}

Test(report, an_unknown_service_is_not_found)
{
	static const char *const commands[] = {"list", "stat", "tree", "benefit", "history"};
	char request[80];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		json_t *answer;

		snprintf(request, sizeof(request), "{\"command\":\"%s\",\"service\":\"nope\"}",
			 commands[i]);
		answer = report_ask(request);
		cr_assert_str_eq(report_word(answer, "kind"), "not found");
		json_decref(answer);
	}
}

static const char *clients_text(unsigned feature, uint64_t low, uint64_t high)
{
	static char text[512];
	struct region region = {};
	json_t *clients;

	for (unsigned i = 0; i < LARCH_FEATURE_COUNT; i++)
		region.high[i] = UINT64_MAX;
	region.low[feature] = low;
	region.high[feature] = high;
	clients = report_clients(world.controller, &world.controller->service[3], &region);
	snprintf(text, sizeof(text), "%s", report_word(clients, "text"));
	json_decref(clients);
	return text;
}

Test(report, clients_are_told_in_words)
{
	cr_assert_str_eq(clients_text(LARCH_FEATURE_HOPS, 0, UINT64_MAX), "all clients");
	cr_assert_str_eq(clients_text(LARCH_FEATURE_SOURCE, 0, 0xffffff), "all IPv4 clients");
	cr_assert_str_eq(clients_text(LARCH_FEATURE_SOURCE, 0x1000000, UINT64_MAX),
			 "all IPv6 clients");
	cr_assert_str_eq(clients_text(LARCH_FEATURE_PORT, 0, 80), "port 80");
	cr_assert_str_eq(clients_text(LARCH_FEATURE_PORT, 1000, UINT64_MAX), "ports 1000 to 65535");
	cr_assert_str_eq(clients_text(LARCH_FEATURE_PROTOCOL, 7, UINT64_MAX), "udp");
	cr_assert_str_eq(clients_text(LARCH_FEATURE_HOPS, 3, 3), "3 hops away");
	cr_assert_str_eq(clients_text(LARCH_FEATURE_SIZE, 0, 0), "first packet under 64 bytes");
	cr_assert_str_eq(clients_text(LARCH_FEATURE_SIZE, 1, 2), "first packet of 64 to 511 bytes");
	cr_assert_str_eq(clients_text(LARCH_FEATURE_SIZE, 3, UINT64_MAX),
			 "first packet of 512 bytes or more");
	cr_assert_str_eq(clients_text(LARCH_FEATURE_INGRESS, 0, if_nametoindex("lo")), "by lo");
}
