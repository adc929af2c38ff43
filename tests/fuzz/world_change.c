// SPDX-License-Identifier: BSD-2-Clause
/* What differs from input to input, as operators, networks and time would have it. See world.h. */
#include "world.h"

#include "flows.h"
#include "maps.h"
#include "publisher.h"

#define LATER_NS 3600000000000ull /* than the conversations from which the daemon has learned */

/* Where state[] speaks of what: a byte for each. */
#define STATE_SERVICES 16
#define STATE_POLICIES 24
#define STATE_BACKENDS 32
#define STATE_FLOWS    40
#define SERVICES       (STATE_POLICIES - STATE_SERVICES)

_Static_assert(STATE_FLOWS - STATE_BACKENDS == WORLD_BACKENDS, "a byte for each");

static void arrange_settings(uint8_t first, uint8_t room, uint8_t flags)
{
	uint32_t zero = 0;
	struct larch_settings *settings = bpf_map_lookup_elem(&larch_settings, &zero);

	settings->flags ^= flags;
	if ((first & 0xf0) == 0xf0)
		settings->abi = 0; /* no daemon has come yet */
	world.buckets = WORLD_BUCKETS >> (first & 3);
	settings->bucket_mask = world.buckets - 1;
	world.room = STUB_ROOM_MOST - room;
}

/* Before the daemon's code writes through its own pointers. */
static void touch_active(uint32_t service)
{
	bpf_map_lookup_elem(&larch_active, &service);
}

static struct larch_live *touch_live(uint32_t id)
{
	return bpf_map_lookup_elem(&larch_live, &id);
}

static void publish(uint32_t service, struct generation *const generation[])
{
	touch_active(service);
	if (generation[service])
		publisher_publish(world.datapath, service, generation[service]);
}

static void retire(uint32_t service)
{
	touch_active(service);
	publisher_retire(world.datapath, service);
}

/*
 * The daemon may not write all of these policies; the program has to bear them. Limits are such
 * that a few packets reach them.
 */
static void arrange_service(uint32_t service, uint8_t state, uint8_t flags)
{
	struct larch_service *entry = bpf_map_lookup_elem(&larch_services, &service);
	struct larch_service wanted = *entry;

	if (state & 1)
		publish(service, world.first);
	if ((state & 6) == 6)
		retire(service);
	wanted.policy.mode ^= state >> 3 & 3;
	wanted.policy.idle ^= state >> 5;
	wanted.policy.flags ^= flags;
	wanted.new_flows = wanted.source_flows = wanted.source_burst = 1 + (flags >> 4);
	publisher_service(world.datapath, service, &wanted);
}

/* A backend's entry as its next hop changes. The MTUs just hold a bare SYN, or just do not. */
static void arrange_backend(uint32_t id, uint8_t state)
{
	static const uint32_t mtus[] = {59, 60, 79, 80};
	const struct registry_backend *backend = &world.controller->registry.backend[id];
	struct nexthop nexthop = backend->nexthop;

	touch_live(id);
	nexthop.ready = !(state & 1);
	if (state & 2)
		nexthop.mtu = mtus[state >> 2 & 3];
	if (state & 16)
		nexthop.ifindex ^= 3;
	if ((state & 0xe0) == 0xe0)
		publisher_remove_backend(world.datapath, id);
	else
		publisher_backend(world.datapath, id, &backend->address, &nexthop, &nexthop.from);
}

static void arrange_live(uint32_t id, uint8_t state)
{
	struct mix mix = {{state * 10, state * 100}, state * 110};
	struct larch_live *live = touch_live(id);

	if (!(state & 0xe0))
		return;
	publisher_live(world.datapath, id, 1 + (state & 3), &mix);
	live->slowdown = state << (state & 7);
	live->asked = (uint32_t)(stub.now >> 20) - state;
	live->requests.word = live->asked << 8 >> 8 | (uint32_t)state << 24;
}

