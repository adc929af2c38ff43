// SPDX-License-Identifier: BSD-2-Clause
/*
 * One service in the controller: its members, its part of the tick, its publications. Follow
 * service_tick() from top to bottom to see how samples become a generation.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "clock.h"
#include "controller.h"
#include "larch/score.h"
#include "log.h"
#include "members.h"
#include "publisher.h"
#include "report.h"
#include "service.h"

#define STALE_TICKS   3
#define APART_NS      (100 * NS_PER_MS) /* between two publications */
#define REFRESH_TICKS 10 /* costs are published at least this often while samples come */
/*
 * Steering by classes leaves few samples where they should not go: what it took to tell classes
 * apart must not be asked for again each tick, or the tree comes and goes.
 */
#define NOISE_KEPT  0.05
#define NEWCOMER_US 15e6 /* patience with who has never answered; suspect after four times that */
#define LEAST_GAIN  5e-4 /* less is told as none, and never as -0.0 % */
#define LOUD_MOVE   0.1	 /* of a share: a line of the log that everybody reads */

struct cells_options service_half_lives(const struct config_learning *learning)
{
	double ticks_per_second = 1000.0 / learning->interval_ms;

	return (struct cells_options){
		.half_life_server = learning->half_life_server * ticks_per_second,
		.half_life_connect = learning->half_life_connect * ticks_per_second,
	};
}

int service_open(struct service *service, uint16_t id, const struct config_learning *learning,
		 enum larch_signal signal)
{
	struct cells_options options = service_half_lives(learning);
	int error;

	memset(service, 0, sizeof(*service));
	service->id = id;
	service->state = SERVICE_WAITING;
	service->reason = "has just begun";
	fallback_begin(&service->fallback, signal);
	arm_begin(&service->arm, 0, clock_wall());
	error = cells_new(&service->cells, &options);
	if (!error)
		error = judge_new(&service->judge);
	if (!error)
		error = judge_new(&service->connect);
	if (error)
		service_close(service);
	else
		service->used = true;
	return error;
}

void service_close(struct service *service)
{
	if (service->shadow != service->current)
		generation_free(service->shadow);
	generation_free(service->current);
	cells_free(service->cells);
	judge_free(service->judge);
	judge_free(service->connect);
	ring_builder_free(service->builder);
	for (size_t i = 0; i < SERVICE_HISTORY; i++)
		json_decref(service->event[i].changes);
	memset(service, 0, sizeof(*service));
}

/* Decayed responses to requests per second: a sum that halves every h ticks holds r T / (1 - d). */
static double demand_factor(const struct config_learning *learning)
{
	double interval = learning->interval_ms / 1000.0;
	double decay = exp2(-interval / learning->half_life_server);

	return (1 - decay) / interval;
}

/* What the learner needs of a service; the table stays empty. */
static void set_input(const struct controller *controller, const struct service *service,
		      struct learner_input *input)
{
	const struct config_learning *learning = &controller->config->learning;

	*input = (struct learner_input){
		.member = service->member,
		.members = service->members,
		.tree =
			{
				.max_leaves = learning->max_leaves,
				.max_depth = learning->max_depth,
				.min_flows = learning->min_flows,
				.min_effect = 0.02,
				.prior = 4,
				.trust = true,
				.noise = service->current && service->current->leaves > 1
						 ? NOISE_KEPT
						 : 1,
			},
		.shares =
			{
				.steps = 150,
				.rate = 0.3,
				.floor = learning->floor,
				.limit = learning->step,
			},
		.demand_factor = demand_factor(learning),
		.learned = service->config->learning == CONFIG_LEARNING_ON &&
			   judge_verdict(service->judge) == JUDGE_ON,
		.builder = service->builder,
		.last = service->current,
	};
}

/* What the generation moved for whom, while the table that it comes from is there. */
static void find_change(const struct service *service, const struct generation *last,
			struct change *change)
{
	struct table table;
	int error = cells_table(service->cells, &table);

