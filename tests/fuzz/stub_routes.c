// SPDX-License-Identifier: BSD-2-Clause
/* user/netlink_routes.h of a kernel that takes every route, and the rest of it that has no news. */
#include <stdlib.h>

#include "netlink.h"
#include "netlink_routes.h"

int netlink_routes_open(struct netlink_routes **out)
{
	*out = NULL;
	return 0;
}

void netlink_routes_close(struct netlink_routes *routes)
{
	(void)routes;
}

int netlink_routes_read(struct netlink_routes *routes, const struct netlink_place *place,
			struct netlink_announced *address, size_t count)
{
	(void)routes;
	(void)place;
	for (size_t i = 0; i < count; i++)
		address[i].there = false;
	return 0;
}

int netlink_routes_sync(struct netlink_routes *routes, const struct netlink_place *place,
			struct netlink_announced *address, size_t count)
{
	return netlink_routes_read(routes, place, address, count);
}

int netlink_routes_remove(struct netlink_routes *routes, const struct netlink_place *place)
{
	return netlink_routes_read(routes, place, NULL, 0);
}

bool netlink_link_is_up(const struct netlink *netlink, int ifindex)
{
	(void)netlink;
	(void)ifindex;
	return true;
}

void netlink_watch_table(struct netlink *netlink, uint32_t table)
{
	(void)netlink;
	(void)table;
}

unsigned int netlink_news(struct netlink *netlink)
{
	(void)netlink;
	return 0;
}
