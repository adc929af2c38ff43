// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel's announcements over routing netlink.
 *
 * Job:     read what the kernel tells about links, addresses, routes and neighbours, and notice
 *          when some was lost.
 * Input:   the event socket, non-blocking.
 * Output:  messages, to a handler.
 * Owner:   user/netlink.c; nobody else includes this.
 */
#ifndef LARCH_USER_NETLINK_EVENTS_H
#define LARCH_USER_NETLINK_EVENTS_H

#include <linux/netlink.h>

struct netlink_events;

/* 0 or -errno. */
int netlink_events_open(struct netlink_events **out);
void netlink_events_close(struct netlink_events *events);
int netlink_events_fd(const struct netlink_events *events);

/*
 * Gives the waiting messages to handle(), of a flood a bounded number. 0; -ENOBUFS: all was read,
 * but messages had been lost; otherwise -errno.
 */
int netlink_events_read(struct netlink_events *events,
			void (*handle)(void *context, const struct nlmsghdr *message),
			void *context);

#endif
