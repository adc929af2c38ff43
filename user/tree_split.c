// SPDX-License-Identifier: BSD-2-Clause
/*
 * The split criterion. In: the rows of a node; out: its best split.
 *
 * With n_l, n_r flows in the children and d_j = log D_lj - log D_rj, the contrast of member j,
 *
 *	gain = n_l n_r / (n_l + n_r) * sum_j (d_j - s_j mu)^2
 *
 * where s_j in [0, 1] is the part of a contrast that shrinkage has left (1 with many samples on
 * both sides, 0 without any on one) and mu = sum s_j d_j / sum s_j^2, the effect common to all
 * members. With s_j = 1 this is the interaction of LEARNER.md. Without s_j a member that a class
 * has hardly tried would look as if that class were not slower there, like a change of ratios.
 *
 * Noise: shrunk contrasts of equal backends have variances v_j that follow from the counts and the
 * samples' coefficient of variation, and from how unlike the rows are in what all members have in
 * common: of a class that is slower everywhere, one member has by chance met more than another.
 * Where a cut parts such classes, neither side has that noise. All cuts of a node are tried, so the
 *sum must exceed what the best of them reaches by chance: for a sum of weighted squares of normal
 *variables P(sum > |v|_1 + 2 |v|_2 sqrt(t) + 2 |v|_max t) <= e^-t (Laurent and Massart 2000).
 *
 * The plain variance criterion has neither: with D_j the mean costs and n_j the flows of member j,
 * what the sum over the members of their squared deviations loses by the split is
 *
 *	gain = sum_j n_lj n_rj / (n_lj + n_rj) * (D_lj - D_rj)^2
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numeric.h"
#include "tree_split.h"

#define CHANCE 3.0 /* e^-3: bound of the chance that noise splits a node */

/* What the criterion needs of a member, fixed within a node. */
struct member {
	double net_prior, service_prior; /* pseudo-sums of the node's costs */
	double net_part, service_part;	 /* of the node's cost, together 1 */
	double net_left, service_left;	 /* (n + 2 k0) / n times the part: see reliability */
	double net_noise, service_noise; /* squared part times squared coefficient of variation */
};

/*
 * How slow rows are, whoever serves them: what their requests took as a multiple of what the node's
 * costs would make it. Sums over rows.
 */
struct levels {
	double expected; /* us, by the node's costs */
	double measured; /* us */
	double squares;	 /* of the multiples, weighted with expected */
	double noise;	 /* what of the squares is the noise of single samples */
};

struct tree_search {
	const struct tree_rows *rows;
	const struct tree_options *options;
	struct tree_noise noise;
	double log_tries;
	struct member *member;	 /* [members] */
	struct tally *left;	 /* [members]: of the rows up to the cut */
	struct levels *level;	 /* [rows]: of the node's, by their index */
	struct levels levels[2]; /* of the rows up to the cut, and of the node */
	struct tally *flows;	 /* [rows]: sums over members; counts only */
	uint32_t *order;	 /* [rows]: a node's rows by bin */
	uint32_t end[TREE_BINS]; /* of each bin's rows in order */
};

static double larger(double a, double b)
{
	return a > b ? a : b;
}

double tree_split_flows(const struct tally *tally, size_t members)
{
	double connects = 0, responses = 0;

	for (size_t j = 0; j < members; j++) {
		connects += tally[j].connects;
		responses += tally[j].responses;
	}
	return larger(connects, responses);
}

void tree_search_free(struct tree_search *search)
{
	if (!search)
		return;
	free(search->member);
	free(search->left);
	free(search->level);
	free(search->flows);
	free(search->order);
	free(search);
}

static void count_flows(struct tree_search *search)
{
	const struct tree_rows *rows = search->rows;

	for (size_t i = 0; i < rows->rows; i++)
		for (size_t j = 0; j < rows->members; j++) {
			search->flows[i].connects += rows->tally[i * rows->members + j].connects;
			search->flows[i].responses += rows->tally[i * rows->members + j].responses;
		}
}

int tree_search_new(struct tree_search **out, const struct tree_rows *rows,
		    const struct tree_options *options)
{
	struct tree_search *search = calloc(1, sizeof(*search));
	double tries = 1;

	if (!search)
		return -ENOMEM;
	search->member = calloc(rows->members + 1, sizeof(*search->member));
	search->left = calloc(rows->members + 1, sizeof(*search->left));
	search->level = calloc(rows->rows + 1, sizeof(*search->level));
	search->flows = calloc(rows->rows + 1, sizeof(*search->flows));
	search->order = calloc(rows->rows + 1, sizeof(*search->order));
	if (!search->member || !search->left || !search->level || !search->flows ||
	    !search->order) {
		tree_search_free(search);
		return -ENOMEM;
	}
	search->rows = rows;
	search->options = options;
	for (size_t c = 0; c < rows->columns; c++)
		tries += rows->column[c].bins - 1;
	search->log_tries = numeric_log(tries);
	tree_noise_estimate(rows, search->order, &search->noise);
	count_flows(search);
	*out = search;
	return 0;
}

