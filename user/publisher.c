// SPDX-License-Identifier: BSD-2-Clause
/* Writing what the packet path reads. See publisher.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "larch/score.h"
#include "larch/tuple.h"
#include "datapath_ticks.h"
#include "fault.h"
#include "publisher.h"
#include "vips.h"

#define IN_FLIGHT_MOST	   65535
#define VERSION_AND_LENGTH 0x45 /* of an IPv4 header without options */

int publisher_settings(struct datapath *datapath, const uint64_t *seed)
{
	struct larch_settings *settings = datapath->settings;
	uint64_t random[2], token[2];

	/* What follows from the configuration stays until that is applied; who captures, goes on.
	 */
	__atomic_fetch_and(&settings->flags, LARCH_RETURNS | LARCH_NO_ECHO | LARCH_CAPTURE,
			   __ATOMIC_RELAXED);
	__atomic_fetch_or(&settings->flags, LARCH_COUNT_SYNS, __ATOMIC_RELAXED);
	__atomic_store_n(&settings->bucket_mask, datapath->buckets - 1, __ATOMIC_RELAXED);
	if (settings->abi == LARCH_ABI)
		return 0;
	if (getrandom(random, sizeof(random), 0) != sizeof(random) ||
	    getrandom(token, sizeof(token), 0) != sizeof(token))
		return -errno;
	memcpy(settings->seed, seed ? seed : random, sizeof(settings->seed));
	memcpy(settings->token, token, sizeof(token));
	settings->hz = datapath_tick_rate(datapath);
	settings->stamp_shift = datapath_ticks_shift(settings->hz);
	__atomic_store_n(&settings->abi, LARCH_ABI, __ATOMIC_RELEASE);
	return 0;
}

int publisher_publish(struct datapath *datapath, uint32_t service, struct generation *generation)
{
	struct larch_active *active = &datapath->active[service];
	struct larch_active next = {
		.bank = (active->bank + 1) % LARCH_BANKS,
		.generation = active->generation + 1,
	};
	struct datapath_bank bank;
	uint64_t word;
	int error = datapath_bank(datapath, service, next.bank, &bank);

	if (error)
		return error;
	if (!next.generation) /* 0 says that there is none */
		next.generation = 1;
	generation->plan.generation = next.generation;
	memcpy(bank.plan, &generation->plan, sizeof(*bank.plan));
	fault_at("bank"); /* half written */
	memcpy(bank.costs, generation->costs, generation->leaves * sizeof(*bank.costs));
	memcpy(bank.rings, generation->ring,
	       (LARCH_RING_LEAF + generation->leaves) * sizeof(*bank.rings));
	memcpy(&word, &next, sizeof(word));
	fault_at("switch");
	__atomic_store_n((uint64_t *)(void *)active, word, __ATOMIC_RELEASE);
	return 0;
}

_Static_assert(sizeof(struct larch_active) == sizeof(uint64_t), "made current by one store");

void publisher_retire(struct datapath *datapath, uint32_t service)
{
	__atomic_store_n(&datapath->active[service].generation, 0, __ATOMIC_RELEASE);
	memset(&datapath->pressure[service], 0, sizeof(datapath->pressure[service]));
}

int publisher_read(struct datapath *datapath, uint32_t service, struct generation **out)
{
	const struct larch_active *active = &datapath->active[service];
	struct datapath_bank bank;
	int error;

	if (!active->generation)
		return -ENOENT;
	error = datapath_bank(datapath, service, active->bank, &bank);
	return error ? error : generation_read(out, bank.plan, bank.rings, bank.costs);
}

static void set_filter(struct datapath *datapath, const struct larch_vip_slot *entry, size_t count)
{
	__u64 filter[LARCH_FILTER_WORDS] = {};

	for (size_t i = 0; i < count; i++)
		larch_filter_add(filter, larch_filter_hash(entry[i].vip.address));
	for (size_t i = 0; i < LARCH_FILTER_WORDS; i++)
		__atomic_store_n(&datapath->settings->filter[i], filter[i], __ATOMIC_RELEASE);
}

