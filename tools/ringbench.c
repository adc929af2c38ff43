// SPDX-License-Identifier: BSD-2-Clause
/*
 * Two ways to build a ring, side by side: weighted rendezvous hashing (user/ring.c, what ships) and
 * weighted Maglev. For changes of weights as they occur: how many slots change hands, as a multiple
 * of the least that could (what the members' slots differ by in number); how far the slots are from
 * the shares that were asked for; and what a build takes.
 *
 * Out: a table on stdout; with --rows a line of JSON per row.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lib/options.h"
#include "lib/prng.h"
#include "ring.h"
#include "ringbench.h"

#define MEMBERS	     64
#define LEAVES	     24
#define RINGS	     (LARCH_RING_LEAF + LEAVES)
#define TRIALS	     200
#define BUILDS	     15
#define BUDGET_MOVED 1.05
#define TICK	     0.2 /* what a leaf's shares move by at most, as total variation */

static struct {
	const char *rows_file;
	FILE *rows;
	struct ring_builder *rendezvous;
	struct maglev *maglev;
} bench;

static void build_rendezvous(const double *weight, struct larch_ring *out)
{
	ring_build(bench.rendezvous, weight, NULL, out);
}

static void build_maglev(const double *weight, struct larch_ring *out)
{
	maglev_build(bench.maglev, weight, out);
}

