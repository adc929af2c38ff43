// SPDX-License-Identifier: BSD-2-Clause
/*
 * {"service","state","reason","generation","digest","outcome","backend","unreachable","sentence",
 *  "assumed":["..."],"notes":["..."],"forward",
 *  "access":null or {"verdict":"allow"|"deny","network":null or "192.0.2.0/24"},
 *  "table":null or {"backend","state","phase","idle_s","silent","connect_us",
 *                   "first_packet"},
 *  "arm","explores","decided_by":"scores", "ring", "control ring" or "source","slot",
 *  "global_slot",
 *  "steps":[{"question":{...},"value","answer":"yes"|"no"}],
 *  "leaf","clients":{...},
 *  "new":{"backend","why"},
 *  "candidates":[{"from","backend","net_us","service_us","in_flight","queue","concurrency",
 *                 "concurrency_from","busy","slowdown","score_us","chosen","connects","responses",
 *                 "instead"}]}
 * score_us: net_us + service_us * slowdown * (1 + queue / concurrency), and a second more for a
 * suspect; queue: requests in flight, and connects as far as they count; concurrency: requests
 * served at once; busy: as many in flight, those on their way included, keep the backend just busy.
 * instead: what would have had to differ for it to be taken (report_instead.c), or null.
 *
 * Asked of the tables that the kernel reads, without side effects. The flow's hash is not told:
 * with a few of them the secret seed could be computed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "clock.h"
#include "controller.h"
#include "endpoint.h"
#include "estimate.h"
#include "explain.h"
#include "instead.h"
#include "larch/chance.h"
#include "larch/measure.h"
#include "policy.h"
#include "region.h"
#include "report.h"
#include "report_guess.h"

/* The last: the leaf's second, though in doubt, after the others turned out to be unreachable. */
static const char *const origins[] = {"leaf, first", "leaf, second", "global", "leaf, second"};
static const char *const control_origins[] = {"control", "control, second"};

static const char *origin(const struct explain *explain, size_t at)
{
	if (!explain->learned)
		return control_origins[at];
	return explain->doubted && at == 1 ? "global, cheaper than the leaf's" : origins[at];
}

/* Reads the tuple of the request; NULL, or the error's answer. */
static json_t *take_tuple(const json_t *request, struct larch_tuple *out)
{
	const char *source, *destination, *protocol;
	int source_port, destination_port;
	uint8_t number;
	int error;

	if (json_unpack((json_t *)request, "{s:s, s:i, s:s, s:i, s:s}", "source", &source,
			"source_port", &source_port, "destination", &destination,
			"destination_port", &destination_port, "protocol", &protocol) != 0)
		return report_error(REPORT_USAGE, "expected source, source_port, destination, "
						  "destination_port and protocol");
	if (endpoint_protocol(protocol, &number) != 0)
		return report_error(REPORT_USAGE, "protocol: expected tcp or udp");
	if (source_port < 0 || source_port > UINT16_MAX || destination_port < 0 ||
	    destination_port > UINT16_MAX)
		return report_error(REPORT_USAGE, "ports are 0 to 65535");
	error = endpoint_tuple(source, (uint16_t)source_port, destination,
			       (uint16_t)destination_port, number, out);
	if (error == -EAFNOSUPPORT)
		return report_error(REPORT_USAGE, "source and destination are not of one family");
	return error ? report_error(REPORT_USAGE, "expected IPv4 or IPv6 addresses") : NULL;
}

/* The tables in force: the kernel's own, or what was published last. */
static void take_tables(struct controller *controller, const struct service *service,
			struct explain_input *input)
{
	struct datapath *datapath = controller->datapath;
	const struct generation *current = service->current;
	struct datapath_bank bank;

	struct larch_service entry;

