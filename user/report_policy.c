// SPDX-License-Identifier: BSD-2-Clause
/* What a service is configured to do with its packets, for the lists and for explain: report.h. */
#include "access.h"
#include "config.h"
#include "report.h"

/* A number, or null for 0: not limited. */
static json_t *limit(uint32_t number)
{
	return number ? json_integer(number) : json_null();
}

static json_t *access_counts(const struct config_service *service)
{
	size_t allowed = 0;

	if (!service->network_count)
		return json_null();
	for (size_t i = 0; i < service->network_count; i++)
		allowed += service->networks[i].verdict == LARCH_ACCESS_ALLOW;
	return json_pack("{s:I, s:I, s:s}", "allow", (json_int_t)allowed, "deny",
			 (json_int_t)(service->network_count - allowed), "others",
			 allowed ? "denied" : "allowed");
}

static json_t *quic(const struct config_service *service)
{
	if (!service->quic_bytes)
		return json_null();
	return json_pack("{s:i, s:i}", "config_id", service->quic_config, "server_id_bytes",
			 service->quic_bytes);
}

json_t *report_policy(const struct config_service *service)
{
	return json_pack("{s:s, s:o, s:b, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "forward",
			 config_mode_text(service->mode), "backend_port",
			 limit(service->backend_port), "agent", service->agent, "hash",
			 service->by_source ? "source" : "tuple", "state", !service->stateless,
			 "idle_timeout_s",
			 service->idle > 0 ? json_real(service->idle) : json_null(), "new_flows",
			 limit(service->new_flows), "source_rate", limit(service->source_rate),
			 "source_burst", limit(service->source_burst), "access",
			 access_counts(service), "quic", quic(service));
}

json_t *report_access(const struct config_service *service, const struct in6_addr *source)
{
	const struct config_network *network;
	enum larch_access_verdict verdict;
	char text[ACCESS_TEXT];

	if (!service->network_count)
		return json_null();
	verdict = access_of(service, source, &network);
	return json_pack("{s:s, s:o}", "verdict", verdict == LARCH_ACCESS_ALLOW ? "allow" : "deny",
			 "network",
			 network ? json_string(access_text(network, text)) : json_null());
}

static void add(json_t *list, json_t *text)
{
	json_array_append_new(list, text);
}

json_t *report_notes(const struct config_service *service)
{
	json_t *list = json_array();

	if (service->by_source)
		add(list, json_string("hash: source: all that the source sends is one flow, "
				      "whatever the ports"));
	if (service->stateless)
		add(list, json_string("state: false: no flow is remembered, and every packet goes "
				      "by the ring"));
	if (service->quic_bytes)
		add(list, json_sprintf("quic: a packet whose connection id (config %u) names a "
				       "backend goes there, whatever its flow",
				       service->quic_config));
	if (service->new_flows)
		add(list, json_sprintf("new_flows: beyond %u new flows a second they are sent by "
				       "the ring, not remembered",
				       service->new_flows));
	if (service->source_rate)
		add(list, json_sprintf("source_rate: beyond %u new flows a second (%u at once) of "
				       "this source they are dropped",
				       service->source_rate, service->source_burst));
	if (service->agent)
		add(list, json_string("agent: a packet from the middle of a flow that nobody "
				      "remembers asks the backends whose it is"));
	return list;
}
