// SPDX-License-Identifier: BSD-2-Clause
/*
 * Keeps the next hops of watched addresses up to date: see netlink.h.
 *
 * Events only note facts (netlink_table.c) and what has become doubtful; settle() then asks the
 * kernel once about each doubt, however many events there were, and reports the addresses whose
 * next hop differs. An event may be older than an answer that we have already. That does no harm:
 * whatever changed after the event was read has an event of its own behind it, and a whole batch is
 * read before anything is reported.
 */
#include "netlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "netlink_events.h"
#include "netlink_request.h"
#include "netlink_table.h"

#define PROBE_ANSWER_MS 900 /* just under a tick, so that a probe is judged by the next one */
/* States in which the kernel has a MAC that it would send to. */
#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct netlink {
	struct netlink_events *events;
	struct netlink_request *request;
	struct netlink_table table;
	netlink_changed_fn *changed;
	void *context;
	bool reporting;	     /* within changed() */
	bool changes;	     /* facts have changed since the last report */
	bool resync;	     /* events were lost: ask everything again */
	bool ticked;	     /* now_ms and audited_ms are set */
	unsigned int news;   /* NETLINK_NEWS_*, since somebody asked */
	uint32_t news_table; /* whose routes are news; 0: none's */
	uint64_t now_ms;
	uint64_t audited_ms;
	uint64_t probe_credit; /* neighbour-milliseconds: a probe costs NETLINK_REVALIDATE_MS */
	size_t probe_next;     /* whose turn it is to be probed, among the table's neighbours */
	struct netlink_statistics statistics;
};

static void keep_first(int *first, int error)
{
	if (!*first)
		*first = error;
}

/* Asking */

/* What was asked about went away meanwhile. That is no failure: its own event tells of it. */
static int unless_gone(int error)
{
	return error == -ENODEV || error == -ENOENT || error == -EINVAL ? 0 : error;
}

static void note_mac(struct netlink *netlink, struct neighbour *neighbour, const uint8_t mac[6])
{
	neighbour->presumed = false;
	if (neighbour->known && !memcmp(neighbour->mac, mac, sizeof(neighbour->mac)))
		return;
	memcpy(neighbour->mac, mac, sizeof(neighbour->mac));
	neighbour->known = true;
	netlink->changes = true;
}

static void note_neighbour(struct netlink *netlink, struct neighbour *neighbour,
			   const struct netlink_neighbour *news)
{
	bool was_usable = neighbour->state & NUD_USABLE;

	/* Most events are answers to our own probes, and change nothing that is reported. */
	if ((neighbour->state ^ news->state) & NUD_NOARP)
		netlink->changes = true;
	neighbour->state = news->state;
	neighbour->foreign = news->foreign;
	if (news->state != NUD_PROBE)
		neighbour->probed = false;
	if (news->state & NUD_USABLE && news->has_mac)
		note_mac(netlink, neighbour, news->mac);
	if (news->state == NUD_FAILED && was_usable)
		neighbour->wanted = true;
	if (news->state == NUD_FAILED && neighbour->presumed) {
		neighbour->presumed = false;
		netlink->changes = true;
	}
}

/* Learns what the kernel has on a neighbour, and sends it looking when that is nothing. */
static int ask_neighbour(struct netlink *netlink, struct neighbour *neighbour)
{
	struct netlink_neighbour answer;
	int error;

	if (!netlink_table_link_is_up(netlink_table_link(&netlink->table, neighbour->ifindex))) {
		neighbour->wanted = false; /* until the link is up */
		return 0;
	}
	netlink->statistics.neighbour_requests++;
	error = netlink_request_neighbour(netlink->request, neighbour->ifindex, &neighbour->address,
					  &answer);
	if (error)
		return unless_gone(error);
	note_neighbour(netlink, neighbour, &answer);
	neighbour->wanted = false;
	if (answer.state & (NUD_USABLE | NUD_INCOMPLETE))
		return 0;
	netlink->statistics.resolutions++;
	return netlink_request_resolve(netlink->request, neighbour->ifindex, &neighbour->address);
}

static int ask_route(struct netlink *netlink, struct watch *watch)
{
	struct netlink_route route;
	int error;

	netlink->statistics.route_requests++;
	error = netlink_request_route(netlink->request, &watch->address, &route);
	if (!error)
		error = netlink_table_set_route(&netlink->table, watch, &route);
	return error;
}

