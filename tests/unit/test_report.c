// SPDX-License-Identifier: BSD-2-Clause
/* What the reports say of a controller that was filled by hand, without a kernel part. */
#include "report_world.h"

TestSuite(report, .init = report_begin, .fini = report_end);

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

	report_stop(0, LIFECYCLE_DOWN, "no route");
	report_stop(1, LIFECYCLE_DRAINING, "weight 0; no flow is left");
	world.controller->registry.backend[40].used = true;
	strcpy(world.controller->registry.backend[40].name, "old");
	world.controller->flows.flows[40] = 17;
	world.controller->flows.silent[40] = 5;
	answer = report_ask("{\"command\":\"list\",\"service\":\"web\"}");
	cr_assert_str_eq(
		report_word(report_first(report_first(answer, "services"), "backends"), "reason"),
		"no route");
	cr_assert_str_eq(
		report_word(
			json_array_get(
				json_object_get(report_first(answer, "services"), "backends"), 1),
			"state"),
		"draining");
	cr_assert_eq(report_value_of(report_first(answer, "leaving"), "flows"), 17);
	cr_assert_eq(report_value_of(report_first(answer, "leaving"), "silent"), 5);
	json_decref(answer);
}

Test(report, l2_does_not_cross_routers)
{
	world.controller->registry.backend[SCENE_FIRST].nexthop.direct = true;
	cr_assert_null(controller_unreachable(world.controller, SCENE_FIRST, LARCH_MODE_L2));
	cr_assert_null(controller_unreachable(world.controller, SCENE_FIRST + 1, LARCH_MODE_GUE));
	cr_assert_str_eq(controller_unreachable(world.controller, SCENE_FIRST + 1, LARCH_MODE_L2),
			 "behind a router, which l2 does not cross");
}

Test(report, list_shows_panic_first)
{
	const json_t *service;
	json_t *answer;

	report_stop(0, LIFECYCLE_DOWN, "takes flows all the same: HTTP 503");
	world.controller->service[3].count =
		(struct lifecycle_count){.meant = 4, .well = 1, .panic = true};
	answer = report_ask("{\"command\":\"list\",\"service\":\"web\"}");
	service = report_first(answer, "services");
	cr_assert(json_is_true(json_object_get(service, "panic")));
	cr_assert_eq(report_value_of(service, "well"), 1);
	json_decref(answer);
	answer = report_ask("{\"command\":\"status\"}");
	cr_assert_not_null(
		strstr(json_string_value(json_array_get(json_object_get(answer, "warnings"), 1)),
		       "web: PANIC: only 1 of 4 backends are well"));
	json_decref(answer);
}

