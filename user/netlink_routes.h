// SPDX-License-Identifier: BSD-2-Clause
/*
 * Routes that announce addresses: "blackhole ADDRESS" in a table of their own, which the host does
 * not route by. A routing daemon exports what our protocol has put there.
 *
 * Job:     make the kernel hold such a route for exactly these addresses.
 * Input:   the table and protocol, the addresses; what the kernel holds.
 * Output:  routes; for each address, whether it has one.
 * Owner:   the controller (user/announce.c).
 *
 * All routes of our protocol in our table are ours, whoever made them; others are never touched.
 * Nothing is removed when this module is closed, or the process dies.
 */
#ifndef LARCH_USER_NETLINK_ROUTES_H
#define LARCH_USER_NETLINK_ROUTES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink_routes;

/* Where our routes stand. */
struct netlink_place {
	uint32_t table;	 /* 0: nowhere */
	uint32_t metric; /* 0: what the kernel takes: 0 for IPv4, 1024 for IPv6 */
	uint8_t protocol;
};

/* One address, IPv4 as IPv4-mapped. */
struct netlink_announced {
	struct in6_addr address;
	bool wanted; /* it is to have a route */
	bool there;  /* it has one. After netlink_routes_sync(): had one before */
	int error;   /* why it could not be given one, or be deprived of it; 0 */
};

/* 0 or -errno. */
int netlink_routes_open(struct netlink_routes **out);

/* NULL is allowed. */
void netlink_routes_close(struct netlink_routes *routes);

/* Sets `there` of each address; they are sorted (memcmp), and different. 0 or -errno. */
int netlink_routes_read(struct netlink_routes *routes, const struct netlink_place *place,
			struct netlink_announced *address, size_t count);

/*
 * The same; then gives each wanted address a route, and removes what else is ours. 0; -errno: the
 * kernel could not be asked, or one of the addresses has an error. -EEXIST: somebody else's route
 * stands in its place.
 */
int netlink_routes_sync(struct netlink_routes *routes, const struct netlink_place *place,
			struct netlink_announced *address, size_t count);

/* Removes all that is ours. Their number, or -errno. */
int netlink_routes_remove(struct netlink_routes *routes, const struct netlink_place *place);

#endif
