// SPDX-License-Identifier: BSD-2-Clause
/* The states of backends: see lifecycle.h. */
#include <stdio.h>
#include <string.h>

#include "lifecycle.h"

#define NS_PER_S 1000000000ull
/* A drain has been carried out if no flow is left; walks over the flow table are 5 s apart. */
#define DRAIN_LEAST_NS (11 * NS_PER_S)
/* While it warms up, its part grows from this in a straight line. */
#define WARM_FIRST 0.1
/* After the beginning, next hops and first checks need a moment. */
#define SETTLE_NS (5 * NS_PER_S)

const char *lifecycle_text(enum lifecycle_state state)
{
	static const char *const text[] = {
#define X(name, word) [LIFECYCLE_##name] = word,
		LIFECYCLE_STATES(X)
#undef X
	};

	return (unsigned)state < sizeof(text) / sizeof(text[0]) ? text[state] : NULL;
}

void lifecycle_begin(struct lifecycle *life, uint16_t backend, bool warm,
		     const struct lifecycle_now *now)
{
	*life = (struct lifecycle){
		.backend = backend,
		.begun_ns = warm ? now->ns : 0,
		.since = now->wall,
	};
}

/* Whoever sets the wall clock sets no deadline. */
static bool is_over(struct lifecycle *life, const struct lifecycle_now *now)
{
	if (!life->deadline)
		return false;
	if (!life->deadline_ns) {
		time_t left = life->deadline > now->wall ? life->deadline - now->wall : 0;

		life->deadline_ns = now->ns + (uint64_t)left * NS_PER_S;
	}
	return now->ns >= life->deadline_ns;
}

static bool is_drained(struct lifecycle *life, const struct lifecycle_now *now)
{
	if (is_over(life, now))
		return true;
	return life->flows == 0 && now->ns - life->ordered_ns >= DRAIN_LEAST_NS;
}

static bool is_meant(const struct lifecycle *life)
{
	return life->order == LIFECYCLE_NO_ORDER && life->weight > 0;
}

static bool is_well(const struct lifecycle *life)
{
	return !life->unreachable && !*life->unfit && !*life->ejected;
}

static void say_flows(const struct lifecycle *life, const char *what, char *out)
{
	if (life->flows)
		snprintf(out, LIFECYCLE_REASON, "%s; %u flows are left", what, life->flows);
	else
		snprintf(out, LIFECYCLE_REASON, "%s; no flow is left", what);
}

static enum lifecycle_state by_order(struct lifecycle *life, const struct lifecycle_now *now,
				     char *reason)
{
	if (life->order == LIFECYCLE_MAINTAIN) {
		say_flows(life, "ordered", reason);
		return LIFECYCLE_MAINTENANCE;
	}
	if (life->order == LIFECYCLE_DRAIN && is_drained(life, now)) {
		say_flows(life, life->flows ? "the drain's deadline has passed" : "drained",
			  reason);
		return LIFECYCLE_MAINTENANCE;
	}
	say_flows(life, life->order == LIFECYCLE_DRAIN ? "ordered" : "weight 0", reason);
	return LIFECYCLE_DRAINING;
}

static void say_down(const struct lifecycle *life, bool panic, char *reason)
{
	const char *why = life->unreachable ? life->unreachable
			  : *life->unfit    ? life->unfit
					    : life->ejected;

	snprintf(reason, LIFECYCLE_REASON, "%s%.*s", panic ? "takes flows all the same: " : "",
		 LIFECYCLE_REASON - 32, why);
}

/* What it does not get yet, of what it began to take some time ago. */
static double cold_after(uint64_t age_ns, uint64_t slow_start_ns)
{
	if (age_ns >= slow_start_ns)
		return 0;
	return (1 - WARM_FIRST) * (1 - (double)age_ns / (double)slow_start_ns);
}

static bool has_begun(const struct lifecycle *life, const struct lifecycle_now *now)
{
	return !life->begun_ns || now->ns - life->begun_ns >= SETTLE_NS;
}

static enum lifecycle_state when_well(struct lifecycle *life, const struct lifecycle_rules *rules,
				      const struct lifecycle_now *now, char *reason)
{
	if (!life->takes)
		life->warm_ns = has_begun(life, now) ? now->ns : 0;
	life->cold = life->warm_ns ? cold_after(now->ns - life->warm_ns, rules->slow_start_ns) : 0;
	if (life->cold <= 0)
		return LIFECYCLE_ACTIVE;
	snprintf(reason, LIFECYCLE_REASON, "slow start: at %.0f %% of its part",
		 100 * (1 - life->cold));
	return LIFECYCLE_WARMING;
}

static void update_one(struct lifecycle *life, bool panic, const struct lifecycle_rules *rules,
		       const struct lifecycle_now *now)
{
	char reason[LIFECYCLE_REASON] = "";
	enum lifecycle_state state;

	life->cold = 0;
	if (!is_meant(life)) {
		state = by_order(life, now, reason);
		life->takes = false;
	} else if (!is_well(life)) {
		state = LIFECYCLE_DOWN;
		life->takes = panic && !life->unreachable;
		say_down(life, life->takes, reason);
	} else {
		state = when_well(life, rules, now, reason);
		life->takes = true;
	}
	if (state != life->state)
		life->since = now->wall;
	life->state = state;
	memcpy(life->reason, reason, sizeof(reason));
}

void lifecycle_update(struct lifecycle *life, size_t members, const struct lifecycle_rules *rules,
		      const struct lifecycle_now *now, struct lifecycle_count *count)
{
	bool few;

	*count = (struct lifecycle_count){};
	for (size_t i = 0; i < members; i++) {
		count->meant += is_meant(&life[i]);
		count->well += is_meant(&life[i]) && is_well(&life[i]);
	}
	few = (double)count->well < rules->panic_threshold * (double)count->meant;
	for (size_t i = 0; i < members; i++) {
		update_one(&life[i], few, rules, now);
		count->panic |= life[i].takes && life[i].state == LIFECYCLE_DOWN;
	}
}
