// SPDX-License-Identifier: BSD-2-Clause
/*
 * The ways of checks (see checks_way.h):
 *
 *   ipip, gue, l2  to an address of the service, by a mark that names the backend
 *   nat            the same to the service's port, since the answers come back as the service's;
 *                  to another port of the backend without a mark, unless another service by NAT
 *                  owns it: then to that one
 *   this host      to the service's address, which it has itself
 */
#include "checks_way.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller.h"
#include "larch/health.h"

static void set_address(union probe_address *out, const struct in6_addr *address, uint16_t port)
{
	*out = (union probe_address){};
	if (IN6_IS_ADDR_V4MAPPED(address)) {
		out->ipv4.sin_family = AF_INET;
		out->ipv4.sin_port = htons(port);
		out->ipv4.sin_addr.s_addr = address->s6_addr32[3];
	} else {
		out->ipv6.sin6_family = AF_INET6;
		out->ipv6.sin6_port = htons(port);
		out->ipv6.sin6_addr = *address;
	}
}

static const struct in6_addr *address_of(const struct larch_vip *vip)
{
	return (const struct in6_addr *)(const void *)vip->address;
}

/* Where to speak from: never an address to which the balancer would send what comes. */
static bool is_service(const void *context, const struct in6_addr *address)
{
	const struct larch_config *config = context;

	for (size_t i = 0; i < config->service_count; i++) {
		for (size_t j = 0; j < config->services[i].vip_count; j++) {
			if (IN6_ARE_ADDR_EQUAL(address_of(&config->services[i].vips[j]), address))
				return true;
		}
	}
	return false;
}

static const char *find_source(const struct controller *controller, const struct host *host,
			       const struct registry_backend *backend, const struct in6_addr *to,
			       struct check_way *out)
{
	bool ipv4 = IN6_IS_ADDR_V4MAPPED(to);
	const struct in6_addr *tunnel = controller_tunnel_source(controller, backend);
	struct in6_addr source = *tunnel;

	if ((IN6_IS_ADDR_V4MAPPED(tunnel) != ipv4 || IN6_IS_ADDR_UNSPECIFIED(tunnel) ||
	     is_service(controller->config, tunnel) || !host_has(host, tunnel)) &&
	    !host_source(host, ipv4, (unsigned)backend->nexthop.ifindex, is_service,
			 controller->config, &source))
		return ipv4 ? "this host has no IPv4 address that could be answered to"
			    : "this host has no IPv6 address that could be answered to";
	if (ipv4 && host_has(host, to) && !host_accepts_own((unsigned)backend->nexthop.ifindex))
		return "the service's address is this host's, too: sysctl "
		       "net.ipv4.conf.IFACE.accept_local=1 is needed";
	set_address(&out->from, &source, 0);
	return NULL;
}

static const char *find_marked(const struct controller *controller, const struct host *host,
			       uint16_t service, uint16_t backend, const struct in6_addr *to,
			       uint16_t port, struct check_way *out)
{
	set_address(&out->to, to, port);
	out->mark = larch_health_mark(service, backend);
	return find_source(controller, host, &controller->registry.backend[backend], to, out);
}

/* Does NAT make what comes from this port of the backend come from the service? The service's port
 * then; 0: no. */
static uint16_t returned_port(const struct service *service, uint16_t backend, uint8_t protocol,
			      uint16_t port)
{
	const struct config_service *config = service->config;
	bool member = false;

	if (!service->used || !config || config->mode != LARCH_MODE_NAT)
		return 0;
	for (size_t i = 0; i < service->members; i++)
		member |= service->member[i].backend == backend;
	for (size_t i = 0; member && i < config->vip_count; i++) {
		uint16_t own = ntohs(config->vips[i].port);

		if (config->vips[i].protocol == protocol &&
		    (config->backend_port ? config->backend_port : own) == port)
			return own;
	}
	return 0;
}

static const char *find_nat(const struct controller *controller, const struct host *host,
			    uint16_t backend, uint16_t port, struct check_way *out)
{
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct service *service = &controller->service[i];
		uint16_t own = returned_port(service, backend,
					     out->stream ? IPPROTO_TCP : IPPROTO_UDP, port);

		if (own)
			return find_marked(controller, host, service->id, backend,
					   address_of(&service->config->vips[0]), own, out);
	}
	set_address(&out->to, &controller->registry.backend[backend].address, port);
	return NULL;
}

const char *check_way_find(const struct controller *controller, const struct host *host,
			   const struct service *service, size_t member,
			   const struct check_ask *ask, struct check_way *out)
{
	const struct config_service *config = service->config;
	enum config_health_type type = config->health->type;
	uint16_t backend = service->member[member].backend;
	const char *unreachable = controller_unreachable(controller, backend, config->mode);

	*out = (struct check_way){
		.stream = type != CONFIG_HEALTH_UDP && type != CONFIG_HEALTH_DNS,
		.port = ask->port,
	};
	if (unreachable)
		return unreachable;
	if (type == CONFIG_HEALTH_COMMAND_TYPE)
		return NULL;
	if (config->mode == LARCH_MODE_NAT)
		return find_nat(controller, host, backend, ask->port, out);
	if (!controller->registry.backend[backend].nexthop.local)
		return find_marked(controller, host, service->id, backend, &ask->address, ask->port,
				   out);
	set_address(&out->to, &ask->address, ask->port);
	return NULL;
}

static int set_options(int fd, const struct check_way *way)
{
	struct linger reset = {.l_onoff = 1};
	int yes = 1;

	if (way->mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &way->mark, sizeof(way->mark)) != 0)
		return -errno;
	/* No port is kept once a connection has been tried. */
	if (way->stream && setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) != 0)
		return -errno;
	/* The port is chosen when it is connected, by all of the addresses. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
	if (way->from.any.sa_family &&
	    bind(fd, &way->from.any, probe_address_size(&way->from)) != 0)
		return -errno;
	return 0;
}

int check_way_socket(const struct check_way *way)
{
	int fd = socket(way->to.any.sa_family,
			(way->stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = fd < 0 ? -errno : set_options(fd, way);

	if (!error)
		return fd;
	if (fd >= 0)
		close(fd);
	return error;
}