	input->settings = datapath->settings;
	if (datapath->services)
		entry = datapath->services[service->id];
	else
		policy_service(service->config, larch_stamp_ns(input->settings), &entry);
	input->policy = entry.policy;
	/* Whoever changed the mask in the kernel must not send us beyond our table. */
	if (datapath->settings->bucket_mask < datapath->buckets)
		input->flows = datapath->flows;
	input->live = datapath->live;
	input->now_ns = clock_now();
	input->stamp = datapath_stamp(controller->datapath);
	if (report_is_live(controller) && datapath->active[service->id].generation &&
	    datapath_bank(datapath, service->id, datapath->active[service->id].bank, &bank) == 0) {
		input->plan = bank.plan;
		input->rings = bank.rings;
		input->costs = bank.costs;
	} else if (current) {
		input->plan = &current->plan;
		input->rings = current->ring;
		input->costs = current->costs;
	}
}

static json_t *tell_table(const struct controller *controller, const struct explain *explain)
{
	static const char *const states[] = {"free", "syn", "open", "closing"};
	static const char *const phases[] = {"fresh",	      "idle",	 "connect", "connect again",
					     "first request", "request", "blurred", "datagrams"};
	uint32_t connect = (uint32_t)explain->identity.connect;
	char size[32];

	if (!explain->known)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:o, s:s}", "backend",
			 report_backend(controller, (uint32_t)explain->identity.backend), "state",
			 states[explain->identity.state], "arm",
			 explain->identity.arm == LARCH_ARM_CONTROL ? "control" : "learned",
			 "phase", phases[explain->timing.phase], "idle_s",
			 (json_int_t)(explain->idle_ns / 1000000000), "silent", explain->silent,
			 "connect_us",
			 connect ? json_integer((json_int_t)larch_connect_us(connect))
				 : json_null(),
			 "first_packet",
			 report_value(controller, LARCH_FEATURE_SIZE, explain->identity.size, size,
				      sizeof(size)));
}

static json_t *tell_steps(const struct controller *controller, const struct explain *explain)
{
	json_t *list = json_array();
	char value[64];

	for (size_t i = 0; i < explain->steps; i++) {
		const struct explain_step *step = &explain->step[i];

		json_array_append_new(
			list, json_pack("{s:o, s:s, s:s}", "question",
					report_question(controller, step->feature, step->threshold),
					"value",
					report_value(controller, step->feature, step->value, value,
						     sizeof(value)),
					"answer", step->right ? "no" : "yes"));
	}
	return list;
}

static json_t *tell_clients(const struct controller *controller, const struct service *service,
			    const struct larch_tree *tree, unsigned leaf)
{
	struct region region[REGION_MOST];
	size_t count = region_list(tree, region, REGION_MOST);

	for (size_t i = 0; i < count && i < REGION_MOST; i++) {
		if (region[i].leaf == leaf)
			return report_clients(controller, service, &region[i]);
	}
	return json_null();
}

static json_t *tell_candidate(const struct controller *controller, const struct service *service,
			      const struct explain *explain, const char *from,
			      const struct explain_candidate *candidate)
{
	const struct tree *tree = service->current ? service->current->tree : NULL;
	const struct tally *tally = NULL;
	const struct registry_backend *backend;
	bool measured = candidate->cost.service != 0;

	if (!candidate->there)
		return json_pack("{s:s, s:n}", "from", from, "backend");
	backend = &controller->registry.backend[candidate->backend];
	if (tree && explain->leaf < tree->leaves && candidate->member < tree->members)
		tally = &tree->tally[(size_t)tree->leaf_node[explain->leaf] * tree->members +
				     candidate->member];
	return json_pack("{s:s, s:s, s:o, s:o, s:i, s:I, s:I, s:s, s:I, s:o, s:I, s:b, s:o, s:o}",
			 "from", from, "backend", report_backend(controller, candidate->backend),
			 "net_us", report_real(measured ? (double)candidate->cost.net : NAN),
			 "service_us",
			 report_real(measured ? (double)candidate->cost.service : NAN), "in_flight",
			 candidate->in_flight, "queue", (json_int_t)candidate->queue, "concurrency",
			 (json_int_t)candidate->concurrency, "concurrency_from",
			 estimate_origin_text(backend->origin), "busy", (json_int_t)candidate->busy,
			 "slowdown", report_real((double)candidate->slowdown / LARCH_SLOWDOWN_ONE),
			 "score_us", (json_int_t)candidate->score, "chosen",
			 candidate->member == explain->member, "connects",
			 report_real(tally ? tally->connects : NAN), "responses",
			 report_real(tally ? tally->responses : NAN));
}

