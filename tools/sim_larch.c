// SPDX-License-Identifier: BSD-2-Clause
/* The packet path of Larch, flow by flow. See sim_larch.h; the daemon's part: sim_larch_daemon.c.
 */
#include "sim_larch.h"

#include <errno.h>
#include <stdlib.h>

#include "larch/choice.h"
#include "larch/measure.h"
#include "sim_larch_daemon.h"
#include "sim_policy.h"

#define COPY	   (500000000u >> LARCH_START_SHIFT) /* as bpf/again.h has them */
#define SECOND_SYN (1500000000u >> LARCH_START_SHIFT)

/* What bpf/classify.h finds of a flow that the flow table knows. */
struct view {
	struct sim_maps *maps;
	struct larch_cell cell;
	const struct larch_plan *plan;
	uint32_t bank, leaf;
};

static void classify(struct sim_larch *larch, const struct sim_flow *flow, struct view *out)
{
	const struct sim_class *class = &flow->world->scenario->class[flow->class];
	struct larch_features features;

	out->maps = larch->node[flow->node].maps;
	out->cell = (struct larch_cell){
		.source = larch_source_ipv4(flow->source),
		.ingress = 1,
		.port = class->port,
		.protocol = IPPROTO_TCP,
		.hops = class->hops,
		.size = (uint8_t)larch_usual_size_class(0),
		.arm = flow->clock.arm,
		.backend = (uint16_t)flow->backend,
	};
	out->bank = out->maps->active[0].bank;
	out->plan = &out->maps->plan[larch_bank_index(0, out->bank)];
	features = larch_features_of(&out->cell);
	out->leaf = larch_tree_walk(&out->plan->tree, &features);
}

static const struct larch_slot *slot_of(const struct view *view, const struct sim_flow *flow,
					uint32_t ring)
{
	uint32_t slot = larch_hash_slot(flow->hash, ring);

	return &view->maps->ring[larch_ring_index(0, view->bank, ring)].slot[slot];
}

static const struct larch_costs *costs_of(const struct view *view)
{
	return &view->maps->costs[larch_costs_index(0, view->bank, view->leaf)];
}

static bool is_learned(const struct view *view)
{
	return view->plan->flags & LARCH_PLAN_LEARNED && view->cell.arm == LARCH_ARM_LEARNED;
}

/* As steer_candidates(). */
static void candidates(const struct view *view, const struct sim_flow *flow,
		       uint8_t member[LARCH_CANDIDATES])
{
	const struct larch_slot *leaf, *global;

	if (is_learned(view)) {
		leaf = slot_of(view, flow, LARCH_RING_LEAF + view->leaf);
		global = slot_of(view, flow, LARCH_RING_GLOBAL);
	} else {
		leaf = global = slot_of(view, flow, LARCH_RING_CONTROL);
	}
	larch_candidates(leaf, global, member);
}

/* As steer_by_learning(). */
static uint8_t choose_learned(const struct view *view, const struct sim_flow *flow)
{
	const struct larch_costs *costs = costs_of(view);
	struct larch_choice choice = LARCH_NO_CHOICE;
	uint32_t slot = larch_hash_slot(flow->hash, LARCH_RING_GLOBAL);
	uint8_t member[LARCH_CANDIDATES];

	candidates(view, flow, member);
	larch_doubt(costs, slot_of(view, flow, LARCH_RING_GLOBAL) - (slot & 1), slot, member);
	for (uint32_t i = 0; i < LARCH_CANDIDATES; i++) {
		const struct larch_live *live;

		if (member[i] == LARCH_NO_MEMBER)
			continue;
		live = &view->maps->live[view->plan->member[member[i]]];
		larch_offer(&choice, flow->hash, i, member[i],
			    larch_score(&costs->member[member[i]], live, flow->world->now_ns));
	}
	return choice.member;
}

static bool is_sick(const struct view *view, uint8_t member, uint64_t now)
{
	return larch_sick(&view->maps->live[view->plan->member[member]], now);
}

