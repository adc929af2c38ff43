// SPDX-License-Identifier: BSD-2-Clause
/* The packet's way, noted down. See explain.h; bpf/classify.h, flow.h and steer.h are the model. */
#include <arpa/inet.h>
#include <string.h>

#include "endpoint.h"
#include "explain.h"
#include "larch/score.h"
#include "region.h"

static const struct larch_flow *find_in(const struct larch_bucket *flows, uint32_t bucket,
					uint32_t tag, union larch_identity *identity)
{
	for (size_t i = 0; i < LARCH_BUCKET_FLOWS; i++) {
		const struct larch_flow *flow = &flows[bucket].flow[i];

		identity->word = __atomic_load_n(&flow->identity.word, __ATOMIC_RELAXED);
		if (identity->tag == tag && identity->state != LARCH_FLOW_FREE)
			return flow;
	}
	identity->word = 0;
	return NULL;
}

bool explain_known(const struct larch_bucket *flows, uint32_t mask, uint64_t hash,
		   union larch_identity *out)
{
	uint32_t tag = larch_hash_tag(hash);

	return find_in(flows, larch_hash_bucket(hash, mask), tag, out) ||
	       find_in(flows, larch_hash_second_bucket(hash, mask), tag, out);
}

static void look_up(const struct explain_input *input, struct explain *out)
{
	uint32_t tag = larch_hash_tag(out->hash);
	const struct larch_flow *flow = NULL;
	uint32_t age;

	if (!input->flows || input->policy.flags & LARCH_SERVICE_STATELESS)
		return;
	out->in_bucket = out->bucket;
	flow = find_in(input->flows, out->bucket, tag, &out->identity);
	if (!flow) {
		out->in_bucket = out->second_bucket;
		flow = find_in(input->flows, out->second_bucket, tag, &out->identity);
	}
	if (!flow)
		return;
	out->known = true;
	out->timing.word = __atomic_load_n(&flow->timing.word, __ATOMIC_RELAXED);
	age = larch_stamp_age((uint32_t)out->identity.stamp, input->stamp);
	out->idle_ns = age * larch_stamp_ns(input->settings);
	out->silent = input->policy.idle && age >= input->policy.idle;
}

/* The size class by which the flow is classified: as classify_size() in bpf/classify.h. */
static uint8_t size_of(const struct explain_input *input, const struct explain *flow)
{
	if (flow->by_ring || input->policy.flags & LARCH_SERVICE_BY_SOURCE)
		return (uint8_t)larch_usual_size_class(input->tuple.ipv6);
	return (uint8_t)input->size;
}

static struct larch_features features_of(const struct explain_input *input,
					 const struct explain *flow)
{
	const struct larch_tuple *tuple = &input->tuple;
	bool by_source = input->policy.flags & LARCH_SERVICE_BY_SOURCE;
	bool nat = input->policy.mode == LARCH_MODE_NAT;
	struct larch_cell cell = {
		.source = endpoint_source(tuple),
		.ingress = nat ? 0 : input->ingress,
		.port = by_source ? 0 : ntohs(tuple->destination_port),
		.protocol = tuple->protocol,
		.hops = nat ? 0 : (uint8_t)input->hops,
		.size = size_of(input, flow),
	};

	return larch_features_of(&cell);
}

/* The tests that decide, from the root on: not those below a leaf that is repeated. */
static void note_steps(const struct larch_tree *tree, struct explain *out)
{
	size_t at = 0;
	unsigned leaf;

	while (out->steps < LARCH_MAX_DEPTH && !region_leaf(tree, at, &leaf)) {
		const struct larch_node *node = &tree->node[at];
		struct explain_step *step = &out->step[out->steps++];

		step->feature = node->feature & (LARCH_FEATURE_SLOTS - 1);
		step->value = out->features.value[step->feature];
		step->threshold = node->threshold;
		step->right = step->value > step->threshold;
		at = 2 * at + 1 + step->right;
	}
}

static void note_candidate(const struct explain_input *input, const struct explain *flow,
			   uint8_t member, struct explain_candidate *out)
{
	struct larch_live live;

	if (member == LARCH_NO_MEMBER || member >= input->plan->members ||
	    input->plan->member[member] >= LARCH_MAX_BACKENDS)
		return;
	out->there = true;
	out->member = member;
	out->backend = input->plan->member[member];
	out->cost = input->costs[flow->leaf].member[member];
	live = input->live[out->backend];
	out->in_flight = live.in_flight;
	out->queue = (uint32_t)larch_queue(&live);
	out->concurrency = live.share ? ((1u << 16) + live.share / 2) / live.share : 0;
	out->busy = live.concurrency;
	out->slowdown = larch_slowdown(&live, input->now_ns);
	out->score = larch_score(&out->cost, &live, input->now_ns);
	out->live = live;
}

/* As steer_by_learning() in bpf/steer.h: the one that the scores choose. */
static uint8_t choose(const struct explain *flow)
{
	struct larch_choice choice = LARCH_NO_CHOICE;

	for (uint32_t i = 0; i < LARCH_CANDIDATES; i++) {
		const struct explain_candidate *candidate = &flow->candidate[i];

		if (candidate->there)
			larch_offer(&choice, flow->hash, i, candidate->member,
				    flow->by_ring ? 0 : candidate->score);
	}
	return choice.member;
}

