// SPDX-License-Identifier: BSD-2-Clause
/* Services that cannot live together: see config_service.h. */
#include "config_service.h"

#include <arpa/inet.h>
#include <string.h>

/* How many addresses, and how many ports, a service has: it has every address with every port. */
static size_t count_addresses(const struct config_service *service)
{
	size_t count = 0;

	for (size_t i = 0; i < service->vip_count; i++)
		count += i == 0 || memcmp(service->vips[i].address, service->vips[i - 1].address,
					  sizeof(service->vips[i].address)) != 0;
	return count;
}

static size_t count_ports(const struct config_service *service)
{
	return service->vip_count / count_addresses(service);
}

/* ---- backends that are services ---- */

/* The first service that has the address; their number: none. */
static size_t find_address(const struct larch_config *config, const struct in6_addr *address)
{
	size_t i = 0;

	for (; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		size_t ports = count_ports(service);

		for (size_t j = 0; j < service->vip_count; j += ports) {
			if (memcmp(service->vips[j].address, address, sizeof(*address)) == 0)
				return i;
		}
	}
	return i;
}

bool config_together_is_service(const struct larch_config *config, const struct in6_addr *address)
{
	return find_address(config, address) < config->service_count;
}

static void check_backends(const struct config_reading *reading)
{
	const struct larch_config *config = reading->config;

	for (size_t i = 0; i < config->backend_count; i++) {
		const struct config_origin *origin = &reading->origin[i];
		struct setting service = setting_item(reading->services, origin->service);
		size_t owner = find_address(config, &config->backends[i].address);
		struct setting list, item, address;
		char place[SETTING_PLACE_SIZE];

		if (owner == config->service_count || !setting_get(&service, "backends", &list))
			continue;
		item = setting_item(&list, origin->item);
		if (setting_get(&item, "address", &address))
			setting_fail(&address,
				     "this is the address of %s itself: its packets would come "
				     "back; expected the server's own address",
				     config_service_place(reading, owner, place));
	}
}

/* ---- answers of NAT ---- */

/* Can an answer's source port be of both services? */
static bool share_port(const struct config_service *one, const struct config_service *other)
{
	size_t ports = one->backend_port ? 1 : one->vip_count;
	size_t others = other->backend_port ? 1 : other->vip_count;

	for (size_t i = 0; i < ports; i++) {
		uint16_t port = one->backend_port ? htons(one->backend_port) : one->vips[i].port;

		for (size_t j = 0; j < others; j++) {
			uint16_t there = other->backend_port ? htons(other->backend_port)
							     : other->vips[j].port;

			if (port == there || !port || !there)
				return true;
		}
	}
	return false;
}

/* The first member of one service that the other has, too; their number: none. */
static size_t find_shared(const struct config_service *one, const struct config_service *other)
{
	bool has[LARCH_MAX_BACKENDS] = {false};
	size_t i = 0;

	for (size_t j = 0; j < other->member_count; j++)
		has[other->members[j].backend] = true;
	while (i < one->member_count && !has[one->members[i].backend])
		i++;
	return i;
}

static bool is_nat_of(const struct config_service *service, uint8_t protocol)
{
	return service->mode == LARCH_MODE_NAT && service->vips[0].protocol == protocol;
}

static void check_answers(const struct config_reading *reading, size_t index)
{
	const struct config_service *services = reading->config->services;
	const struct config_service *service = &services[index];
	uint8_t protocol = service->vips[0].protocol;
	struct setting mapping = setting_item(reading->services, index), list, item;

	for (size_t i = 0; i < index && is_nat_of(service, protocol); i++) {
		size_t shared = find_shared(service, &services[i]);
		char place[SETTING_PLACE_SIZE];

		if (!is_nat_of(&services[i], protocol) || shared == service->member_count ||
		    !share_port(service, &services[i]) || !setting_get(&mapping, "backends", &list))
			continue;
		item = setting_item(&list, shared);
		setting_fail(&item,
			     "%s with forward: nat has this backend and port/%s, too; answers "
			     "could not be told apart: expected another backend or port",
			     config_service_place(reading, i, place),
			     protocol == IPPROTO_TCP ? "tcp" : "udp");
	}
}

bool config_together_clash(const struct larch_config *config, size_t index, size_t backend)
{
	const struct config_service *service = &config->services[index];
	uint8_t protocol = service->vips[0].protocol;

	for (size_t i = 0; is_nat_of(service, protocol) && i < config->service_count; i++) {
		const struct config_service *other = &config->services[i];

		for (size_t j = 0; i != index && j < other->member_count; j++) {
			if (other->members[j].backend == backend && is_nat_of(other, protocol) &&
			    share_port(service, other))
				return true;
		}
	}
	return false;
}

/* ---- later fragments ---- */

/* The number of an address of one service that the other has, too; SIZE_MAX: none. */
static size_t find_same_address(const struct config_service *one,
				const struct config_service *other)
{
	size_t ports = count_ports(one), others = count_ports(other);

	for (size_t i = 0; i < one->vip_count; i += ports) {
		for (size_t j = 0; j < other->vip_count; j += others) {
			if (memcmp(one->vips[i].address, other->vips[j].address,
				   sizeof(one->vips[i].address)) == 0)
				return i / ports;
		}
	}
	return SIZE_MAX;
}

/* Later fragments have no ports: of the services of an address, one alone can have them. */
static void check_fragments(const struct config_reading *reading, size_t index)
{
	const struct config_service *services = reading->config->services;
	const struct config_service *service = &services[index];
	struct setting mapping = setting_item(reading->services, index);

	for (size_t i = 0; i < index && service->by_source; i++) {
		size_t shared = services[i].by_source && services[i].vips[0].protocol ==
								 service->vips[0].protocol
					? find_same_address(service, &services[i])
					: SIZE_MAX;
		struct setting list, address;
		char place[SETTING_PLACE_SIZE];

		if (shared == SIZE_MAX || !setting_get(&mapping, "address", &list))
			continue;
		address = setting_item(&list, shared);
		setting_fail(&address,
			     "%s with hash: source has this address, too; later fragments could "
			     "not be told apart: expected one service with both ports",
			     config_service_place(reading, i, place));
	}
}

/* ---- room ---- */

/* Entries of larch_vips that a service needs: see entries.h. */
static size_t count_entries(const struct config_service *service)
{
	size_t count = service->vip_count + count_addresses(service);

	if (service->by_source)
		count += count_addresses(service);
	if (service->mode == LARCH_MODE_NAT)
		count += service->member_count * (service->backend_port ? 1 : count_ports(service));
	return count;
}

size_t config_together_entries(const struct larch_config *config)
{
	size_t count = 0;
	bool agents = false;

	for (size_t i = 0; i < config->service_count; i++) {
		count += count_entries(&config->services[i]);
		agents |= config->services[i].agent;
	}
	/* The ends of tunnels: no more than there are backends. */
	return count + (agents ? config->backend_count : 0);
}

static void check_room(const struct config_reading *reading)
{
	size_t count = config_together_entries(reading->config);

	if (count > LARCH_MAX_VIPS)
		setting_fail(reading->services,
			     "all addresses with their ports, and with forward: nat all backends "
			     "with theirs, are %zu entries of a table that holds %u",
			     count, LARCH_MAX_VIPS);
}

void config_together_check(const struct config_reading *reading)
{
	check_backends(reading);
	for (size_t i = 0; i < reading->config->service_count; i++) {
		check_answers(reading, i);
		check_fragments(reading, i);
	}
	check_room(reading);
}
