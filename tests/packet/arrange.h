// SPDX-License-Identifier: BSD-2-Clause
/*
 * Fills the balancer's maps as the daemon would, but by hand: a service, its backends and a
 * published generation, which tests then change where it matters to them.
 */
#pragma once

#include "harness.h"

#define WEB	      0 /* the service: both VIPs, TCP, VIP_PORT */
#define MEMBERS	      4
#define FIRST_BACKEND 10 /* member m is backend FIRST_BACKEND + m */
#define BACKEND_MTU   1500
#define JUMBO_MTU     9000
#define COST_US	      1000 /* net and service of every member in every leaf */
#define CONCURRENCY   4
#define FAR_FUTURE    (1ull << 62) /* ns; nothing decays before it, nobody is silent since */

/* Opens the balancer with service WEB, 4 IPv4 backends and generation 1 in bank 0. */
void arrange_web(void);

/* The same with the program for frames in several buffers, and backends with an MTU of 9000. */
void arrange_jumbo(void);

void arrange_vip(const char *address, uint8_t protocol, uint16_t port, uint16_t service,
		 enum larch_signal signal);

/* A backend whose address says its id; `ifindex` is the way to it. */
void arrange_backend(uint32_t id, enum larch_tunnel tunnel, uint32_t ifindex);

/* All of WEB's backends, by the interface that packets come in by. */
void arrange_backends(enum larch_tunnel tunnel);

/* What packets to WEB are forwarded by from now on. */
void arrange_mode(enum larch_mode mode);

/* The sum of the outer header's words that are the same in every packet; IPv6: of its addresses. */
uint16_t outer_constant_sum(const struct larch_backend *backend);

/* A tree of one leaf, rings that take the members in turn, and even costs. */
void arrange_plan(uint32_t service, uint32_t bank, uint32_t members);
void arrange_ring(uint32_t service, uint32_t bank, uint32_t ring, uint8_t primary,
		  uint8_t secondary);
void arrange_all_rings(uint32_t service, uint32_t bank, uint8_t primary, uint8_t secondary);
void arrange_publish(uint32_t service, uint32_t bank, uint32_t generation);

/* WEB's flows are timed so from now on. */
void arrange_signal(enum larch_signal signal);

uint64_t hash_of(const struct spec *spec);

/* The flow table's entry of this flow, NULL if there is none. */
struct larch_flow *flow_of(const struct spec *spec);

#define HASH(...) hash_of(&(struct spec){__VA_ARGS__})
#define FLOW(...) flow_of(&(struct spec){__VA_ARGS__})

/* The first client at or after `client`, on IPv4 with all else by default, in this arm. */
uint32_t client_in_arm(uint32_t client, enum larch_arm arm);

/* To which backend did the packet go? The test fails if it was not forwarded. */
uint32_t backend_reached(const struct result *result);