Test(report, nat_does_not_send_to_this_host_itself)
{
	json_t *answer;

	world.service.mode = LARCH_MODE_NAT;
	world.controller->registry.backend[SCENE_FIRST + 1].nexthop.local = true;
	cr_assert_null(controller_unreachable(world.controller, SCENE_FIRST, LARCH_MODE_NAT));
	cr_assert_null(controller_unreachable(world.controller, SCENE_FIRST + 1, LARCH_MODE_GUE));
	cr_assert_str_eq(controller_unreachable(world.controller, SCENE_FIRST + 1, LARCH_MODE_NAT),
			 "this host itself, whose answers nat does not see");
	answer = report_ask("{\"command\":\"status\"}");
	cr_assert_str_eq(json_string_value(json_array_get(json_object_get(answer, "warnings"), 1)),
			 "web: backend b2 is this host itself, whose answers nat does not see: it "
			 "takes no flows; use ipip, gue or l2, or another server");
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

/* A backend that has come back is in the control ring before anything is learned of it. */
Test(report, tree_shows_the_shares_of_the_ring_in_force)
{
	struct service *service = &world.controller->service[3];
	json_t *answer = report_ask("{\"command\":\"tree\"}");
	const json_t *backends = json_object_get(
		report_first(report_first(answer, "services"), "leaves"), "backends");

	cr_assert_float_eq(report_value_of(json_array_get(backends, 0), "share"), 0.75, 1e-9);
	cr_assert_float_eq(report_value_of(json_array_get(backends, 3), "share"), 0, 1e-9);
	json_decref(answer);
	service->state = SERVICE_WAITING;
	service->current->plan.flags = 0;
	answer = report_ask("{\"command\":\"tree\"}");
	backends = json_object_get(report_first(report_first(answer, "services"), "leaves"),
				   "backends");
	cr_assert_float_eq(report_value_of(json_array_get(backends, 0), "share"), 0.25, 1e-9);
	cr_assert_float_eq(report_value_of(json_array_get(backends, 0), "learned_share"), 0.75,
			   1e-9);
	cr_assert_float_eq(report_value_of(json_array_get(backends, 3), "share"), 0.25, 1e-9);
	cr_assert_float_eq(report_value_of(json_array_get(backends, 3), "learned_share"), 0, 1e-9);
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
	bool control = larch_hash_arm(larch_hash(&input.tuple, 0, world.scene->settings.seed), 0) ==
		       LARCH_ARM_CONTROL;

	cr_assert_str_eq(json_string_value(report_first(answer, "arms")),
			 control ? "control" : "learned");
	cr_assert(json_is_null(json_array_get(json_object_get(answer, "arms"), 1)));
	cr_assert(json_is_null(json_array_get(json_object_get(answer, "arms"), 2)));
	json_decref(answer);
}

static const char *report_one_arm(unsigned port, const char *when, char out[16])
{
	char text[160];
	json_t *answer;

	snprintf(text, sizeof(text),
		 "{\"command\":\"arm\",\"tuples\":[\"10.1.0.7 %u 203.0.113.10 443 tcp%s\"]}", port,
		 when);
	answer = report_ask(text);
	snprintf(out, 16, "%s", json_string_value(report_first(answer, "arms")));
	json_decref(answer);
	return out;
}

/* The first port from 1 on whose flow is of the largest control arm alone. */
static unsigned report_rim_port(uint64_t *hash)
{
	for (unsigned port = 1;; port++) {
		struct explain_input input = scene_input(world.scene, "10.1.0.7", (uint16_t)port);

		*hash = larch_hash(&input.tuple, 0, world.scene->settings.seed);
		if (larch_hash_arm(*hash, 0) == LARCH_ARM_CONTROL &&
		    larch_hash_arm(*hash, 1) == LARCH_ARM_LEARNED)
			return port;
	}
}

Test(report, arm_is_that_of_the_time_when_the_flow_began)
{
	struct arm *arm = &world.controller->service[3].arm;
	char found[16];
	uint64_t hash;
	unsigned port = report_rim_port(&hash);

	arm_begin(arm, 0, 1000);
	while (!arm_step(arm, 1e6, 1100)) {
	}
	cr_assert_str_eq(report_one_arm(port, " 1050.5", found), "control");
	cr_assert_str_eq(report_one_arm(port, " 1200", found), "learned");
	cr_assert_str_eq(report_one_arm(port, " 1100", found), "either");
	cr_assert_str_eq(report_one_arm(port, "", found), "either");
}

Test(report, arm_of_a_flow_that_is_remembered_is_that_of_its_entry)
{
	struct arm *arm = &world.controller->service[3].arm;
	struct larch_bucket *bucket;
	char found[16];
	uint64_t hash;
	unsigned port = report_rim_port(&hash);

	arm_begin(arm, 0, 1000);
	while (!arm_step(arm, 1e6, 1100)) {
	}
	bucket = &world.scene->flows[larch_hash_bucket(hash, SCENE_BUCKETS - 1)];
	bucket->flow[2].identity.tag = larch_hash_tag(hash) & 0x1fffffff;
	bucket->flow[2].identity.state = LARCH_FLOW_OPEN;
	bucket->flow[2].identity.arm = LARCH_ARM_CONTROL;
	cr_assert_str_eq(report_one_arm(port, "", found), "control");
	bucket->flow[2].identity.arm = LARCH_ARM_LEARNED;
	cr_assert_str_eq(report_one_arm(port, "", found), "learned");
}

/* Where a service tells its flows apart by their sources alone, ports do not matter. */
Test(report, arm_is_that_of_the_service)
{
	struct explain_input input = scene_input(world.scene, "10.1.0.7", 0);
	const char *by_source =
		larch_hash_arm(larch_hash(&input.tuple, 1, world.scene->settings.seed), 0) ==
				LARCH_ARM_CONTROL
			? "control"
			: "learned";
	unsigned differ = 0;

	for (unsigned port = 1; port <= 200; port++) {
		char text[120];
		json_t *answer;

		snprintf(text, sizeof(text),
			 "{\"command\":\"arm\",\"tuples\":[\"10.1.0.7 %u 203.0.113.10 443 tcp\"]}",
			 port);
		world.service.by_source = true;
		answer = report_ask(text);
		cr_assert_str_eq(json_string_value(report_first(answer, "arms")), by_source);
		json_decref(answer);
		world.service.by_source = false;
		answer = report_ask(text);
		differ += strcmp(json_string_value(report_first(answer, "arms")), by_source) != 0;
		json_decref(answer);
	}
	cr_assert_gt(differ, 0);
}

Test(report, explain_says_that_a_backend_of_nat_serves_itself)
{
	json_t *answer;

	world.service.mode = LARCH_MODE_NAT;
	answer =
		report_ask("{\"command\":\"explain\",\"source\":\"10.0.0.13\",\"source_port\":4711,"
			   "\"destination\":\"203.0.113.10\",\"destination_port\":443,"
			   "\"protocol\":\"tcp\"}");
	cr_assert_str_eq(report_word(answer, "decided_by"), "source");
	cr_assert_str_eq(report_word(json_object_get(answer, "new"), "backend"), "b3");
	json_decref(answer);
}

Test(report, benefit_tells_arms_by_leaf)
{
	struct cells *cells = world.controller->service[3].cells;
	static const uint16_t backend[] = {SCENE_FIRST};
	struct larch_samples samples = {
		.connects = 8,
		.connect_us = 8000,
		.responses = 8,
		.response_us = 16000,
		.server_us = 8000,
		.work_us = 8000,
	};
	struct larch_cell cell = {.source = SCENE_BORDER, .backend = SCENE_FIRST};
	const json_t *leaf;
	json_t *answer;

	samples.latency[larch_latency_bucket(2000)] = 8;
	cr_assert_eq(cells_members(cells, backend, 1), 0);
	cells_begin(cells, 1);
	cr_assert_eq(cells_update(cells, &cell, &samples, true), 0);
	cell.arm = LARCH_ARM_CONTROL;
	cr_assert_eq(cells_update(cells, &cell, &samples, true), 0);
	answer = report_ask("{\"command\":\"benefit\"}");
	leaf = report_first(report_first(answer, "services"), "leaves");
	cr_expect_eq(json_array_size(json_object_get(report_first(answer, "services"), "leaves")),
		     SCENE_LEAVES);
	cr_expect_str_eq(report_word(json_object_get(leaf, "clients"), "text"),
			 "0.0.0.0/5, 8.0.0.0/7, 10.0.0.0/15");
	cr_expect_eq(report_value_of(json_object_get(leaf, "control"), "samples"), 8);
	cr_expect_eq(report_value_of(json_object_get(leaf, "learned"), "connect_us"), 1000);
	cr_expect_float_eq(report_value_of(leaf, "ratio"), 1, 1e-9);
	leaf = json_array_get(json_object_get(report_first(answer, "services"), "leaves"), 1);
	cr_expect(json_is_null(json_object_get(json_object_get(leaf, "learned"), "p99_us")));
	json_decref(answer);
}

Test(report, benefit_tells_both_arms_over_time)
{
	struct latency response[JUDGE_ARMS] = {}, connect[JUDGE_ARMS] = {};
	const json_t *series, *ticks;
	json_t *answer;

	response[LARCH_ARM_LEARNED].bucket[60] = 5;
	series_add(&world.controller->service[3].series, 60, false, response, connect);
	series_add(&world.controller->service[3].series, 120, true, response, connect);
	answer = report_ask("{\"command\":\"benefit\"}");
	series = json_object_get(report_first(answer, "services"), "series");
	ticks = json_object_get(series, "ticks");
	cr_expect_eq(json_integer_value(json_array_get(json_object_get(ticks, "when"), 1)), 120);
	cr_expect(json_is_true(json_array_get(json_object_get(ticks, "learned"), 1)));
	ticks = json_object_get(ticks, "response");
	cr_expect_eq(json_integer_value(report_first(json_object_get(ticks, "learned"), "samples")),
		     5);
	cr_expect_gt(json_integer_value(report_first(json_object_get(ticks, "learned"), "p99_us")),
		     0);
	cr_expect(json_is_null(report_first(json_object_get(ticks, "control"), "p99_us")));
	cr_expect_eq(json_array_size(json_object_get(json_object_get(series, "minutes"), "when")),
		     1);
	json_decref(answer);
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

/* A list that looks well must not hide that it is not what the file asks for. */
Test(report, the_last_good_configuration_is_told_by_status_and_list)
{
	json_t *answer;
	const json_t *config;

	strcpy(world.controller->last_good, "larch.yaml:1:1: broken");
	answer = report_ask("{\"command\":\"status\"}");
	config = json_object_get(answer, "config");
	cr_expect_not(json_is_true(json_object_get(config, "ok")));
	cr_expect_str_eq(report_word(config, "error"), "larch.yaml:1:1: broken");
	cr_expect_not_null(strstr(json_string_value(report_first(answer, "warnings")),
				  "LAST GOOD configuration"));
	json_decref(answer);
	answer = report_ask("{\"command\":\"list\"}");
	cr_expect_not_null(strstr(json_string_value(report_first(answer, "banners")),
				  "larch.yaml:1:1: broken"));
	json_decref(answer);
	world.controller->last_good[0] = '\0';
	answer = report_ask("{\"command\":\"list\"}");
	cr_expect_eq(json_array_size(json_object_get(answer, "banners")), 0u);
	json_decref(answer);
}
