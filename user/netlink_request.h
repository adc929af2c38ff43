// SPDX-License-Identifier: BSD-2-Clause
/*
 * Questions to the kernel over routing netlink.
 *
 * Job:     ask one thing, wait for its answer (the kernel answers at once; the limit is one
 *          second).
 * Input:   addresses, interfaces.
 * Output:  the structs of netlink_message.h.
 * Owner:   user/netlink.c and user/netlink_routes.c; nobody else includes this.
 *
 * All functions return 0 or -errno: -ETIMEDOUT, what sockets say, what the kernel answers.
 */
#ifndef LARCH_USER_NETLINK_REQUEST_H
#define LARCH_USER_NETLINK_REQUEST_H

#include "netlink_message.h"

struct netlink_request;

int netlink_request_open(struct netlink_request **out);
/* Has the kernel itself choose what a dump of routes asks for. */
int netlink_request_filter(struct netlink_request *request);
void netlink_request_close(struct netlink_request *request);

/* take() is called for each interface. -EINTR: they changed meanwhile, ask again. */
int netlink_request_links(struct netlink_request *request,
			  void (*take)(void *context, const struct netlink_link *link),
			  void *context);

/* As `ip route get`. That there is no way is an answer as well (0, and out->reason says why). */
int netlink_request_route(struct netlink_request *request, const struct in6_addr *address,
			  struct netlink_route *out);

/*
 * What becomes of a packet from source to destination, both IPv4, that comes in by this interface:
 * 0: the host takes it, or sends it on; -EXDEV, or -EINVAL since Linux 6.13: where it comes from
 * speaks against it.
 */
int netlink_request_arrival(struct netlink_request *request, const struct in6_addr *source,
			    const struct in6_addr *destination, int ifindex);

/*
 * take() is called for each route of one family (AF_*) that this protocol made in this table, and
 * perhaps for others. -EINTR: they changed meanwhile, ask again.
 */
int netlink_request_routes(struct netlink_request *request, int family, uint32_t table,
			   uint8_t protocol,
			   void (*take)(void *context, const struct netlink_prefix *route),
			   void *context);

/* Adds a blackhole. -EEXIST: a route with this destination and metric is in the table. */
int netlink_request_add_blackhole(struct netlink_request *request,
				  const struct netlink_prefix *route);

/* Removes a route of this destination, table, metric and protocol. -ESRCH: there is none. */
int netlink_request_remove_route(struct netlink_request *request,
				 const struct netlink_prefix *route);

/* What the kernel knows of a neighbour; state NUD_NONE when it has no entry. */
int netlink_request_neighbour(struct netlink_request *request, int ifindex,
			      const struct in6_addr *address, struct netlink_neighbour *out);

/*
 * Has the kernel look for a neighbour, as it does for a packet that is to be sent. -ENOBUFS: its
 * table is full.
 */
int netlink_request_resolve(struct netlink_request *request, int ifindex,
			    const struct in6_addr *address);

/* Sets the state (NUD_*) of an existing entry, which keeps its MAC. -ENOENT: there is no entry. */
int netlink_request_state(struct netlink_request *request, int ifindex,
			  const struct in6_addr *address, uint16_t state);

#endif
