// SPDX-License-Identifier: BSD-2-Clause
/* This host's own addresses: see host.h. */
#include "host.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool take(const struct ifaddrs *entry, struct host_address *out)
{
	const struct sockaddr *any = entry->ifa_addr;

	if (!any || !(entry->ifa_flags & IFF_UP))
		return false;
	out->interface = if_nametoindex(entry->ifa_name);
	if (any->sa_family == AF_INET6) {
		out->address = ((const struct sockaddr_in6 *)(const void *)any)->sin6_addr;
		return true;
	}
	if (any->sa_family != AF_INET)
		return false;
	out->address = (struct in6_addr){};
	out->address.s6_addr32[2] = htonl(0xffff);
	out->address.s6_addr32[3] =
		((const struct sockaddr_in *)(const void *)any)->sin_addr.s_addr;
	return true;
}

void host_refresh(struct host *host, uint64_t now_ns, uint64_t age_ns)
{
	struct ifaddrs *list;
	size_t count = 0;

	if ((host->read_ns && now_ns - host->read_ns < age_ns) || getifaddrs(&list) != 0)
		return;
	for (const struct ifaddrs *entry = list; entry; entry = entry->ifa_next)
		count++;
	free(host->address);
	host->count = 0;
	host->address = calloc(count + 1, sizeof(*host->address));
	for (const struct ifaddrs *entry = list; entry && host->address; entry = entry->ifa_next)
		host->count += take(entry, &host->address[host->count]);
	host->read_ns = now_ns;
	freeifaddrs(list);
}

void host_free(struct host *host)
{
	free(host->address);
	*host = (struct host){};
}

bool host_has(const struct host *host, const struct in6_addr *address)
{
	for (size_t i = 0; i < host->count; i++) {
		if (IN6_ARE_ADDR_EQUAL(&host->address[i].address, address))
			return true;
	}
	return false;
}

static bool is_loopback(const struct in6_addr *address)
{
	return IN6_IS_ADDR_LOOPBACK(address) ||
	       (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

bool host_source(const struct host *host, bool ipv4, unsigned interface,
		 bool (*refuses)(const void *context, const struct in6_addr *address),
		 const void *context, struct in6_addr *out)
{
	bool found = false;

	for (size_t i = 0; i < host->count; i++) {
		const struct host_address *own = &host->address[i];

		if (IN6_IS_ADDR_V4MAPPED(&own->address) != ipv4 || is_loopback(&own->address) ||
		    IN6_IS_ADDR_LINKLOCAL(&own->address) || refuses(context, &own->address))
			continue;
		if (found && own->interface != interface)
			continue;
		*out = own->address;
		found = true;
		if (own->interface == interface)
			return true;
	}
	return found;
}

/* What a switch of IPv4 is set to, on one interface or "all": a digit; '0': it cannot be read. */
static int setting_of(const char *interface, const char *name)
{
	char path[96 + IF_NAMESIZE];
	FILE *file;
	int c;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", interface, name);
	file = fopen(path, "re");
	if (!file)
		return '0';
	c = getc(file);
	fclose(file);
	return c;
}

static bool is_set(unsigned interface, const char *setting)
{
	char name[IF_NAMESIZE];

	return setting_of("all", setting) != '0' ||
	       (if_indextoname(interface, name) && setting_of(name, setting) != '0');
}

bool host_accepts_own(unsigned interface)
{
	return is_set(interface, "accept_local");
}

bool host_filters(unsigned interface)
{
	return is_set(interface, "rp_filter");
}
