// SPDX-License-Identifier: BSD-2-Clause
/*
 * Holds links, neighbours and watched addresses: see netlink_table.h. No I/O. Plain arrays: watched
 * addresses are few (thousands), and events that need a search are rare.
 */
#include "netlink_table.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#define UNUSED_TICKS 30 /* for so long a neighbour without a user is remembered */

/*
 * Room for one more element: doubles at each power of two. NULL: no memory, and the array is as
 * before.
 */
static void *grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? 2 * count : 1, size);
}

void netlink_table_release(struct netlink_table *table)
{
	for (size_t i = 0; i < table->neighbour_count; i++)
		free(table->neighbours[i]);
	free(table->neighbours);
	free(table->links);
	free(table->watches);
	*table = (struct netlink_table){0};
}

/* The place of an interface among the links: the first that is not below it. */
static size_t link_place(const struct netlink_table *table, int ifindex)
{
	size_t low = 0, high = table->link_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (table->links[middle].ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct netlink_link *netlink_table_link(const struct netlink_table *table, int ifindex)
{
	size_t place = link_place(table, ifindex);

	if (place == table->link_count || table->links[place].ifindex != ifindex)
		return NULL;
	return &table->links[place];
}

struct netlink_link *netlink_table_put_link(struct netlink_table *table,
					    const struct netlink_link *link)
{
	struct netlink_link *known = netlink_table_link(table, link->ifindex);
	size_t place = link_place(table, link->ifindex);

	if (!known) {
		known = grow(table->links, table->link_count, sizeof(*known));
		if (!known)
			return NULL;
		table->links = known;
		known += place;
		memmove(known + 1, known, (table->link_count++ - place) * sizeof(*known));
	}
	*known = *link;
	return known;
}

void netlink_table_remove_link(struct netlink_table *table, int ifindex)
{
	struct netlink_link *link = netlink_table_link(table, ifindex);

	if (!link)
		return;
	table->link_count--;
	memmove(link, link + 1, (size_t)(table->links + table->link_count - link) * sizeof(*link));
}

/* Not IFF_RUNNING: the kernel sets that up to a second after the carrier is there. */
bool netlink_table_link_is_up(const struct netlink_link *link)
{
	return link && link->flags & IFF_UP && link->flags & IFF_LOWER_UP &&
	       !(link->flags & IFF_DORMANT);
}

void netlink_table_doubt_macs(struct netlink_table *table, int ifindex)
{
	for (size_t i = 0; i < table->neighbour_count; i++) {
		struct neighbour *neighbour = table->neighbours[i];

		if (neighbour->ifindex != ifindex)
			continue;
		neighbour->presumed |= neighbour->known;
		neighbour->known = false;
		neighbour->wanted = true;
	}
}

void netlink_table_forget_macs(struct netlink_table *table, int ifindex)
{
	for (size_t i = 0; i < table->neighbour_count; i++) {
		struct neighbour *neighbour = table->neighbours[i];

		if (neighbour->ifindex != ifindex)
			continue;
		neighbour->known = neighbour->presumed = false;
		neighbour->wanted = true;
	}
}

struct neighbour *netlink_table_neighbour(const struct netlink_table *table, int ifindex,
					  const struct in6_addr *address)
{
	for (size_t i = 0; i < table->neighbour_count; i++) {
		struct neighbour *neighbour = table->neighbours[i];

		if (neighbour->ifindex == ifindex &&
		    IN6_ARE_ADDR_EQUAL(&neighbour->address, address))
			return neighbour;
	}
	return NULL;
}

static struct neighbour *add_neighbour(struct netlink_table *table, int ifindex,
				       const struct in6_addr *address)
{
	struct neighbour **neighbours =
		grow(table->neighbours, table->neighbour_count, sizeof(struct neighbour *));
	struct neighbour *neighbour;

	if (!neighbours)
		return NULL;
	table->neighbours = neighbours;
	neighbour = calloc(1, sizeof(*neighbour));
	if (!neighbour)
		return NULL;
	neighbour->ifindex = ifindex;
	neighbour->address = *address;
	neighbour->wanted = true;
	table->neighbours[table->neighbour_count++] = neighbour;
	return neighbour;
}

/* One user less. Without any it stays for a while: routes come and go with their link. */
static void release_neighbour(struct neighbour *neighbour)
{
	if (!neighbour || --neighbour->users)
		return;
	neighbour->unused = 0;
	neighbour->wanted = neighbour->probed = false;
}

void netlink_table_sweep(struct netlink_table *table)
{
	for (size_t i = table->neighbour_count; i-- > 0;) {
		struct neighbour *neighbour = table->neighbours[i];

		if (neighbour->users || ++neighbour->unused <= UNUSED_TICKS)
			continue;
		table->neighbours[i] = table->neighbours[--table->neighbour_count];
		free(neighbour);
	}
}

bool netlink_table_watchable(const struct in6_addr *address)
{
	uint32_t ipv4 = ntohl(address->s6_addr32[3]);

	if (IN6_IS_ADDR_V4MAPPED(address))
		return ipv4 && !IN_MULTICAST(ipv4) && ipv4 != INADDR_BROADCAST &&
		       ipv4 >> 24 != IN_LOOPBACKNET;
	return !IN6_IS_ADDR_UNSPECIFIED(address) && !IN6_IS_ADDR_LOOPBACK(address) &&
	       !IN6_IS_ADDR_MULTICAST(address) && !IN6_IS_ADDR_LINKLOCAL(address);
}

struct watch *netlink_table_watch(const struct netlink_table *table, const struct in6_addr *address)
{
	for (size_t i = 0; i < table->watch_count; i++) {
		if (IN6_ARE_ADDR_EQUAL(&table->watches[i].address, address))
			return &table->watches[i];
	}
	return NULL;
}

struct watch *netlink_table_add_watch(struct netlink_table *table, const struct in6_addr *address)
{
	struct watch *watch = grow(table->watches, table->watch_count, sizeof(*watch));

	if (!watch)
		return NULL;
	table->watches = watch;
	watch += table->watch_count++;
	*watch = (struct watch){
		.address = *address,
		.route_wanted = true,
		.route.reason = "route unknown",
	};
	return watch;
}

void netlink_table_remove_watch(struct netlink_table *table, struct watch *watch)
{
	release_neighbour(watch->neighbour);
	*watch = table->watches[--table->watch_count];
}

int netlink_table_set_route(struct netlink_table *table, struct watch *watch,
			    const struct netlink_route *route)
{
	struct neighbour *neighbour = NULL;

	if (!route->reason && !route->local) {
		neighbour = netlink_table_neighbour(table, route->ifindex, &route->next);
		if (!neighbour)
			neighbour = add_neighbour(table, route->ifindex, &route->next);
		if (!neighbour)
			return -ENOMEM;
		neighbour->wanted |= !neighbour->users;
		neighbour->users++;
	}
	release_neighbour(watch->neighbour);
	watch->neighbour = neighbour;
	watch->route = *route;
	watch->route_wanted = false;
	return 0;
}

static bool covers(const struct netlink_prefix *prefix, const struct in6_addr *address)
{
	unsigned int bytes = prefix->length / 8, bits = prefix->length % 8;
	unsigned int mask = 0xff00u >> bits & 0xffu;

	if (prefix->ipv4 != !!IN6_IS_ADDR_V4MAPPED(address))
		return false;
	if (memcmp(prefix->address.s6_addr, address->s6_addr, bytes))
		return false;
	return !bits || !((prefix->address.s6_addr[bytes] ^ address->s6_addr[bytes]) & mask);
}

void netlink_table_want_routes(struct netlink_table *table, const struct netlink_prefix *prefix)
{
	for (size_t i = 0; i < table->watch_count; i++) {
		if (!prefix || covers(prefix, &table->watches[i].address))
			table->watches[i].route_wanted = true;
	}
}

/* Why no frame can be sent there by this link; NULL: one can. */
static const char *link_reason(const struct netlink_link *link)
{
	if (!link)
		return "link is gone";
	if (link->flags & IFF_LOOPBACK)
		return "link is loopback";
	if (link->type != ARPHRD_ETHER || !link->has_mac)
		return "link is not Ethernet";
	if (link->vlan)
		return "link is a VLAN interface";
	if (!(link->flags & IFF_UP))
		return "link is down";
	if (!netlink_table_link_is_up(link))
		return "link has no carrier";
	return NULL;
}

/* On a link without ARP the kernel makes neighbours up, with the link's own MAC. */
static const char *neighbour_reason(const struct netlink_link *link,
				    const struct neighbour *neighbour)
{
	if (link->flags & IFF_NOARP && neighbour->state == NUD_NOARP)
		return "link does not use ARP";
	return neighbour->known || neighbour->presumed ? NULL : "neighbour unresolved";
}

void netlink_table_nexthop(const struct netlink_table *table, const struct watch *watch,
			   struct nexthop *out)
{
	const struct netlink_route *route = &watch->route;
	const struct netlink_link *link;

	*out = (struct nexthop){.reason = route->reason};
	if (out->reason)
		return;
	out->ifindex = route->ifindex;
	out->from = route->from;
	out->local = route->local;
	out->direct = IN6_ARE_ADDR_EQUAL(&route->next, &watch->address);
	link = netlink_table_link(table, route->ifindex);
	if (link) {
		out->mtu = route->mtu && route->mtu < link->mtu ? route->mtu : link->mtu;
		memcpy(out->source, link->mac, sizeof(out->source));
	}
	out->ready = out->local;
	if (out->ready)
		return;
	out->reason = link_reason(link);
	if (!out->reason)
		out->reason = neighbour_reason(link, watch->neighbour);
	if (!out->reason && IN6_IS_ADDR_UNSPECIFIED(&out->from))
		out->reason = "no source address";
	if (watch->neighbour->known || !out->reason)
		memcpy(out->destination, watch->neighbour->mac, sizeof(out->destination));
	out->ready = !out->reason;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool netlink_table_same_nexthop(const struct nexthop *a, const struct nexthop *b)
{
	return a->ready == b->ready && a->local == b->local && a->direct == b->direct &&
	       a->ifindex == b->ifindex && a->mtu == b->mtu &&
	       !memcmp(a->destination, b->destination, sizeof(a->destination)) &&
	       !memcmp(a->source, b->source, sizeof(a->source)) &&
	       IN6_ARE_ADDR_EQUAL(&a->from, &b->from) && same_text(a->reason, b->reason);
}
