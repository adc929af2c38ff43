// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which arm are these flows of? For the offline analysis of clients' logs. Request: "tuples", up to
 * 4096 strings "SOURCE PORT DESTINATION PORT PROTOCOL [TIME]", TIME being when the flow began, in
 * seconds since the epoch. Answer: {"arms":[...]}, for each tuple "learned", "control", "either",
 * or null if it is none.
 *
 * Of a flow that the flow table remembers, its entry says it. Of others the hash does, by the arm's
 * size at that time, or by all sizes since the daemon began where none is given: "either" where
 * those do not agree. Depends on the secret seed, and on whether the service that has the
 * destination tells flows apart by their sources alone (hash: source).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller.h"
#include "endpoint.h"
#include "explain.h"
#include "larch/tuple.h"
#include "report.h"

#define TUPLES_MOST 4096
#define FIELDS	    6 /* the last one may be missing */

/* Splits at spaces, in place. Returns the number of words; FIELDS + 1: more. */
static size_t split(char *text, char *field[FIELDS])
{
	size_t count = 0;

	for (char *word = strtok_r(text, " \t\r", &text); word;
	     word = strtok_r(NULL, " \t\r", &text)) {
		if (count == FIELDS)
			return FIELDS + 1;
		field[count++] = word;
	}
	return count;
}

static bool read_time(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && !*end && isfinite(*out) && *out >= 0;
}

static bool read_flow(const char *text, struct larch_tuple *tuple, double *when)
{
	uint16_t source_port, destination_port;
	char copy[160], *field[FIELDS];
	uint8_t protocol;
	size_t fields;

	if (!text || strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	fields = split(copy, field);
	*when = NAN;
	if (fields < FIELDS - 1 || fields > FIELDS ||
	    (fields == FIELDS && !read_time(field[5], when)))
		return false;
	return endpoint_port(field[1], &source_port) == 0 &&
	       endpoint_port(field[3], &destination_port) == 0 &&
	       endpoint_protocol(field[4], &protocol) == 0 &&
	       endpoint_tuple(field[0], source_port, field[2], destination_port, protocol, tuple) ==
		       0;
}

static bool remembers(const struct datapath *datapath, uint64_t hash, union larch_identity *out)
{
	uint32_t mask = datapath->settings->bucket_mask;

	return datapath->flows && mask < datapath->buckets &&
	       explain_known(datapath->flows, mask, hash, out);
}

/* NULL: the text is no tuple. */
static const char *arm_of(struct controller *controller, const char *text)
{
	const struct datapath *datapath = controller->datapath;
	const struct service *service;
	union larch_identity identity;
	struct larch_tuple tuple;
	enum larch_arm arm;
	double when;
	uint64_t hash;

	if (!read_flow(text, &tuple, &when))
		return NULL;
	service = report_service_of(controller, &tuple);
	hash = larch_hash(&tuple, service && service->config->by_source, datapath->settings->seed);
	if (remembers(datapath, hash, &identity))
		arm = (enum larch_arm)identity.arm;
	else if (!service)
		arm = larch_hash_arm(hash, 0);
	else if (!arm_find(&service->arm, hash, when, &arm))
		return "either";
	return arm == LARCH_ARM_CONTROL ? "control" : "learned";
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