	change_find(last, service->current, service->member, error ? NULL : &table, change);
}

static void log_generation(const struct service *service, const struct service_event *event,
			   const struct change *change)
{
	const json_t *move;
	size_t i;

	log_debug("%s: generation %u, digest %016llx, %zu leaves: %s", service->config->name,
		  event->generation, (unsigned long long)event->digest, event->leaves, event->why);
	json_array_foreach (event->changes, i, move) {
		const struct change_share *share = &change->move[i].share;
		double moved = share->after - share->before;
		bool loud = fabs(moved) >= LOUD_MOVE && change->move[i].reason < CHANGE_PRICE;

		log_line(loud ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "%s: generation %u: %s",
			 service->config->name, event->generation,
			 json_string_value(json_object_get(move, "text")));
	}
}

static void record(struct controller *controller, struct service *service,
		   const struct generation *last, const char *why)
{
	const struct generation *now = service->current;
	struct service_event *event = &service->event[service->published % SERVICE_HISTORY];
	struct change change;

	find_change(service, last, &change);
	json_decref(event->changes);
	*event = (struct service_event){
		.generation = now->plan.generation,
		.digest = now->plan.digest,
		.when = time(NULL),
		.leaves = now->leaves,
		.expected_gain = now->expected_gain,
		.moved_share = now->moved_share,
		.changes = report_change(controller, service, &change),
	};
	if (last)
		event->moved_slots =
			ring_moved(&last->ring[LARCH_RING_GLOBAL], &now->ring[LARCH_RING_GLOBAL]);
	snprintf(event->why, sizeof(event->why), "%s", why);
	service->published++;
	log_generation(service, event, &change);
}

/*
 * What a service asks of one of its members: the mean costs at the root; without a tree (a kept or
 * adopted generation) those of the first leaf stand for them.
 */
static void take_part(const struct generation *current, size_t member, struct mix_part *out)
{
	const struct larch_cost *leaf = &current->costs[0].member[member];

	for (size_t i = 0; i < current->leaves; i++)
		out->demand += current->demand[i] * current->share[i * current->members + member];
	if (current->tree)
		out->cost = current->tree->cost[member];
	else
		out->cost = (struct cost){leaf->net, leaf->service};
}

/* What all services together ask of a backend. */
static struct mix backend_mix(const struct controller *controller, uint32_t backend)
{
	struct mix_part part[LARCH_MAX_SERVICES] = {};
	size_t parts = 0;

	for (size_t i = 0; i < LARCH_MAX_SERVICES; i++) {
		const struct generation *current = controller->service[i].current;

		if (controller->service[i].used && current &&
		    current->plan.member_of[backend] < current->members)
			take_part(current, current->plan.member_of[backend], &part[parts++]);
	}
	return mix_of(part, parts);
}

static bool has_answered(const struct controller *controller, uint32_t backend)
{
	const struct larch_bands *bands = &controller->datapath->bands[backend];
	uint64_t sum = 0;

	for (size_t i = 0; i < LARCH_BANDS; i++)
		sum += bands->band[i].requests;
	return sum > 0;
}

/* Base costs feed the fast loop. */
void service_publish_live(struct controller *controller, uint32_t backend)
{
	uint32_t concurrency = controller->registry.backend[backend].concurrency;
	struct mix mix = backend_mix(controller, backend);

	/* What others take says little of who has never answered. */
	if (mix.slowest > 0 && !has_answered(controller, backend))
		mix.slowest = fmax(mix.slowest, NEWCOMER_US / (LARCH_SILENCE * concurrency));
	publisher_live(controller->datapath, backend, concurrency, &mix);
}

static void publish_live(struct controller *controller, const struct service *service)
{
	for (size_t i = 0; i < service->members; i++)
		service_publish_live(controller, service->member[i].backend);
}

/*
 * A packet that is on its way reads the bank of its generation: that must not be built anew at
 * once. Ticks are further apart; only netlink has more than one thing to say within the time.
 */
