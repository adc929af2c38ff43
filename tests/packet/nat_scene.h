// SPDX-License-Identifier: BSD-2-Clause
/*
 * The world of the tests of NAT: a service with a backend of its family, and a network namespace
 * where clients are behind a neighbour.
 */
#pragma once

#include <arpa/inet.h>
#include <sched.h>
#include <stdlib.h>

#include "arrange.h"

#define BACKEND_PORT 8080
#define BACKEND	     "10.255.0.10" /* FIRST_BACKEND of arrange_backend() */
#define BACKEND6     "fd00:255::a"
#define CLIENT	     "10.0.0.5"
#define CLIENT6	     "fd00:1::5"
#define NEAR_MAC     0x020000000909ull /* where clients are */
#define OWN_MAC	     0x020000000808ull

static inline void put_return(const char *address, uint8_t protocol, uint16_t port)
{
	struct larch_vip vip = {
		.port = htons(port),
		.protocol = protocol,
		.kind = LARCH_VIP_RETURN,
	};
	struct larch_vip_slot slot = {.service = WEB, .backend = FIRST_BACKEND};

	address_of(address, vip.address);
	slot.vip = vip;
	balancer_put_slot(&slot);
	larch_filter_add(balancer.settings->filter, larch_filter_hash(vip.address));
}

/* Service and backend of the family, and the ports they have. */
static inline void arrange_family(bool ipv6, uint16_t port)
{
	struct larch_service *service = &balancer.services[WEB];

	arrange_backend(FIRST_BACKEND, ipv6 ? LARCH_TUNNEL_IPV6 : LARCH_TUNNEL_IPV4, INGRESS);
	address_of(ipv6 ? VIP_IPV6 : VIP_IPV4, service->address);
	service->policy.port = htons(port);
	service->address_port = port ? htons(VIP_PORT) : 0;
}

static inline void arrange_nat(void)
{
	arrange_web();
	arrange_all_rings(WEB, 0, 0, LARCH_NO_MEMBER);
	arrange_vip(VIP_IPV4, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_RESPONSE);
	arrange_vip(VIP_IPV6, NEXT_UDP, VIP_PORT, WEB, LARCH_SIGNAL_RESPONSE);
	arrange_mode(LARCH_MODE_NAT);
	put_return(BACKEND, NEXT_TCP, BACKEND_PORT);
	put_return(BACKEND, NEXT_UDP, BACKEND_PORT);
	put_return(BACKEND6, NEXT_TCP, BACKEND_PORT);
	put_return(BACKEND6, NEXT_UDP, BACKEND_PORT);
	balancer.settings->flags |= LARCH_RETURNS;
	arrange_family(false, BACKEND_PORT);
}

/* The frame of `spec`, with a valid checksum unless it is a later fragment. */
static inline struct frame whole(const struct spec *spec)
{
	struct frame frame = frame_build(spec);

	if (!spec->fragment_offset)
		frame_sum(&frame, spec);
	return frame;
}

/* The backend's answer to the client. */
static inline struct spec answer(bool ipv6, uint8_t protocol)
{
	return (struct spec){
		.ipv6 = ipv6,
		.from = ipv6 ? BACKEND6 : BACKEND,
		.to = ipv6 ? CLIENT6 : CLIENT,
		.protocol = protocol,
		.source_port = BACKEND_PORT,
		.port = 40000,
	};
}

static inline void own_network(void)
{
	arrange_nat();
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	cr_assert_eq(
		system("ip link set lo up && ip link add near type veth peer name far && "
		       "ip link set near address 02:00:00:00:08:08 && ip link set near up && "
		       "ip link set far up && ip addr add 10.0.0.1/24 dev near && "
		       "ip -6 addr add fd00:1::1/64 dev near nodad && "
		       "ip neigh add 10.0.0.5 lladdr 02:00:00:00:09:09 dev near nud permanent && "
		       "ip neigh add fd00:1::5 lladdr 02:00:00:00:09:09 dev near nud permanent && "
		       "ip addr add 10.255.0.1/24 dev lo && "
		       "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"),
		0);
}
