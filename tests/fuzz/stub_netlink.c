// SPDX-License-Identifier: BSD-2-Clause
/*
 * user/netlink.h of a network in which every address has a next hop: its MAC and interface follow
 * from its last bytes, so that a packet shows where it was sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlink.h"
#include "netlink_rule.h"

#define WATCHED_MOST 64
#define FIRST_ROUTED 6 /* addresses that end so, or higher, are behind a gateway, */
#define LOCAL	     9 /* and this is the host's own */

struct netlink {
	netlink_changed_fn *changed;
	void *context;
	struct in6_addr watched[WATCHED_MOST];
	size_t count;
};

static void nexthop_of(const struct in6_addr *address, struct nexthop *out)
{
	bool ipv4 = IN6_IS_ADDR_V4MAPPED(address);

	*out = (struct nexthop){
		.ready = true,
		.local = address->s6_addr[15] == LOCAL,
		.direct = address->s6_addr[15] < FIRST_ROUTED,
		.ifindex = 1 + address->s6_addr[15] % 2,
		.mtu = 1500,
		.destination = {2, 0, 0, 1, address->s6_addr[14], address->s6_addr[15]},
		.source = {2, 0, 0, 2, 0, 1},
	};
	inet_pton(AF_INET6, ipv4 ? "::ffff:10.254.0.1" : "fd00:254::1", &out->from);
}

int netlink_open(struct netlink **out, netlink_changed_fn *changed, void *context)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->changed = changed;
	(*out)->context = context;
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	free(netlink);
}

int netlink_watch(struct netlink *netlink, const struct in6_addr *address)
{
	struct nexthop nexthop;

	if (netlink_nexthop(netlink, address, &nexthop) == 0)
		return 0;
	if (netlink->count == WATCHED_MOST)
		return -ENOMEM;
	netlink->watched[netlink->count++] = *address;
	nexthop_of(address, &nexthop);
	netlink->changed(netlink->context, address, &nexthop);
	return 0;
}

int netlink_unwatch(struct netlink *netlink, const struct in6_addr *address)
{
	(void)netlink;
	(void)address;
	return 0;
}

int netlink_nexthop(const struct netlink *netlink, const struct in6_addr *address,
		    struct nexthop *out)
{
	for (size_t i = 0; i < netlink->count; i++) {
		if (IN6_ARE_ADDR_EQUAL(&netlink->watched[i], address)) {
			nexthop_of(address, out);
			return 0;
		}
	}
	return -ENOENT;
}

int netlink_process(struct netlink *netlink)
{
	(void)netlink;
	return 0;
}

int netlink_tick(struct netlink *netlink, uint64_t now_ms)
{
	(void)netlink;
	(void)now_ms;
	return 0;
}

bool netlink_watchable(const struct in6_addr *address)
{
	(void)address;
	return true;
}

bool netlink_is_filtered(struct netlink *netlink, const struct in6_addr *source,
			 const struct in6_addr *destination, int ifindex, bool *way)
{
	(void)netlink;
	(void)source;
	(void)destination;
	(void)ifindex;
	(void)way;
	return false;
}

int netlink_rule_add(const struct netlink_rule *rule)
{
	(void)rule;
	return -EPERM;
}

int netlink_rule_remove(const struct netlink_rule *rule)
{
	(void)rule;
	return 0;
}