/* As steer_by_control(). */
static uint8_t choose_control(const struct view *view, const struct sim_flow *flow)
{
	const struct larch_slot *slot = slot_of(view, flow, LARCH_RING_CONTROL);
	uint64_t now = flow->world->now_ns;

	if (slot->secondary != LARCH_NO_MEMBER && !larch_hash_probes(flow->hash) &&
	    is_sick(view, slot->primary, now) && !is_sick(view, slot->secondary, now))
		return slot->secondary;
	return slot->primary;
}

/* Of a flow that begins now. */
static enum larch_arm arm_of(const struct sim_larch *larch, const struct sim_flow *flow)
{
	const struct sim_maps *maps = larch->node[flow->node].maps;

	if (larch->option.without_arm)
		return LARCH_ARM_LEARNED;
	return larch_hash_arm(flow->hash,
			      larch->option.wide_arm ? 0 : maps->services[0].policy.halvings);
}

static size_t larch_choose(void *self, struct sim_flow *flow)
{
	struct sim_larch *larch = self;
	struct view view;
	uint8_t member;

	flow->clock.arm = (uint8_t)arm_of(larch, flow);
	classify(larch, flow, &view);
	if (!is_learned(&view))
		member = choose_control(&view, flow);
	else if (larch->option.slow_only)
		member = slot_of(&view, flow, LARCH_RING_LEAF + view.leaf)->primary;
	else
		member = choose_learned(&view, flow);
	return view.plan->member[member];
}

static struct larch_live *live_of(struct sim_larch *larch, const struct sim_flow *flow)
{
	return &larch->node[flow->node].maps->live[flow->backend];
}

/* As again_moves(). */
static bool moves(struct sim_larch *larch, const struct sim_flow *flow)
{
	const struct larch_live *live = live_of(larch, flow);
	uint64_t now = flow->world->now_ns;
	uint32_t age = larch_start_age(flow->clock.start, now);

	return age >= SECOND_SYN ||
	       (age >= COPY && live->in_flight > 0 &&
		larch_waited(live->connects.word, 1, now) >> LARCH_START_SHIFT >= age);
}

/* As again() and steer_on(): the next of the candidates that is another backend. */
static size_t larch_again(void *self, struct sim_flow *flow)
{
	struct sim_larch *larch = self;
	uint8_t member[LARCH_CANDIDATES], own;
	uint32_t at = LARCH_CANDIDATES - 1;
	struct view view;

	if (!moves(larch, flow))
		return flow->backend;
	classify(larch, flow, &view);
	candidates(&view, flow, member);
	own = view.plan->member_of[flow->backend];
	for (uint32_t i = LARCH_CANDIDATES; i-- > 0;)
		at = member[i] == own ? i : at;
	for (uint32_t i = 1; i < LARCH_CANDIDATES; i++) {
		uint8_t next = member[(at + i) % LARCH_CANDIDATES];

		if (next == LARCH_NO_MEMBER || next == own)
			continue;
		larch_released(live_of(larch, flow));
		larch_connect_ends(live_of(larch, flow));
		larch_connect_begins(&view.maps->live[view.plan->member[next]],
				     flow->world->now_ns);
		return view.plan->member[next];
	}
	return flow->backend;
}

/* As sample_syn() and flow_timing(). */
static void larch_opened(void *self, struct sim_flow *flow)
{
	uint64_t now = flow->world->now_ns;

	flow->clock.start = now >> LARCH_START_SHIFT & LARCH_START_MASK;
	larch_connect_begins(live_of(self, flow), now);
}

