// SPDX-License-Identifier: BSD-2-Clause
/* What is told of several nodes: whose generations are in force, and whether they agree. */
#include "clock.h"
#include "report_world.h"

#define STATUS "{\"command\":\"status\"}\n"
#define EXPLAIN                                                                                    \
	"{\"command\":\"explain\",\"source\":\"10.1.0.7\",\"source_port\":4711,"                   \
	"\"destination\":\"203.0.113.10\",\"destination_port\":443,\"protocol\":\"tcp\"}"

static void begin(void)
{
	report_begin();
	world.scene->plan.digest = generation_digest(world.controller->service[3].current);
}

static void end(void)
{
	nodes_reset(&world.controller->nodes);
	report_end();
}

TestSuite(report_nodes, .init = begin, .fini = end);

static struct service *service(void)
{
	return &world.controller->service[3];
}

/* What a leader wrote that has this generation. */
static struct snapshot *leader(const struct generation *generation)
{
	struct snapshot *snapshot = snapshot_new();
	struct in6_addr address[SCENE_MEMBERS];

	for (size_t i = 0; i < SCENE_MEMBERS; i++)
		address[i] = world.controller->registry.backend[SCENE_FIRST + i].address;
	strcpy(snapshot->node, "lb1");
	snapshot->written_ms = 1;
	cr_assert_eq(snapshot_add(snapshot, "web", generation, address), 0);
	return snapshot;
}

static void follow(void)
{
	strcpy(world.config.generations.follow, "/nowhere/generations");
	world.controller->nodes.leader = leader(service()->current);
	world.controller->nodes.heard_ns = clock_now();
}

static bool warns(const json_t *answer, const char *text)
{
	const json_t *list = json_object_get(answer, "warnings"), *item;
	size_t i;

	json_array_foreach (list, i, item) {
		if (strstr(json_string_value(item), text))
			return true;
	}
	return false;
}

Test(report_nodes, a_node_alone)
{
	json_t *answer = report_ask(STATUS);

	cr_assert(json_is_null(json_object_get(answer, "nodes")));
	json_decref(answer);
}

Test(report_nodes, a_leader_has_a_digest_and_nobody_to_agree_with)
{
	const json_t *nodes, *web;
	json_t *answer;

	strcpy(world.config.generations.write, "/nowhere/generations");
	answer = report_ask(STATUS);
	nodes = json_object_get(answer, "nodes");
	web = report_first(nodes, "services");
	cr_assert_str_eq(report_word(nodes, "role"), "leader");
	cr_assert_eq(strlen(report_word(web, "digest")), 16);
	cr_assert(json_is_null(json_object_get(web, "agrees")));
	json_decref(answer);
}

Test(report_nodes, a_follower_that_agrees)
{
	const json_t *nodes, *web;
	json_t *answer;

	follow();
	answer = report_ask(STATUS);
	nodes = json_object_get(answer, "nodes");
	web = report_first(nodes, "services");
	cr_assert_str_eq(report_word(nodes, "role"), "follower");
	cr_assert_str_eq(report_word(nodes, "leader"), "lb1");
	cr_assert(json_is_true(json_object_get(web, "agrees")));
	cr_assert_str_eq(report_word(web, "digest"), report_word(web, "leader_digest"));
	cr_assert_eq(json_array_size(json_object_get(answer, "warnings")), 1,
		     "the program is not attached, and nothing else");
	json_decref(answer);
}

Test(report_nodes, one_slot_is_enough_to_differ)
{
	json_t *answer;

	follow();
	service()->current->ring[0].slot[5].primary ^= 1;
	service()->current->plan.digest = generation_digest(service()->current);
	answer = report_ask(STATUS);
	cr_assert(json_is_false(json_object_get(
		report_first(json_object_get(answer, "nodes"), "services"), "agrees")));
	json_decref(answer);
}

Test(report_nodes, a_silent_leader_and_a_refused_file_are_warned_of)
{
	json_t *answer;

	follow();
	world.controller->nodes.silent = true;
	strcpy(world.controller->nodes.trouble, "is empty");
	strcpy(world.controller->nodes.why[3], "the leader does not have this service");
	answer = report_ask(STATUS);
	cr_assert(warns(answer, "the leader lb1 has been silent for"));
	cr_assert(warns(answer, "/nowhere/generations is empty"));
	cr_assert(warns(answer, "web: the leader does not have this service"));
	json_decref(answer);
}

static bool is_doubted(uint32_t age)
{
	struct explain_input input = scene_input(world.scene, "10.1.0.7", 4711);
	json_t *answer;
	const json_t *notes, *note;
	bool found = false;
	size_t i;

	report_remember(&input, SCENE_FIRST + 2, age);
	answer = report_ask(EXPLAIN);
	cr_assert_str_eq(report_word(answer, "backend"), "b3");
	notes = json_object_get(answer, "notes");
	json_array_foreach (notes, i, note)
		found |= strstr(json_string_value(note), "silent for a while") != NULL;
	json_decref(answer);
	return found;
}

Test(report_nodes, explain_says_when_the_table_may_be_out_of_date)
{
	world.service.agent = true;
	cr_assert_not(is_doubted(9), "a node alone");
	follow();
	cr_assert(is_doubted(9));
	cr_assert_not(is_doubted(1));
	world.service.agent = false;
	cr_assert_not(is_doubted(9), "nobody could be asked");
}