static void wait_turn(const struct controller *controller, struct service *service)
{
	uint64_t now = clock_now(), since = now - service->published_ns;
	struct timespec rest = {};

	if (controller->netlink && service->published_ns && since < APART_NS) {
		rest.tv_nsec = (long)(APART_NS - since);
		nanosleep(&rest, NULL);
		now = clock_now();
	}
	service->published_ns = now;
}

/* Publishes a generation, takes it over as current and records why. */
static int publish(struct controller *controller, struct service *service,
		   struct generation *generation, const char *why)
{
	struct generation *last = service->current;
	int error;

	wait_turn(controller, service);
	error = publisher_publish(controller->datapath, service->id, generation);
	if (error) {
		log_error("%s: cannot publish: %s", service->config->name, strerror(-error));
		return error;
	}
	service->current = generation;
	service->members_changed = false;
	service->age = 0;
	publish_live(controller, service);
	record(controller, service, last, *service->verdict ? service->verdict : why);
	service->verdict[0] = '\0';
	if (service->shadow != last)
		generation_free(last);
	return 0;
}

static bool any_usable(const struct service *service)
{
	for (size_t i = 0; i < service->members; i++) {
		if (service->member[i].usable && service->member[i].weight)
			return true;
	}
	return false;
}

/* Takes over what the leader has of the service, unless that is in force. False: there is nothing.
 */
static bool follow(struct controller *controller, struct service *service)
{
	struct generation *next = nodes_generation(controller, service);
	char why[120];

	if (!next)
		return false;
	if (service->current && service->current->plan.digest == next->plan.digest) {
		service->members_changed = false;
		generation_free(next);
		return true;
	}
	snprintf(why, sizeof(why), "generation of %s", controller->nodes.leader->node);
	if (publish(controller, service, next, why) != 0)
		generation_free(next);
	return true;
}

void service_republish(struct controller *controller, struct service *service, const char *why)
{
	struct learner_input input;
	struct generation *next;
	int error;

	if (!service->members || (service->current && !any_usable(service))) {
		if (service->members) /* else none of its names has been resolved yet */
			log_warning("%s: no backend can be reached; the last generation stays",
				    service->config->name);
		service->members_changed = false;
		return;
	}
	if (nodes_follows(controller) && follow(controller, service))
		return;
	set_input(controller, service, &input);
	if (input.last && service->config->learning != CONFIG_LEARNING_OFF)
		error = learner_keep(&input, &next);
	else
		error = learner_begin(&input, &next);
	if (!error && publish(controller, service, next, why) != 0)
		generation_free(next);
	if (error)
		log_error("%s: cannot build a generation: %s", service->config->name,
			  strerror(-error));
}

static void set_state(struct service *service, enum service_state state, const char *reason)
{
	if (service->state != state && state != SERVICE_JUDGED) /* the verdict has been logged */
		log_info("%s: %s", service->config->name,
			 reason			    ? reason
			 : state == SERVICE_FOLLOWS ? "follows the leader"
						    : "learning steers");
	service->state = state;
	service->reason = reason;
}

/* Steps 1 to 3. NULL: nothing new can be said, and the state says why. */
static struct generation *learn(struct controller *controller, struct service *service,
				uint64_t *clock)
{
	struct learner_input input;
	struct generation *next = NULL;
	struct table table;
	int error;

	set_input(controller, service, &input);
	error = cells_table(service->cells, &table);
	/* The numbers of interfaces are each node's own. */
	if (*controller->config->generations.write)
		table.ignored = 1u << LARCH_FEATURE_INGRESS;
	input.table = &table;
	if (!error)
		error = learner_train(&input, &next);
	controller_clock(controller, STAGE_TRAIN, clock);
	if (!error)
		error = learner_solve(&input, next);
	controller_clock(controller, STAGE_SHARES, clock);
	if (!error) {
		learner_rings(&input, next);
		controller_clock(controller, STAGE_RINGS, clock);
		return next;
	}
	generation_free(next);
	set_state(service, SERVICE_WAITING,
		  error == -ENODATA  ? "too few samples yet"
		  : error == -ERANGE ? "samples are not plausible (not between 1 us and 60 s)"
		  : error == -EINVAL ? "no backend is usable"
				     : "out of memory");
	return NULL;
}