/* As sample_record(). */
static void record(struct sim_larch *larch, const struct sim_flow *flow,
		   const struct larch_measurement *found)
{
	struct larch_live *live = live_of(larch, flow);
	struct larch_samples *samples;
	struct view view;

	classify(larch, flow, &view);
	samples = sim_maps_cell(view.maps, &view.cell);
	if (samples)
		larch_samples_add(samples, live, found);
	if (found->connect_us)
		larch_connects_add(&view.maps->connects[larch_connects_index(0, view.cell.arm)],
				   found->connect_us);
	if (found->response_us) {
		larch_bands_add(&view.maps->bands[flow->backend], live, found);
		larch_slowdown_learn(
			live, &costs_of(&view)->member[view.plan->member_of[flow->backend]], found);
	}
}

/* As sample_connected(). A SYN that came twice says nothing (Karn). */
static void larch_connected(void *self, struct sim_flow *flow)
{
	struct larch_measurement found = {};
	uint64_t now = flow->world->now_ns;

	if (!flow->clock.again) {
		found.connect_us = larch_start_us(flow->clock.start, now);
		flow->clock.connect = (uint16_t)larch_connect_code(found.connect_us);
	}
	larch_accepted(live_of(self, flow));
	larch_connect_ends(live_of(self, flow));
	if (found.connect_us)
		record(self, flow, &found);
}

/* As sample_request(). */
static void larch_requested(void *self, struct sim_flow *flow)
{
	uint64_t now = flow->world->now_ns;

	flow->clock.queue =
		(uint8_t)larch_queue_code(larch_answer_awaited(live_of(self, flow), now));
	flow->clock.start = now >> LARCH_START_SHIFT & LARCH_START_MASK;
}

/* As sample_answered(). */
static void larch_answered(void *self, struct sim_flow *flow, bool timed)
{
	uint64_t now = flow->world->now_ns;
	uint32_t us = larch_start_us(flow->clock.start, now);
	uint32_t connect = larch_connect_us(flow->clock.connect);
	struct larch_measurement found = {
		.response_us = us,
		.server_us = us > connect ? us - connect : 1,
		.queue = (uint32_t)larch_unpack(flow->clock.queue, LARCH_QUEUE_MANTISSA),
		.now = now,
	};

	larch_gave(live_of(self, flow), now);
	if (timed && connect)
		record(self, flow, &found);
}

/* As sample_flow() does by the client's reset; a SYN that ends nothing is counted until it expires:
 * here the recount comes at once. */
static void larch_given_up(void *self, struct sim_flow *flow, bool connected)
{
	larch_released(live_of(self, flow));
	if (!connected)
		larch_connect_ends(live_of(self, flow));
}

#define LARCH(variant, text, ...)                                                                  \
	const struct sim_policy sim_policy_##variant = {                                           \
		.name = #variant,                                                                  \
		.help = text,                                                                      \
		.option = &(const struct sim_larch_option){__VA_ARGS__},                           \
		.open = sim_larch_open,                                                            \
		.close = sim_larch_close,                                                          \
		.choose = larch_choose,                                                            \
		.again = larch_again,                                                              \
		.opened = larch_opened,                                                            \
		.connected = larch_connected,                                                      \
		.requested = larch_requested,                                                      \
		.answered = larch_answered,                                                        \
		.given_up = larch_given_up,                                                        \
		.tick = sim_larch_tick,                                                            \
	}

LARCH(larch, "Larch as it ships: control arm, tree, rings, live scores");
LARCH(larch_pooled, "all nodes learn from the samples of all", .pooled = true);
LARCH(larch_no_control, "without the control arm", .without_arm = true);
LARCH(larch_wide_arm, "with a control arm of 1 flow in 16, however many flows there are",
      .wide_arm = true);
LARCH(larch_plain, "neither weights nor concurrency configured", .plain = true);
LARCH(larch_slow, "the slow loop only: tree and rings", .slow_only = true);
LARCH(larch_fast, "the fast loop only: live scores, no classes", .fast_only = true);
LARCH(larch_frozen, "nothing is learned in the measured time", .frozen = true);
LARCH(larch_inverted, "the same, with the leaves' shares inverted", .inverted = true);
