// SPDX-License-Identifier: BSD-2-Clause
/* Rules and routes of marked packets: see netlink_rule.h. */
#include "netlink_rule.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MESSAGE_SIZE 256
#define HEADERS_IPV4 40 /* of IP and TCP */
#define HEADERS_IPV6 60

struct question {
	struct mnl_socket *socket;
	uint32_t sequence;
	char buffer[MESSAGE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* Sends what stands in the buffer, and waits for the answer. 0 or -errno. */
static int ask(struct question *question)
{
	struct nlmsghdr *message = (void *)question->buffer;
	char answer[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t length;

	message->nlmsg_seq = ++question->sequence;
	if (mnl_socket_sendto(question->socket, message, message->nlmsg_len) < 0)
		return -errno;
	length = mnl_socket_recvfrom(question->socket, answer, sizeof(answer));
	if (length < 0)
		return -errno;
	return mnl_cb_run(answer, (size_t)length, question->sequence,
			  mnl_socket_get_portid(question->socket), NULL, NULL) < 0
		       ? -errno
		       : 0;
}

static struct nlmsghdr *begin(struct question *question, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(question->buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return message;
}

static int change_rule(struct question *question, const struct netlink_rule *rule, uint8_t family,
		       uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = begin(question, type, flags);
	struct fib_rule_hdr *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->family = family;
	header->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(message, FRA_PRIORITY, rule->table);
	mnl_attr_put_u32(message, FRA_FWMARK, rule->mark);
	mnl_attr_put_u32(message, FRA_FWMASK, rule->mask);
	mnl_attr_put_u32(message, FRA_TABLE, rule->table);
	return ask(question);
}

static int change_route(struct question *question, const struct netlink_rule *rule, uint8_t family,
			uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = begin(question, type, flags);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	uint32_t headers = family == AF_INET ? HEADERS_IPV4 : HEADERS_IPV6;
	struct nlattr *metrics;

	header->rtm_family = family;
	header->rtm_table = RT_TABLE_UNSPEC;
	header->rtm_protocol = RTPROT_STATIC;
	header->rtm_scope = RT_SCOPE_HOST;
	header->rtm_type = RTN_LOCAL;
	mnl_attr_put_u32(message, RTA_TABLE, rule->table);
	mnl_attr_put_u32(message, RTA_OIF, if_nametoindex("lo"));
	metrics = mnl_attr_nest_start(message, RTA_METRICS);
	mnl_attr_put_u32(message, RTAX_MTU, rule->mtu);
	mnl_attr_put_u32(message, RTAX_ADVMSS, rule->mtu - headers);
	mnl_attr_nest_end(message, metrics);
	return ask(question);
}

/* Does the kernel not know the family, or have it switched off? */
static int unless_absent(int error)
{
	return error == -EAFNOSUPPORT || error == -EOPNOTSUPP || error == -EACCES ? 0 : error;
}

static int add(struct question *question, const struct netlink_rule *rule, uint8_t family)
{
	int error =
		change_route(question, rule, family, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);

	if (error)
		return unless_absent(error);
	error = change_rule(question, rule, family, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
	return error == -EEXIST ? 0 : error;
}

/* The rule first: no packet may find the rule without the route. */
static int take_away(struct question *question, const struct netlink_rule *rule, uint8_t family)
{
	int error = change_rule(question, rule, family, RTM_DELRULE, 0);

	if (error && error != -ENOENT)
		return unless_absent(error);
	error = change_route(question, rule, family, RTM_DELROUTE, 0);
	return error == -ESRCH ? 0 : error;
}

static int for_both(const struct netlink_rule *rule,
		    int (*change)(struct question *question, const struct netlink_rule *rule,
				  uint8_t family))
{
	struct question question = {.socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC),
				    .sequence = (uint32_t)rule->table};
	int error;

	if (!question.socket)
		return -errno;
	error = mnl_socket_bind(question.socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (!error)
		error = change(&question, rule, AF_INET);
	if (!error)
		error = change(&question, rule, AF_INET6);
	mnl_socket_close(question.socket);
	return error;
}

int netlink_rule_add(const struct netlink_rule *rule)
{
	return for_both(rule, add);
}

int netlink_rule_remove(const struct netlink_rule *rule)
{
	return for_both(rule, take_away);
}
