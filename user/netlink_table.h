// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is known of links, neighbours and watched addresses, and the next hop that follows from it.
 *
 * Job:     hold the facts; work out one address's struct nexthop. No I/O.
 * Input:   the structs of netlink_message.h.
 * Output:  struct nexthop.
 * Owner:   user/netlink.c; nobody else includes this.
 *
 * Addresses are in network byte order, IPv4 as IPv4-mapped. Functions that add return NULL when
 * memory is short.
 */
#ifndef LARCH_USER_NETLINK_TABLE_H
#define LARCH_USER_NETLINK_TABLE_H

#include <stddef.h>

#include "netlink.h"
#include "netlink_message.h"

/* Somebody on a link whose MAC is needed, shared by all watched addresses reached by it. */
struct neighbour {
	int ifindex;
	struct in6_addr address;
	unsigned int users;  /* 0: kept for a while, its route may come back */
	unsigned int unused; /* ticks without a user */
	uint16_t state;	     /* the kernel's, NUD_* */
	bool foreign;	     /* somebody else maintains it */
	bool known;	     /* mac holds the last MAC seen */
	bool presumed;	     /* mac is from before the link was down; the kernel is asked for it */
	bool wanted;	     /* to be asked for */
	bool probed;	     /* we have asked it whether it is still there, */
	uint64_t probed_ms;  /* at this time */
	uint8_t mac[6];
};

struct watch {
	struct in6_addr address;
	bool route_wanted; /* to be asked for */
	bool reported;	   /* nexthop was told to changed() */
	struct netlink_route route;
	struct neighbour *neighbour; /* route.next on route.ifindex; NULL: none is needed */
	struct nexthop nexthop;
};

struct netlink_table {
	struct netlink_link *links; /* sorted by ifindex */
	size_t link_count;
	struct neighbour **neighbours; /* in no order */
	size_t neighbour_count;
	struct watch *watches; /* in no order; move when one is added or removed */
	size_t watch_count;
};

void netlink_table_release(struct netlink_table *table);

struct netlink_link *netlink_table_link(const struct netlink_table *table, int ifindex);
/* Adds or replaces. */
struct netlink_link *netlink_table_put_link(struct netlink_table *table,
					    const struct netlink_link *link);
void netlink_table_remove_link(struct netlink_table *table, int ifindex);
/* Whether frames can be sent on it. */
bool netlink_table_link_is_up(const struct netlink_link *link);
/* The link went down or came up: what is on it now may be somebody else. Until the kernel has found
 * out, or fails to, it is presumed to be who it was: asking can take a second. */
void netlink_table_doubt_macs(struct netlink_table *table, int ifindex);
/* The link has gone for good. */
void netlink_table_forget_macs(struct netlink_table *table, int ifindex);
/* Once a tick: neighbours that have long had no user go. */
void netlink_table_sweep(struct netlink_table *table);

struct neighbour *netlink_table_neighbour(const struct netlink_table *table, int ifindex,
					  const struct in6_addr *address);

/* Whether an address can be a backend's: link-local ones say nothing without an interface. */
bool netlink_table_watchable(const struct in6_addr *address);
struct watch *netlink_table_watch(const struct netlink_table *table,
				  const struct in6_addr *address);
struct watch *netlink_table_add_watch(struct netlink_table *table, const struct in6_addr *address);
void netlink_table_remove_watch(struct netlink_table *table, struct watch *watch);
/* The watch's way is now this; its neighbour is found or made (wanted). 0 or -ENOMEM. */
int netlink_table_set_route(struct netlink_table *table, struct watch *watch,
			    const struct netlink_route *route);
/* Routes to these destinations are to be asked for; NULL: all. */
void netlink_table_want_routes(struct netlink_table *table, const struct netlink_prefix *prefix);

/* The state of this watch as the facts stand. */
void netlink_table_nexthop(const struct netlink_table *table, const struct watch *watch,
			   struct nexthop *out);
bool netlink_table_same_nexthop(const struct nexthop *a, const struct nexthop *b);

#endif
