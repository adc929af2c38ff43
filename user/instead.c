// SPDX-License-Identifier: BSD-2-Clause
/*
 * Searches the borders of a choice. See instead.h. A score grows with each of its four values, so
 * that each border is found by halving.
 */
#include "instead.h"

#include "larch/score.h"

#define IN_FLIGHT_MOST 65535 /* larch_score() counts no more */

enum what { IN_FLIGHT, SLOWDOWN, SERVICE, NET };

/*
 * The score with another value. A slowdown counts from now on, and no silence beside it; nor does a
 * backend owe answers since long that has nothing in flight.
 */
static uint64_t score_with(const struct explain *explain, const struct explain_candidate *candidate,
			   enum what what, int64_t value)
{
	struct larch_live live = candidate->live;
	struct larch_cost cost = candidate->cost;

	switch (what) {
	case IN_FLIGHT:
		live.in_flight = (int32_t)value;
		if (candidate->live.in_flight <= 0)
			live.requests.word = live.connects.word = 0;
		break;
	case SLOWDOWN:
		live.slowdown = (uint32_t)value;
		live.updated = explain->now_ns;
		live.requests.word = live.connects.word = 0;
		break;
	case SERVICE:
		cost.service = (uint32_t)value;
		break;
	case NET:
		cost.net = (uint32_t)value;
		break;
	}
	return larch_score(&cost, &live, explain->now_ns);
}

/*
 * Who would be taken if one member had another value? It may be named twice: both have it. As
 * choose() in explain.c.
 */
static uint8_t choice_with(const struct explain *explain, const struct explain_candidate *of,
			   enum what what, int64_t value)
{
	struct larch_choice choice = LARCH_NO_CHOICE;

	for (uint32_t i = 0; i < LARCH_CANDIDATES; i++) {
		const struct explain_candidate *candidate = &explain->candidate[i];

		if (!candidate->there)
			continue;
		larch_offer(&choice, explain->hash, i, candidate->member,
			    candidate->member == of->member
				    ? score_with(explain, candidate, what, value)
				    : candidate->score);
	}
	return choice.member;
}

/* The largest value from `least` up to `most`, which would not do, that would. */
static int64_t find_most(const struct explain *explain, const struct explain_candidate *candidate,
			 enum what what, int64_t least, int64_t most)
{
	if (choice_with(explain, candidate, what, least) != candidate->member)
		return INSTEAD_NEVER;
	while (most - least > 1) {
		int64_t middle = least + (most - least) / 2;

		if (choice_with(explain, candidate, what, middle) == candidate->member)
			least = middle;
		else
			most = middle;
	}
	return least;
}

/* From which load of the chosen one on is the flow no longer its own, and is it then this one's? */
static int64_t find_load(const struct explain *explain, const struct explain_candidate *chosen,
			 const struct explain_candidate *candidate)
{
	int64_t least =
		find_most(explain, chosen, IN_FLIGHT, chosen->in_flight, IN_FLIGHT_MOST + 1) + 1;

	if (least > IN_FLIGHT_MOST ||
	    choice_with(explain, chosen, IN_FLIGHT, least) != candidate->member)
		return INSTEAD_NEVER;
	return least;
}

/* Values below which nothing is looked for: no load, no slowdown, the least costs. */
static void look_at(const struct explain *explain, const struct explain_candidate *candidate,
		    struct instead *out)
{
	const struct explain_candidate *chosen = &explain->candidate[explain_chosen(explain)];

	out->there = true;
	out->in_flight = find_most(explain, candidate, IN_FLIGHT, 0, candidate->in_flight);
	out->slowdown =
		find_most(explain, candidate, SLOWDOWN, LARCH_SLOWDOWN_ONE, candidate->slowdown);
	out->service_us = find_most(explain, candidate, SERVICE, 1, candidate->cost.service);
	out->net_us = find_most(explain, candidate, NET, 0, candidate->cost.net);
	out->chosen_in_flight = find_load(explain, chosen, candidate);
}

void instead_find(const struct explain *explain, struct instead *out)
{
	const struct instead never = {.in_flight = INSTEAD_NEVER,
				      .slowdown = INSTEAD_NEVER,
				      .service_us = INSTEAD_NEVER,
				      .net_us = INSTEAD_NEVER,
				      .chosen_in_flight = INSTEAD_NEVER};
	bool scores = explain->learned && !explain->by_ring && !explain->explores &&
		      explain->member != LARCH_NO_MEMBER &&
		      explain_chosen(explain) < LARCH_CANDIDATES;

	for (unsigned i = 0; i < LARCH_CANDIDATES; i++) {
		const struct explain_candidate *candidate = &explain->candidate[i];

		out[i] = never;
		if (scores && candidate->there && candidate->member != explain->member)
			look_at(explain, candidate, &out[i]);
	}
}
