// SPDX-License-Identifier: BSD-2-Clause
/* Addresses and ports of a service: see config_service.h. */
#include "config_service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Reads one address or a list of them. false: it complained. */
static bool read_addresses(const struct setting *setting, struct in6_addr *out)
{
	size_t count = setting_count(setting);
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		struct setting item = setting_item(setting, i);

		if (!setting_address(&item, 0, &out[i])) {
			good = false;
			continue;
		}
		for (size_t j = 0; good && j < i; j++) {
			if (!memcmp(&out[i], &out[j], sizeof(*out))) {
				setting_fail(&item, "this address is in the list already");
				good = false;
			}
		}
	}
	return good;
}

/* Reads one port, 0 for any, or a list of ports. false: it complained. */
static bool read_ports(const struct setting *setting, uint32_t *out)
{
	size_t count = setting_count(setting);
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		struct setting item = setting_item(setting, i);
		bool alone = item.value == setting->value;

		if (!setting_whole(&item, alone ? 0 : 1, UINT16_MAX, &out[i])) {
			good = false;
			continue;
		}
		for (size_t j = 0; good && j < i; j++) {
			if (out[i] == out[j]) {
				setting_fail(&item, "port %u is in the list already", out[i]);
				good = false;
			}
		}
	}
	return good;
}

/* The service before this one that has the same address, port and protocol; its own index: none. */
static size_t find_vip(const struct larch_config *config, size_t own, const struct larch_vip *vip)
{
	for (size_t i = 0; i < own; i++) {
		const struct config_service *service = &config->services[i];

		for (size_t j = 0; j < service->vip_count; j++) {
			if (!memcmp(&service->vips[j], vip, sizeof(*vip)))
				return i;
		}
	}
	return own;
}

/* Writes every address with every port. Complains once of an address that is taken. */
static void combine(const struct config_reading *reading, const struct setting *address,
		    const struct in6_addr *addresses, const uint32_t *ports, size_t port_count,
		    uint8_t protocol, size_t index)
{
	struct config_service *service = &reading->config->services[index];

	for (size_t i = 0; i < setting_count(address); i++) {
		struct setting item = setting_item(address, i);
		bool told = false;

		for (size_t j = 0; j < port_count; j++) {
			struct larch_vip *vip = &service->vips[service->vip_count++];
			size_t other;
			char place[SETTING_PLACE_SIZE];

			memcpy(vip->address, &addresses[i], sizeof(vip->address));
			vip->port = htons((uint16_t)ports[j]);
			vip->protocol = protocol;
			vip->kind = LARCH_VIP_SERVICE;
			other = told ? index : find_vip(reading->config, index, vip);
			if (other == index)
				continue;
			setting_fail(&item, "port %u/%s of this address belongs to %s already",
				     ports[j], protocol == IPPROTO_TCP ? "tcp" : "udp",
				     config_service_place(reading, other, place));
			told = true;
		}
	}
}

/* Whether there may be that many combinations. Lists are not empty. */
static bool check_counts(struct config_reading *reading, const struct setting *address,
			 const struct setting *port)
{
	size_t addresses = setting_count(address), ports = setting_count(port);
	size_t left = CONFIG_MAX_VIPS - reading->vips;

	if (!addresses)
		setting_list(address);
	if (!ports)
		setting_list(port);
	if (!addresses || !ports)
		return false;
	if (addresses > left || ports > left || addresses * ports > left) {
		setting_fail(address,
			     "more than %u combinations of address and port in all services",
			     CONFIG_MAX_VIPS);
		return false;
	}
	reading->vips += addresses * ports;
	return true;
}

int config_vip_read(struct config_reading *reading, const struct setting *mapping, uint8_t protocol,
		    size_t index)
{
	struct config_service *service = &reading->config->services[index];
	struct setting address, port;
	struct in6_addr *addresses;
	uint32_t *ports;
	bool found = setting_require(mapping, "address", &address);
	size_t address_count, port_count;

	found &= setting_require(mapping, "port", &port);
	if (!found || !check_counts(reading, &address, &port))
		return 0;
	address_count = setting_count(&address);
	port_count = setting_count(&port);
	addresses = calloc(address_count, sizeof(*addresses));
	ports = calloc(port_count, sizeof(*ports));
	service->vips = calloc(address_count * port_count, sizeof(*service->vips));
	if (addresses && ports && service->vips) {
		bool good = read_addresses(&address, addresses);

		good &= read_ports(&port, ports);
		if (good && protocol)
			combine(reading, &address, addresses, ports, port_count, protocol, index);
	}
	free(addresses);
	free(ports);
	return addresses && ports && service->vips ? 0 : -ENOMEM;
}