static void note_link(struct netlink *netlink, const struct netlink_link *link)
{
	struct netlink_link *known = netlink_table_link(&netlink->table, link->ifindex);
	bool was_up = netlink_table_link_is_up(known);

	/* Connected routes go with their link, some without an event of their own. */
	if (!known || known->flags != link->flags)
		netlink_table_want_routes(&netlink->table, NULL);
	if (was_up != netlink_table_link_is_up(link))
		netlink_table_doubt_macs(&netlink->table, link->ifindex);
	if (!netlink_table_put_link(&netlink->table, link))
		netlink->resync = true;
	netlink->changes = true;
}

static void forget_link(struct netlink *netlink, int ifindex)
{
	netlink_table_remove_link(&netlink->table, ifindex);
	netlink_table_forget_macs(&netlink->table, ifindex);
	netlink_table_want_routes(&netlink->table, NULL);
	netlink->changes = true;
}

/* What a dump of the links has shown so far. */
struct link_dump {
	struct netlink *netlink;
	struct netlink_table seen;
	bool incomplete;
};

static void take_dumped_link(void *context, const struct netlink_link *link)
{
	struct link_dump *dump = context;

	if (!netlink_table_put_link(&dump->seen, link))
		dump->incomplete = true;
	note_link(dump->netlink, link);
}

static int ask_links(struct netlink *netlink)
{
	struct link_dump dump = {.netlink = netlink};
	int error = netlink_request_links(netlink->request, take_dumped_link, &dump);

	if (!error && dump.incomplete)
		error = -ENOMEM;
	for (size_t i = netlink->table.link_count; !error && i-- > 0;) {
		int ifindex = netlink->table.links[i].ifindex;

		if (!netlink_table_link(&dump.seen, ifindex))
			forget_link(netlink, ifindex);
	}
	netlink_table_release(&dump.seen);
	return error;
}

/* Doubts everything. */
static int resync(struct netlink *netlink)
{
	netlink->resync = false;
	netlink->news |= NETLINK_NEWS_LINKS | NETLINK_NEWS_ROUTES;
	netlink->statistics.resyncs++;
	netlink_table_want_routes(&netlink->table, NULL);
	for (size_t i = 0; i < netlink->table.neighbour_count; i++)
		netlink->table.neighbours[i]->wanted = true;
	return ask_links(netlink);
}

/* Reporting */

static void report(struct netlink *netlink, struct watch *watch)
{
	struct nexthop nexthop;

	netlink_table_nexthop(&netlink->table, watch, &nexthop);
	if (watch->reported && netlink_table_same_nexthop(&nexthop, &watch->nexthop))
		return;
	watch->nexthop = nexthop;
	watch->reported = true;
	netlink->reporting = true;
	netlink->changed(netlink->context, &watch->address, &watch->nexthop);
	netlink->reporting = false;
}

/*
 * Asks about all doubts and reports what follows. Doubts that could not be settled stay. 0 or the
 * first -errno.
 */
static int settle(struct netlink *netlink)
{
	struct netlink_table *table = &netlink->table;
	int first = 0, error;

	if (netlink->resync) {
		error = resync(netlink);
		netlink->resync |= error != 0;
		keep_first(&first, error);
	}
	for (size_t i = 0; i < table->watch_count; i++) {
		if (!table->watches[i].route_wanted)
			continue;
		keep_first(&first, ask_route(netlink, &table->watches[i]));
		netlink->changes = true;
	}
	for (size_t i = 0; i < table->neighbour_count; i++) {
		if (table->neighbours[i]->wanted && table->neighbours[i]->users)
			keep_first(&first, ask_neighbour(netlink, table->neighbours[i]));
	}
	for (size_t i = 0; netlink->changes && i < table->watch_count; i++)
		report(netlink, &table->watches[i]);
	netlink->changes = false;
	return first;
}

/* Events */

static void link_event(struct netlink *netlink, const struct nlmsghdr *message)
{
	struct netlink_link link;

	if (netlink_message_link(message, &link))
		return;
	netlink->news |= NETLINK_NEWS_LINKS;
	if (message->nlmsg_type == RTM_DELLINK)
		forget_link(netlink, link.ifindex);
	else
		note_link(netlink, &link);
}

