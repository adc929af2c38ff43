// SPDX-License-Identifier: BSD-2-Clause
/*
 * Routing netlink messages as plain structs.
 *
 * Job:     hide message layouts from the rest of the netlink module. No I/O.
 * Input:   messages from the kernel.
 * Output:  struct netlink_link, netlink_route, netlink_neighbour, netlink_prefix.
 * Owner:   user/netlink.c and its parts; nobody else includes this.
 *
 * Addresses are in network byte order, IPv4 as IPv4-mapped.
 */
#ifndef LARCH_USER_NETLINK_MESSAGE_H
#define LARCH_USER_NETLINK_MESSAGE_H

#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* One interface. */
struct netlink_link {
	int ifindex;
	unsigned int flags; /* IFF_* */
	uint16_t type;	    /* ARPHRD_* */
	bool vlan;	    /* frames would need a tag */
	bool has_mac;
	uint8_t mac[6];
	uint32_t mtu; /* bytes */
};

/* The way to one address. */
struct netlink_route {
	const char *reason; /* why there is no way: a static string; the rest is then meaningless */
	bool local;	    /* to this host itself */
	int ifindex;
	struct in6_addr next; /* whose MAC is needed: the gateway, or the address itself */
	struct in6_addr from; /* source address; unspecified when there is none */
	uint32_t mtu;	      /* bytes, as the route says; 0: it does not */
};

/* One entry of the kernel's neighbour tables. */
struct netlink_neighbour {
	int ifindex;
	struct in6_addr address;
	uint16_t state; /* NUD_*; NUD_NONE: no entry */
	bool foreign;	/* somebody else maintains it: not to be probed */
	bool has_mac;
	uint8_t mac[6];
};

/* One route: its destinations, IPv4 or IPv6 but never both, and whose it is. */
struct netlink_prefix {
	bool ipv4;
	struct in6_addr address;
	unsigned int length; /* bits of the IPv6 or IPv4-mapped address, 0..128 */
	bool blackhole;
	uint8_t protocol; /* who made it: RTPROT_* */
	uint32_t table;
	uint32_t metric;
};

/* These read one message. 0, or -EBADMSG: malformed, or about something else (bridge tables). */
int netlink_message_link(const struct nlmsghdr *message, struct netlink_link *out);
int netlink_message_neighbour(const struct nlmsghdr *message, struct netlink_neighbour *out);
/* The answer to "which way to this address?". */
int netlink_message_route(const struct nlmsghdr *message, const struct in6_addr *address,
			  struct netlink_route *out);
/* What a route event, or a line of a dump of routes, is about. */
int netlink_message_prefix(const struct nlmsghdr *message, struct netlink_prefix *out);

/* The kernel's family and bytes of an address. */
int netlink_message_family(const struct in6_addr *address);
const void *netlink_message_bytes(const struct in6_addr *address, size_t *length);

#endif
