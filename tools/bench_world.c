// SPDX-License-Identifier: BSD-2-Clause
/*
 * Loads an object file of the balancer and fills its maps. See bench_world.h.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "bench_generation.h"
#include "bench_world.h"
#include "larch/backend.h"
#include "larch/flow.h"
#include "larch/plan.h"
#include "larch/score.h"
#include "larch/service.h"
#include "larch/tuple.h"
#include "lib/prng.h"
#include "datapath_ticks.h"
#include "vips.h"

#define LOOPBACK      1 /* what the test run says the packet came in by */
#define OTHER_VIPS    13
#define CONCURRENCY   4
#define SERVICE_US    1000
#define BACKENDS_MTU  1500
#define LISTED_BITS   (32 + 96 + 24) /* of the service, and of an IPv4 network */
#define OTHERS_LISTED 1000
#define SOURCE_FLOWS  1000000	 /* a second: more than come */
#define WAITED	      3000000	 /* units of 2^10 ns */
#define HZ	      250	 /* whatever the kernel's is: no flow gets old here */
#define NO_LIMIT      1000000000 /* a second: more than come */

/* The services: TCP over IPv4, with backends 0.., the same over IPv6, and UDP on both's backends.
 */
enum { WEB4, WEB6, UDP4, UDP6, SERVICES };

static const uint32_t first_backend[SERVICES] = {0, WORLD_MEMBERS, 0, WORLD_MEMBERS};

static struct bpf_map *find_map(const struct world *world, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(world->object, name);

	if (!map)
		fprintf(stderr, "bench: the object has no map %s\n", name);
	return map;
}

static int put(const struct world *world, const char *name, const void *key, const void *value)
{
	struct bpf_map *map = find_map(world, name);

	return map && bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) == 0 ? 0 : -EINVAL;
}

