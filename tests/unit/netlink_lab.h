// SPDX-License-Identifier: BSD-2-Clause
/*
 * The laboratory of test_netlink.c: a host and a peer network namespace, joined by two veth pairs,
 * and the controller's loop in small.
 *
 * Needs root. Each test runs in a process of its own (criterion), so the namespaces go when it
 * ends.
 */
#ifndef LARCH_TESTS_NETLINK_LAB_H
#define LARCH_TESTS_NETLINK_LAB_H

#include "clock.h"
#include "endpoint.h"
#include "netlink.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS	   1000
#define AT_ONCE_MS 2000 /* generous: a busy core, sanitizers */
#define SILENT_MS  (NETLINK_REVALIDATE_MS + 3 * TICK_MS)

/* MACs that the lab gives out: vN is the host's end of pair N, pN the peer's. */
#define V0_MAC	"02:00:00:00:01:00"
#define P0_MAC	"02:00:00:00:02:00"
#define P1_MAC	"02:00:00:00:02:01"
#define NO_MAC	"00:00:00:00:00:00"
#define NEW_MAC "02:00:00:00:09:09"

/* NDP asks from link-local addresses; without duplicate address detection they are usable soon. */
#define NO_DAD "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad"
#define UNTIL_IPV6_WORKS                                                                           \
	"until [ $(ip -6 -o addr show scope link -tentative | wc -l) = 2 ]; do sleep 0.05; done"

static struct lab {
	int host, peer; /* network namespaces */
	struct netlink *netlink;
	unsigned int calls; /* of changed() */
	struct in6_addr last;
	int refused; /* what netlink_watch() says within changed() */
	uint64_t ticked_ms;
} lab;

static inline uint64_t now_ms(void)
{
	return clock_now() / NS_PER_MS;
}

static inline struct in6_addr address_of(const char *text)
{
	struct in6_addr address;

	cr_assert(endpoint_address(text, 0, &address), "%s", text);
	return address;
}

static inline const char *text_of(const uint8_t mac[6])
{
	static char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return text;
}

/* Runs shell commands in a namespace; all must succeed. */
__attribute__((format(printf, 2, 3))) static inline void run(int namespace, const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	cr_assert_eq(setns(namespace, CLONE_NEWNET), 0);
	cr_assert_eq(system(command), 0, "%s", command);
	cr_assert_eq(setns(lab.host, CLONE_NEWNET), 0);
}

/* Stays open across exec: `ip` is given its path. */
static inline int new_namespace(void)
{
	int fd;

	cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root");
	fd = open("/proc/self/ns/net", O_RDONLY);
	cr_assert_geq(fd, 0);
	return fd;
}

static inline void on_change(void *context, const struct in6_addr *address,
			     const struct nexthop *nexthop)
{
	struct lab *the_lab = context;

	cr_assert_eq(nexthop->ready, !nexthop->reason);
	the_lab->calls++;
	the_lab->last = *address;
	the_lab->refused = netlink_watch(the_lab->netlink, address);
}

/* Pair N: 10.0.N.1 and fd00:N::1 on the host's vN, .2 and ::2 on the peer's pN. */
static inline void set_up(void)
{
	lab.peer = new_namespace();
	lab.host = new_namespace();
	run(lab.peer, NO_DAD);
	run(lab.host, NO_DAD);
	for (int n = 0; n < 2; n++) {
		run(lab.host,
		    "ip link add v%d address 02:00:00:00:01:0%d type veth peer name p%d address "
		    "02:00:00:00:02:0%d "
		    "netns /proc/self/fd/%d",
		    n, n, n, n, lab.peer);
		run(lab.host,
		    "ip addr add 10.0.%d.1/24 dev v%d && ip addr add fd00:%d::1/64 dev v%d nodad "
		    "&& "
		    "ip link set v%d up",
		    n, n, n, n, n);
		run(lab.peer,
		    "ip addr add 10.0.%d.2/24 dev p%d && ip addr add fd00:%d::2/64 dev p%d nodad "
		    "&& "
		    "ip link set p%d up",
		    n, n, n, n, n);
	}
	cr_assert_eq(netlink_open(&lab.netlink, on_change, &lab), 0);
}

static inline void tear_down(void)
{
	netlink_close(lab.netlink);
	close(lab.host);
	close(lab.peer);
}

/* For tests that resolve IPv6 neighbours: the kernel sets a new link's IPv6 up within a second. */
static inline void await_ipv6(void)
{
	run(lab.peer, UNTIL_IPV6_WORKS);
	run(lab.host, UNTIL_IPV6_WORKS);
}

static inline void tick_when_due(void)
{
	if (now_ms() - lab.ticked_ms < TICK_MS)
		return;
	lab.ticked_ms = now_ms();
	cr_assert_eq(netlink_tick(lab.netlink, lab.ticked_ms), 0);
}

/* The controller's loop, until the next event or tick, or this time. */
static inline void step(uint64_t until_ms)
{
	struct pollfd events = {.fd = netlink_fd(lab.netlink), .events = POLLIN};
	int64_t wait = (int64_t)((lab.ticked_ms + TICK_MS < until_ms ? lab.ticked_ms + TICK_MS
								     : until_ms) -
				 now_ms());

	if (poll(&events, 1, wait > 0 ? (int)wait : 0) > 0)
		cr_assert_eq(netlink_process(lab.netlink), 0);
	tick_when_due();
}

static inline void run_loop(uint64_t limit_ms)
{
	for (uint64_t end = now_ms() + limit_ms; now_ms() < end;)
		step(end);
}

static inline struct nexthop nexthop_of(const char *address)
{
	struct in6_addr bytes = address_of(address);
	struct nexthop nexthop;

	cr_assert_eq(netlink_nexthop(lab.netlink, &bytes, &nexthop), 0);
	return nexthop;
}

static inline const char *reason_of(const char *address)
{
	struct nexthop nexthop = nexthop_of(address);

	return nexthop.reason ? nexthop.reason : "ready";
}

static inline void watch(const char *address)
{
	struct in6_addr bytes = address_of(address);

	cr_assert_eq(netlink_watch(lab.netlink, &bytes), 0);
}

/* Waits until the address is ready by this MAC, or has this reason not to be. */
static inline void await(const char *what, const char *address, const char *mac, const char *reason,
			 uint64_t limit_ms)
{
	uint64_t start = now_ms();

	for (;;) {
		struct nexthop nexthop = nexthop_of(address);

		if (mac && nexthop.ready && !strcmp(text_of(nexthop.destination), mac))
			break;
		if (reason && nexthop.reason && !strcmp(nexthop.reason, reason))
			break;
		cr_assert_lt(now_ms() - start, limit_ms, "%s: %s is %s, by %s", what, address,
			     reason_of(address), text_of(nexthop.destination));
		step(start + limit_ms);
	}
	cr_log_info("%s: %s followed in %d ms", what, address, (int)(now_ms() - start));
}

static inline void await_ready(const char *address, const char *mac)
{
	await("ready", address, mac, NULL, AT_ONCE_MS);
}

static inline void await_reason(const char *address, const char *reason)
{
	await(reason, address, NULL, reason, AT_ONCE_MS);
}

static inline struct netlink_statistics statistics(void)
{
	struct netlink_statistics now;

	netlink_statistics(lab.netlink, &now);
	return now;
}

static inline void expect_from(const char *address, const char *from)
{
	struct nexthop nexthop = nexthop_of(address);
	struct in6_addr expected = address_of(from);

	cr_assert(IN6_ARE_ADDR_EQUAL(&nexthop.from, &expected), "source of %s", address);
}

#endif