/* The filter says yes to both tables' addresses while one takes over from the other. */
static void widen_filter(struct datapath *datapath, const struct larch_vip_slot *entry,
			 size_t count)
{
	__u64 filter[LARCH_FILTER_WORDS];

	memcpy(filter, datapath->settings->filter, sizeof(filter));
	for (size_t i = 0; i < count; i++)
		larch_filter_add(filter, larch_filter_hash(entry[i].vip.address));
	for (size_t i = 0; i < LARCH_FILTER_WORDS; i++)
		__atomic_store_n(&datapath->settings->filter[i], filter[i], __ATOMIC_RELEASE);
}

int publisher_vips(struct datapath *datapath, const struct larch_vip_slot *entry, size_t count)
{
	struct larch_settings *settings = datapath->settings;
	int64_t vips = vips_build(datapath->vips, settings->vips, entry, count);

	if (vips < 0)
		return (int)vips;
	widen_filter(datapath, entry, count);
	fault_at("vips");
	__atomic_store_n(&settings->vips, (uint32_t)vips, __ATOMIC_RELEASE);
	set_filter(datapath, entry, count);
	return 0;
}

static void set_policy(struct larch_service *at, const struct larch_policy *policy)
{
	uint64_t word;

	memcpy(&word, policy, sizeof(word));
	__atomic_store_n((uint64_t *)(void *)&at->policy, word, __ATOMIC_RELEASE);
}

/* Nobody must look for figures that are going, or are not there yet: flags go first and come last.
 */
void publisher_service(struct datapath *datapath, uint32_t id, const struct larch_service *service)
{
	struct larch_service *at = &datapath->services[id];
	struct larch_policy meanwhile = at->policy;

	meanwhile.flags &= service->policy.flags;
	set_policy(at, &meanwhile);
	fault_at("policy");
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	memcpy((char *)at + sizeof(at->policy), (const char *)service + sizeof(at->policy),
	       sizeof(*at) - sizeof(at->policy));
	set_policy(at, &service->policy);
}

void publisher_flag(struct datapath *datapath, enum larch_settings_flag flag, bool set)
{
	if (set)
		__atomic_fetch_or(&datapath->settings->flags, flag, __ATOMIC_RELEASE);
	else
		__atomic_fetch_and(&datapath->settings->flags, ~(uint32_t)flag, __ATOMIC_RELEASE);
}

void publisher_limits(struct datapath *datapath, const uint32_t *limit)
{
	for (size_t i = 0; i < LARCH_LIMIT_COUNT; i++)
		__atomic_store_n(&datapath->settings->limit[i], limit[i], __ATOMIC_RELAXED);
	publisher_flag(datapath, LARCH_NO_ECHO, limit[LARCH_LIMIT_ECHO] == 0);
}

int publisher_quic(struct datapath *datapath, const struct larch_quic *key, uint32_t backend)
{
	return datapath_put_quic(datapath, key, backend);
}

int publisher_remove_quic(struct datapath *datapath, const struct larch_quic *key)
{
	return datapath_remove_quic(datapath, key);
}

int publisher_access(struct datapath *datapath, const struct larch_access *key, uint32_t verdict)
{
	return datapath_put_access(datapath, key, verdict);
}

int publisher_remove_access(struct datapath *datapath, const struct larch_access *key)
{
	return datapath_remove_access(datapath, key);
}

