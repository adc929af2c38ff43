/* SPDX-License-Identifier: GPL-2.0-only */
/* Which generation is in force, and to which leaf of its tree does the packet's client belong? */
#pragma once

#include "maps.h"
#include "packet.h"

static __always_inline const struct larch_plan *classify_plan(const struct packet *packet)
{
	__u32 index = larch_bank_index(packet->service, packet->bank);

	return bpf_map_lookup_elem(&larch_plans, &index);
}

static __always_inline const struct larch_ring *classify_ring(const struct packet *packet,
							      __u32 bank, __u32 ring)
{
	__u32 index = larch_ring_index(packet->service, bank, ring);

	return bpf_map_lookup_elem(&larch_rings, &index);
}

/* What a ring of one bank names for the packet's flow. */
static __always_inline const struct larch_slot *classify_slot(const struct packet *packet,
							      __u32 bank, __u32 ring)
{
	const struct larch_ring *found = classify_ring(packet, bank, ring);

	return found ? &found->slot[larch_hash_slot(packet->hash, ring)] : NULL;
}

/* The packet's cell: the quantised features of its client. */
static __always_inline void classify_cell(struct packet *packet, __u32 size_class)
{
	const struct larch_tuple *tuple = &packet->tuple;
	struct larch_cell *cell = &packet->cell;
	bool nat = packet->policy.mode == LARCH_MODE_NAT; /* seen from both sides */

	cell->ingress = nat ? 0 : packet->ingress;
	cell->service = packet->service;
	cell->port = packet_by_source(packet) ? 0 : bpf_ntohs(tuple->destination_port);
	cell->protocol = tuple->protocol;
	cell->hops = nat ? 0 : larch_hops(packet->ttl);
	cell->size = size_class;
	cell->arm = larch_hash_arm(packet->hash, packet->policy.halvings);
	if (tuple->ipv6)
		cell->source =
			larch_source_ipv6(bpf_ntohl(tuple->source[0]), bpf_ntohl(tuple->source[1]));
	else
		cell->source = larch_source_ipv4(bpf_ntohl(tuple->source[3]));
}

/*
 * The size class of the first packet of the packet's flow, of which nothing is remembered: it must
 * be the same whatever packet of the flow this is, so that they all come to one leaf and its ring.
 */
static __always_inline __u32 classify_size(const struct packet *packet)
{
	bool first = packet->tuple.protocol != IPPROTO_TCP || packet->tcp_flags & TCP_SYN;

	if (first && !packet->by_ring && !packet_by_source(packet))
		return larch_size_class(packet->bytes);
	return larch_usual_size_class(packet->tuple.ipv6);
}

/* Finds bank, cell and leaf. The generation is read once; the packet stays with it. */
STAGE int classify(struct packet *packet, __u32 size_class)
{
	const struct larch_active *active;
	const struct larch_plan *plan;
	struct larch_features features;
	__u32 service;

	if (!packet)
		return LARCH_DROP_INTERNAL;
	service = packet->service;
	active = bpf_map_lookup_elem(&larch_active, &service);
	if (!active || !active->generation)
		return LARCH_DROP_NO_PLAN;
	packet->bank = READ_ONCE(active->bank);
	plan = classify_plan(packet);
	if (!plan || packet->bank >= LARCH_BANKS)
		return LARCH_DROP_INTERNAL;
	classify_cell(packet, size_class);
	features = larch_features_of(&packet->cell);
	packet->leaf = larch_tree_walk(&plan->tree, &features);
	return GO;
}

/*
 * The same of a flow that the table knows, as packet->identity has it: it stays in the arm in which
 * it began, whatever becomes of the arm's size.
 */
static __always_inline int classify_known(struct packet *packet)
{
	int go = classify(packet, packet->identity.size);

	packet->cell.arm = packet->identity.arm;
	return go;
}
