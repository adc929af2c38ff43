/* SPDX-License-Identifier: GPL-2.0-only */
/* Stage 8: the one exit. Every packet is counted under one outcome, which decides its verdict. */
#pragma once

#include "maps.h"
#include "packet.h"

static __always_inline void count_traffic(struct larch_traffic *traffic, __u32 bytes, bool new_flow)
{
	if (!traffic)
		return;
	traffic->packets++;
	traffic->bytes += bytes;
	traffic->flows += new_flow;
}

/* Of a flow without an entry, only a SYN tells that it is new. */
static __always_inline bool count_is_new(const struct packet *packet, int outcome)
{
	if (outcome == LARCH_FORWARD_UNTRACKED || outcome == LARCH_FORWARD_STATELESS)
		return packet_opens(packet);
	return outcome == LARCH_FORWARD_NEW;
}

/* New flows of the leaf's clients: of the learned arm, whether or not it is steered by leaves yet.
 */
static __always_inline void count_leaf(const struct packet *packet)
{
	__u32 index = larch_leaf_index(packet->service, packet->leaf);
	struct larch_traffic *traffic;

	if (packet->cell.arm != LARCH_ARM_LEARNED)
		return;
	traffic = bpf_map_lookup_elem(&larch_leaf_cnt, &index);
	if (traffic)
		traffic->flows++;
}

/* A question has gone out: who answers none at all is no agent. */
static __always_inline void count_question(__u32 service)
{
	struct larch_pressure *pressure = bpf_map_lookup_elem(&larch_pressure, &service);

	if (pressure)
		__sync_fetch_and_add(&pressure->asked, 1);
}

static __always_inline void count_forwarded(const struct packet *packet, int outcome)
{
	bool new_flow = count_is_new(packet, outcome);
	__u32 service = packet->service, backend = packet->backend;

	if (new_flow)
		count_leaf(packet);
	if (outcome == LARCH_CHANCE_ASKED)
		count_question(service);
	count_traffic(bpf_map_lookup_elem(&larch_svc_count, &service), packet->frame_bytes,
		      new_flow);
	count_traffic(bpf_map_lookup_elem(&larch_bck_count, &backend), packet->frame_bytes,
		      new_flow);
}

/* The verdict is what the list says of the outcome, or what the packet's way asked for. */
static __always_inline int count_exit(const struct packet *packet, __u32 outcome)
{
	struct larch_counter *counter = bpf_map_lookup_elem(&larch_outcomes, &outcome);

	if (counter) {
		counter->packets++;
		counter->bytes += packet->frame_bytes;
	}
	switch (outcome) {
#define FORWARD packet->action
#define REPLY	XDP_TX
#define PASS	XDP_PASS
#define DROP	XDP_DROP
#define X(name, number, verdict, text)                                                             \
	case number:                                                                               \
		return verdict;
		LARCH_OUTCOMES(X)
#undef X
#undef FORWARD
#undef REPLY
#undef PASS
#undef DROP
	default:
		return XDP_ABORTED;
	}
}
