// SPDX-License-Identifier: BSD-2-Clause
/*
 * Asks the kernel over a blocking routing netlink socket: see netlink_request.h. An answer that
 * comes too late is recognised by its sequence number and skipped by the next question.
 */
#include "netlink_request.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_SECONDS 1
#define QUESTION_SIZE  256

struct netlink_request {
	struct mnl_socket *socket;
	uint32_t sequence;
	bool interrupted; /* what is being dumped changed meanwhile */
	char question[QUESTION_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	char answer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* Takes one message of an answer. 0 or -errno. */
typedef int take_fn(const struct nlmsghdr *message, void *context);

int netlink_request_open(struct netlink_request **out)
{
	struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	struct netlink_request *request = calloc(1, sizeof(*request));
	int error;

	*out = NULL;
	if (!request)
		return -ENOMEM;
	request->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!request->socket)
		goto fail;
	if (mnl_socket_bind(request->socket, 0, MNL_SOCKET_AUTOPID))
		goto fail;
	if (setsockopt(mnl_socket_get_fd(request->socket), SOL_SOCKET, SO_RCVTIMEO, &limit,
		       sizeof(limit)))
		goto fail;
	*out = request;
	return 0;
fail:
	error = -errno;
	netlink_request_close(request);
	return error;
}

/* Without this the kernel gives all routes of all tables, of which there may be a million. */
int netlink_request_filter(struct netlink_request *request)
{
	int on = 1;

	return mnl_socket_setsockopt(request->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on))
		       ? -errno
		       : 0;
}

void netlink_request_close(struct netlink_request *request)
{
	if (!request)
		return;
	if (request->socket)
		mnl_socket_close(request->socket);
	free(request);
}

static struct nlmsghdr *begin(struct netlink_request *request, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(request->question);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = ++request->sequence;
	return message;
}

static void put_address(struct nlmsghdr *message, uint16_t type, const struct in6_addr *address)
{
	size_t length;
	const void *bytes = netlink_message_bytes(address, &length);

	mnl_attr_put(message, type, length, bytes);
}

/* One message of an answer. 1: more are to come; 0: that was the last; -errno. */
static int take_message(struct netlink_request *request, const struct nlmsghdr *message,
			take_fn *take, void *context)
{
	const struct nlmsgerr *result = mnl_nlmsg_get_payload(message);
	int error;

	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		request->interrupted = true;
	if (message->nlmsg_type == NLMSG_DONE)
		return request->interrupted ? -EINTR : 0;
	if (message->nlmsg_type == NLMSG_ERROR)
		return mnl_nlmsg_get_payload_len(message) < sizeof(*result) ? -EBADMSG
									    : result->error;
	error = take ? take(message, context) : 0;
	if (error)
		return error;
	return message->nlmsg_flags & NLM_F_MULTI ? 1 : 0;
}

/* All messages of one read. As take_message(). */
static int take_buffer(struct netlink_request *request, int length, take_fn *take, void *context)
{
	const struct nlmsghdr *message = (const void *)request->answer;
	int more = 1;

	for (; more > 0 && mnl_nlmsg_ok(message, length);
	     message = mnl_nlmsg_next(message, &length)) {
		if (message->nlmsg_seq == request->sequence)
			more = take_message(request, message, take, context);
	}
	return more;
}