static void member_prepare(struct member *member, const struct tree_search *search,
			   const struct tally *tally, const struct cost *cost)
{
	double prior = search->options->prior;
	double all = cost->net + cost->service;
	double net = all > 0 ? cost->net / all : 0;
	double service = all > 0 ? 1 - net : 0;

	member->net_part = net;
	member->service_part = service;
	member->net_prior = prior * cost->net;
	member->service_prior = prior * cost->service;
	member->net_left = tally->connects > 0 ? net * (1 + 2 * prior / tally->connects) : 0;
	member->service_left =
		tally->responses > 0 ? service * (1 + 2 * prior / tally->responses) : 0;
	member->net_noise = net * net * search->noise.net;
	member->service_noise = service * service * search->noise.service;
}

/* sum_j (d_j - s_j mu)^2 of the cut between search->left and the rest of the node. */
static double interaction(const struct tree_search *search, const struct tree_part *part)
{
	double prior = search->options->prior;
	double dd = 0, sd = 0, ss = 0;

	for (size_t j = 0; j < search->rows->members; j++) {
		const struct member *m = &search->member[j];
		const struct tally *l = &search->left[j], *all = &part->tally[j];
		double connects_r = all->connects - l->connects;
		double responses_r = all->responses - l->responses;
		double net_l = l->connects + prior, net_r = connects_r + prior;
		double service_l = l->responses + prior, service_r = responses_r + prior;
		double net = net_l * net_r, service = service_l * service_r;
		/* Costs of the children, each times both of its counts. */
		double left = (l->connect_us + m->net_prior) * service_l +
			      (l->work_us + m->service_prior) * net_l;
		double right = (all->connect_us - l->connect_us + m->net_prior) * service_r +
			       (all->work_us - l->work_us + m->service_prior) * net_r;
		double s = (m->net_left * l->connects * connects_r * service +
			    m->service_left * l->responses * responses_r * net) /
			   (net * service);
		double d;

		if (!(left > 0 && right > 0))
			continue;
		d = numeric_log(left * (net_r * service_r) / (right * (net_l * service_l)));
		dd += d * d;
		sd += s * d;
		ss += s * s;
	}
	return ss > 0 ? larger(dd - sd * sd / ss, 0) : 0;
}

/* Variance, relative to its squared mean, that a sum of n samples shrunk by k0 = prior keeps. */
static double variance(double n, double prior)
{
	return n / ((n + prior) * (n + prior));
}

static void levels_add(struct levels *to, const struct levels *from)
{
	to->expected += from->expected;
	to->measured += from->measured;
	to->squares += from->squares;
	to->noise += from->noise;
}

/* Of one row of the node. */
static struct levels row_levels(const struct tree_search *search, const struct tree_part *part,
				size_t row)
{
	size_t members = search->rows->members;
	const struct tally *tally = &search->rows->tally[row * members];
	struct levels out = {0};
	double net = 0;

	for (size_t j = 0; j < members; j++) {
		net += tally[j].connects * part->cost[j].net;
		out.expected += tally[j].responses * part->cost[j].service;
		out.measured += tally[j].connect_us + tally[j].work_us;
	}
	out.expected += net;
	if (!(out.expected > 0))
		return out;
	out.squares = out.measured * out.measured / out.expected;
	net /= out.expected;
	if (search->flows[row].connects > 0)
		out.noise += net * net * search->noise.net / search->flows[row].connects;
	if (search->flows[row].responses > 0)
		out.noise += (1 - net) * (1 - net) * search->noise.service /
			     search->flows[row].responses;
	out.noise *= out.squares;
	return out;
}

/* Squared coefficient of variation of the multiples, of which `without` are left out. */
static double levels_variance(const struct levels *all, const struct levels *without)
{
	double expected = all->expected - without->expected;
	double measured = all->measured - without->measured;
	double squares = all->squares - without->squares - (all->noise - without->noise);

	return measured > 0 ? larger(squares * expected / (measured * measured) - 1, 0) : 0;
}

/* What the interaction of this cut may reach by chance if all contrasts are equal. */
static double noise_bound(const struct tree_search *search, const struct tree_part *part)
{
	double prior = search->options->prior;
	double t = search->log_tries + CHANCE;
	double sum = 0, squares = 0, most = 0;
	double left = levels_variance(&search->levels[0], &(struct levels){0});
	double right = levels_variance(&search->levels[1], &search->levels[0]);

	for (size_t j = 0; j < search->rows->members; j++) {
		const struct member *m = &search->member[j];
		const struct tally *l = &search->left[j], *all = &part->tally[j];
		double v = (m->net_noise + m->net_part * left) * variance(l->connects, prior) +
			   (m->net_noise + m->net_part * right) *
				   variance(all->connects - l->connects, prior) +
			   (m->service_noise + m->service_part * left) *
				   variance(l->responses, prior) +
			   (m->service_noise + m->service_part * right) *
				   variance(all->responses - l->responses, prior);

		sum += v;
		squares += v * v;
		most = larger(most, v);
	}
	return search->options->noise * (sum + 2 * sqrt(squares * t) + 2 * most * t);
}

