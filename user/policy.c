// SPDX-License-Identifier: BSD-2-Clause
/* From a configured service to what the packet path reads of it. See policy.h. */
#include "policy.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#include "larch/flow.h"

static bool allows(const struct config_service *service)
{
	for (size_t i = 0; i < service->network_count; i++) {
		if (service->networks[i].verdict == LARCH_ACCESS_ALLOW)
			return true;
	}
	return false;
}

static uint16_t flags_of(const struct config_service *service)
{
	const struct {
		bool set;
		enum larch_service_flag flag;
	} flags[] = {
		{service->network_count > 0, LARCH_SERVICE_LISTED},
		{allows(service), LARCH_SERVICE_CLOSED},
		{service->stateless, LARCH_SERVICE_STATELESS},
		{service->by_source, LARCH_SERVICE_BY_SOURCE},
		{service->agent, LARCH_SERVICE_AGENTS},
		{service->quic_bytes > 0, LARCH_SERVICE_QUIC},
		{service->new_flows > 0, LARCH_SERVICE_FLOOD},
		{service->source_rate > 0, LARCH_SERVICE_SOURCES},
	};
	uint16_t all = 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		all |= flags[i].set ? (uint16_t)flags[i].flag : 0;
	return all;
}

uint16_t policy_stamps(double seconds, uint64_t stamp_ns)
{
	double stamps = stamp_ns ? ceil(seconds * 1e9 / (double)stamp_ns) + 1 : 0;

	/* Beyond half of the circle, old and new could not be told apart. */
	return stamps < LARCH_STAMP_MASK ? (uint16_t)stamps : LARCH_STAMP_MASK;
}

static void set_nat(const struct config_service *service, struct larch_service *out)
{
	const struct larch_vip *vip = &service->vips[0];

	out->policy.port = htons(service->backend_port);
	memcpy(out->address, vip->address, sizeof(out->address));
	out->address_port = service->backend_port ? vip->port : 0;
}

void policy_service(const struct config_service *service, uint64_t stamp_ns,
		    struct larch_service *out)
{
	*out = (struct larch_service){
		.policy.flags = flags_of(service),
		.policy.mode = (uint8_t)service->mode,
		.policy.signal = service->signal & 15,
		.policy.idle = service->idle > 0 ? policy_stamps(service->idle, stamp_ns) : 0,
		.new_flows = service->new_flows,
		.source_flows = service->source_rate,
		.source_burst = service->source_burst,
		.quic_config = service->quic_config,
		.quic_bytes = service->quic_bytes,
	};
	if (service->mode == LARCH_MODE_NAT)
		set_nat(service, out);
}

struct larch_quic policy_quic(const struct config_member *member, uint16_t service)
{
	struct larch_quic quic = {.service = service};

	memcpy(quic.id, member->quic_id, sizeof(quic.id));
	return quic;
}
