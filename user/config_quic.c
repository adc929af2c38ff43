// SPDX-License-Identifier: BSD-2-Clause
/*
 * What QUIC's connection ids say of backends: see config_service.h. The servers put their id into
 * the connection ids that they choose (draft-ietf-quic-load-balancers, without encryption).
 */
#include "config_service.h"

#include <string.h>

#define MOST_CONFIG 6 /* 7 says that an id names no server */

void config_quic_read(const struct setting *mapping, uint8_t protocol,
		      struct config_service *service)
{
	static const char *const keys[] = {"config_id", "server_id_bytes", NULL};
	struct setting quic, setting;
	uint32_t config = 0, bytes;

	if (!setting_get(mapping, "quic", &quic) || !setting_mapping(&quic, keys))
		return;
	if (protocol == IPPROTO_TCP) {
		setting_fail(&quic, "quic is for udp, and the service's protocol is tcp");
		return;
	}
	if (setting_get(&quic, "config_id", &setting))
		setting_whole(&setting, 0, MOST_CONFIG, &config);
	if (!setting_require(&quic, "server_id_bytes", &setting) ||
	    !setting_whole(&setting, 1, LARCH_QUIC_BYTES, &bytes))
		return;
	service->quic_config = (uint8_t)config;
	service->quic_bytes = (uint8_t)bytes;
}

bool config_quic_member(const struct setting *mapping, const struct setting *item,
			const struct config_service *service, struct config_member *member)
{
	bool has_quic, has_id;
	struct setting setting;

	has_quic = setting_get(mapping, "quic", &setting);
	has_id = setting_get(item, "quic_id", &setting);
	if (has_id && !has_quic)
		setting_fail(&setting, "quic_id names a backend in connection ids; expected 'quic' "
				       "in the service, too");
	if (has_quic && !has_id)
		setting_fail(item, "the key 'quic_id' is missing, since the service has 'quic'");
	if (has_quic != has_id)
		return false;
	/* Of 'quic' itself something may be wrong, and has been told. */
	return !has_id || !service->quic_bytes ||
	       setting_hex(&setting, service->quic_bytes, member->quic_id);
}

void config_quic_check(const struct config_reading *reading, const struct setting *mapping,
		       size_t index)
{
	const struct config_service *service = &reading->config->services[index];
	const struct config_member *members = service->members;
	struct setting list, id;

	if (!service->quic_bytes || !setting_get(mapping, "backends", &list))
		return;
	for (size_t i = 1; i < service->member_count; i++) {
		struct setting here = setting_item(&list, reading->item[i]), there;
		char place[SETTING_PLACE_SIZE];
		size_t j = 0;

		while (j < i && memcmp(members[i].quic_id, members[j].quic_id, LARCH_QUIC_BYTES))
			j++;
		if (j == i || !setting_get(&here, "quic_id", &id))
			continue;
		there = setting_item(&list, reading->item[j]);
		setting_fail(&id, "this quic_id is that of %s already",
			     setting_place(&there, place));
	}
}
