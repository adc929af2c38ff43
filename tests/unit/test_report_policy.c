// SPDX-License-Identifier: BSD-2-Clause
/* What list and explain say of a service's policy: modes, access lists, state, limits. */
#include "clock.h"
#include "report_world.h"

TestSuite(report_policy, .init = report_begin, .fini = report_end);

#define EXPLAIN                                                                                    \
	"{\"command\":\"explain\",\"source\":\"10.1.0.7\",\"source_port\":4711,"                   \
	"\"destination\":\"203.0.113.10\",\"destination_port\":443,\"protocol\":\"tcp\"}"

static json_t *policy_of_list(json_t **answer)
{
	*answer = report_ask("{\"command\":\"list\"}");
	return json_object_get(report_first(*answer, "services"), "policy");
}

static bool is_null(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	cr_assert_not_null(value, "%s", name);
	return json_is_null(value);
}

/* Does one of the texts of this list say this? */
static bool one_says(const json_t *answer, const char *list, const char *text)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(answer, list), i, item) {
		if (strstr(json_string_value(item), text))
			return true;
	}
	return false;
}

static bool notes_say(const json_t *answer, const char *text)
{
	return one_says(answer, "notes", text);
}

Test(report_policy, list_says_little_of_a_plain_service)
{
	json_t *answer, *policy = policy_of_list(&answer);

	cr_assert_str_eq(report_word(policy, "forward"), "ipip");
	cr_assert_str_eq(report_word(policy, "hash"), "tuple");
	cr_assert(json_is_true(json_object_get(policy, "state")));
	cr_assert(json_is_false(json_object_get(policy, "agent")));
	cr_assert(is_null(policy, "backend_port"));
	cr_assert(is_null(policy, "idle_timeout_s"));
	cr_assert(is_null(policy, "new_flows"));
	cr_assert(is_null(policy, "source_rate"));
	cr_assert(is_null(policy, "source_burst"));
	cr_assert(is_null(policy, "access"));
	cr_assert(is_null(policy, "quic"));
	json_decref(answer);
}

Test(report_policy, list_shows_mode_flags_and_limits)
{
	static struct config_network networks[] = {
		{.bits = 96, .verdict = LARCH_ACCESS_ALLOW},
		{.bits = 104, .verdict = LARCH_ACCESS_DENY},
		{.bits = 112, .verdict = LARCH_ACCESS_DENY},
	};
	json_t *answer, *policy;

	world.service.mode = LARCH_MODE_NAT;
	world.service.backend_port = 8443;
	world.service.agent = world.service.by_source = world.service.stateless = true;
	world.service.idle = 60;
	world.service.new_flows = 20000;
	world.service.source_rate = 50;
	world.service.source_burst = 70;
	world.service.quic_config = 2;
	world.service.quic_bytes = 3;
	world.service.networks = networks;
	world.service.network_count = 3;
	policy = policy_of_list(&answer);
	cr_assert_str_eq(report_word(policy, "forward"), "nat");
	cr_assert_eq(report_value_of(policy, "backend_port"), 8443);
	cr_assert(json_is_true(json_object_get(policy, "agent")));
	cr_assert_str_eq(report_word(policy, "hash"), "source");
	cr_assert(json_is_false(json_object_get(policy, "state")));
	cr_assert_eq(report_value_of(policy, "idle_timeout_s"), 60);
	cr_assert_eq(report_value_of(policy, "new_flows"), 20000);
	cr_assert_eq(report_value_of(policy, "source_rate"), 50);
	cr_assert_eq(report_value_of(policy, "source_burst"), 70);
	cr_assert_eq(report_value_of(json_object_get(policy, "access"), "allow"), 1);
	cr_assert_eq(report_value_of(json_object_get(policy, "access"), "deny"), 2);
	cr_assert_str_eq(report_word(json_object_get(policy, "access"), "others"), "denied");
	cr_assert_eq(report_value_of(json_object_get(policy, "quic"), "config_id"), 2);
	cr_assert_eq(report_value_of(json_object_get(policy, "quic"), "server_id_bytes"), 3);
	json_decref(answer);
}

/* ---- explain ---- */

static void list_network(struct config_network *network, uint8_t second, uint8_t bits,
			 enum larch_access_verdict verdict)
{
	*network = (struct config_network){.bits = bits, .verdict = (uint8_t)verdict};
	network->address.s6_addr[10] = network->address.s6_addr[11] = 0xff;
	network->address.s6_addr[12] = 10;
	network->address.s6_addr[13] = second;
	world.service.networks = network;
	world.service.network_count = 1;
}