/* Sends the question and gives its answer to take(). 0 or -errno. */
static int ask(struct netlink_request *request, const struct nlmsghdr *message, take_fn *take,
	       void *context)
{
	int more = 1;

	request->interrupted = false;
	if (mnl_socket_sendto(request->socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (more > 0) {
		ssize_t length = mnl_socket_recvfrom(request->socket, request->answer,
						     sizeof(request->answer));

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		more = take_buffer(request, (int)length, take, context);
	}
	return more;
}

struct links_take {
	void (*take)(void *context, const struct netlink_link *link);
	void *context;
};

static int take_link(const struct nlmsghdr *message, void *context)
{
	const struct links_take *links = context;
	struct netlink_link link;

	if (!netlink_message_link(message, &link))
		links->take(links->context, &link);
	return 0;
}

int netlink_request_links(struct netlink_request *request,
			  void (*take)(void *context, const struct netlink_link *link),
			  void *context)
{
	struct nlmsghdr *message = begin(request, RTM_GETLINK, NLM_F_DUMP);
	struct links_take links = {.take = take, .context = context};

	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	return ask(request, message, take_link, &links);
}

struct route_take {
	const struct in6_addr *address;
	struct netlink_route *out;
};

static int take_route(const struct nlmsghdr *message, void *context)
{
	const struct route_take *route = context;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return -EBADMSG;
	return netlink_message_route(message, route->address, route->out);
}

/* What the kernel's refusal to find a route means; NULL: it is not about the route. */
static const char *refusal(int error)
{
	switch (error) {
	case -ENETUNREACH:
	case -EAGAIN: /* a "throw" route and no table after it */
		return "no route";
	case -EHOSTUNREACH:
		return "route is unreachable";
	case -EINVAL:
		return "route is a blackhole";
	case -EACCES:
		return "route is prohibited";
	default:
		return NULL;
	}
}

int netlink_request_route(struct netlink_request *request, const struct in6_addr *address,
			  struct netlink_route *out)
{
	struct nlmsghdr *message = begin(request, RTM_GETROUTE, 0);
	struct route_take route = {.address = address, .out = out};
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	size_t length;
	int error;

	netlink_message_bytes(address, &length);
	header->rtm_family = (unsigned char)netlink_message_family(address);
	header->rtm_dst_len = (unsigned char)(8 * length);
	put_address(message, RTA_DST, address);
	error = ask(request, message, take_route, &route);
	if (!refusal(error))
		return error;
	*out = (struct netlink_route){.reason = refusal(error)};
	return 0;
}

int netlink_request_arrival(struct netlink_request *request, const struct in6_addr *source,
			    const struct in6_addr *destination, int ifindex)
{
	struct nlmsghdr *message = begin(request, RTM_GETROUTE, 0);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->rtm_family = AF_INET;
	header->rtm_src_len = header->rtm_dst_len = 32;
	put_address(message, RTA_SRC, source);
	put_address(message, RTA_DST, destination);
	mnl_attr_put_u32(message, RTA_IIF, (uint32_t)ifindex);
	return ask(request, message, NULL, NULL);
}

struct routes_take {
	void (*take)(void *context, const struct netlink_prefix *route);
	void *context;
};

static int take_prefix(const struct nlmsghdr *message, void *context)
{
	const struct routes_take *routes = context;
	struct netlink_prefix route;

	if (message->nlmsg_type == RTM_NEWROUTE && !netlink_message_prefix(message, &route))
		routes->take(routes->context, &route);
	return 0;
}

/* A table is made with its first route. */
int netlink_request_routes(struct netlink_request *request, int family, uint32_t table,
			   uint8_t protocol,
			   void (*take)(void *context, const struct netlink_prefix *route),
			   void *context)
{
	struct nlmsghdr *message = begin(request, RTM_GETROUTE, NLM_F_DUMP);
	struct routes_take routes = {.take = take, .context = context};
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	int error;

	header->rtm_family = (unsigned char)family;
	header->rtm_protocol = protocol;
	mnl_attr_put_u32(message, RTA_TABLE, table);
	error = ask(request, message, take_prefix, &routes);
	return error == -ENOENT ? 0 : error;
}

static struct nlmsghdr *begin_change(struct netlink_request *request, uint16_t type, uint16_t flags,
				     const struct netlink_prefix *route, const struct rtmsg *what)
{
	struct nlmsghdr *message = begin(request, type, NLM_F_ACK | flags);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	*header = *what;
	header->rtm_family = route->ipv4 ? AF_INET : AF_INET6;
	header->rtm_dst_len = (unsigned char)(route->ipv4 ? route->length - 96 : route->length);
	header->rtm_protocol = route->protocol;
	if (header->rtm_dst_len)
		put_address(message, RTA_DST, &route->address);
	mnl_attr_put_u32(message, RTA_TABLE, route->table);
	if (route->metric)
		mnl_attr_put_u32(message, RTA_PRIORITY, route->metric);
	return message;
}

int netlink_request_add_blackhole(struct netlink_request *request,
				  const struct netlink_prefix *route)
{
	struct rtmsg what = {.rtm_type = RTN_BLACKHOLE, .rtm_scope = RT_SCOPE_UNIVERSE};

	return ask(request,
		   begin_change(request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, &what),
		   NULL, NULL);
}

int netlink_request_remove_route(struct netlink_request *request,
				 const struct netlink_prefix *route)
{
	struct rtmsg what = {.rtm_scope = RT_SCOPE_NOWHERE};

	return ask(request, begin_change(request, RTM_DELROUTE, 0, route, &what), NULL, NULL);
}

static struct nlmsghdr *begin_neighbour(struct netlink_request *request, uint16_t type,
					uint16_t flags, int ifindex, const struct in6_addr *address,
					const struct ndmsg *what)
{
	struct nlmsghdr *message = begin(request, type, flags);
	struct ndmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	*header = *what;
	header->ndm_family = (unsigned char)netlink_message_family(address);
	header->ndm_ifindex = ifindex;
	put_address(message, NDA_DST, address);
	return message;
}

static int take_neighbour(const struct nlmsghdr *message, void *context)
{
	return message->nlmsg_type == RTM_NEWNEIGH ? netlink_message_neighbour(message, context)
						   : -EBADMSG;
}

int netlink_request_neighbour(struct netlink_request *request, int ifindex,
			      const struct in6_addr *address, struct netlink_neighbour *out)
{
	struct ndmsg what = {0};
	int error = ask(request, begin_neighbour(request, RTM_GETNEIGH, 0, ifindex, address, &what),
			take_neighbour, out);

	if (error != -ENOENT)
		return error;
	*out = (struct netlink_neighbour){
		.ifindex = ifindex, .address = *address, .state = NUD_NONE};
	return 0;
}

int netlink_request_resolve(struct netlink_request *request, int ifindex,
			    const struct in6_addr *address)
{
	struct ndmsg what = {.ndm_flags = NTF_USE};

	return ask(request,
		   begin_neighbour(request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK, ifindex,
				   address, &what),
		   NULL, NULL);
}

/* Without NLM_F_REPLACE the entry keeps its MAC and its router flag. */
int netlink_request_state(struct netlink_request *request, int ifindex,
			  const struct in6_addr *address, uint16_t state)
{
	struct ndmsg what = {.ndm_state = state};

	return ask(request,
		   begin_neighbour(request, RTM_NEWNEIGH, NLM_F_ACK, ifindex, address, &what), NULL,
		   NULL);
}
