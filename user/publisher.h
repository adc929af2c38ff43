// SPDX-License-Identifier: BSD-2-Clause
/*
 * The one module that writes what the packet path reads: generations, services, backends, live
 * parameters, settings. It decides nothing.
 */
#pragma once

#include "datapath.h"
#include "generation.h"
#include "mix.h"
#include "netlink.h"

/*
 * Secret seed (NULL: by chance), size of the flow table, version. Keeps a seed that is there: flows
 * live by it.
 */
int publisher_settings(struct datapath *datapath, const uint64_t *seed);

/*
 * Builds the bank that is neither current nor last, then makes it current by one store. Numbers
 * the generation. 0 or -errno.
 */
int publisher_publish(struct datapath *datapath, uint32_t service, struct generation *generation);

/* Forgets a service's generations and floods: its packets find no plan. */
void publisher_retire(struct datapath *datapath, uint32_t service);

/* The generation in force, read back; -ENOENT: none. */
int publisher_read(struct datapath *datapath, uint32_t service, struct generation **out);

/*
 * Makes larch_vips hold exactly these: builds the table that is not in force, then switches to it
 * by one store. Each service's entry must stand already. -ENOSPC: more than LARCH_MAX_VIPS.
 */
int publisher_vips(struct datapath *datapath, const struct larch_vip_slot *entry, size_t count);

/* Writes larch_services[id]; what every packet needs of it changes at once. */
void publisher_service(struct datapath *datapath, uint32_t id, const struct larch_service *service);

/* Sets or clears one of enum larch_settings_flag. */
void publisher_flag(struct datapath *datapath, enum larch_settings_flag flag, bool set);

/* limit[LARCH_LIMIT_COUNT]; without echo, requests are left to the host. */
void publisher_limits(struct datapath *datapath, const uint32_t *limit);

/* Entries of larch_quic. */
int publisher_quic(struct datapath *datapath, const struct larch_quic *key, uint32_t backend);
int publisher_remove_quic(struct datapath *datapath, const struct larch_quic *key);

/* Entries of larch_access. */
int publisher_access(struct datapath *datapath, const struct larch_access *key, uint32_t verdict);
int publisher_remove_access(struct datapath *datapath, const struct larch_access *key);

/* The outer header from one address towards another, by this next hop. */
int publisher_backend(struct datapath *datapath, uint32_t id, const struct in6_addr *address,
		      const struct nexthop *nexthop, const struct in6_addr *from);

/* The entry is not in use any more. */
int publisher_remove_backend(struct datapath *datapath, uint32_t id);

/*
 * What the fast loop needs to know of a backend: requests that it serves at once (>= 1), and what
 * they are like. NULL: that stays.
 */
void publisher_live(struct datapath *datapath, uint32_t id, uint32_t concurrency,
		    const struct mix *mix);

/* Corrects the count of requests in flight, or of the connects among them, by a difference. */
void publisher_correct(struct datapath *datapath, uint32_t id, int32_t difference);
void publisher_correct_connects(struct datapath *datapath, uint32_t id, int32_t difference);

/*
 * So many SYNs to the backend were given up. They count as its failures if it has answered nobody
 * since they came; else who sent them may not have waited for an answer.
 */
void publisher_given_up(struct datapath *datapath, uint32_t id, uint32_t count, uint64_t now);