static void neighbour_event(struct netlink *netlink, const struct nlmsghdr *message)
{
	struct netlink_neighbour news;
	struct neighbour *neighbour;

	if (netlink_message_neighbour(message, &news))
		return;
	neighbour = netlink_table_neighbour(&netlink->table, news.ifindex, &news.address);
	if (!neighbour)
		return;
	if (message->nlmsg_type == RTM_DELNEIGH)
		news = (struct netlink_neighbour){.state = NUD_NONE};
	note_neighbour(netlink, neighbour, &news);
}

static void route_event(struct netlink *netlink, const struct nlmsghdr *message)
{
	struct netlink_prefix prefix;

	if (netlink_message_prefix(message, &prefix))
		return;
	if (netlink->news_table && prefix.table == netlink->news_table)
		netlink->news |= NETLINK_NEWS_ROUTES;
	netlink_table_want_routes(&netlink->table, &prefix);
}

static void handle_event(void *context, const struct nlmsghdr *message)
{
	struct netlink *netlink = context;

	netlink->statistics.events++;
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		link_event(netlink, message);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		neighbour_event(netlink, message);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		route_event(netlink, message);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWRULE:
	case RTM_DELRULE:
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		netlink_table_want_routes(&netlink->table, NULL);
		break;
	}
}

/* Reads the events that wait. 0 or -errno. */
static int read_events(struct netlink *netlink)
{
	int error = netlink_events_read(netlink->events, handle_event, netlink);

	if (error != -ENOBUFS)
		return error;
	netlink->statistics.overruns++;
	netlink->resync = true;
	return 0;
}

int netlink_process(struct netlink *netlink)
{
	int first;

	if (netlink->reporting)
		return -EBUSY;
	first = read_events(netlink);
	keep_first(&first, settle(netlink));
	return first;
}

/* Time */

/* Is it still there? Asks the neighbour alone. */
static int probe(struct netlink *netlink, struct neighbour *neighbour)
{
	if (!neighbour->users || neighbour->foreign ||
	    !(neighbour->state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY)))
		return 0;
	netlink->statistics.probes++;
	neighbour->probed = true;
	neighbour->probed_ms = netlink->now_ms;
	return unless_gone(netlink_request_state(netlink->request, neighbour->ifindex,
						 &neighbour->address, NUD_PROBE));
}

/* Probes as many neighbours as the time that has passed pays for. */
static int probe_some(struct netlink *netlink, uint64_t elapsed_ms)
{
	size_t count = netlink->table.neighbour_count;
	size_t probes;
	int first = 0;

	netlink->probe_credit += count * elapsed_ms;
	probes = netlink->probe_credit / NETLINK_REVALIDATE_MS;
	netlink->probe_credit %= NETLINK_REVALIDATE_MS;
	for (size_t i = 0; i < probes && i < count; i++)
		keep_first(&first, probe(netlink,
					 netlink->table.neighbours[netlink->probe_next++ % count]));
	return first;
}

/*
 * A probed neighbour that does not answer may have another MAC now: unicast cannot find out. As
 * failed, with its last MAC kept by us, it is asked for by broadcast at once rather than after the
 * kernel's further tries.
 */
static int ask_aloud(struct netlink *netlink, struct neighbour *neighbour)
{
	if (!neighbour->probed || netlink->now_ms - neighbour->probed_ms < PROBE_ANSWER_MS)
		return 0;
	neighbour->probed = false;
	neighbour->wanted = true;
	return unless_gone(netlink_request_state(netlink->request, neighbour->ifindex,
						 &neighbour->address, NUD_FAILED));
}

static int tend_neighbours(struct netlink *netlink, uint64_t elapsed_ms)
{
	int first = 0;

	for (size_t i = 0; i < netlink->table.neighbour_count; i++) {
		struct neighbour *neighbour = netlink->table.neighbours[i];

		if (!neighbour->users)
			continue;
		keep_first(&first, ask_aloud(netlink, neighbour));
		if (!(neighbour->state & NUD_USABLE))
			neighbour->wanted = true;
	}
	keep_first(&first, probe_some(netlink, elapsed_ms));
	return first;
}