static void *map_memory(const struct world *world, const char *name)
{
	struct bpf_map *map = find_map(world, name);
	void *memory = MAP_FAILED;

	if (map)
		memory = mmap(NULL, (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map),
			      PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static bool is_ipv6(uint32_t service)
{
	return service == WEB6 || service == UDP6;
}

static struct larch_vip vip_ipv6(uint8_t protocol)
{
	return (struct larch_vip){
		.address = {htonl(BENCH_VIP_HIGH), 0, 0, htonl(BENCH_VIP_LOW)},
		.port = htons(BENCH_PORT),
		.protocol = protocol,
		.kind = LARCH_VIP_SERVICE,
	};
}

static struct larch_vip vip_ipv4(uint32_t address, uint8_t protocol)
{
	return (struct larch_vip){
		.address = {0, 0, htonl(0xffff), htonl(address)},
		.port = htons(BENCH_PORT),
		.protocol = protocol,
		.kind = LARCH_VIP_SERVICE,
	};
}

static int add_service(const struct world *world, struct larch_settings *settings,
		       const struct larch_vip *vip, uint16_t id)
{
	struct larch_vip_slot service = {.vip = *vip, .service = id};
	struct larch_vip_slot address = {.vip.kind = LARCH_VIP_ADDRESS};

	memcpy(address.vip.address, vip->address, sizeof(vip->address));
	larch_filter_add(settings->filter, larch_filter_hash(vip->address));
	return vips_put(world->vips, settings->vips, &service)
		       ?: vips_put(world->vips, settings->vips, &address);
}

/* Our end of the tunnels, where agents' answers come to. */
static int add_self(const struct world *world, struct larch_settings *settings)
{
	struct larch_vip_slot self = {.vip = vip_ipv4(BENCH_SELF, IPPROTO_UDP)};

	self.vip.port = htons(LARCH_GUE_PORT);
	self.vip.kind = LARCH_VIP_SELF;
	larch_filter_add(settings->filter, larch_filter_hash(self.vip.address));
	return vips_put(world->vips, settings->vips, &self);
}

static int add_services(const struct world *world, struct larch_settings *settings)
{
	const struct larch_vip vip[SERVICES] = {
		[WEB4] = vip_ipv4(BENCH_VIP_IPV4, IPPROTO_TCP),
		[WEB6] = vip_ipv6(IPPROTO_TCP),
		[UDP4] = vip_ipv4(BENCH_VIP_IPV4, IPPROTO_UDP),
		[UDP6] = vip_ipv6(IPPROTO_UDP),
	};
	int error = 0;

	for (uint16_t id = 0; !error && id < SERVICES; id++)
		error = add_service(world, settings, &vip[id], id);
	for (uint32_t i = 1; !error && i <= OTHER_VIPS; i++) {
		struct larch_vip other = vip_ipv4(BENCH_VIP_IPV4 + i, IPPROTO_TCP);

		error = add_service(world, settings, &other, WEB4);
	}
	return error ?: add_self(world, settings);
}

/* What NAT needs of a service: its address, and which answers are its backends'. */
static int add_returns(const struct world *world, uint32_t service)
{
	struct larch_settings *settings = world->settings;
	bool ipv6 = is_ipv6(service), udp = service == UDP4 || service == UDP6;
	uint8_t protocol = udp ? IPPROTO_UDP : IPPROTO_TCP;
	struct larch_vip vip = ipv6 ? vip_ipv6(protocol) : vip_ipv4(BENCH_VIP_IPV4, protocol);
	int error = 0;

	memcpy(world->services[service].address, vip.address, sizeof(vip.address));
	world->services[service].address_port = vip.port;
	vip.port = htons(BENCH_BACKEND_PORT);
	vip.kind = LARCH_VIP_RETURN;
	memset(vip.address, 0, ipv6 ? sizeof(vip.address) : 0);
	for (uint32_t i = 0; !error && i < WORLD_MEMBERS; i++) {
		uint16_t id = (uint16_t)(first_backend[service] + i);
		struct larch_vip_slot slot = {.service = (uint16_t)service, .backend = id};

		vip.address[ipv6 ? 0 : 3] = htonl(BENCH_BACKENDS + id);
		slot.vip = vip;
		larch_filter_add(settings->filter, larch_filter_hash(vip.address));
		error = vips_put(world->vips, settings->vips, &slot);
	}
	return error;
}

/* The server ids of QUIC. */
static int add_quic(const struct world *world, uint16_t service)
{
	struct larch_quic key = {.service = service};
	int error = 0;

	world->services[service].quic_config = BENCH_QUIC_CONFIG;
	world->services[service].quic_bytes = BENCH_QUIC_BYTES;
	for (uint32_t i = 0; !error && i < WORLD_MEMBERS; i++) {
		uint32_t number = htonl(BENCH_QUIC_ID + i), id = first_backend[service] + i;

		memcpy(key.id, &number, sizeof(number));
		error = put(world, "larch_quic", &key, &id);
	}
	return error;
}

static uint8_t tunnel_of(uint32_t id, enum world_way way)
{
	bool ipv6 = (id >= WORLD_MEMBERS) != (way == WORLD_CROSS);

	if (way == WORLD_LOCAL)
		return LARCH_TUNNEL_LOCAL;
	return ipv6 ? LARCH_TUNNEL_IPV6 : LARCH_TUNNEL_IPV4;
}

static int add_backend(const struct world *world, uint32_t id, enum world_way way)
{
	uint8_t tunnel = tunnel_of(id, way);
	struct larch_backend backend = {
		.tunnel = tunnel,
		.ready = LARCH_READY_DIRECT,
		.mtu = BACKENDS_MTU,
		.ifindex = LOOPBACK,
		.destination_mac = {2, 0, 0, 1, 0, (uint8_t)id},
		.source_mac = {2, 0, 0, 2, 0, 1},
		.ethertype = htons(tunnel == LARCH_TUNNEL_IPV6 ? 0x86dd : 0x0800),
		.outer_source = {htonl(BENCH_SELF)},
		.outer_destination = {htonl(BENCH_BACKENDS + id)},
	};

	world->live[id].concurrency = CONCURRENCY;
	world->live[id].share = (1u << 16) / CONCURRENCY;
	world->live[id].service_us = SERVICE_US;
	world->live[id].patience_us = LARCH_SILENCE * CONCURRENCY * SERVICE_US;
	return put(world, "larch_backends", &id, &backend);
}

static int add_backends(const struct world *world, enum world_way way)
{
	int error = 0;

	for (uint32_t id = 0; !error && id < 2 * WORLD_MEMBERS; id++)
		error = add_backend(world, id, way);
	return error;
}

static int add_generations(struct world *world)
{
	const struct generation_maps maps = {
		map_memory(world, "larch_plans"),
		map_memory(world, "larch_rings"),
		map_memory(world, "larch_costs"),
		map_memory(world, "larch_active"),
	};

	world->plans = maps.plans;
	return generation_publish(&maps, first_backend, SERVICES);
}

static int fill(struct world *world)
{
	struct larch_settings *settings = map_memory(world, "larch_settings");
	int error;

	world->settings = settings;
	world->flows = map_memory(world, "larch_flows");
	world->live = map_memory(world, "larch_live");
	world->vips = map_memory(world, "larch_vips");
	world->services = map_memory(world, "larch_services");
	if (!settings || !world->flows || !world->live || !world->vips || !world->services)
		return -ENOMEM;
	error = add_services(world, settings);
	if (!error)
		error = add_backends(world, WORLD_AWAY);
	if (!error)
		error = add_quic(world, UDP4) ?: add_quic(world, UDP6);
	if (!error)
		error = add_generations(world);
	settings->seed[0] = settings->token[0] = BENCH_SEED_HIGH;
	settings->seed[1] = settings->token[1] = BENCH_SEED_LOW;
	for (uint32_t limit = 0; limit < LARCH_LIMIT_COUNT; limit++)
		settings->limit[limit] = NO_LIMIT;
	settings->bucket_mask = world->buckets - 1;
	settings->hz = HZ;
	settings->stamp_shift = BENCH_STAMP_SHIFT;
	settings->abi = LARCH_ABI;
	return error;
}

static int load(struct world *world)
{
	struct bpf_map *map, *flows = find_map(world, "larch_flows");
	struct bpf_program *program = bpf_object__find_program_by_name(world->object, "larch");

	if (!flows || !program)
		return -ENOENT;
	bpf_object__for_each_map(map, world->object) bpf_map__set_pin_path(map, NULL);
	bpf_map__set_max_entries(flows, world->buckets);
	if (bpf_object__load(world->object) != 0)
		return -errno;
	world->program = bpf_program__fd(program);
	world->outcomes = bpf_object__find_map_fd_by_name(world->object, "larch_outcomes");
	return world->outcomes < 0 ? -ENOENT : 0;
}

int world_open(struct world *world, const char *file, uint32_t buckets)
{
	int error;

	*world = (struct world){.buckets = buckets};
	world->object = bpf_object__open_file(file, NULL);
	error = world->object ? load(world) : -errno;
	if (!error)
		error = fill(world);
	if (error)
		fprintf(stderr, "bench: cannot set up %s: %s%s\n", file, strerror(-error),
			error == -EPERM ? " (it takes root)" : "");
	return error;
}

void world_close(struct world *world)
{
	if (world->flows)
		munmap(world->flows, (size_t)world->buckets * sizeof(*world->flows));
	bpf_object__close(world->object);
}

void world_clear(struct world *world)
{
	memset(world->flows, 0, (size_t)world->buckets * sizeof(*world->flows));
	for (uint32_t id = 0; id < 2 * WORLD_MEMBERS; id++) {
		world->live[id].in_flight = 0;
		world->live[id].slowdown = 0;
	}
}

int world_set_way(struct world *world, enum larch_mode mode, enum world_way way)
{
	bool nat = mode == LARCH_MODE_NAT;
	int error = add_backends(world, way);

	world->settings->flags = LARCH_COUNT_SYNS | (nat ? LARCH_RETURNS : 0);
	for (uint32_t service = 0; !error && service < SERVICES; service++) {
		world->services[service].policy.mode = (uint8_t)mode;
		world->services[service].policy.port = nat ? htons(BENCH_BACKEND_PORT) : 0;
		error = nat ? add_returns(world, service) : 0;
	}
	return error;
}

void world_timed(struct world *world, bool timed)
{
	for (uint32_t service = 0; service < SERVICES; service++)
		world->services[service].policy.signal =
			timed ? LARCH_SIGNAL_RESPONSE : LARCH_SIGNAL_NONE;
}

void world_fill(struct world *world)
{
	struct prng prng = prng_seed(2, 2);
	int ticks = datapath_ticks_open();
	uint32_t now = datapath_ticks_read(ticks) >> BENCH_STAMP_SHIFT;
	union larch_identity identity = {
		.state = LARCH_FLOW_OPEN,
		.stamp = now & LARCH_STAMP_MASK,
	};

	for (uint32_t i = 0; i < world->buckets * LARCH_BUCKET_FLOWS; i++) {
		struct larch_bucket *bucket = &world->flows[i / LARCH_BUCKET_FLOWS];

		identity.tag = prng_next(&prng) & ((1u << 29) - 1);
		bucket->flow[i % LARCH_BUCKET_FLOWS].identity = identity;
	}
	close(ticks);
}

void world_learned(struct world *world, bool learned)
{
	for (uint32_t service = 0; service < SERVICES; service++)
		world->plans[larch_bank_index(service, 0)].flags = learned ? LARCH_PLAN_LEARNED : 0;
}

/* Allows the networks from which flows come, and denies a thousand others. */
static int fill_list(const struct world *world)
{
	struct larch_access access = {
		.prefix = LISTED_BITS,
		.service = htonl(WEB4),
		.address = {0, 0, htonl(0xffff)},
	};
	uint32_t verdict = LARCH_ACCESS_ALLOW;
	int error = 0;

	for (uint32_t i = 0; !error && i < BENCH_PREFIXES + OTHERS_LISTED; i++) {
		access.address[3] = htonl(BENCH_CLIENT_IPV4 + (i << 8));
		if (i >= BENCH_PREFIXES)
			verdict = LARCH_ACCESS_DENY;
		error = put(world, "larch_access", &access, &verdict);
	}
	return error;
}

int world_set_flags(struct world *world, uint16_t flags)
{
	for (uint32_t service = 0; service < SERVICES; service++) {
		world->services[service].policy.flags = flags;
		world->services[service].source_flows = SOURCE_FLOWS;
		world->services[service].source_burst = SOURCE_FLOWS;
	}
	return flags & LARCH_SERVICE_LISTED ? fill_list(world) : 0;
}

void world_wait(struct world *world)
{
	for (uint32_t i = 0; i < world->buckets * LARCH_BUCKET_FLOWS; i++) {
		struct larch_bucket *bucket = &world->flows[i / LARCH_BUCKET_FLOWS];
		struct larch_flow *flow = &bucket->flow[i % LARCH_BUCKET_FLOWS];

		if (flow->identity.state == LARCH_FLOW_SYN)
			flow->timing.start = (flow->timing.start - WAITED) & LARCH_START_MASK;
	}
}

uint64_t world_outcome(const struct world *world, uint32_t outcome)
{
	int cpus = libbpf_num_possible_cpus();
	struct larch_counter each[cpus > 0 ? cpus : 1];
	uint64_t packets = 0;

	if (bpf_map_lookup_elem(world->outcomes, &outcome, each) != 0)
		return 0;
	for (int cpu = 0; cpu < cpus; cpu++)
		packets += each[cpu].packets;
	return packets;
}

uint64_t world_packets(const struct world *world)
{
	uint64_t packets = 0;

	for (uint32_t outcome = 0; outcome < LARCH_OUTCOME_COUNT; outcome++)
		packets += world_outcome(world, outcome);
	return packets;
}
