// SPDX-License-Identifier: BSD-2-Clause
/* What must be true of the flow table, and of what backends owe, after each packet. See check.h. */
#include "passage.h"

#include "larch/chance.h"
#include "maps.h"

#define IDLE 35 /* stamps after which an open flow may lose its place, to an open one */

static bool same_flow(const struct larch_flow *one, const struct larch_flow *other)
{
	return one->identity.word == other->identity.word && one->timing.word == other->timing.word;
}

/* The entry of the table that the packet changed, or PASSAGE_FLOWS. */
static uint32_t changed_flow(const struct passage *passage,
			     const struct larch_flow now[PASSAGE_FLOWS])
{
	uint32_t changed = PASSAGE_FLOWS;

	for (uint32_t i = 0; i < PASSAGE_FLOWS; i++) {
		if (same_flow(&now[i], &passage->flow[i]))
			continue;
		require(passage, changed == PASSAGE_FLOWS, "more than one flow was changed");
		changed = i;
	}
	return changed;
}

static void check_known(const struct passage *passage, const struct larch_flow *before,
			const struct larch_flow *now)
{
	require(passage,
		before->identity.tag == now->identity.tag &&
			before->identity.backend == now->identity.backend &&
			before->identity.size == now->identity.size,
		"a known flow has become another one");
	require(passage,
		now->identity.state == before->identity.state ||
			now->identity.state > LARCH_FLOW_SYN,
		"a known flow goes backwards");
}

/* Whatever the service's mode is. */
static bool is_usable(uint32_t id)
{
	const struct larch_backend *backend = bpf_map_lookup_elem(&larch_backends, &id);

	return backend->tunnel != LARCH_TUNNEL_NONE && backend->ready == LARCH_READY_DIRECT;
}

/* Had it been silent, and has the agent of another backend said that the flow is there by now? */
static bool is_found_elsewhere(const struct passage *passage, uint32_t age)
{
	return passage->outcome == LARCH_CHANCE_CLAIMED && age >= LARCH_CHANCE_DOUBT;
}

/* An established flow keeps its place and its backend, whatever comes. */
static void check_replaced(const struct passage *passage, const struct larch_flow *before,
			   const struct larch_flow *now)
{
	uint32_t age = larch_stamp_age(before->identity.stamp, now->identity.stamp);

	if (before->identity.state != LARCH_FLOW_OPEN ||
	    before->timing.phase == LARCH_PHASE_DATAGRAM)
		return;
	if (before->identity.tag == now->identity.tag)
		require(passage,
			before->identity.backend == now->identity.backend ||
				!is_usable(before->identity.backend) ||
				is_found_elsewhere(passage, age),
			"an open flow was taken from its backend");
	else
		require(passage, age >= IDLE && now->identity.state != LARCH_FLOW_SYN,
			"an open flow has lost its place");
}

static bool any_flow_names(const struct larch_flow now[PASSAGE_FLOWS], uint32_t backend)
{
	for (uint32_t i = 0; i < PASSAGE_FLOWS; i++) {
		if (now[i].identity.state != LARCH_FLOW_FREE && now[i].identity.backend == backend)
			return true;
	}
	return false;
}

/* May the packet change an entry? One that goes no further at the end of its way has passed by. */
static bool leaves_trace(const struct passage *passage)
{
	switch (passage->outcome) {
	case LARCH_FORWARD_FLOW:
	case LARCH_FORWARD_NEW:
	case LARCH_FORWARD_UNKNOWN:
	case LARCH_FORWARD_AGAIN:
	case LARCH_CHANCE_CLAIMED:
	case LARCH_REPLY_TOO_BIG:
	case LARCH_RETURN_NAT:
	case LARCH_RETURN_HOST:
	case LARCH_PASS_TTL_ENDS:
		return true;
	default:
		return passage->verdict == XDP_DROP;
	}
}

static void check_in_flight(const struct passage *passage)
{
	for (uint32_t id = 0; id < world.backends; id++) {
		require(passage, world.datapath->live[id].in_flight == world_owed(id),
			"what a backend owes is not what its flows wait for");
	}
}

static void check_table(const struct passage *passage)
{
	const struct larch_flow *now = world.datapath->flows->flow;
	uint32_t changed;
	bool remembers = passage->outcome == LARCH_FORWARD_FLOW ||
			 passage->outcome == LARCH_FORWARD_NEW ||
			 passage->outcome == LARCH_FORWARD_AGAIN;
	bool forwarded = remembers || passage->outcome == LARCH_FORWARD_UNKNOWN ||
			 passage->outcome == LARCH_CHANCE_CLAIMED;

	changed = changed_flow(passage, now);
	if (changed == PASSAGE_FLOWS) {
		require(passage, !remembers || any_flow_names(now, passage->reached),
			"a flow went where no entry says");
		return;
	}
	require(passage, leaves_trace(passage), "a packet that should leave no trace did");
	require(passage, now[changed].identity.state != LARCH_FLOW_FREE, "a flow was forgotten");
	require(passage, now[changed].identity.backend < world.backends,
		"a flow names a backend that nobody knows");
	if (forwarded)
		require(passage, now[changed].identity.backend == passage->reached,
			"a flow is remembered elsewhere than it went");
	if (passage->outcome == LARCH_FORWARD_FLOW)
		check_known(passage, &passage->flow[changed], &now[changed]);
	else if (now[changed].identity.word != passage->flow[changed].identity.word)
		check_replaced(passage, &passage->flow[changed], &now[changed]);
}

void check_flows(const struct passage *passage)
{
	check_table(passage);
	check_in_flight(passage);
}
