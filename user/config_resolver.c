// SPDX-License-Identifier: BSD-2-Clause
/* Who is asked for names, and how often: see config_service.h. */
#include "config_service.h"

#include <stdio.h>
#include <string.h>

#include "endpoint.h"

#define LEAST_TTL 1 /* s */
#define MOST_TTL  3600

static const char *const keys[] = {"servers", "ttl_least", "ttl_most", NULL};

/* "192.0.2.53", "2001:db8::53", "192.0.2.53:5353" or "[2001:db8::53]:5353", as text for c-ares. */
static bool read_server(const struct setting *setting, char out[CONFIG_SERVER_SIZE])
{
	const char *text = setting_text(setting);
	char plain[INET6_ADDRSTRLEN];
	struct endpoint_text endpoint;
	struct in6_addr address;
	bool ipv6;

	if (text && endpoint_address(text, 0, &address)) {
		endpoint.port = 53;
	} else if (!text || endpoint_split(text, &endpoint) != 0 || !endpoint.port ||
		   !endpoint_address(endpoint.address, 0, &address)) {
		setting_expect(setting, "a name server's address, or ADDRESS:PORT, such as "
					"192.0.2.53 or [2001:db8::53]:5353");
		return false;
	}
	ipv6 = !IN6_IS_ADDR_V4MAPPED(&address);
	endpoint_address_text(&address, plain);
	snprintf(out, CONFIG_SERVER_SIZE, ipv6 ? "[%s]:%u" : "%s:%u", plain, endpoint.port);
	return true;
}

static void read_servers(struct config_resolver *resolver, const struct setting *list)
{
	size_t count;

	if (!setting_list(list))
		return;
	count = setting_count(list);
	if (count > CONFIG_MAX_SERVERS) {
		struct setting first = setting_item(list, CONFIG_MAX_SERVERS);

		setting_fail(&first, "more than %u name servers", CONFIG_MAX_SERVERS);
		count = CONFIG_MAX_SERVERS;
	}
	for (size_t i = 0; i < count; i++) {
		struct setting item = setting_item(list, i);

		if (read_server(&item, resolver->server[resolver->servers]))
			resolver->servers++;
	}
}

void config_resolver_read(struct config_resolver *resolver, const struct setting *root)
{
	struct setting mapping, value;

	resolver->ttl_least = CONFIG_TTL_LEAST;
	resolver->ttl_most = CONFIG_TTL_MOST;
	if (!setting_get(root, "resolver", &mapping) || !setting_mapping(&mapping, keys))
		return;
	if (setting_get(&mapping, "servers", &value))
		read_servers(resolver, &value);
	if (setting_get(&mapping, "ttl_most", &value) &&
	    !setting_duration(&value, LEAST_TTL, MOST_TTL, &resolver->ttl_most))
		return;
	if (setting_get(&mapping, "ttl_least", &value) &&
	    setting_duration(&value, LEAST_TTL, MOST_TTL, &resolver->ttl_least) &&
	    resolver->ttl_least > resolver->ttl_most)
		setting_expect(&value, "no more than ttl_most, %g s", resolver->ttl_most);
}
