// SPDX-License-Identifier: BSD-2-Clause
/*
 * Next hops: how to reach a backend on the wire, kept up to date by the kernel's routing netlink.
 *
 * Job:     for each watched address, know the ready L2 header (MACs, egress interface) and the
 *          source address, so that XDP needs no route look-up per packet; say at once when it
 *          changes, and why it is not ready.
 * Input:   addresses to watch; the kernel's links, routes, addresses and neighbours.
 * Output:  changed() with a struct nexthop.
 * Owner:   the controller: one thread, one epoll loop. Only this module's files include libmnl.
 *
 * IPv4 addresses are IPv4-mapped throughout (::ffff:192.0.2.1); all addresses and MACs are in
 * network byte order. Everything happens in the network namespace in which netlink_open() was
 * called.
 *
 * How fast a change is followed:
 * - what the kernel announces (routes, links, addresses, a neighbour that announces its MAC) at the
 *   next netlink_process(), so within milliseconds;
 * - a MAC that changes in silence, within NETLINK_REVALIDATE_MS plus about two ticks: XDP's traffic
 *   never confirms a neighbour, so each distinct neighbour is asked again (a unicast ARP or NDP
 *   probe), and if no answer has come by the next tick, everybody is asked (broadcast or
 *   multicast);
 * - what the kernel does not announce (sysctls, redirects), within NETLINK_AUDIT_MS.
 *
 * A neighbour that fails, or that the kernel forgets, keeps its last MAC: whether a backend answers
 * is for its health check to say. The MAC is forgotten when the link goes down or no route leads
 * there any more. Neighbours that somebody else maintains (permanent, noarp, externally learned,
 * managed) are followed, never probed.
 */
#ifndef LARCH_USER_NETLINK_H
#define LARCH_USER_NETLINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Each neighbour is probed once in this time; in turns, so that there are no bursts. */
#define NETLINK_REVALIDATE_MS 3000
/* Everything is asked again once in this time, as after an overrun of the event socket. */
#define NETLINK_AUDIT_MS 30000

struct netlink;

/* How to reach one address, as the kernel's routes and neighbours say; zero: not known. */
struct nexthop {
	bool ready;		/* link up, route known, source address known and MAC known */
	bool local;		/* the address is this host's own: ready without link and MAC */
	bool direct;		/* no gateway in between */
	int ifindex;		/* egress interface */
	uint32_t mtu;		/* of the egress interface, or the route's if less; bytes */
	uint8_t destination[6]; /* MAC of the gateway, or of the address itself if on-link */
	uint8_t source[6];	/* MAC of the egress interface */
	struct in6_addr from;	/* source address that the kernel prefers */
	const char *reason;	/* why it is not ready: a static string; NULL when ready */
};

/*
 * Called for a new state of a watched address; nexthop is only valid during the call. Within it,
 * netlink_nexthop() and netlink_statistics() may be called; the other functions refuse with -EBUSY,
 * and netlink_close() must not be.
 */
typedef void netlink_changed_fn(void *context, const struct in6_addr *address,
				const struct nexthop *nexthop);

/* Counted since netlink_open(). */
struct netlink_statistics {
	uint64_t events;	     /* messages read from the event socket */
	uint64_t overruns;	     /* times that the event socket had lost messages */
	uint64_t resyncs;	     /* times that everything was asked again */
	uint64_t route_requests;     /* "which way to this address?" */
	uint64_t neighbour_requests; /* "what do you know of this neighbour?" */
	uint64_t resolutions;	     /* "find this neighbour", by broadcast or multicast */
	uint64_t probes;	     /* "is this neighbour still there?", by unicast */
};

/*
 * Opens both sockets and reads the links. 0, or -errno (-ENOMEM, -EPERM, what socket() says); *out
 * is then NULL.
 */
int netlink_open(struct netlink **out, netlink_changed_fn *changed, void *context);

/* Releases everything; watched addresses are not reported. NULL is allowed. */
void netlink_close(struct netlink *netlink);

/* For epoll, level-triggered: readable while events wait. Owned by the module. */
int netlink_fd(const struct netlink *netlink);

/*
 * Handles the waiting events (of a flood, a bounded number) and calls changed() once for each
 * watched address whose next hop differs. Never blocks on events; requests to the kernel are
 * answered at once (limit: one second). 0, or -errno when the kernel could not be asked: what is
 * missing is asked again by netlink_tick().
 */
int netlink_process(struct netlink *netlink);

/*
 * Watches an address. Handles the waiting events, asks the kernel and calls changed() with the
 * first state before it returns: not ready, unless the neighbour is known already. Watching twice
 * does nothing. A failing request is not an error here: it is the state's reason, and is tried
 * again. -EINVAL: unspecified, loopback, multicast or link-local address. -ENOMEM. -EBUSY.
 */
int netlink_watch(struct netlink *netlink, const struct in6_addr *address);

/* Is it an address that one host can have, elsewhere? */
bool netlink_watchable(const struct in6_addr *address);

/* Stops watching; changed() is not called. -ENOENT: not watched. -EBUSY. */
int netlink_unwatch(struct netlink *netlink, const struct in6_addr *address);

/*
 * Call about once a second. Does what netlink_process() does, finds neighbours that are unresolved,
 * probes the others in turn, and asks again what a failure or an overrun left open. now_ms: any
 * monotonic clock, milliseconds. 0, or -errno of the first request that failed (-ENOBUFS: the
 * kernel's neighbour table is full); the rest is done.
 */
int netlink_tick(struct netlink *netlink, uint64_t now_ms);

/* The state that changed() was last told. 0; -ENOENT: not watched. */
int netlink_nexthop(const struct netlink *netlink, const struct in6_addr *address,
		    struct nexthop *out);

/* Can frames be sent on this interface, as far as the kernel has told? */
bool netlink_link_is_up(const struct netlink *netlink, int ifindex);

/*
 * Does rp_filter drop what comes in by this interface from source to destination, both IPv4, the
 * latter this host's? The kernel is asked. *way: has the host a way to the source at all? false
 * also where it cannot tell.
 */
bool netlink_is_filtered(struct netlink *netlink, const struct in6_addr *source,
			 const struct in6_addr *destination, int ifindex, bool *way);

/* What may have changed, as events have told, and each audit. */
#define NETLINK_NEWS_LINKS  1u /* an interface, or its XDP program */
#define NETLINK_NEWS_ROUTES 2u /* a route of the watched table */

/* The table whose routes are news; 0: none. */
void netlink_watch_table(struct netlink *netlink, uint32_t table);

/* NETLINK_NEWS_* since the last call. */
unsigned int netlink_news(struct netlink *netlink);

void netlink_statistics(const struct netlink *netlink, struct netlink_statistics *out);

#endif