static json_t *tell_candidates(const struct controller *controller, const struct service *service,
			       const struct explain *explain)
{
	struct instead instead[LARCH_CANDIDATES];
	json_t *list = json_array();

	instead_find(explain, instead);
	for (size_t i = 0; explain->learned && i < LARCH_CANDIDATES; i++) {
		const struct explain_candidate *candidate = &explain->candidate[i];
		json_t *told =
			tell_candidate(controller, service, explain, origin(explain, i), candidate);

		json_object_set_new(told, "instead",
				    report_instead(controller, explain, candidate, &instead[i]));
		json_array_append_new(list, told);
	}
	for (size_t i = 0; !explain->learned && i <= (explain->passed_over || explain->spared); i++)
		json_array_append_new(list,
				      tell_candidate(controller, service, explain,
						     origin(explain, i), &explain->control[i]));
	return list;
}

static const char *decided_by(const struct explain *explain)
{
	if (explain->own)
		return "source";
	if (!explain->learned)
		return "control ring";
	return explain->by_ring ? "ring" : "scores";
}

/* Which of the reasons sends a new flow there. */
static json_t *tell_why(const struct service *service, const struct explain *explain)
{
	unsigned chosen = explain_chosen(explain);

	if (explain->own)
		return json_string("it comes from a backend of the service, which nat lets serve "
				   "itself");
	if (explain->member == LARCH_NO_MEMBER)
		return json_string("the ring names no backend here: none can take new flows");
	if (explain->passed_over)
		return json_sprintf("what the ring chooses cannot be reached: the next candidate "
				    "that can (%s)",
				    origin(explain, chosen));
	if (explain->learned && explain->explores)
		return json_sprintf("1 flow in %u explores: it takes a candidate (%s) without "
				    "comparing",
				    1u << LARCH_EXPLORE_BITS, origin(explain, chosen));
	if (explain->learned && explain->by_ring)
		return json_sprintf("in a flood live scores are not asked: the ring's first "
				    "candidate (%s)",
				    origin(explain, chosen));
	if (explain->learned)
		return json_sprintf("of the candidates it has the smallest live score (%s)",
				    origin(explain, chosen));
	if (explain->spared)
		return json_sprintf("the control ring's first candidate hardly answers: it is "
				    "sick, and the second is not (%s)",
				    origin(explain, chosen));
	if (explain->arm == LARCH_ARM_CONTROL)
		return json_sprintf("1 flow in %u is of the control arm: the control ring, by "
				    "configured weights alone, names it",
				    arm_one_in(&service->arm));
	return json_sprintf("learning does not steer (%s): the control ring names it",
			    service->reason ? service->reason : report_state(service));
}

/* Why the service cannot send packets to the backend; NULL: it can, or there is no backend. */
static const char *unreachable(const struct controller *controller, const struct service *service,
			       uint32_t backend)
{
	return backend < LARCH_MAX_BACKENDS
		       ? controller_unreachable(controller, backend, service->config->mode)
		       : NULL;
}

/* As steer_own() in bpf/steer.h: the service's backend that sends this; LARCH_NO_BACKEND: none. */
static uint16_t own_backend(const struct controller *controller, const struct service *service,
			    const struct larch_tuple *tuple)
{
	struct in6_addr source;
	uint16_t id;

	memcpy(&source, tuple->source, sizeof(source));
	id = registry_find(&controller->registry, &source);
	for (size_t i = 0; id != LARCH_NO_BACKEND && i < service->members; i++) {
		if (service->member[i].backend == id)
			return id;
	}
	return LARCH_NO_BACKEND;
}

