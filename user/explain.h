// SPDX-License-Identifier: BSD-2-Clause
/*
 * Why does this flow go there? Goes the packet's way once more over the tables that the kernel
 * reads, by the same inline functions, and notes each step. Pure: nothing is changed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "larch/backend.h"
#include "larch/choice.h"
#include "larch/flow.h"
#include "larch/plan.h"
#include "larch/service.h"
#include "larch/tuple.h"

struct explain_input {
	struct larch_tuple tuple;
	uint32_t hops, size, ingress; /* the features that a tuple does not show; size: its class */
	const struct larch_settings *settings;
	const struct larch_bucket *flows; /* [settings->bucket_mask + 1]; NULL: no table */
	const struct larch_plan *plan;
	const struct larch_ring *rings;	 /* [LARCH_RINGS], or as many as the plan's leaves need */
	const struct larch_costs *costs; /* [the plan's leaves] */
	const struct larch_live *live;	 /* [LARCH_MAX_BACKENDS] */
	uint64_t now_ns;		 /* monotonic clock */
	uint32_t stamp;			 /* the same as flows are stamped */
	struct larch_policy policy;	 /* of the service */
	bool flooded;			 /* more new flows come than it is meant for */
	uint16_t own;	      /* NAT: the backend that is the source itself; or NO_BACKEND */
	const bool *unusable; /* [LARCH_MAX_BACKENDS]: nothing can be sent there; NULL: none */
};

/* One test on the way through the tree. */
struct explain_step {
	enum larch_feature feature;
	uint64_t value, threshold;
	bool right; /* value > threshold */
};

struct explain_candidate {
	bool there; /* the ring names one */
	uint8_t member;
	uint16_t backend; /* id */
	struct larch_cost cost;
	int32_t in_flight;
	uint32_t queue;		/* larch_queue(): what of them the score counts */
	uint32_t concurrency;	/* requests that it serves at once, by which the queue is divided */
	uint32_t busy;		/* larch_live.concurrency: in flight that keep it just busy */
	uint32_t slowdown;	/* larch_slowdown() */
	uint64_t score;		/* larch_score(), us */
	struct larch_live live; /* that it was computed from */
};

struct explain {
	uint64_t now_ns; /* as given */
	uint64_t hash;
	enum larch_arm arm; /* if it begins now */
	uint32_t slot, global_slot, bucket, second_bucket;

	/* what the flow table remembers */
	bool known;
	bool silent; /* known, but for so long that the next packet begins a new flow */
	union larch_identity identity;
	union larch_timing timing;
	uint32_t in_bucket; /* where it was found */
	uint64_t idle_ns;   /* since it was last seen; in steps of 8.6 s */

	/* where a new flow goes */
	bool own;     /* to its source, a backend of the service itself */
	bool learned; /* by the tree; else by the control ring */
	bool by_ring; /* without live scores, so that all packets of the flow come to the same */
	bool explores;
	struct larch_features features;
	struct explain_step step[LARCH_MAX_DEPTH]; /* those that matter */
	size_t steps;
	unsigned leaf;
	struct explain_candidate candidate[LARCH_CANDIDATES]; /* as larch_doubt() leaves them */
	bool doubted; /* the second is the global ring's, for the leaf's are too dear */
	struct explain_candidate control[LARCH_CANDIDATES]; /* the control ring's, the same way */
	bool spared;	  /* by the control ring: its first is sick, so that the second takes it */
	bool passed_over; /* the ring's choice cannot be used: it is the next that can */
	uint8_t member;	  /* LARCH_NO_MEMBER: none can take it */
	uint16_t backend; /* LARCH_NO_BACKEND: none */
};

/* What the flow table [mask + 1] remembers of the flow with this hash; false: nothing. */
bool explain_known(const struct larch_bucket *flows, uint32_t mask, uint64_t hash,
		   union larch_identity *out);

void explain_flow(const struct explain_input *input, struct explain *out);

/* The first of the candidates that was chosen: its index, or LARCH_CANDIDATES. */
unsigned explain_chosen(const struct explain *explain);