/* Keeps the trained generation for the reports, in place of the last one. */
static void keep_shadow(struct service *service, struct generation *next)
{
	if (service->shadow && service->shadow != service->current)
		generation_free(service->shadow);
	service->shadow = next;
}

static bool is_due(const struct service *service, const struct generation *next)
{
	return learner_worth(service->current, next) || service->age >= REFRESH_TICKS;
}

static void steer_by(struct controller *controller, struct service *service,
		     struct generation *next, uint64_t *clock)
{
	char why[120];

	if (service->config->learning == CONFIG_LEARNING_SHADOW)
		set_state(service, SERVICE_SHADOW, "learns, but steers nothing");
	else if (judge_verdict(service->judge) == JUDGE_OFF)
		set_state(service, SERVICE_JUDGED, "learned was worse than control");
	else
		set_state(service, SERVICE_LEARNED, NULL);
	keep_shadow(service, next);
	if (!is_due(service, next))
		return;
	snprintf(why, sizeof(why),
		 "%zu %s, expected gain %.1f %%, largest move of a share %.1f points", next->leaves,
		 next->leaves == 1 ? "leaf" : "leaves",
		 fabs(next->expected_gain) < LEAST_GAIN ? 0 : 100 * next->expected_gain,
		 100 * next->moved_share);
	publish(controller, service, next, why);
	controller_clock(controller, STAGE_PUBLISH, clock);
}

/* What is new in the kernel's histograms of connect times. The first look is where they begin. */
static void read_connects(const struct controller *controller, struct service *service,
			  struct latency out[JUDGE_ARMS])
{
	memset(out, 0, JUDGE_ARMS * sizeof(*out));
	for (uint32_t arm = 0; arm < JUDGE_ARMS; arm++) {
		const struct larch_connects *now =
			&controller->datapath->connects[larch_connects_index(service->id, arm)];
		struct larch_connects *seen = &service->connects_seen[arm];

		for (size_t i = 0; i < LARCH_LATENCY_BUCKETS; i++) {
			uint32_t count = __atomic_load_n(&now->latency[i], __ATOMIC_RELAXED);

			if (service->connects_known)
				out[arm].bucket[i] = count - seen->latency[i];
			seen->latency[i] = count;
		}
	}
	service->connects_known = true;
}

static bool is_steering(const struct service *service)
{
	return service->current && service->current->plan.flags & LARCH_PLAN_LEARNED;
}

/* Notes how both arms went. Returns how many flows of the control arm were connected. */
static double observe(const struct controller *controller, struct service *service)
{
	struct latency connect[JUDGE_ARMS];

	read_connects(controller, service, connect);
	series_add(&service->series, time(NULL), is_steering(service), cells_arms(service->cells),
		   connect);
	if (judge_verdict(service->judge) == JUDGE_ON)
		judge_observe(service->connect, connect, arm_weight(&service->arm));
	return latency_count(&connect[LARCH_ARM_CONTROL]);
}

/*
 * Only learning that steers can do harm: before it does (in shadow, or while it gathers samples)
 * both arms go the same way, which is shown and says nothing of what comes.
 */
static void take_evidence(struct service *service)
{
	bool steers = is_steering(service);

	if (steers && !service->judged_steering) {
		judge_clear(service->judge);
		judge_clear(service->connect);
	}
	service->judged_steering = steers;
	if (steers || judge_verdict(service->judge) == JUDGE_OFF)
		judge_add(service->judge, cells_arms(service->cells), arm_weight(&service->arm));
	else
		judge_observe(service->judge, cells_arms(service->cells),
			      arm_weight(&service->arm));
}