/* What the packet meets before and besides the flow table. */
struct verdict {
	bool denied;	/* by the access list */
	bool stateless; /* by the service's policy */
	bool anew;	/* what the flow table knows does not count any more */
	json_t *access;
};

static bool is_denied(const json_t *access)
{
	const char *verdict = json_string_value(json_object_get(access, "verdict"));

	return verdict && strcmp(verdict, "deny") == 0;
}

static struct verdict judge(const struct controller *controller, const struct service *service,
			    const struct explain_input *input, const struct explain *explain)
{
	bool datagrams = explain->timing.phase == LARCH_PHASE_DATAGRAM;
	struct in6_addr source;
	struct verdict verdict = {
		.stateless = input->policy.flags & LARCH_SERVICE_STATELESS,
		.anew = explain->silent ||
			(datagrams &&
			 unreachable(controller, service, (uint32_t)explain->identity.backend)),
	};

	memcpy(&source, input->tuple.source, sizeof(source));
	verdict.access = report_access(service->config, &source);
	verdict.denied = is_denied(verdict.access);
	return verdict;
}

/* Where its next packet goes; LARCH_NO_BACKEND: nowhere. */
static uint32_t goes_to(const struct explain *explain, const struct verdict *verdict)
{
	if (verdict->denied)
		return LARCH_NO_BACKEND;
	return explain->known && !verdict->anew ? (uint32_t)explain->identity.backend
						: explain->backend;
}

static const char *outcome(const struct controller *controller, const struct service *service,
			   const struct explain *explain, const struct verdict *verdict,
			   bool planned)
{
	bool known = explain->known && !verdict->anew;
	uint32_t backend = goes_to(explain, verdict);

	if (verdict->denied)
		return "drop_denied";
	if (!known && !planned)
		return "drop_no_plan";
	if (backend == LARCH_NO_BACKEND)
		return "drop_no_backend";
	if (unreachable(controller, service, backend))
		return "drop_no_nexthop";
	return known ? "forward_flow" : verdict->stateless ? "forward_stateless" : "forward_new";
}

static json_t *sentence(const struct controller *controller, const struct explain *explain,
			const struct verdict *verdict)
{
	const char *fresh = explain->backend == LARCH_NO_BACKEND
				    ? "no backend"
				    : report_backend(controller, explain->backend);
	const char *old = report_backend(controller, (uint32_t)explain->identity.backend);
	const char *network = json_string_value(json_object_get(verdict->access, "network"));

	if (verdict->denied)
		return json_sprintf("The access list denies this source (%s): its packets are "
				    "dropped.",
				    network ? network : "it is not on the list");
	if (verdict->stateless)
		return json_sprintf("No state is kept: its packets go to %s.", fresh);
	if (!explain->known)
		return json_sprintf("The flow table does not know this flow: as a new one it goes "
				    "to %s.",
				    fresh);
	if (verdict->anew)
		return json_sprintf("The flow table knows this flow, but it has ended: its next "
				    "packet begins a new one, which goes to %s.",
				    fresh);
	if (explain->identity.state == LARCH_FLOW_CLOSING)
		return json_sprintf(
			"The flow table knows this flow as closing: its last packets go "
			"to %s, a new SYN goes to %s.",
			old, fresh);
	return json_sprintf("The flow table knows this flow: it goes to %s. As a new one it would "
			    "go to %s.",
			    old, fresh);
}

/* As chance_doubts() in bpf/chance.h, of any packet but a SYN. */
static bool is_doubted(const struct controller *controller, const struct service *service,
		       const struct explain_input *input, const struct explain *explain)
{
	return explain->known && service->config->agent && !service->agents.silent &&
	       nodes_are_several(controller) &&
	       explain->idle_ns >= LARCH_CHANCE_DOUBT * larch_stamp_ns(input->settings);
}

