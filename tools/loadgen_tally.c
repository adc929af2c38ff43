// SPDX-License-Identifier: BSD-2-Clause
// Counts what becomes of requests, per source prefix, and knows the backends by name.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loadgen.h"

static const char *const outcome_names[OUTCOME_COUNT] = {
	[OUTCOME_OK] = "ok",
	[OUTCOME_REJECTED] = "rejected",
	[OUTCOME_REFUSED] = "refused",
	[OUTCOME_CONNECT_TIMEOUT] = "connect_timeout",
	[OUTCOME_UNREACHABLE] = "unreachable",
	[OUTCOME_LOCAL] = "local",
	[OUTCOME_RESET] = "reset",
	[OUTCOME_EOF] = "eof",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_MISMATCH] = "mismatch",
	[OUTCOME_BACKEND_CHANGED] = "backend_changed",
};

const char *outcome_name(enum outcome outcome)
{
	return outcome_names[outcome];
}

static void tally_clear(struct tally *t)
{
	memset(t, 0, sizeof(*t));
	histogram_reset(&t->first);
	histogram_reset(&t->all);
}

static struct tallies *tallies_new(void)
{
	struct tallies *t = malloc(sizeof(*t));

	if (t) {
		tally_clear(&t->now);
		tally_clear(&t->total);
	}
	return t;
}

int tallies_open(struct loadgen *g)
{
	g->late = malloc(sizeof(*g->late));
	g->long_tallies = tallies_new();
	if (!g->late || !g->long_tallies)
		return -ENOMEM;
	histogram_reset(g->late);
	for (size_t i = 0; i < g->options.source_count; i++) {
		g->options.sources[i].tallies = tallies_new();
		if (!g->options.sources[i].tallies)
			return -ENOMEM;
	}
	return 0;
}

void tallies_close(struct loadgen *g)
{
	for (size_t i = 0; i < g->options.source_count; i++)
		free(g->options.sources[i].tallies);
	for (size_t i = 0; i < g->backend_count; i++)
		free((char *)g->backends[i]);
	free(g->long_tallies);
	free(g->late);
}

void tally_add(struct tally *into, const struct tally *from)
{
	into->flows += from->flows;
	into->requests += from->requests;
	into->abandoned += from->abandoned;
	into->bytes += from->bytes;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		into->outcomes[i] += from->outcomes[i];
	for (int i = 0; i < MAX_BACKENDS; i++)
		into->answers[i] += from->answers[i];
	histogram_merge(&into->first, &from->first);
	histogram_merge(&into->all, &from->all);
}

void tallies_turn(struct tallies *t)
{
	tally_add(&t->total, &t->now);
	tally_clear(&t->now);
}

static uint64_t outcomes_between(const struct tally *t, int first, int last)
{
	uint64_t sum = 0;

	for (int i = first; i <= last; i++)
		sum += t->outcomes[i];
	return sum;
}

uint64_t tally_broken(const struct tally *t)
{
	return outcomes_between(t, OUTCOME_REFUSED, OUTCOME_COUNT - 1);
}

uint64_t tally_connect_failed(const struct tally *t)
{
	return outcomes_between(t, OUTCOME_REFUSED, OUTCOME_LOCAL);
}

int backend_index(struct loadgen *g, const char *name, size_t length)
{
	char *copy;

	for (size_t i = 0; i < g->backend_count; i++)
		if (!strncmp(g->backends[i], name, length) && !g->backends[i][length])
			return (int)i;
	if (g->backend_count == MAX_BACKENDS)
		return MAX_BACKENDS - 1;
	copy = g->backend_count == MAX_BACKENDS - 1 ? strdup("others") : strndup(name, length);
	if (!copy)
		return MAX_BACKENDS - 1;
	g->backends[g->backend_count] = copy;
	return (int)g->backend_count++;
}