int netlink_tick(struct netlink *netlink, uint64_t now_ms)
{
	uint64_t elapsed_ms = netlink->ticked ? now_ms - netlink->now_ms : 0;
	int first;

	if (netlink->reporting)
		return -EBUSY;
	if (!netlink->ticked)
		netlink->audited_ms = now_ms;
	netlink->ticked = true;
	netlink->now_ms = now_ms;
	if (now_ms - netlink->audited_ms >= NETLINK_AUDIT_MS) {
		netlink->audited_ms = now_ms;
		netlink->resync = true;
	}
	first = read_events(netlink);
	netlink_table_sweep(&netlink->table);
	keep_first(&first, tend_neighbours(netlink, elapsed_ms));
	keep_first(&first, settle(netlink));
	return first;
}

/* Opening, watching */

int netlink_open(struct netlink **out, netlink_changed_fn *changed, void *context)
{
	struct netlink *netlink = calloc(1, sizeof(*netlink));
	int error;

	*out = NULL;
	if (!netlink)
		return -ENOMEM;
	netlink->changed = changed;
	netlink->context = context;
	error = netlink_events_open(&netlink->events);
	if (!error)
		error = netlink_request_open(&netlink->request);
	if (!error)
		error = ask_links(netlink);
	netlink->resync = error == -EINTR;
	if (error && error != -EINTR) {
		netlink_close(netlink);
		return error;
	}
	*out = netlink;
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	netlink_request_close(netlink->request);
	netlink_events_close(netlink->events);
	netlink_table_release(&netlink->table);
	free(netlink);
}

int netlink_fd(const struct netlink *netlink)
{
	return netlink_events_fd(netlink->events);
}

int netlink_watch(struct netlink *netlink, const struct in6_addr *address)
{
	struct watch *watch;

	if (netlink->reporting)
		return -EBUSY;
	if (!netlink_table_watchable(address))
		return -EINVAL;
	if (netlink_table_watch(&netlink->table, address))
		return 0;
	/* What we know of links must not be older than the route that we ask for. Errors: later. */
	netlink_process(netlink);
	watch = netlink_table_add_watch(&netlink->table, address);
	if (!watch)
		return -ENOMEM;
	ask_route(netlink, watch);
	if (watch->neighbour && watch->neighbour->wanted)
		ask_neighbour(netlink, watch->neighbour);
	report(netlink, watch);
	return 0;
}

bool netlink_watchable(const struct in6_addr *address)
{
	return netlink_table_watchable(address);
}

int netlink_unwatch(struct netlink *netlink, const struct in6_addr *address)
{
	struct watch *watch = netlink_table_watch(&netlink->table, address);

	if (netlink->reporting)
		return -EBUSY;
	if (!watch)
		return -ENOENT;
	netlink_table_remove_watch(&netlink->table, watch);
	return 0;
}

int netlink_nexthop(const struct netlink *netlink, const struct in6_addr *address,
		    struct nexthop *out)
{
	const struct watch *watch = netlink_table_watch(&netlink->table, address);

	if (!watch || !watch->reported)
		return -ENOENT;
	*out = watch->nexthop;
	return 0;
}

void netlink_statistics(const struct netlink *netlink, struct netlink_statistics *out)
{
	*out = netlink->statistics;
}

bool netlink_link_is_up(const struct netlink *netlink, int ifindex)
{
	return netlink_table_link_is_up(netlink_table_link(&netlink->table, ifindex));
}

bool netlink_is_filtered(struct netlink *netlink, const struct in6_addr *source,
			 const struct in6_addr *destination, int ifindex, bool *way)
{
	int error = netlink_request_arrival(netlink->request, source, destination, ifindex);
	struct netlink_route route;

	if ((error != -EXDEV && error != -EINVAL) ||
	    netlink_request_route(netlink->request, source, &route) != 0)
		return false;
	*way = !route.reason;
	return !*way || !route.local; /* its own address would be another matter */
}

void netlink_watch_table(struct netlink *netlink, uint32_t table)
{
	netlink->news_table = table;
	netlink->news |= NETLINK_NEWS_ROUTES;
}

unsigned int netlink_news(struct netlink *netlink)
{
	unsigned int news = netlink->news;

	netlink->news = 0;
	return news;
}