/* Loudly; and the next publication, which carries it out, says the same in the history. */
static void tell_verdict(struct service *service)
{
	const struct judge_quantile *mean = &service->report.mean, *p95 = &service->report.p95;

	if (judge_verdict(service->judge) == JUDGE_ON) {
		snprintf(service->verdict, sizeof(service->verdict), "learning is tried again");
		log_info("%s: %s", service->config->name, service->verdict);
		return;
	}
	snprintf(service->verdict, sizeof(service->verdict),
		 "learning switched off: worse than control (mean %.2f, p95 %.2f times as long); "
		 "tried "
		 "again in %u ticks",
		 1 / mean->ratio, 1 / p95->ratio, judge_off_ticks(service->judge));
	log_warning("%s: %s", service->config->name, service->verdict);
}

/*
 * The control arm is as small as the judge allows, from the next new flow on. That of several nodes
 * is as large as it can be, or becomes so: a packet that comes to another node must find the ring
 * that the first one had for it.
 */
static void size_arm(struct controller *controller, struct service *service, double flows)
{
	if (nodes_are_several(controller))
		flows = 0;
	if (!arm_step(&service->arm, flows, clock_wall()))
		return;
	log_debug("%s: 1 flow in %u is of the control arm", service->config->name,
		  arm_one_in(&service->arm));
	controller_write_policy(controller, service);
}

static void judge(struct controller *controller, struct service *service, uint64_t *clock)
{
	enum judge_verdict before = judge_verdict(service->judge);
	double control_flows = observe(controller, service);

	take_evidence(service);
	size_arm(controller, service, control_flows);
	judge_compare(service->judge, JUDGE_BLOCKS, &service->report);
	if (judge_verdict(service->judge) != before) {
		tell_verdict(service);
		service->members_changed |=
			service->current != NULL; /* steer by the other arm from now on */
	}
	controller_clock(controller, STAGE_JUDGE, clock);
}

/* A follower's part: it watches how both arms go, and leaves it to the leader what follows. */
static void tick_follower(struct controller *controller, struct service *service, uint64_t *clock)
{
	double control_flows = observe(controller, service);

	judge_observe(service->judge, cells_arms(service->cells), arm_weight(&service->arm));
	size_arm(controller, service, control_flows);
	judge_compare(service->judge, JUDGE_BLOCKS, &service->report);
	controller_clock(controller, STAGE_JUDGE, clock);
	if (nodes_leader_digest(controller, service) != nodes_digest(controller, service))
		follow(controller, service);
	set_state(service, SERVICE_FOLLOWS, nodes_why(controller, service));
	controller_clock(controller, STAGE_PUBLISH, clock);
}

void service_tick(struct controller *controller, struct service *service)
{
	uint64_t clock = clock_now();
	struct generation *next = NULL;

	service->age++;
	service->members_changed |= members_refresh(controller, service);
	service_choose_signal(controller, service);
	cells_statistics(service->cells, &service->counted);
	if (nodes_follows(controller)) {
		tick_follower(controller, service, &clock);
	} else if (service->config->learning == CONFIG_LEARNING_OFF) {
		set_state(service, SERVICE_OFF, "learning is off");
	} else if (service->config->signal == LARCH_SIGNAL_NONE) {
		set_state(service, SERVICE_OFF, "nothing can be timed (signal: none)");
	} else if (!service->members) {
		set_state(service, SERVICE_WAITING, "no name of its backends has been resolved");
	} else if (service->counted.idle_ticks >= STALE_TICKS) {
		set_state(service, SERVICE_WAITING, "no fresh samples");
	} else {
		judge(controller, service, &clock);
		if (controller->ticks >= controller->warm_ticks)
			next = learn(controller, service, &clock);
		else
			set_state(service, SERVICE_WAITING, "gathers samples after a restart");
	}
	if (next)
		steer_by(controller, service, next, &clock);
	if (service->members_changed)
		service_republish(controller, service, "backends or verdict changed");
}
