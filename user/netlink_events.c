// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads the kernel's announcements from a routing netlink socket: see netlink_events.h.
 */
#include "netlink_events.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BUFFER_BYTES (4 << 20) /* of the socket: a thousand probed neighbours answer in a burst */
#define READS	     4096      /* in one call: a flood must not keep the controller busy */

struct netlink_events {
	struct mnl_socket *socket;
	char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
};

static int join_groups(struct mnl_socket *socket)
{
	static const int groups[] = {
		RTNLGRP_LINK,	     RTNLGRP_NEIGH,	 RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
		RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,	 RTNLGRP_NEXTHOP,
	};

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
			return -errno;
	}
	return 0;
}

static int open_socket(struct netlink_events *events)
{
	int size = BUFFER_BYTES;
	int fd;

	events->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!events->socket || mnl_socket_bind(events->socket, 0, MNL_SOCKET_AUTOPID))
		return -errno;
	fd = mnl_socket_get_fd(events->socket);
	/* A smaller buffer, where we may not have this one, means more losses but nothing worse. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return join_groups(events->socket);
}

int netlink_events_open(struct netlink_events **out)
{
	struct netlink_events *events = calloc(1, sizeof(*events));
	int error;

	*out = NULL;
	if (!events)
		return -ENOMEM;
	error = open_socket(events);
	if (error) {
		netlink_events_close(events);
		return error;
	}
	*out = events;
	return 0;
}

void netlink_events_close(struct netlink_events *events)
{
	if (!events)
		return;
	if (events->socket)
		mnl_socket_close(events->socket);
	free(events);
}

int netlink_events_fd(const struct netlink_events *events)
{
	return mnl_socket_get_fd(events->socket);
}

int netlink_events_read(struct netlink_events *events,
			void (*handle)(void *context, const struct nlmsghdr *message),
			void *context)
{
	int result = 0;

	for (int reads = 0; reads < READS; reads++) {
		ssize_t size =
			mnl_socket_recvfrom(events->socket, events->buffer, sizeof(events->buffer));
		const struct nlmsghdr *message = (const void *)events->buffer;
		int length = (int)size;

		if (size < 0 && errno == EAGAIN)
			break;
		/*
		 * No room in the socket, or a message larger than our buffer: it could have been
		 * about anything.
		 */
		if (size < 0 && (errno == ENOBUFS || errno == ENOSPC))
			result = -ENOBUFS;
		else if (size < 0 && errno != EINTR)
			return -errno;
		for (; size > 0 && mnl_nlmsg_ok(message, length);
		     message = mnl_nlmsg_next(message, &length))
			handle(context, message);
	}
	return result;
}
