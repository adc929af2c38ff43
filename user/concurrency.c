// SPDX-License-Identifier: BSD-2-Clause
/* From bands to a concurrency. See concurrency.h. */
#include <math.h>
#include <string.h>

#include "concurrency.h"
#include "numeric.h"

#define GRID_MANTISSA 2 /* 1, 2, ..., 8, 10, 12, 14, 16, 20, ... */
#define GRID_CODES    31
#define LEAST	      50   /* decayed samples, in all bands together */
#define VARIANCE      4.0  /* of single times, relative to their mean squared */
#define TRUST	      0.1  /* so well can a band's mean be known, relative, and no better */
#define AS_GOOD	      9.0  /* three standard deviations */
#define CONTRADICTS   16.0 /* misfit a band: no number of workers does that */
#define DECIDED	      4
#define ROUNDS	      3	  /* in which service time and waiting are brought together */
#define QUEUES	      192 /* where the last band begins */

void concurrency_look(struct concurrency *concurrency, const struct larch_bands *now, double decay)
{
	for (size_t i = 0; i < LARCH_BANDS; i++) {
		const struct larch_band *is = &now->band[i], *was = &concurrency->seen.band[i];
		struct concurrency_band *band = &concurrency->band[i];

		band->requests *= decay;
		band->server_us *= decay;
		band->response_us *= decay;
		if (!concurrency->looked || is->requests < was->requests)
			continue;
		concurrency->fresh |= is->requests > was->requests;
		band->requests += (double)(is->requests - was->requests);
		band->server_us += (double)(is->server_us - was->server_us);
		band->response_us += (double)(is->response_us - was->response_us);
	}
	concurrency->seen = *now;
	concurrency->looked = true;
}

void concurrency_stretch(uint32_t concurrency, double net, double *out, uint32_t queues)
{
	double c = concurrency, at = 1 / (1 + net), power = 1;
	double waits, ratio = 1, idle, some, edge; /* as in concurrency.h: n, r, e, F, b */

	for (uint32_t q = 0; q < queues && q < concurrency; q++)
		out[q] = 1;
	if (queues <= concurrency)
		return;
	for (uint32_t i = 2; i < concurrency; i++)
		power *= at;
	waits = (c - 1) * at;
	idle = (c - 1) * (1 - at);
	some = concurrency > 1 ? 1 - power * at : 0;
	edge = (c - 1) * power * (1 - at);
	for (uint32_t q = concurrency - 1; q < queues; q++) {
		double stretch = fmax(1, (waits + 1 + ratio * idle) / c);

		out[q] = stretch;
		waits = (q + 1) * stretch / (net + stretch);
		ratio *= (1 + net) / (net + stretch);
		idle = fmax(0, idle - at * some);
		some = fmax(0, some - at * edge);
		edge *= (1 - at) * (q + 1) / (q + 3 - c);
	}
}

/* A band's mean: at a quarter and at three quarters of it. */
static double band_stretch(uint32_t band, const double *stretch)
{
	uint32_t from = (uint32_t)larch_unpack(band, LARCH_BAND_MANTISSA);
	uint32_t width = (uint32_t)larch_unpack(band + 1, LARCH_BAND_MANTISSA) - from;

	return (stretch[from + width / 4] + stretch[from + 3 * width / 4]) / 2;
}

/* What the fit needs of the bands: logarithm of the mean server time, and its weight. */
struct point {
	uint32_t band;
	double time, weight;
};

struct evidence {
	struct point point[LARCH_BANDS];
	size_t points;
	uint32_t queues; /* of the longest band among them */
	double net_us;
};

/* Of the last band nobody knows how long it is. */
static bool gather(const struct concurrency *concurrency, struct evidence *out)
{
	double requests = 0, net = 0;

	out->points = 0;
	for (uint32_t i = 0; i < LARCH_BANDS - 1; i++) {
		const struct concurrency_band *band = &concurrency->band[i];

		if (band->requests < 1 || !(band->server_us > 0))
			continue;
		requests += band->requests;
		net += band->response_us - band->server_us;
		out->point[out->points++] = (struct point){
			.band = i,
			.time = numeric_log(band->server_us / band->requests),
			.weight = 1 / (VARIANCE / band->requests + TRUST * TRUST),
		};
	}
	out->net_us = requests > 0 ? fmax(net / requests, 0) : 0;
	if (requests < LEAST || out->points < 2)
		return false;
	out->queues =
		(uint32_t)larch_unpack(out->point[out->points - 1].band + 1, LARCH_BAND_MANTISSA);
	return true;
}

/* Weighted variance of what is left of the times' logarithms; *service: their mean. */
static double misfit(const struct evidence *evidence, uint32_t concurrency, double *service)
{
	double rest[LARCH_BANDS], stretch[QUEUES], weight = 0, sum = 0, square = 0;
	double net = evidence->net_us / numeric_exp(*service);

	concurrency_stretch(concurrency, net, stretch, evidence->queues);
	for (size_t i = 0; i < evidence->points; i++) {
		const struct point *point = &evidence->point[i];

		rest[i] = point->time - numeric_log(band_stretch(point->band, stretch));
		weight += point->weight;
		sum += point->weight * rest[i];
	}
	*service = sum / weight;
	for (size_t i = 0; i < evidence->points; i++)
		square += evidence->point[i].weight * (rest[i] - *service) * (rest[i] - *service);
	return square;
}

static uint32_t grid(size_t i)
{
	return (uint32_t)larch_unpack((uint32_t)i + 1, GRID_MANTISSA);
}

bool concurrency_fit(const struct concurrency *concurrency, struct concurrency_fit *out)
{
	double value[GRID_CODES], least = INFINITY;
	struct evidence evidence;

	memset(out, 0, sizeof(*out));
	if (!gather(concurrency, &evidence))
		return false;
	for (size_t i = 0; i < GRID_CODES; i++) {
		double service = evidence.point[0].time;

		for (int round = 0; round < ROUNDS; round++)
			value[i] = misfit(&evidence, grid(i), &service);
		if (value[i] < least) {
			least = value[i];
			out->best = grid(i);
			out->service_us = numeric_exp(service);
		}
	}
	for (size_t i = GRID_CODES; i-- > 0;) {
		if (value[i] > least + AS_GOOD)
			continue;
		out->low = grid(i);
		out->high = out->high ? out->high : grid(i);
	}
	out->net_us = evidence.net_us;
	out->misfit = least;
	return least < CONTRADICTS * (double)evidence.points;
}

bool concurrency_decides(const struct concurrency_fit *fit)
{
	return fit->high <= DECIDED * fit->low;
}

static uint32_t bounded(uint32_t value, uint32_t low, uint32_t high)
{
	return value < low ? low : value > high ? high : value;
}

uint32_t concurrency_next(const struct concurrency_fit *fit, uint32_t present)
{
	uint32_t next = bounded(present, fit->low, fit->high);

	if (next == present)
		return present;
	if (concurrency_decides(fit))
		next = fit->best;
	return bounded(next, (present + 1) / 2, 2 * present);
}
