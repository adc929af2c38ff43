// SPDX-License-Identifier: BSD-2-Clause
/* The tick: reads all samples, lets each service learn, and looks after the flow table. */
#include <string.h>

#include "clock.h"
#include "controller.h"
#include "estimate.h"
#include "fault.h"
#include "log.h"
#include "publisher.h"

#define WALK_MS		 5000 /* between walks over the flow table */
#define CELLS_HIGH	 (LARCH_MAX_CELLS / 4 * 3)
#define CELLS_IDLE_TICKS 60 /* cells idle for longer give way when the map fills up */
#define LATE_TICKS	 3  /* so many intervals between two ticks are no jitter */

const char *const stage_names[STAGES] = {"read", "train", "shares", "rings", "publish", "judge"};

void controller_clock(struct controller *controller, enum stage stage, uint64_t *since)
{
	struct stage_time *time = &controller->stage[stage];
	uint64_t now = clock_now();

	time->last_ns += now - *since;
	time->sum_ns += now - *since;
	*since = now;
	fault_at(stage_names[stage]);
}

static void take_cell(void *context, const struct larch_cell *cell,
		      const struct larch_samples *samples)
{
	struct controller *controller = context;
	struct service *service;

	controller->cells++;
	if (cell->service >= LARCH_MAX_SERVICES)
		return;
	service = &controller->service[cell->service];
	if (service->used)
		cells_update(service->cells, cell, samples, controller->fresh);
}

/* Intervals since the last tick: more than one if the daemon was stopped, or had no CPU. */
static double ticks_passed(struct controller *controller, uint64_t now)
{
	double interval = controller->config->learning.interval_ms * (double)NS_PER_MS;
	double ticks = controller->ticked_ns ? (double)(now - controller->ticked_ns) / interval : 1;

	controller->ticked_ns = now;
	if (ticks < LATE_TICKS)
		return 1;
	log_warning("the tick came %.1f s late: larchd could not run",
		    (ticks - 1) * interval / 1e9);
	return ticks;
}

static void read_samples(struct controller *controller)
{
	uint64_t clock = clock_now();
	double ticks = ticks_passed(controller, clock);
	int error;

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		if (controller->service[i].used)
			cells_begin(controller->service[i].cells, ticks);
	}
	controller->cells = 0;
	error = datapath_each_cell(controller->datapath, take_cell, controller);
	if (error)
		log_warning("cannot read all samples: %s", strerror(-error));
	controller->fresh = true;
	estimate_tick(controller, ticks);
	controller_clock(controller, STAGE_READ, &clock);
}

/*
 * What finds no room for a cell of its own is added up in these, one for each member and arm: they
 * must be there before the map is full. Of very many members the first ones have them.
 */
static void reserve_rest(struct controller *controller, const struct service *service, size_t *room)
{
	for (size_t i = 0; i < service->members; i++) {
		for (uint8_t arm = 0; arm < JUDGE_ARMS && *room; arm++, --*room) {
			struct larch_cell rest = {
				.service = service->id,
				.backend = service->member[i].backend,
				.protocol = IPPROTO_TCP,
				.arm = arm,
			};

			datapath_reserve_cell(controller->datapath, &rest);
		}
	}
}

/* Cells that bring nothing give way to new ones. */
static void make_room(struct controller *controller)
{
	struct larch_cell idle[256];
	size_t rest = LARCH_MAX_CELLS / 8;

	if (controller->cells < CELLS_HIGH)
		return;
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		size_t count;

		if (!controller->service[i].used)
			continue;
		count = cells_idle(controller->service[i].cells, CELLS_IDLE_TICKS, idle,
				   sizeof(idle) / sizeof(idle[0]));
		while (count--)
			datapath_remove_cell(controller->datapath, &idle[count]);
		reserve_rest(controller, &controller->service[i], &rest);
	}
}

/*
 * Requests that were cancelled, and entries that were replaced, leave the live count too high. What
 * two walks in a row find too much (or too little) is corrected.
 */
static int32_t sure_leak(int64_t leak, int64_t *last)
{
	int64_t before = *last, sure = 0;

	if (leak > 0 && before > 0)
		sure = leak < before ? leak : before;
	else if (leak < 0 && before < 0)
		sure = leak > before ? leak : before;
	*last = leak - sure;
	return (int32_t)sure;
}

/* Live counts of a backend, as they were just before the walk. */
static void correct_leaks(struct controller *controller, uint32_t id, int32_t in_flight,
			  int32_t connecting)
{
	const struct flows_count *flows = &controller->flows;
	int64_t given_up = flows->given_up[id];
	int32_t leak;

	leak = sure_leak(in_flight - given_up - flows->waiting[id], &controller->leak[id]);
	if (leak)
		publisher_correct(controller->datapath, id, -leak);
	leak = sure_leak(connecting - given_up - flows->connecting[id],
			 &controller->connects_leak[id]);
	if (leak)
		publisher_correct_connects(controller->datapath, id, -leak);
}

static void walk_flows(struct controller *controller)
{
	struct flows_count *flows = &controller->flows;
	uint64_t now = clock_now();
	int32_t in_flight[LARCH_MAX_BACKENDS], connecting[LARCH_MAX_BACKENDS];

	for (size_t i = 0; i < LARCH_MAX_BACKENDS; i++) {
		const struct larch_live *live = &controller->datapath->live[i];

		in_flight[i] = __atomic_load_n(&live->in_flight, __ATOMIC_RELAXED);
		connecting[i] = __atomic_load_n(&live->connecting, __ATOMIC_RELAXED);
	}
	flows_walk(controller->datapath->flows, controller->datapath->buckets,
		   datapath_stamp(controller->datapath), now,
		   controller->datapath->settings->flags & LARCH_COUNT_SYNS, flows);
	for (uint32_t i = 0; i < LARCH_MAX_BACKENDS; i++) {
		if (!controller->registry.backend[i].used)
			continue;
		if (flows->given_up[i])
			publisher_given_up(controller->datapath, i, flows->given_up[i], now);
		correct_leaks(controller, i, in_flight[i], connecting[i]);
		controller_leaving(controller, i);
	}
}

void controller_tick(struct controller *controller)
{
	uint32_t interval = controller->config->learning.interval_ms;
	uint32_t walk_ticks = interval < WALK_MS ? WALK_MS / interval : 1;

	for (size_t i = 0; i < STAGES; i++)
		controller->stage[i].last_ns = 0;
	netlink_tick(controller->netlink, clock_now() / NS_PER_MS);
	controller_drop_faded(controller);
	controller_look_around(controller, true);
	returns_look(controller);
	read_samples(controller);
	nodes_look(controller);
	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		if (controller->service[i].used)
			service_tick(controller, &controller->service[i]);
	}
	controller_follow_agents(controller);
	make_room(controller);
	if (controller->ticks % walk_ticks == 0) {
		walk_flows(controller);
		fault_at("walk");
	}
	controller_follow_addresses(controller);
	nodes_write(controller);
	for (size_t i = 0; i < STAGES; i++) {
		struct stage_time *time = &controller->stage[i];

		time->most_ns = time->last_ns > time->most_ns ? time->last_ns : time->most_ns;
	}
	controller->ticks++;
}
