// SPDX-License-Identifier: BSD-2-Clause
/* Writing what the packet path reads. See publisher.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "larch/tuple.h"
#include "publisher.h"

#define IN_FLIGHT_MOST	   65535
#define VERSION_AND_LENGTH 0x45 /* of an IPv4 header without options */

int publisher_settings(struct datapath *datapath)
{
	struct larch_settings *settings = datapath->settings;
	uint64_t seed[2];

	settings->flags = LARCH_COUNT_SYNS;
	__atomic_store_n(&settings->bucket_mask, datapath->buckets - 1, __ATOMIC_RELAXED);
	if (settings->abi == LARCH_ABI)
		return 0;
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return -errno;
	memcpy(settings->seed, seed, sizeof(seed));
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
	memcpy(bank.costs, generation->costs, generation->leaves * sizeof(*bank.costs));
	memcpy(bank.rings, generation->ring,
	       (LARCH_RING_LEAF + generation->leaves) * sizeof(*bank.rings));
	memcpy(&word, &next, sizeof(word));
	__atomic_store_n((uint64_t *)(void *)active, word, __ATOMIC_RELEASE);
	return 0;
}

_Static_assert(sizeof(struct larch_active) == sizeof(uint64_t), "made current by one store");

void publisher_retire(struct datapath *datapath, uint32_t service)
{
	__atomic_store_n(&datapath->active[service].generation, 0, __ATOMIC_RELEASE);
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

/* The entry that says "this address is a service's". */
static struct larch_vip address_entry(const struct larch_vip *vip)
{
	struct larch_vip entry = {};

	memcpy(entry.address, vip->address, sizeof(entry.address));
	return entry;
}

struct services {
	const struct larch_vip *vip;
	size_t count;
	struct larch_vip *stale;
	size_t stale_count, stale_room;
};

static bool is_wanted(const struct services *services, const struct larch_vip *vip)
{
	for (size_t i = 0; i < services->count; i++) {
		struct larch_vip entry = address_entry(&services->vip[i]);

		if (memcmp(&services->vip[i], vip, sizeof(*vip)) == 0 ||
		    memcmp(&entry, vip, sizeof(*vip)) == 0)
			return true;
	}
	return false;
}

static void note_stale(void *context, const struct larch_vip *vip,
		       const struct larch_service *service)
{
	struct services *services = context;

	(void)service;
	if (!is_wanted(services, vip) && services->stale_count < services->stale_room)
		services->stale[services->stale_count++] = *vip;
}

static void set_filter(struct datapath *datapath, const struct larch_vip *vip, size_t count)
{
	__u64 filter[LARCH_FILTER_WORDS] = {};

	for (size_t i = 0; i < count; i++) {
		larch_filter_add(filter, larch_filter_hash(vip[i].address));
	}
	for (size_t i = 0; i < LARCH_FILTER_WORDS; i++)
		__atomic_store_n(&datapath->settings->filter[i], filter[i], __ATOMIC_RELEASE);
}

int publisher_services(struct datapath *datapath, const struct larch_vip *vip,
		       const struct larch_service *service, size_t count)
{
	struct services services = {.vip = vip, .count = count, .stale_room = LARCH_MAX_VIPS};
	const struct larch_service none = {.id = LARCH_MAX_SERVICES};
	int error = 0;

	for (size_t i = 0; !error && i < count; i++) {
		struct larch_vip entry = address_entry(&vip[i]);

		error = datapath_put_service(datapath, &vip[i], &service[i]);
		if (!error)
			error = datapath_put_service(datapath, &entry, &none);
	}
	services.stale = calloc(LARCH_MAX_VIPS, sizeof(*services.stale));
	if (!error && !services.stale)
		error = -ENOMEM;
	if (!error)
		error = datapath_each_service(datapath, note_stale, &services);
	for (size_t i = 0; !error && i < services.stale_count; i++)
		error = datapath_remove_service(datapath, &services.stale[i]);
	free(services.stale);
	if (!error)
		set_filter(datapath, vip, count);
	return error;
}

/* Ones' complement sum of the outer IPv4 header without length, DSCP and protocol. */
static uint16_t constant_sum(const struct larch_backend *backend)
{
	const uint16_t *source = (const uint16_t *)(const void *)backend->outer_source;
	const uint16_t *destination = (const uint16_t *)(const void *)backend->outer_destination;
	uint32_t sum = htons(VERSION_AND_LENGTH << 8) + htons(LARCH_OUTER_DONT_FRAGMENT) +
		       htons(LARCH_OUTER_TTL << 8);

	sum += source[0] + source[1] + destination[0] + destination[1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static void set_addresses(struct larch_backend *backend, const struct in6_addr *from,
			  const struct in6_addr *address)
{
	if (IN6_IS_ADDR_V4MAPPED(address)) {
		backend->tunnel = LARCH_TUNNEL_IPV4;
		backend->ethertype = htons(ETH_P_IP);
		backend->outer_source[0] = from->s6_addr32[3];
		backend->outer_destination[0] = address->s6_addr32[3];
		backend->checksum = constant_sum(backend);
	} else {
		backend->tunnel = LARCH_TUNNEL_IPV6;
		backend->ethertype = htons(ETH_P_IPV6);
		memcpy(backend->outer_source, from, sizeof(*from));
		memcpy(backend->outer_destination, address, sizeof(*address));
	}
}

int publisher_backend(struct datapath *datapath, uint32_t id, const struct in6_addr *address,
		      const struct nexthop *nexthop, const struct in6_addr *from)
{
	struct larch_backend backend = {
		.ready = nexthop->ready,
		.mtu = (uint16_t)(nexthop->mtu > UINT16_MAX ? UINT16_MAX : nexthop->mtu),
		.ifindex = (uint32_t)nexthop->ifindex,
	};

	if (IN6_IS_ADDR_UNSPECIFIED(from))
		from = &nexthop->from;
	memcpy(backend.destination_mac, nexthop->destination, sizeof(backend.destination_mac));
	memcpy(backend.source_mac, nexthop->source, sizeof(backend.source_mac));
	set_addresses(&backend, from, address);
	return datapath_put_backend(datapath, id, &backend);
}

int publisher_remove_backend(struct datapath *datapath, uint32_t id)
{
	const struct larch_backend none = {};

	memset(&datapath->live[id], 0, sizeof(datapath->live[id]));
	return datapath_put_backend(datapath, id, &none);
}

/* Little's law: of the requests in flight, net / (net + service) are on their way. */
static uint32_t in_flight_when_busy(uint32_t concurrency, uint32_t service_us, uint32_t net_us)
{
	uint64_t all = concurrency;

	if (service_us)
		all += (uint64_t)concurrency * net_us / service_us;
	return all < IN_FLIGHT_MOST ? (uint32_t)all : IN_FLIGHT_MOST;
}

void publisher_live(struct datapath *datapath, uint32_t id, uint32_t concurrency,
		    uint32_t service_us, uint32_t net_us)
{
	struct larch_live *live = &datapath->live[id];

	__atomic_store_n(&live->concurrency, in_flight_when_busy(concurrency, service_us, net_us),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&live->share, (1u << 16) / concurrency, __ATOMIC_RELAXED);
	__atomic_store_n(&live->service_us, service_us, __ATOMIC_RELAXED);
}

void publisher_correct(struct datapath *datapath, uint32_t id, int32_t difference)
{
	__atomic_fetch_add(&datapath->live[id].in_flight, difference, __ATOMIC_RELAXED);
}
