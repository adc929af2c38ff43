// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which arm are these flows of? For the offline analysis of clients' logs. Request: "tuples", up to
 * 4096 strings "SOURCE PORT DESTINATION PORT PROTOCOL". Answer: {"arms":[...]}, for each tuple
 * "learned", "control", or null if it is none. Depends on the secret seed, and on whether the
 * service that has the destination tells flows apart by their sources alone (hash: source).
 */
#include <string.h>

#include "controller.h"
#include "endpoint.h"
#include "larch/tuple.h"
#include "report.h"

#define TUPLES_MOST 4096
#define FIELDS	    5

/* Splits at spaces, in place. False: there are not exactly five words. */
static bool split(char *text, char *field[FIELDS])
{
	size_t count = 0;

	for (char *word = strtok_r(text, " \t\r", &text); word;
	     word = strtok_r(NULL, " \t\r", &text)) {
		if (count == FIELDS)
			return false;
		field[count++] = word;
	}
	return count == FIELDS;
}

/* NULL: the text is no tuple. */
static const char *arm_of(struct controller *controller, const char *text)
{
	uint16_t source_port, destination_port;
	struct larch_tuple tuple;
	char copy[160], *field[FIELDS];
	const struct service *service;
	uint8_t protocol;
	__u64 hash;

	if (!text || strlen(text) >= sizeof(copy))
		return NULL;
	strcpy(copy, text);
	if (!split(copy, field) || endpoint_port(field[1], &source_port) != 0 ||
	    endpoint_port(field[3], &destination_port) != 0 ||
	    endpoint_protocol(field[4], &protocol) != 0 ||
	    endpoint_tuple(field[0], source_port, field[2], destination_port, protocol, &tuple) !=
		    0)
		return NULL;
	service = report_service_of(controller, &tuple);
	hash = larch_hash(&tuple, service && service->config->by_source,
			  controller->datapath->settings->seed);
	return larch_hash_arm(hash) == LARCH_ARM_CONTROL ? "control" : "learned";
}

json_t *report_arm(struct controller *controller, const json_t *request)
{
	const json_t *tuples = json_object_get(request, "tuples");
	json_t *arms, *tuple;
	size_t i;

	if (!json_is_array(tuples) || json_array_size(tuples) > TUPLES_MOST)
		return report_error(REPORT_USAGE, "tuples: expected a list of at most %d",
				    TUPLES_MOST);
	if (!controller->datapath || !controller->datapath->settings)
		return report_error(REPORT_FAILED, "there is no kernel part to ask");
	arms = json_array();
	json_array_foreach (tuples, i, tuple)
		json_array_append_new(arms,
				      report_string(arm_of(controller, json_string_value(tuple))));
	return json_pack("{s:o}", "arms", arms);
}
