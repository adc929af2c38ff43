// SPDX-License-Identifier: BSD-2-Clause
/* What a DNS name stands for. See names.h. */
#include "names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MOST 60 /* s between attempts at a name that fails */

static int compare(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct in6_addr));
}

/* Sorts, and leaves each address once. */
static void set_finish(struct names_set *set)
{
	size_t kept = 0;

	qsort(set->address, set->count, sizeof(set->address[0]), compare);
	for (size_t i = 0; i < set->count; i++) {
		if (!kept || compare(&set->address[kept - 1], &set->address[i]) != 0)
			set->address[kept++] = set->address[i];
	}
	set->count = kept;
}

static bool set_has(const struct names_set *set, const struct in6_addr *address)
{
	return set->count && bsearch(address, set->address, set->count, sizeof(*address), compare);
}

size_t names_missing(const struct names_set *a, const struct names_set *b)
{
	size_t count = 0;

	for (size_t i = 0; i < a->count; i++)
		count += !set_has(b, &a->address[i]);
	return count;
}

static bool set_same(const struct names_set *a, const struct names_set *b)
{
	return a->count == b->count && names_missing(a, b) == 0;
}

static void set_add(struct names_set *set, const struct in6_addr *address)
{
	if (set->count < NAMES_ADDRESSES)
		set->address[set->count++] = *address;
}

/* Nobody could say what the family has: it has what it had. */
static void add_family(struct names_set *next, const struct names_set *now,
		       const struct names_answer *answer, bool ipv4)
{
	for (size_t i = 0; answer->outcome == NAMES_FOUND && i < answer->count; i++)
		set_add(next, &answer->address[i]);
	for (size_t i = 0; answer->outcome == NAMES_FAILED && i < now->count; i++) {
		if ((bool)IN6_IS_ADDR_V4MAPPED(&now->address[i]) == ipv4)
			set_add(next, &now->address[i]);
	}
}

static enum names_verdict fail(struct names_state *state, const struct names_answer *ipv4,
			       const struct names_answer *ipv6)
{
	state->trouble = ipv4->outcome == NAMES_FAILED || ipv6->outcome != NAMES_FAILED ? ipv4->why
											: ipv6->why;
	if (state->failures < 1000)
		state->failures++;
	return NAMES_TROUBLED;
}

static void take_ttl(struct names_state *state, const struct names_answer *ipv4,
		     const struct names_answer *ipv6)
{
	state->ttl = INFINITY;
	if (ipv4->outcome == NAMES_FOUND)
		state->ttl = fmin(state->ttl, ipv4->ttl);
	if (ipv6->outcome == NAMES_FOUND)
		state->ttl = fmin(state->ttl, ipv6->ttl);
}

enum names_verdict names_judge(struct names_state *state, struct names_answer *ipv4,
			       struct names_answer *ipv6)
{
	struct names_set next = {.count = 0};
	bool first = !state->now.count, repeats;

	if (ipv4->outcome != NAMES_FOUND && ipv6->outcome != NAMES_FOUND)
		return fail(state, ipv4, ipv6);
	add_family(&next, &state->now, ipv4, true);
	add_family(&next, &state->now, ipv6, false);
	set_finish(&next);
	state->trouble = NULL;
	state->failures = 0;
	take_ttl(state, ipv4, ipv6);
	repeats = state->doubts && set_same(&state->doubted, &next);
	state->doubts = false;
	state->answered = true;
	if (set_same(&state->now, &next))
		return NAMES_SAME;
	if (!first && !repeats && 2 * names_missing(&state->now, &next) > state->now.count) {
		state->doubted = next;
		state->doubts = true;
		return NAMES_DOUBTED;
	}
	state->before = state->now;
	state->now = next;
	return NAMES_CHANGED;
}

void names_seed(struct names_state *state, const struct in6_addr *address, size_t count)
{
	state->now.count = 0;
	for (size_t i = 0; i < count; i++)
		set_add(&state->now, &address[i]);
	set_finish(&state->now);
}

double names_wait(const struct names_state *state, double least, double most)
{
	if (state->failures)
		return fmin(fmax(RETRY_MOST, least), least * pow(2, fmin(state->failures - 1, 10)));
	if (state->doubts || !state->answered)
		return least;
	return fmin(fmax(state->ttl, least), most);
}

static unsigned dots_of(const char *text)
{
	unsigned count = 0;

	for (; *text; text++)
		count += *text == '.';
	return count;
}

bool names_attempt(const char *host, char *const *domain, size_t domains, unsigned dots,
		   size_t attempt, char *out, size_t size)
{
	size_t searched = dots_of(host) < dots ? domains : 0;

	if (attempt > searched)
		return false;
	if (attempt == searched || strcmp(domain[attempt], ".") == 0)
		snprintf(out, size, "%s", host);
	else
		snprintf(out, size, "%s.%s", host, domain[attempt]);
	return true;
}
