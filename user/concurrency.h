// SPDX-License-Identifier: BSD-2-Clause
/*
 * How many requests does a backend serve at once? Fitted to how long requests took by how many
 * others they met in flight. Pure, and deterministic: equal input gives equal bits.
 *
 * A server of c workers and exponential service time s makes a request that finds m others there
 * take s max(1, (m + 1) / c). Of the q in flight that the packet path counts, some are on the wire,
 * where each spends a time d of its own. Of q that are in a closed network of this server and the
 * wire, m are at the server with probability
 *
 *	p(m | q) ~ (d / s)^(q - m) / (q - m)! * 1 / (min(1, c) min(2, c) ... min(m, c))
 *
 * (Gordon and Newell 1967), and a request that joins them finds them so (the arrival theorem:
 * Lavenberg and Reiser 1980). So it takes s f(q), where
 *
 *	f(q) = sum_m p(m | q) max(1, (m + 1) / c)
 *
 * which without a wire is LEARNER.md's max(1, (q + 1) / c), and with one bends where Little's law
 * says: near c (1 + d / s). All f(q) follow from one another. With n the mean of m among q, r the
 * sum of the terms p without limit on workers over that with c of them, and e how many of c - 1
 * workers are free in the mean where there is no limit (m is binomial then: q, 1 / (1 + d / s)),
 *
 *	c f(q) = n + 1 + r e,  n' = (q + 1) f / (d / s + f),  r' = r (1 + d / s) / (d / s + f)
 *
 * for q + 1 (mean value analysis: Reiser and Lavenberg 1980), where e' = e - F / (1 + d / s) by the
 * binomial F = P(m < c - 1), and F falls by its last term, b, in the same way. Fitted by weighted
 * least squares of the logarithms over a grid of c; s is what is left. Each band counts by its
 * samples, up to a precision in which no model is to be believed.
 *
 * What stands in the evidence is an interval: all c that fit almost as well as the best. A backend
 * that was never busy gives one without an upper end, and one that always is, without a lower one.
 * So a value that lies within it stays; else it moves towards it, and there it stays again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "larch/backend.h"

#define CONCURRENCY_MOST 1024

struct concurrency_band {
	double requests, server_us, response_us;
};

/* What is known of a backend, decayed; all zero: nothing yet. */
struct concurrency {
	struct concurrency_band band[LARCH_BANDS];
	struct larch_bands seen; /* at the last look */
	bool looked;
	bool fresh; /* requests came since it was found that a fit changes nothing */
};

/* What the packet path has counted since the last look; all before it counts `decay` times. */
void concurrency_look(struct concurrency *concurrency, const struct larch_bands *now, double decay);

/* Within these the evidence is as good; whole numbers, of the grid. */
struct concurrency_fit {
	uint32_t best, low, high;
	double service_us, net_us; /* of a request that waits for nobody */
	double misfit;		   /* of the best, in standard deviations squared */
};

/* Who says it. */
enum concurrency_origin {
	CONCURRENCY_ASSUMED, /* nobody: it is the default */
	CONCURRENCY_FITTED,
	CONCURRENCY_CONFIGURED,
};

/* False: there is too little evidence for anything, or it contradicts itself. */
bool concurrency_fit(const struct concurrency *concurrency, struct concurrency_fit *out);

/* Does it leave no more than a factor of four between its ends? */
bool concurrency_decides(const struct concurrency_fit *fit);

/* What is to follow `present`: the same, unless the evidence is against it; half to twice of it. */
uint32_t concurrency_next(const struct concurrency_fit *fit, uint32_t present);

/* f(q) of a server of c workers with net = d / s, for all q < queues. */
void concurrency_stretch(uint32_t concurrency, double net, double *out, uint32_t queues);