/* Orders the rows of a node by their bin in one column. */
static void order_rows(struct tree_search *search, const struct tree_part *part,
		       const struct tree_column *column)
{
	uint32_t *end = search->end;
	uint32_t sum = 0;

	memset(end, 0, sizeof(search->end));
	for (size_t i = 0; i < part->rows; i++)
		end[column->bin[part->row[i]]]++;
	for (unsigned b = 0; b < column->bins; b++) {
		uint32_t count = end[b];

		end[b] = sum;
		sum += count;
	}
	for (size_t i = 0; i < part->rows; i++)
		search->order[end[column->bin[part->row[i]]]++] = part->row[i];
}

/* 0: too little to gain, less than `best`, or no more than noise would bring. */
static double interaction_gain(const struct tree_search *search, const struct tree_part *part,
			       double left, double right, double best)
{
	const struct tree_options *options = search->options;
	double effect = options->min_effect * options->min_effect * (left + right) *
			(double)search->rows->members;
	double sum = interaction(search, part);
	double gain = left * right / (left + right) * sum;

	if (!(gain > effect && gain > best) || sum <= noise_bound(search, part))
		return 0;
	return gain;
}

static double mean_cost(double connect_us, double connects, double work_us, double responses)
{
	return (connects > 0 ? connect_us / connects : 0) +
	       (responses > 0 ? work_us / responses : 0);
}

static double variance_gain(const struct tree_search *search, const struct tree_part *part)
{
	const struct tree_options *options = search->options;
	double gain = 0, effect = 0;

	for (size_t j = 0; j < search->rows->members; j++) {
		const struct tally *l = &search->left[j], *all = &part->tally[j];
		double connects = all->connects - l->connects;
		double responses = all->responses - l->responses;
		double left = larger(l->connects, l->responses);
		double right = larger(connects, responses);
		double cost = part->cost[j].net + part->cost[j].service;
		double difference;

		effect += (left + right) * cost * cost;
		if (!(left > 0 && right > 0))
			continue;
		difference = mean_cost(l->connect_us, l->connects, l->work_us, l->responses) -
			     mean_cost(all->connect_us - l->connect_us, connects,
				       all->work_us - l->work_us, responses);
		gain += left * right / (left + right) * difference * difference;
	}
	return gain > options->min_effect * options->min_effect * effect ? gain : 0;
}

/* Takes the cut after the bins that are in search->left if it is better than *best. */
static void try_cut(struct tree_search *search, const struct tree_part *part, double left,
		    double right, struct tree_split *best, const struct tree_split *cut)
{
	const struct tree_options *options = search->options;
	double gain;

	if (left < options->min_flows || right < options->min_flows || !(left > 0 && right > 0))
		return;
	if (options->criterion == TREE_VARIANCE)
		gain = variance_gain(search, part);
	else
		gain = interaction_gain(search, part, left, right, best->gain);
	if (!(gain > best->gain))
		return;
	*best = *cut;
	best->gain = gain;
}

static void search_column(struct tree_search *search, const struct tree_part *part,
			  const struct tally *flows, size_t c, struct tree_split *best)
{
	const struct tree_column *column = &search->rows->column[c];
	size_t members = search->rows->members;
	struct tally left = {0};
	uint32_t at = 0;

	order_rows(search, part, column);
	memset(search->left, 0, members * sizeof(*search->left));
	search->levels[0] = (struct levels){0};
	for (unsigned b = 0; search->end[b] < part->rows; b++) {
		struct tree_split cut = {.column = c, .bin = b};
		unsigned next = b + 1;

		if (at == search->end[b])
			continue;
		for (; at < search->end[b]; at++) {
			uint32_t row = search->order[at];

			tree_rows_add(search->left, &search->rows->tally[row * members], members);
			tree_rows_add(&left, &search->flows[row], 1);
			levels_add(&search->levels[0], &search->level[row]);
		}
		while (search->end[next] == at)
			next++;
		cut.threshold = tree_rows_threshold(column->value[b], column->value[next]);
		try_cut(search, part, larger(left.connects, left.responses),
			larger(flows->connects - left.connects, flows->responses - left.responses),
			best, &cut);
	}
}

void tree_search_best(struct tree_search *search, const struct tree_part *part,
		      struct tree_split *out)
{
	struct tally flows = {0};

	*out = (struct tree_split){0};
	for (size_t j = 0; j < search->rows->members; j++)
		member_prepare(&search->member[j], search, &part->tally[j], &part->cost[j]);
	search->levels[1] = (struct levels){0};
	for (size_t i = 0; i < part->rows; i++) {
		uint32_t row = part->row[i];

		tree_rows_add(&flows, &search->flows[row], 1);
		search->level[row] = row_levels(search, part, row);
		levels_add(&search->levels[1], &search->level[row]);
	}
	for (size_t c = 0; c < search->rows->columns; c++)
		search_column(search, part, &flows, c, out);
}
