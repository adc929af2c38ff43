// SPDX-License-Identifier: BSD-2-Clause
/* How packets get to a service's backends, and what NAT asks for: see config_service.h. */
#include "config_service.h"

/* In the order of enum larch_mode. */
static const char *const mode_words[] = {"ipip", "gue", "l2", "nat", NULL};

const char *config_mode_text(enum larch_mode mode)
{
	return (unsigned)mode <= LARCH_MODE_NAT ? mode_words[mode] : NULL;
}

static void read_port(const struct setting *mapping, struct config_service *service)
{
	struct setting setting;
	uint32_t port;

	if (!setting_get(mapping, "backend_port", &setting) ||
	    !setting_whole(&setting, 1, UINT16_MAX, &port))
		return;
	service->backend_port = (uint16_t)port;
	if (service->mode != LARCH_MODE_NAT)
		setting_fail(&setting, "only forward: nat changes ports, and this service has %s",
			     config_mode_text(service->mode));
}

static void read_agent(const struct setting *mapping, struct config_service *service)
{
	struct setting setting;

	if (!setting_get(mapping, "agent", &setting) || !setting_truth(&setting, &service->agent))
		return;
	if (service->agent && (service->mode == LARCH_MODE_L2 || service->mode == LARCH_MODE_NAT))
		setting_expect(&setting,
			       "false, since forward is %s: agents are reached by tunnels",
			       config_mode_text(service->mode));
}

void config_forward_read(const struct setting *mapping, struct config_service *service)
{
	struct setting setting;
	int word = LARCH_MODE_IPIP;

	if (setting_get(mapping, "forward", &setting) &&
	    !setting_choice(&setting, mode_words, &word))
		return; /* what depends on it cannot be judged */
	service->mode = (enum larch_mode)word;
	read_port(mapping, service);
	read_agent(mapping, service);
}

static bool is_ipv4(const struct config_service *service)
{
	return IN6_IS_ADDR_V4MAPPED(
		(const struct in6_addr *)(const void *)service->vips[0].address);
}

/* What answers are to come from must follow from the backend that they do come from. */
static void check_vips(const struct setting *mapping, const struct config_service *service)
{
	struct setting address, port;

	if (setting_get(mapping, "address", &address) && setting_count(&address) > 1) {
		struct setting second = setting_item(&address, 1);

		setting_fail(&second, "a second address, but forward is nat; expected one: an "
				      "answer does not show which one was asked");
	}
	if (service->backend_port && setting_get(mapping, "port", &port) &&
	    (setting_count(&port) > 1 || service->vips[0].port == 0))
		setting_expect(&port, "one port, since backend_port is given: an answer does not "
				      "show which one was asked");
}

/* An answer of this host's own server leaves it without having come by the packet path. */
static bool is_own(const struct larch_config *config, const struct in6_addr *address)
{
	return IN6_ARE_ADDR_EQUAL(address, &config->source_ipv4) ||
	       IN6_ARE_ADDR_EQUAL(address, &config->source_ipv6);
}

const char *config_forward_objection(const struct larch_config *config,
				     const struct config_service *service,
				     const struct in6_addr *address)
{
	if (service->mode != LARCH_MODE_NAT)
		return NULL;
	if (is_own(config, address))
		return "this host itself, whose answers nat does not see";
	return IN6_IS_ADDR_V4MAPPED(address) == is_ipv4(service)
		       ? NULL
		       : "of the other family than the service, whose forward is nat";
}

static void check_members(const struct config_reading *reading, const struct setting *mapping,
			  const struct config_service *service)
{
	const struct config_backend *backends = reading->config->backends;
	struct setting list, address;

	for (size_t i = 0; i < service->member_count && setting_get(mapping, "backends", &list);
	     i++) {
		struct setting item = setting_item(&list, reading->item[i]);
		const struct in6_addr *own = &backends[service->members[i].backend].address;

		if (!setting_get(&item, "address", &address))
			continue;
		if (is_own(reading->config, own))
			setting_fail(&address, "this is the source of the tunnels, so this host "
					       "itself, whose answers nat does not see; expected "
					       "another server, or forward: ipip, gue or l2");
		if (IN6_IS_ADDR_V4MAPPED(own) != is_ipv4(service))
			setting_expect(&address,
				       "an %s address as the service's, since forward is "
				       "nat",
				       is_ipv4(service) ? "IPv4" : "IPv6");
	}
}

void config_forward_check(const struct config_reading *reading, const struct setting *mapping,
			  size_t index)
{
	const struct config_service *service = &reading->config->services[index];

	if (service->mode != LARCH_MODE_NAT || !service->vip_count)
		return;
	check_vips(mapping, service);
	check_members(reading, mapping, service);
}