Test(report_policy, explain_says_by_which_network_a_source_is_denied)
{
	struct config_network network;
	json_t *answer;

	list_network(&network, 1, 112, LARCH_ACCESS_DENY);
	answer = report_ask(EXPLAIN);
	cr_assert_str_eq(report_word(answer, "outcome"), "drop_denied");
	cr_assert(is_null(answer, "backend"));
	cr_assert_str_eq(report_word(json_object_get(answer, "access"), "verdict"), "deny");
	cr_assert_str_eq(report_word(json_object_get(answer, "access"), "network"), "10.1.0.0/16");
	cr_assert_not_null(strstr(report_word(answer, "sentence"), "10.1.0.0/16"));
	json_decref(answer);
}

Test(report_policy, explain_of_a_source_that_is_not_on_the_list_of_those_allowed)
{
	struct config_network network;
	json_t *answer;

	list_network(&network, 2, 112, LARCH_ACCESS_ALLOW);
	answer = report_ask(EXPLAIN);
	cr_assert_str_eq(report_word(answer, "outcome"), "drop_denied");
	cr_assert(is_null(json_object_get(answer, "access"), "network"));
	json_decref(answer);
	list_network(&network, 1, 112, LARCH_ACCESS_ALLOW);
	answer = report_ask(EXPLAIN);
	cr_assert_str_eq(report_word(answer, "outcome"), "forward_new");
	cr_assert_str_eq(report_word(json_object_get(answer, "access"), "verdict"), "allow");
	json_decref(answer);
}

Test(report_policy, explain_says_that_no_state_is_kept)
{
	struct explain_input input = scene_input(world.scene, "10.1.0.7", 4711);
	json_t *answer;

	report_remember(&input, SCENE_FIRST, 0);
	answer = report_ask(EXPLAIN);
	cr_assert_str_eq(report_word(answer, "outcome"), "forward_flow");
	json_decref(answer);
	world.service.stateless = true;
	answer = report_ask(EXPLAIN);
	cr_assert_str_eq(report_word(answer, "outcome"), "forward_stateless");
	cr_assert(is_null(answer, "table"));
	cr_assert_not_null(strstr(report_word(answer, "sentence"), "No state is kept"));
	cr_assert(notes_say(answer, "state: false"));
	json_decref(answer);
}

/* A flow of a source, as the table of the scene knows it, last seen `age` units of stamps ago. */
static void remember_source(uint32_t age)
{
	struct explain_input input = scene_input(world.scene, "10.1.0.7", 99);

	input.policy.flags = LARCH_SERVICE_BY_SOURCE;
	report_remember(&input, SCENE_FIRST + 2, age)->timing.phase = LARCH_PHASE_DATAGRAM;
}

Test(report_policy, explain_finds_a_flow_of_a_source_by_any_port)
{
	json_t *answer;

	world.service.by_source = true;
	world.service.idle = 60;
	remember_source(1);
	answer = report_ask(EXPLAIN);
	cr_assert_str_eq(report_word(answer, "outcome"), "forward_flow");
	cr_assert_str_eq(report_word(answer, "backend"), "b3");
	cr_assert_str_eq(report_word(json_object_get(answer, "table"), "phase"), "datagrams");
	cr_assert(notes_say(answer, "hash: source"));
	json_decref(answer);
}

Test(report_policy, explain_knows_that_silence_ends_a_datagram_flow)
{
	json_t *answer;

	world.service.by_source = true;
	world.service.idle = 60; /* with the scene's units of 8.2 s: 9 of them */
	remember_source(8);
	answer = report_ask(EXPLAIN);
	cr_assert_str_eq(report_word(answer, "outcome"), "forward_flow");
	json_decref(answer);
	remember_source(9);
	answer = report_ask(EXPLAIN);
	cr_assert_str_eq(report_word(answer, "outcome"), "forward_new");
	cr_assert(json_is_true(json_object_get(json_object_get(answer, "table"), "silent")));
	cr_assert_not_null(strstr(report_word(answer, "sentence"), "has ended"));
	json_decref(answer);
}

Test(report_policy, explain_knows_that_datagrams_leave_a_backend_that_is_lost)
{
	json_t *answer;

	world.service.by_source = true;
	remember_source(1);
	world.controller->registry.backend[SCENE_FIRST + 2].nexthop.ready = false;
	answer = report_ask(EXPLAIN);
	cr_assert_str_neq(report_word(answer, "outcome"), "forward_flow");
	json_decref(answer);
}

Test(report_policy, explain_notes_what_else_decides)
{
	json_t *answer;

	world.service.quic_bytes = 2;
	world.service.quic_config = 5;
	world.service.new_flows = 20000;
	world.service.source_rate = 50;
	world.service.source_burst = 70;
	world.service.agent = true;
	world.service.mode = LARCH_MODE_GUE;
	answer = report_ask(EXPLAIN);
	cr_assert(notes_say(answer, "connection id (config 5)"));
	cr_assert(notes_say(answer, "beyond 20000 new flows"));
	cr_assert(notes_say(answer, "50 new flows a second (70 at once)"));
	cr_assert(notes_say(answer, "agent"));
	cr_assert_str_eq(report_word(answer, "forward"), "gue");
	json_decref(answer);
}