/* Somebody's flow, of any age. Its tag is of a hash that no packet has. */
static void arrange_flow(uint32_t place, uint8_t state)
{
	static const uint8_t ages[] = {0, 1, 2, 5, 6, 34, 35, 100};
	struct larch_bucket *bucket;
	struct larch_flow *flow;
	uint32_t index = place / LARCH_BUCKET_FLOWS;

	if (index >= world.buckets)
		return;
	bucket = bpf_map_lookup_elem(&larch_flows, &index);
	flow = &bucket->flow[place % LARCH_BUCKET_FLOWS];
	flow->identity.tag = 0x1000000 + place;
	flow->identity.state = state & 3;
	flow->identity.stamp =
		(datapath_stamp(world.datapath) - ages[state >> 5]) & LARCH_STAMP_MASK;
	flow->identity.backend = place % world.backends;
	if (flow->identity.state)
		flow->timing.phase = state >> 2 & 7;
}

static bool is_owed(const struct larch_flow *flow, int count_syns)
{
	bool connect = flow->timing.phase == LARCH_PHASE_CONNECT ||
		       flow->timing.phase == LARCH_PHASE_CONNECT_AGAIN;

	return flow->identity.state != LARCH_FLOW_FREE && larch_phase_waits(flow->timing.phase) &&
	       (!connect || count_syns);
}

int32_t world_owed(uint32_t backend)
{
	int count_syns = world.datapath->settings->flags & LARCH_COUNT_SYNS;
	int32_t owed = 0;

	for (uint32_t i = 0; i < world.buckets * LARCH_BUCKET_FLOWS; i++) {
		const struct larch_flow *flow =
			&world.datapath->flows[i / LARCH_BUCKET_FLOWS].flow[i % LARCH_BUCKET_FLOWS];

		owed += flow->identity.backend == backend && is_owed(flow, count_syns);
	}
	return owed;
}

/* What the backends owe is what their flows wait for, as after a daemon's second walk. */
static void settle(void)
{
	for (uint32_t id = 0; id < world.backends; id++)
		publisher_correct(world.datapath, id, world_owed(id) - touch_live(id)->in_flight);
}

void world_arrange(const uint8_t state[SCENARIO_STATE])
{
	stub.now = WORLD_BEGIN_NS + LATER_NS;
	stub.random = state[2];
	stub.sockets = state[3] * 0x01010101u;
	stub.fib = state[4] % 10;
	stub.held = 0;
	arrange_settings(state[0], state[1], state[6]);
	if (state[5])
		stub_limit(STUB_MAP(&larch_cells), state[5] - 1u);
	for (uint32_t i = 0; i < SERVICES; i++)
		arrange_service(i, state[STATE_SERVICES + i], state[STATE_POLICIES + i]);
	for (uint32_t id = 0; id < world.backends; id++) {
		arrange_backend(id, state[STATE_BACKENDS + id]);
		arrange_live(id, state[STATE_BACKENDS + id]);
	}
	for (uint32_t i = STATE_FLOWS; i < SCENARIO_STATE; i++)
		arrange_flow(i - STATE_FLOWS, state[i]);
	settle();
}

/* The walk over the flow table that the daemon does now and then. */
static void walk(void)
{
	static struct flows_count count;

	for (uint32_t i = 0; i < world.buckets; i++)
		bpf_map_lookup_elem(&larch_flows, &i);
	flows_walk(world.datapath->flows, world.buckets, datapath_stamp(world.datapath), stub.now,
		   world.datapath->settings->flags & LARCH_COUNT_SYNS, &count);
	settle();
}

void world_act(uint8_t action, uint8_t operand)
{
	switch (action % 16) {
	case 1:
		arrange_backend(operand % world.backends, operand / 8);
		break;
	case 2:
		publish(operand & 3, world.first);
		break;
	case 3:
		publish(operand & 3, world.learned);
		break;
	case 4:
		retire(operand & 3);
		break;
	case 5:
		arrange_live(operand % world.backends, operand);
		break;
	case 6:
		walk();
		break;
	default:
		break;
	}
}
