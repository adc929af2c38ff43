// SPDX-License-Identifier: BSD-2-Clause
/* What a flow is, what is remembered of it, and how many there may be: see config_service.h. */
#include "config_service.h"

#define LEAST_IDLE 10 /* s: the flow table counts in steps of 7 to 10 s */
#define MOST_IDLE  1800
/* What RFC 4787 asks of NATs at least, and Linux grants a datagram flow that is answered. */
#define DATAGRAM_IDLE 120
/* A source of a TCP service may hold connections that rest. */
#define SOURCE_IDLE	300
#define LEAST_NEW_FLOWS 1000
#define MOST_NEW_FLOWS	100000000
#define MOST_RATE	1000000
#define MOST_BURST	10000000

static const char *const hash_words[] = {"tuple", "source", NULL};

const char *config_flow_untimed(const struct config_service *service, uint8_t protocol)
{
	if (protocol == IPPROTO_UDP)
		return "nothing of udp can be timed";
	if (service->by_source)
		return "hash: source does not tell connections apart";
	if (service->stateless)
		return "with state: false nothing is remembered that could be timed";
	return NULL;
}

static void read_hash(const struct setting *mapping, struct config_service *service)
{
	struct setting setting;
	int word;

	if (setting_get(mapping, "hash", &setting) && setting_choice(&setting, hash_words, &word))
		service->by_source = word == 1;
}

static bool is_stream(const struct config_service *service, uint8_t protocol)
{
	return protocol == IPPROTO_TCP && !service->by_source;
}

static void refuse_without_state(const struct setting *mapping, const char *key)
{
	struct setting setting;

	if (setting_get(mapping, key, &setting))
		setting_fail(&setting, "%s is about flows that are remembered, and state is false",
			     key);
}

/* What makes no sense where nothing is remembered. A SYN shows that a flow is new. */
static void refuse_state(const struct setting *mapping, uint8_t protocol,
			 const struct config_service *service)
{
	refuse_without_state(mapping, "idle_timeout");
	refuse_without_state(mapping, "new_flows");
	if (service->agent)
		refuse_without_state(mapping, "agent");
	if (protocol && !is_stream(service, protocol)) {
		refuse_without_state(mapping, "source_rate");
		refuse_without_state(mapping, "source_burst");
	}
}

/* An agent says whose a connection is: there are none in udp, and many in a flow of a source. */
static void refuse_agent(const struct setting *mapping, uint8_t protocol,
			 const struct config_service *service)
{
	struct setting setting;

	if (!service->agent || !protocol || is_stream(service, protocol) ||
	    !setting_get(mapping, "agent", &setting))
		return;
	setting_expect(&setting,
		       "false, since %s: agents are asked about single connections of tcp",
		       protocol == IPPROTO_UDP ? "protocol is udp" : "hash is source");
}

static void read_idle(const struct setting *mapping, uint8_t protocol,
		      struct config_service *service)
{
	bool ends = is_stream(service, protocol);
	struct setting setting;

	if (!ends)
		service->idle = protocol == IPPROTO_UDP ? DATAGRAM_IDLE : SOURCE_IDLE;
	if (!setting_get(mapping, "idle_timeout", &setting))
		return;
	if (ends)
		setting_fail(&setting,
			     "flows of tcp end by themselves; idle_timeout is for udp and "
			     "for hash: source");
	else
		setting_duration(&setting, LEAST_IDLE, MOST_IDLE, &service->idle);
}

static void read_rate(const struct setting *mapping, struct config_service *service)
{
	bool limited = false;
	struct setting setting;

	if (setting_get(mapping, "source_rate", &setting)) {
		limited = true;
		if (setting_whole(&setting, 1, MOST_RATE, &service->source_rate))
			service->source_burst = 2 * service->source_rate;
	}
	if (!setting_get(mapping, "source_burst", &setting))
		return;
	setting_whole(&setting, 1, MOST_BURST, &service->source_burst);
	if (!limited)
		setting_fail(&setting, "source_burst without source_rate; expected both");
}

void config_flow_read(const struct setting *mapping, uint8_t protocol,
		      struct config_service *service)
{
	struct setting setting;
	bool state = true;

	read_hash(mapping, service);
	if (setting_get(mapping, "state", &setting))
		setting_truth(&setting, &state);
	service->stateless = !state;
	read_rate(mapping, service);
	if (service->stateless) {
		refuse_state(mapping, protocol, service);
		return;
	}
	refuse_agent(mapping, protocol, service);
	read_idle(mapping, protocol, service);
	if (setting_get(mapping, "new_flows", &setting))
		setting_whole(&setting, LEAST_NEW_FLOWS, MOST_NEW_FLOWS, &service->new_flows);
}