static json_t *tell(struct controller *controller, struct service *service,
		    const struct explain_input *input, const struct explain *explain)
{
	const struct larch_plan *plan = input->plan;
	struct verdict verdict = judge(controller, service, input, explain);
	uint32_t backend = goes_to(explain, &verdict);
	const char *reason = unreachable(controller, service, backend);
	json_t *answer = json_pack(
		"{s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:b, s:s, s:i, s:i}", "service",
		service->config->name, "state", report_state(service), "reason",
		report_string(service->reason), "outcome",
		outcome(controller, service, explain, &verdict, plan != NULL), "backend",
		backend == LARCH_NO_BACKEND ? json_null()
					    : json_string(report_backend(controller, backend)),
		"unreachable", report_string(reason), "sentence",
		sentence(controller, explain, &verdict), "table", tell_table(controller, explain),
		"arm", explain->arm == LARCH_ARM_CONTROL ? "control" : "learned", "explores",
		explain->explores, "decided_by", decided_by(explain), "slot", explain->slot,
		"global_slot", explain->global_slot);

	json_object_set_new(answer, "forward",
			    report_string(config_mode_text((enum larch_mode)input->policy.mode)));
	json_object_set_new(answer, "access", verdict.access);
	json_object_set_new(answer, "notes", report_notes(service->config));
	if (service->agents.silent)
		json_array_append_new(json_object_get(answer, "notes"),
				      json_string("no agent answers: until they are asked again it "
						  "goes by the ring"));
	if (is_doubted(controller, service, input, explain))
		json_array_append_new(json_object_get(answer, "notes"),
				      json_string("silent for a while, in which another node may "
						  "have had it: its backend's agent is asked "
						  "before the table is believed"));
	if (!plan)
		return answer;
	json_object_set_new(answer, "generation", json_integer(plan->generation));
	json_object_set_new(answer, "digest", report_digest(plan->digest));
	json_object_set_new(answer, "steps", tell_steps(controller, explain));
	json_object_set_new(answer, "leaf", json_integer(explain->leaf));
	json_object_set_new(answer, "clients",
			    tell_clients(controller, service, &plan->tree, explain->leaf));
	json_object_set_new(
		answer, "new",
		json_pack("{s:o, s:o}", "backend",
			  explain->backend == LARCH_NO_BACKEND
				  ? json_null()
				  : json_string(report_backend(controller, explain->backend)),
			  "why", tell_why(service, explain)));
	json_object_set_new(answer, "candidates", tell_candidates(controller, service, explain));
	return answer;
}

json_t *report_explain(struct controller *controller, const json_t *request)
{
	bool unusable[LARCH_MAX_BACKENDS];
	struct explain_input input = {};
	struct report_guess guess;
	struct report_flood flood;
	struct explain explain;
	struct service *service;
	const char *why;
	json_t *answer = take_tuple(request, &input.tuple);

	if (answer)
		return answer;
	service = report_service_of(controller, &input.tuple);
	if (!service)
		return report_error(REPORT_NOT_FOUND, "no service has this destination: such "
						      "packets pass to the host's own stack");
	if (!controller->datapath || !controller->datapath->settings || !controller->datapath->live)
		return report_error(REPORT_FAILED, "there is no kernel part to ask");
	if (report_guess(controller, service, &input.tuple, request, &guess, &why) != 0)
		return report_error(REPORT_USAGE, "%s", why);
	input.hops = guess.hops;
	input.size = guess.size;
	input.ingress = guess.ingress;
	take_tables(controller, service, &input);
	for (uint32_t i = 0; i < LARCH_MAX_BACKENDS; i++)
		unusable[i] = unreachable(controller, service, i);
	input.unusable = unusable;
	input.own = own_backend(controller, service, &input.tuple);
	input.flooded = report_flood(controller, service, &flood) && flood.present;
	explain_flow(&input, &explain);
	answer = tell(controller, service, &input, &explain);
	json_object_set_new(answer, "assumed", guess.assumed);
	return answer;
}