/* ---- floods ---- */

#define SINCE 5 /* s */

static struct larch_pressure pressure[LARCH_MAX_SERVICES];

/* The scene's counter of ticks stands at 0: 2^32 of them, or more, have passed. */
static void begin_flood(void)
{
	uint32_t shift = larch_window_shift(SCENE_STAMP_SHIFT);
	uint64_t now = 3ull << 32;

	pressure[3] = (struct larch_pressure){
		.flows.number = (uint32_t)(now >> shift) - 1,
		.flooded = 1,
		.floods = 2,
		.since = now - SINCE * SCENE_HZ,
		.lasted = 7 * SCENE_HZ,
	};
	world.datapath.pressure = pressure;
	world.service.new_flows = 20000;
}

Test(report_policy, a_flood_is_told_first)
{
	const json_t *flood;
	json_t *answer;

	begin_flood();
	answer = report_ask("{\"command\":\"status\"}");
	flood = json_object_get(report_first(answer, "services"), "flood");
	cr_assert(json_is_true(json_object_get(flood, "present")));
	cr_assert_float_eq(report_value_of(flood, "since_s"), SINCE, 1e-9);
	cr_assert_eq(report_value_of(flood, "floods"), 2);
	cr_assert_float_eq(report_value_of(flood, "lasted_s"), 7, 1e-9);
	cr_assert(one_says(answer, "warnings",
			   "web: FLOOD for 5 s: more than 20000 new flows a second"));
	json_decref(answer);
	/* No new flow has come for a window: it is over, though nobody has told. */
	pressure[3].flows.number--;
	answer = report_ask("{\"command\":\"status\"}");
	flood = json_object_get(report_first(answer, "services"), "flood");
	cr_assert(json_is_false(json_object_get(flood, "present")));
	cr_assert(is_null(flood, "since_s"));
	cr_assert_not(one_says(answer, "warnings", "FLOOD"));
	json_decref(answer);
}

Test(report_policy, without_a_limit_there_is_no_flood)
{
	json_t *answer;

	begin_flood();
	world.service.new_flows = 0;
	answer = report_ask("{\"command\":\"list\"}");
	cr_assert(is_null(report_first(answer, "services"), "flood"));
	json_decref(answer);
}

/* ---- agents ---- */

Test(report_policy, agents_that_do_not_answer_are_told)
{
	struct agents *agents = &world.controller->service[3].agents;
	const json_t *service;
	json_t *answer;

	answer = report_ask("{\"command\":\"list\"}");
	cr_assert(is_null(report_first(answer, "services"), "agents"));
	json_decref(answer);
	world.service.agent = true;
	answer = report_ask("{\"command\":\"list\"}");
	service = json_object_get(report_first(answer, "services"), "agents");
	cr_assert(json_is_true(json_object_get(service, "answer")));
	cr_assert(is_null(service, "next_try_s"));
	json_decref(answer);
	*agents = (struct agents){.silent = true, .until_ms = clock_now() / NS_PER_MS + 20000};
	answer = report_ask("{\"command\":\"status\"}");
	service = json_object_get(report_first(answer, "services"), "agents");
	cr_assert(json_is_false(json_object_get(service, "answer")));
	cr_assert_float_eq(report_value_of(service, "next_try_s"), 20, 5);
	cr_assert(one_says(answer, "warnings", "web: no agent answers"));
	json_decref(answer);
}

Test(report_policy, explain_asks_no_live_scores_in_a_flood)
{
	struct explain_input input = scene_input(world.scene, "10.1.0.7", 4711);
	struct explain calm, flooded;
	json_t *answer;

	input.tuple.source_port =
		htons(scene_port(world.scene, "10.1.0.7", LARCH_ARM_LEARNED, false));
	input.size = 3;
	explain_flow(&input, &calm);
	/* The first candidate is busy. */
	world.scene->live[calm.candidate[0].backend].in_flight = 1000;
	explain_flow(&input, &calm);
	cr_assert_neq(calm.member, calm.candidate[0].member);
	input.flooded = true;
	explain_flow(&input, &flooded);
	cr_assert_eq(flooded.member, flooded.candidate[0].member);
	cr_assert_eq(flooded.features.value[LARCH_FEATURE_SIZE], 0, "that of a usual SYN");
	cr_assert_eq(calm.features.value[LARCH_FEATURE_SIZE], 3);
	begin_flood();
	answer = report_ask(EXPLAIN);
	cr_assert_str_neq(report_word(answer, "decided_by"), "scores");
	json_decref(answer);
}