static const struct way {
	const char *name;
	void (*build)(const double *weight, struct larch_ring *out);
} ways[] = {
	{"rendezvous", build_rendezvous},
	{"maglev", build_maglev},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* --- changes of weights --- */

static void one_grows(struct prng *prng, double *weight)
{
	weight[prng_below(prng, MEMBERS)] *= 1 + prng_unit(prng);
}

static void one_slows_down(struct prng *prng, double *weight)
{
	weight[prng_below(prng, MEMBERS)] /= 5;
}

static void one_leaves(struct prng *prng, double *weight)
{
	weight[prng_below(prng, MEMBERS)] = 0;
}

static void four_leave(struct prng *prng, double *weight)
{
	for (unsigned i = 0; i < 4; i++)
		one_leaves(prng, weight);
}

/* A tick that finds much the same again. */
static void all_waver(struct prng *prng, double *weight)
{
	for (size_t i = 0; i < MEMBERS; i++)
		weight[i] *= 1 + 0.1 * (prng_unit(prng) - 0.5);
}

static double total(const double *weight)
{
	double sum = 0;

	for (size_t i = 0; i < MEMBERS; i++)
		sum += weight[i];
	return sum;
}

/* Part of all that moves from the shares of one to those of the other. */
static double variation(const double *a, const double *b)
{
	double sum_a = total(a), sum_b = total(b), sum = 0;

	for (size_t i = 0; i < MEMBERS; i++)
		sum += fabs(a[i] / sum_a - b[i] / sum_b) / 2;
	return sum;
}

/* Weights of members that are unlike. */
static void draw_weights(struct prng *prng, double *weight)
{
	for (size_t i = 0; i < MEMBERS; i++)
		weight[i] = prng_lognormal(prng, 1);
}

/* The largest step that a tick makes: towards other shares, by TICK. */
static void all_step(struct prng *prng, double *weight)
{
	double other[MEMBERS], part, sum = total(weight), sum_other;

	draw_weights(prng, other);
	part = fmin(TICK / variation(weight, other), 1);
	sum_other = total(other);
	for (size_t i = 0; i < MEMBERS; i++)
		weight[i] = (1 - part) * weight[i] / sum + part * other[i] / sum_other;
}

static const struct change {
	const char *name, *words;
	void (*make)(struct prng *prng, double *weight);
	bool single; /* all others keep their weights: the budget is meant for that */
} changes[] = {
	{"one_grows", "one weight grows, up to twice", one_grows, true},
	{"one_slows", "one weight falls to a fifth", one_slows_down, true},
	{"one_leaves", "one member leaves", one_leaves, true},
	{"four_leave", "four members leave", four_leave, true},
	{"all_waver", "all weights waver by 5 %", all_waver, false},
	{"all_step", "a tick's largest step, 20 %", all_step, false},
};
#define CHANGES (sizeof(changes) / sizeof(changes[0]))

/* --- measuring --- */

static void count_slots(const struct larch_ring *ring, double *slots)
{
	memset(slots, 0, MEMBERS * sizeof(*slots));
	for (size_t slot = 0; slot < LARCH_RING_SLOTS; slot++)
		slots[ring->slot[slot].primary]++;
}

/* Slots that changed hands over all trials, by the least that had to. */
static double moved_ratio(const struct way *way, const struct change *change, double *part)
{
	double moved = 0, least = 0;

	for (unsigned trial = 0; trial < TRIALS; trial++) {
		struct prng prng = prng_seed(trial, 1);
		double weight[MEMBERS], before[MEMBERS], after[MEMBERS];
		static struct larch_ring old, new;

		draw_weights(&prng, weight);
		way->build(weight, &old);
		change->make(&prng, weight);
		way->build(weight, &new);
		count_slots(&old, before);
		count_slots(&new, after);
		moved += (double)ring_moved(&old, &new);
		least += variation(before, after) * LARCH_RING_SLOTS;
	}
	*part = moved / TRIALS / LARCH_RING_SLOTS;
	return moved / least;
}

static double share_error(const struct way *way)
{
	double sum = 0;

	for (unsigned trial = 0; trial < TRIALS; trial++) {
		struct prng prng = prng_seed(trial, 2);
		double weight[MEMBERS], slots[MEMBERS];
		struct larch_ring ring;

		draw_weights(&prng, weight);
		way->build(weight, &ring);
		count_slots(&ring, slots);
		sum += variation(weight, slots);
	}
	return sum / TRIALS;
}

/* ms of CPU time for the rings of a generation: the least of several. */
static double build_ms(const struct way *way)
{
	static double weight[RINGS][MEMBERS];
	static struct larch_ring rings[RINGS];
	struct prng prng = prng_seed(1, 3);
	double least = INFINITY;

	for (size_t i = 0; i < RINGS; i++)
		draw_weights(&prng, weight[i]);
	for (unsigned i = 0; i < BUILDS; i++) {
		uint64_t began = clock_read(CLOCK_THREAD_CPUTIME_ID);

		for (size_t ring = 0; ring < RINGS; ring++)
			way->build(weight[ring], &rings[ring]);
		least = fmin(least, clock_ms(clock_read(CLOCK_THREAD_CPUTIME_ID) - began));
	}
	return least;
}

/* --- report --- */

static double report_moves(const struct way *way, const struct change *change)
{
	double part, ratio = moved_ratio(way, change, &part);

	printf("  %7.3f (%5.2f %%)", ratio, 100 * part);
	if (bench.rows)
		fprintf(bench.rows,
			"{\"case\": \"ring_%s\", \"way\": \"%s\", \"moved\": %.4f, "
			"\"moved_by_least\": %.4f}\n",
			change->name, way->name, part, ratio);
	return ratio;
}

static void compare_moves(void)
{
	printf("slots that change hands, by the least that could: %d slots, %d members\n  %-28s",
	       LARCH_RING_SLOTS, MEMBERS, "");
	for (size_t w = 0; w < WAYS; w++)
		printf(" %17s", ways[w].name);
	printf(" %8s\n", "budget");
	for (size_t c = 0; c < CHANGES; c++) {
		double ours;

		printf("  %-28s", changes[c].words);
		ours = report_moves(&ways[0], &changes[c]);
		for (size_t w = 1; w < WAYS; w++)
			report_moves(&ways[w], &changes[c]);
		if (changes[c].single)
			printf(" %8.2f %s\n", BUDGET_MOVED, ours <= BUDGET_MOVED ? "met" : "OVER");
		else
			printf(" %8s\n", "-");
	}
}

static void compare_builds(void)
{
	for (size_t w = 0; w < WAYS; w++) {
		double ms = build_ms(&ways[w]), error = share_error(&ways[w]);

		printf("  %-28s %d rings in %.3f ms%s; shares are off by %.2f %%\n", ways[w].name,
		       RINGS, ms, w ? ", primaries only" : "", 100 * error);
		if (bench.rows)
			fprintf(bench.rows,
				"{\"case\": \"ring_build\", \"way\": \"%s\", \"rings\": %d, "
				"\"members\": %d, \"ms\": %.4f, \"share_error\": %.5f}\n",
				ways[w].name, RINGS, MEMBERS, ms, error);
	}
}

static int prepare(void)
{
	uint64_t identity[MEMBERS];
	int error;

	for (size_t i = 0; i < MEMBERS; i++)
		identity[i] = ring_identity(&i, sizeof(i));
	error = ring_builder_new(&bench.rendezvous, identity, MEMBERS);
	return error ? error : maglev_new(&bench.maglev, identity, MEMBERS);
}

static const struct option_row rows[] = {
	{"rows", "FILE", "append a line of JSON per row", option_text, &bench.rows_file, 0, 0},
	{},
};

int main(int argc, char **argv)
{
	int first = options_parse(rows,
				  "usage: ringbench [options]\n\nLarch's rings beside those of "
				  "weighted Maglev: slots moved, shares, time.",
				  argc, argv);
	int error;

	if (first <= 0)
		return first ? 2 : 0;
	if (bench.rows_file && !(bench.rows = fopen(bench.rows_file, "a"))) {
		fprintf(stderr, "ringbench: %s: %s\n", bench.rows_file, strerror(errno));
		return 1;
	}
	error = prepare();
	if (!error) {
		compare_moves();
		compare_builds();
	}
	ring_builder_free(bench.rendezvous);
	maglev_free(bench.maglev);
	if (bench.rows && fclose(bench.rows) != 0)
		error = -errno;
	if (error)
		fprintf(stderr, "ringbench: %s\n", strerror(-error));
	return error ? 1 : 0;
}