static bool is_sick(const struct explain *flow, const struct explain_candidate *candidate)
{
	return larch_sick(&candidate->live, flow->now_ns);
}

/* As steer_by_control() in bpf/steer.h: the secondary only for a primary that is sick. */
static uint8_t choose_control(const struct explain *flow)
{
	const struct explain_candidate *primary = &flow->control[0], *secondary = &flow->control[1];

	if (!primary->there)
		return LARCH_NO_MEMBER;
	if (secondary->there && !flow->by_ring && !larch_hash_probes(flow->hash) &&
	    is_sick(flow, primary) && !is_sick(flow, secondary))
		return secondary->member;
	return primary->member;
}

static bool usable(const struct explain_input *input, uint8_t member)
{
	return member != LARCH_NO_MEMBER &&
	       !(input->unusable && input->unusable[input->plan->member[member]]);
}

/* As steer_on() in bpf/steer.h: the next usable one that the rings name behind the first that has
 * the member. */
static uint8_t pass_over(const struct explain_input *input, const uint8_t named[LARCH_CANDIDATES],
			 uint8_t member)
{
	size_t at = 0;

	if (usable(input, member))
		return member;
	while (at < LARCH_CANDIDATES - 1 && named[at] != member)
		at++;
	for (size_t i = 1; i <= LARCH_CANDIDATES; i++) {
		uint8_t next = named[(at + i) % LARCH_CANDIDATES];

		if (usable(input, next))
			return next;
	}
	return member;
}

static void steer(const struct explain_input *input, struct explain *out)
{
	const struct larch_slot *leaf = &input->rings[LARCH_RING_LEAF + out->leaf].slot[out->slot];
	const struct larch_slot *pair =
		&input->rings[LARCH_RING_GLOBAL].slot[out->global_slot & ~1u];
	const struct larch_slot *control = &input->rings[LARCH_RING_CONTROL].slot[out->slot];
	uint8_t learned[LARCH_CANDIDATES], member[LARCH_CANDIDATES], chosen;

	larch_candidates(leaf, &pair[out->global_slot & 1], learned);
	memcpy(member, learned, sizeof(member));
	larch_doubt(&input->costs[out->leaf], pair, out->global_slot, member);
	out->doubted = member[1] != learned[1];
	for (uint32_t i = 0; i < LARCH_CANDIDATES; i++)
		note_candidate(input, out, member[i], &out->candidate[i]);
	larch_candidates(control, control, member);
	for (uint32_t i = 0; i < LARCH_CANDIDATES; i++)
		note_candidate(input, out, member[i], &out->control[i]);
	chosen = out->learned ? choose(out) : choose_control(out);
	if (chosen == LARCH_NO_MEMBER)
		return;
	out->spared = !out->learned && chosen != out->control[0].member;
	out->member = pass_over(input, out->learned ? learned : member, chosen);
	out->passed_over = out->member != chosen;
	out->backend = input->plan->member[out->member];
}

void explain_flow(const struct explain_input *input, struct explain *out)
{
	int by_source = input->policy.flags & LARCH_SERVICE_BY_SOURCE;

	*out = (struct explain){
		.now_ns = input->now_ns, .member = LARCH_NO_MEMBER, .backend = LARCH_NO_BACKEND};
	out->hash = larch_hash(&input->tuple, by_source, input->settings->seed);
	out->arm = larch_hash_arm(out->hash, input->policy.halvings);
	out->slot = larch_hash_slot(out->hash, LARCH_RING_CONTROL);
	out->global_slot = larch_hash_slot(out->hash, LARCH_RING_GLOBAL);
	out->bucket = larch_hash_bucket(out->hash, input->settings->bucket_mask);
	out->second_bucket = larch_hash_second_bucket(out->hash, input->settings->bucket_mask);
	out->explores = larch_hash_explores(out->hash);
	out->by_ring = input->flooded || input->policy.flags & LARCH_SERVICE_STATELESS;
	look_up(input, out);
	if (!input->plan)
		return;
	out->learned = input->plan->flags & LARCH_PLAN_LEARNED && out->arm == LARCH_ARM_LEARNED;
	out->features = features_of(input, out);
	out->leaf = larch_tree_walk(&input->plan->tree, &out->features);
	note_steps(&input->plan->tree, out);
	if (out->leaf < input->plan->tree.leaves)
		steer(input, out);
	if (input->policy.mode == LARCH_MODE_NAT && input->own < LARCH_MAX_BACKENDS &&
	    !(input->unusable && input->unusable[input->own])) {
		out->own = true;
		out->passed_over = out->spared = false;
		out->backend = input->own;
		out->member = input->plan->member_of[input->own];
	}
}

unsigned explain_chosen(const struct explain *explain)
{
	const struct explain_candidate *from =
		explain->learned ? explain->candidate : explain->control;
	unsigned i = 0;

	while (i < LARCH_CANDIDATES && !(from[i].there && from[i].member == explain->member))
		i++;
	return i;
}