/* Ones' complement sum of the first words of both addresses, and of what comes with them. */
static uint16_t constant_sum(const struct larch_backend *backend, size_t words, uint32_t sum)
{
	for (size_t i = 0; i < words; i++) {
		sum += (backend->outer_source[i] & 0xffff) + (backend->outer_source[i] >> 16);
		sum += (backend->outer_destination[i] & 0xffff) +
		       (backend->outer_destination[i] >> 16);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static void set_addresses(struct larch_backend *backend, const struct in6_addr *from,
			  const struct in6_addr *address)
{
	/* of an IPv4 header: all but length, DSCP and protocol */
	const uint32_t constant = htons(VERSION_AND_LENGTH << 8) +
				  htons(LARCH_OUTER_DONT_FRAGMENT) + htons(LARCH_OUTER_TTL << 8);

	if (IN6_IS_ADDR_V4MAPPED(address)) {
		backend->tunnel = LARCH_TUNNEL_IPV4;
		backend->ethertype = htons(ETH_P_IP);
		backend->outer_source[0] = from->s6_addr32[3];
		backend->outer_destination[0] = address->s6_addr32[3];
		backend->checksum = constant_sum(backend, 1, constant);
	} else {
		backend->tunnel = LARCH_TUNNEL_IPV6;
		backend->ethertype = htons(ETH_P_IPV6);
		memcpy(backend->outer_source, from, sizeof(*from));
		memcpy(backend->outer_destination, address, sizeof(*address));
		backend->checksum = constant_sum(backend, 4, 0);
	}
}

static uint8_t ready_of(const struct nexthop *nexthop)
{
	if (!nexthop->ready)
		return 0;
	return nexthop->direct ? LARCH_READY_DIRECT : LARCH_READY_ROUTED;
}

int publisher_backend(struct datapath *datapath, uint32_t id, const struct in6_addr *address,
		      const struct nexthop *nexthop, const struct in6_addr *from)
{
	struct larch_backend backend = {
		.ready = ready_of(nexthop),
		.mtu = (uint16_t)(nexthop->mtu > UINT16_MAX ? UINT16_MAX : nexthop->mtu),
		.ifindex = (uint32_t)nexthop->ifindex,
	};

	memcpy(backend.destination_mac, nexthop->destination, sizeof(backend.destination_mac));
	memcpy(backend.source_mac, nexthop->source, sizeof(backend.source_mac));
	set_addresses(&backend, from, address);
	if (nexthop->local)
		backend.tunnel = LARCH_TUNNEL_LOCAL;
	return datapath_put_backend(datapath, id, &backend);
}

int publisher_remove_backend(struct datapath *datapath, uint32_t id)
{
	const struct larch_backend none = {};

	memset(&datapath->live[id], 0, sizeof(datapath->live[id]));
	memset(&datapath->bands[id], 0, sizeof(datapath->bands[id]));
	return datapath_put_backend(datapath, id, &none);
}

/* Little's law: of the requests in flight, net / (net + service) are on their way. */
static uint32_t in_flight_when_busy(uint32_t concurrency, const struct cost *mean)
{
	double all = concurrency;

	if (mean->service > 0)
		all += concurrency * mean->net / mean->service;
	return all < IN_FLIGHT_MOST ? (uint32_t)all : IN_FLIGHT_MOST;
}

static uint32_t patience(uint32_t concurrency, const struct mix *mix)
{
	double us = fmax(LARCH_SILENCE * mix->slowest * concurrency, LARCH_SILENCE_LEAST);

	if (!(mix->slowest > 0))
		return 0;
	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

void publisher_live(struct datapath *datapath, uint32_t id, uint32_t concurrency,
		    const struct mix *mix)
{
	struct larch_live *live = &datapath->live[id];

	__atomic_store_n(&live->share, (1u << 16) / concurrency, __ATOMIC_RELAXED);
	if (!mix) {
		__atomic_store_n(&live->concurrency, concurrency, __ATOMIC_RELAXED);
		return;
	}
	__atomic_store_n(&live->concurrency, in_flight_when_busy(concurrency, &mix->mean),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&live->service_us, (uint32_t)mix->mean.service, __ATOMIC_RELAXED);
	__atomic_store_n(&live->patience_us, patience(concurrency, mix), __ATOMIC_RELAXED);
}

void publisher_correct(struct datapath *datapath, uint32_t id, int32_t difference)
{
	__atomic_fetch_add(&datapath->live[id].in_flight, difference, __ATOMIC_RELAXED);
}

void publisher_correct_connects(struct datapath *datapath, uint32_t id, int32_t difference)
{
	__atomic_fetch_add(&datapath->live[id].connecting, difference, __ATOMIC_RELAXED);
}

void publisher_given_up(struct datapath *datapath, uint32_t id, uint32_t count, uint64_t now)
{
	struct larch_live *live = &datapath->live[id];
	uint32_t wait = __atomic_load_n(&live->connects.word, __ATOMIC_RELAXED);

	publisher_correct(datapath, id, -(int32_t)count);
	publisher_correct_connects(datapath, id, -(int32_t)count);
	if (larch_waited(wait, 1, now) < (uint64_t)LARCH_SYN_GIVEN_UP << LARCH_START_SHIFT)
		return;
	__atomic_fetch_add(&live->failures, count, __ATOMIC_RELAXED);
}
