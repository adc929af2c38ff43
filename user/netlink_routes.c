// SPDX-License-Identifier: BSD-2-Clause
/*
 * Keeps the routes that announce addresses: see netlink_routes.h. Compares what the kernel holds
 * with what is wanted and changes the difference, so that taking over an earlier daemon's routes,
 * putting back what somebody has removed and following a new configuration are one thing.
 */
#include "netlink_routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink_request.h"

#define IPV6_METRIC 1024 /* what the kernel takes if it is told none */
#define TRIES	    3	 /* of a dump that changes come between */

struct netlink_routes {
	struct netlink_request *request;
};

/* What a dump is compared with, and what of it is too much. */
struct comparison {
	const struct netlink_place *place;
	struct netlink_announced *address;
	size_t count;
	struct netlink_prefix *excess;
	size_t excess_count, excess_room;
	bool incomplete; /* no memory for more */
};

int netlink_routes_open(struct netlink_routes **out)
{
	struct netlink_routes *routes = calloc(1, sizeof(*routes));
	int error;

	*out = NULL;
	if (!routes)
		return -ENOMEM;
	error = netlink_request_open(&routes->request);
	if (!error)
		error = netlink_request_filter(routes->request);
	if (error)
		netlink_routes_close(routes);
	else
		*out = routes;
	return error;
}

void netlink_routes_close(struct netlink_routes *routes)
{
	if (!routes)
		return;
	netlink_request_close(routes->request);
	free(routes);
}

static uint32_t metric_of(const struct netlink_place *place, bool ipv4)
{
	return place->metric || ipv4 ? place->metric : IPV6_METRIC;
}

static int compare(const void *key, const void *item)
{
	const struct netlink_announced *announced = item;

	return memcmp(key, &announced->address, sizeof(announced->address));
}

/* The address that this route announces; NULL: none, or not as we would. */
static struct netlink_announced *find(const struct comparison *comparison,
				      const struct netlink_prefix *route)
{
	if (!comparison->count || !route->blackhole || route->length != 128 ||
	    route->metric != metric_of(comparison->place, route->ipv4))
		return NULL;
	return bsearch(&route->address, comparison->address, comparison->count,
		       sizeof(*comparison->address), compare);
}

static void note_excess(struct comparison *comparison, const struct netlink_prefix *route)
{
	if (comparison->excess_count == comparison->excess_room) {
		size_t room = comparison->excess_room ? 2 * comparison->excess_room : 16;
		struct netlink_prefix *more =
			realloc(comparison->excess, room * sizeof(*comparison->excess));

		if (!more) {
			comparison->incomplete = true;
			return;
		}
		comparison->excess = more;
		comparison->excess_room = room;
	}
	comparison->excess[comparison->excess_count++] = *route;
}

/* The kernel may give more than it was asked for. */
static void take_route(void *context, const struct netlink_prefix *route)
{
	struct comparison *comparison = context;
	struct netlink_announced *announced;

	if (route->table != comparison->place->table ||
	    route->protocol != comparison->place->protocol)
		return;
	announced = find(comparison, route);
	if (announced)
		announced->there = true;
	if (!announced || !announced->wanted)
		note_excess(comparison, route);
}

static int read_family(struct netlink_routes *routes, struct comparison *comparison, int family)
{
	return netlink_request_routes(routes->request, family, comparison->place->table,
				      comparison->place->protocol, take_route, comparison);
}

static int read_all(struct netlink_routes *routes, struct comparison *comparison)
{
	int error = -EINTR;

	for (int tries = 0; error == -EINTR && tries < TRIES; tries++) {
		comparison->excess_count = 0;
		for (size_t i = 0; i < comparison->count; i++)
			comparison->address[i].there = false;
		error = read_family(routes, comparison, AF_INET);
		if (!error)
			error = read_family(routes, comparison, AF_INET6);
	}
	return !error && comparison->incomplete ? -ENOMEM : error;
}

int netlink_routes_read(struct netlink_routes *routes, const struct netlink_place *place,
			struct netlink_announced *address, size_t count)
{
	struct comparison comparison = {.place = place, .address = address, .count = count};
	int error = read_all(routes, &comparison);

	free(comparison.excess);
	return error;
}

static int add(struct netlink_routes *routes, const struct netlink_place *place,
	       const struct in6_addr *address)
{
	bool ipv4 = IN6_IS_ADDR_V4MAPPED(address);
	struct netlink_prefix route = {
		.ipv4 = ipv4,
		.address = *address,
		.length = 128,
		.protocol = place->protocol,
		.table = place->table,
		.metric = metric_of(place, ipv4),
	};

	return netlink_request_add_blackhole(routes->request, &route);
}

/* Gives routes to those that want one; again: to those that another route of ours kept from it. */
static void add_missing(struct netlink_routes *routes, struct comparison *comparison, bool again)
{
	for (size_t i = 0; i < comparison->count; i++) {
		struct netlink_announced *announced = &comparison->address[i];

		if (announced->wanted && !announced->there &&
		    (!again || announced->error == -EEXIST))
			announced->error = add(routes, comparison->place, &announced->address);
	}
}

/* 0 or the first -errno. */
static int remove_excess(struct netlink_routes *routes, struct comparison *comparison)
{
	int first = 0;

	for (size_t i = 0; i < comparison->excess_count; i++) {
		const struct netlink_prefix *route = &comparison->excess[i];
		int error = netlink_request_remove_route(routes->request, route);
		struct netlink_announced *announced = find(comparison, route);

		if (error == -ESRCH)
			error = 0;
		if (announced)
			announced->error = error;
		first = first ? first : error;
	}
	return first;
}

int netlink_routes_sync(struct netlink_routes *routes, const struct netlink_place *place,
			struct netlink_announced *address, size_t count)
{
	struct comparison comparison = {.place = place, .address = address, .count = count};
	int error = read_all(routes, &comparison);

	for (size_t i = 0; i < count; i++)
		address[i].error = error;
	if (!error) {
		/* Before others go: an address whose metric changes has a route all the time. */
		add_missing(routes, &comparison, false);
		remove_excess(routes, &comparison);
		if (comparison.excess_count)
			add_missing(routes, &comparison, true);
	}
	free(comparison.excess);
	for (size_t i = 0; !error && i < count; i++)
		error = address[i].error;
	return error;
}

int netlink_routes_remove(struct netlink_routes *routes, const struct netlink_place *place)
{
	struct comparison comparison = {.place = place};
	int error = read_all(routes, &comparison);

	if (!error)
		error = remove_excess(routes, &comparison);
	free(comparison.excess);
	return error ? error : (int)comparison.excess_count;
}
