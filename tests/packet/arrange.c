// SPDX-License-Identifier: BSD-2-Clause
// Fills the balancer's maps; see arrange.h.
#include "arrange.h"
#include "larch/score.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/bpf.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <string.h>

static uint16_t backend_mtu = BACKEND_MTU;

void arrange_vip(const char *address, uint8_t protocol, uint16_t port, uint16_t service,
		 enum larch_signal signal)
{
	struct larch_vip vip = {
		.port = htons(port),
		.protocol = protocol,
		.kind = LARCH_VIP_SERVICE,
	};
	struct larch_vip any = {.kind = LARCH_VIP_ADDRESS};

	address_of(address, vip.address);
	address_of(address, any.address);
	balancer_put_vip(&vip, service);
	balancer_put_vip(&any, service);
	larch_filter_add(balancer.settings->filter, larch_filter_hash(vip.address));
	if (service < LARCH_MAX_SERVICES)
		balancer.services[service].policy.signal = signal & 15;
}

static uint16_t sum_of(const void *bytes, size_t size)
{
	uint16_t words[size / 2];
	uint32_t sum = 0;

	memcpy(words, bytes, sizeof(words));
	for (size_t i = 0; i < COUNT(words); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

uint16_t outer_constant_sum(const struct larch_backend *backend)
{
	struct iphdr outer = {
		.version = 4,
		.ihl = 5,
		.frag_off = htons(IP_DF),
		.ttl = 64,
		.saddr = backend->outer_source[0],
		.daddr = backend->outer_destination[0],
	};
	__be32 addresses[8];

	if (backend->tunnel != LARCH_TUNNEL_IPV6)
		return sum_of(&outer, sizeof(outer));
	memcpy(addresses, backend->outer_source, 16);
	memcpy(addresses + 4, backend->outer_destination, 16);
	return sum_of(addresses, sizeof(addresses));
}

void arrange_backend(uint32_t id, enum larch_tunnel tunnel, uint32_t ifindex)
{
	struct larch_backend backend = {
		.tunnel = (uint8_t)tunnel,
		.ready = LARCH_READY_DIRECT,
		.mtu = backend_mtu,
		.ifindex = ifindex,
		.destination_mac = {2, 0, 0, 1, (uint8_t)(id >> 8), (uint8_t)id},
		.source_mac = {2, 0, 0, 2, 0, 1},
		.ethertype = htons(tunnel == LARCH_TUNNEL_IPV6 ? 0x86dd : 0x0800),
	};
	char text[64];

	if (tunnel == LARCH_TUNNEL_IPV6) {
		snprintf(text, sizeof(text), "fd00:255::%x", id);
		address_of("fd00:254::1", backend.outer_source);
		address_of(text, backend.outer_destination);
	} else {
		backend.outer_source[0] = htonl(0x0afe0001);
		backend.outer_destination[0] = htonl(0x0aff0000 + id);
	}
	backend.checksum = outer_constant_sum(&backend);
	balancer_set_backend(id, &backend);
	balancer.live[id].concurrency = CONCURRENCY;
	balancer.live[id].share = (1u << 16) / CONCURRENCY;
	balancer.live[id].service_us = COST_US;
	balancer.live[id].patience_us = LARCH_SILENCE * CONCURRENCY * COST_US;
}

void arrange_backends(enum larch_tunnel tunnel)
{
	for (uint32_t m = 0; m < MEMBERS; m++)
		arrange_backend(FIRST_BACKEND + m, tunnel, INGRESS);
}

void arrange_mode(enum larch_mode mode)
{
	balancer.services[WEB].policy.mode = (uint8_t)mode;
}

void arrange_ring(uint32_t service, uint32_t bank, uint32_t ring, uint8_t primary,
		  uint8_t secondary)
{
	struct larch_ring *at = &balancer.ring[larch_ring_index(service, bank, ring)];

	for (size_t i = 0; i < LARCH_RING_SLOTS; i++)
		at->slot[i] = (struct larch_slot){primary, secondary};
}

void arrange_all_rings(uint32_t service, uint32_t bank, uint8_t primary, uint8_t secondary)
{
	for (uint32_t ring = 0; ring < LARCH_RINGS; ring++)
		arrange_ring(service, bank, ring, primary, secondary);
}

static void ring_in_turn(struct larch_ring *ring, uint32_t members, uint32_t first)
{
	for (uint32_t i = 0; i < LARCH_RING_SLOTS; i++) {
		ring->slot[i].primary = (uint8_t)((i + first) % members);
		ring->slot[i].secondary = (uint8_t)((i + first + 1) % members);
	}
}

static void plan_members(struct larch_plan *plan, uint32_t members)
{
	memset(plan->member, 0xff, sizeof(plan->member));
	memset(plan->member_of, LARCH_NO_MEMBER, sizeof(plan->member_of));
	plan->members = members;
	for (uint32_t m = 0; m < members; m++) {
		plan->member[m] = (uint16_t)(FIRST_BACKEND + m);
		plan->member_of[FIRST_BACKEND + m] = (uint8_t)m;
	}
}

void arrange_plan(uint32_t service, uint32_t bank, uint32_t members)
{
	struct larch_plan *plan = &balancer.plan[larch_bank_index(service, bank)];

	memset(plan, 0, sizeof(*plan));
	plan->flags = LARCH_PLAN_LEARNED;
	plan->tree.leaves = 1;
	plan_members(plan, members);
	for (uint32_t ring = 0; ring < LARCH_RINGS; ring++)
		ring_in_turn(&balancer.ring[larch_ring_index(service, bank, ring)], members,
			     ring == LARCH_RING_GLOBAL ? 2 : 0);
	for (uint32_t leaf = 0; leaf < LARCH_MAX_LEAVES; leaf++) {
		struct larch_costs *costs = &balancer.costs[larch_costs_index(service, bank, leaf)];

		for (uint32_t m = 0; m < members; m++)
			costs->member[m] = (struct larch_cost){COST_US, COST_US};
	}
}

void arrange_publish(uint32_t service, uint32_t bank, uint32_t generation)
{
	balancer.plan[larch_bank_index(service, bank)].generation = generation;
	balancer.active[service] = (struct larch_active){bank, generation};
}

void arrange_signal(enum larch_signal signal)
{
	arrange_vip(VIP_IPV4, NEXT_TCP, VIP_PORT, WEB, signal);
	arrange_vip(VIP_IPV6, NEXT_TCP, VIP_PORT, WEB, signal);
}

static void arrange_opened(void)
{
	balancer.settings->seed[0] = 0x0123456789abcdefull;
	balancer.settings->seed[1] = 0xfedcba9876543210ull;
	balancer.settings->bucket_mask = LARCH_FLOW_BUCKETS - 1;
	balancer_set_ticks();
	arrange_signal(LARCH_SIGNAL_RESPONSE);
	arrange_backends(LARCH_TUNNEL_IPV4);
	arrange_plan(WEB, 0, MEMBERS);
	arrange_publish(WEB, 0, 1);
	balancer.settings->abi = LARCH_ABI;
}

void arrange_web(void)
{
	balancer_open();
	arrange_opened();
}

void arrange_jumbo(void)
{
	backend_mtu = JUMBO_MTU;
	balancer_open_frags();
	arrange_opened();
}

uint64_t hash_of(const struct spec *spec)
{
	bool by_source = balancer.services[WEB].policy.flags & LARCH_SERVICE_BY_SOURCE;
	struct larch_tuple tuple = tuple_of(spec);

	return larch_hash(&tuple, by_source, (const __u64 *)balancer.settings->seed);
}

static struct larch_flow *flow_in(uint32_t bucket, uint32_t tag)
{
	for (size_t i = 0; i < LARCH_BUCKET_FLOWS; i++) {
		struct larch_flow *flow = &balancer.bucket[bucket].flow[i];

		if (flow->identity.state != LARCH_FLOW_FREE && flow->identity.tag == tag)
			return flow;
	}
	return NULL;
}

struct larch_flow *flow_of(const struct spec *spec)
{
	uint32_t mask = balancer.settings->bucket_mask;
	uint64_t hash = hash_of(spec);
	struct larch_flow *flow = flow_in(larch_hash_bucket(hash, mask), larch_hash_tag(hash));

	return flow ? flow : flow_in(larch_hash_second_bucket(hash, mask), larch_hash_tag(hash));
}

uint32_t client_in_arm(uint32_t client, enum larch_arm arm)
{
	while (larch_hash_arm(HASH(.client = client), 0) != arm)
		client++;
	return client;
}

/* The last two bytes of the next hop's MAC are the backend's id; see arrange_backend(). */
uint32_t backend_reached(const struct result *result)
{
	cr_assert(result->verdict == XDP_TX || result->verdict == XDP_REDIRECT, "%s",
		  outcomes_name(result->outcome));
	return frame_get16(&result->frame, 4);
}
