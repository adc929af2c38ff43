// SPDX-License-Identifier: BSD-2-Clause
/* What it costs to find out how many requests each backend serves at once; see tickbench.h. */
#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "controller.h"
#include "estimate.h"
#include "tickbench.h"

#define WARM	   64 /* ticks in which the concurrency of each is found */
#define FITS	   20 /* in one measurement */
#define WORKERS	   16
#define SERVICE_US 1000
#define NET	   0.5 /* on the wire, relative to the service time */
#define LONGEST	   128 /* queue of the last band but one */
#define REQUESTS   100 /* in each band, a tick */

/* Each band gets what so many workers would give it. */
static void serve(struct larch_bands *bands)
{
	double stretch[LONGEST + 1];

	concurrency_stretch(WORKERS, NET, stretch, LONGEST + 1);
	for (uint32_t i = 0; i < LARCH_BANDS - 1; i++) {
		uint32_t queue = (uint32_t)larch_unpack(i, LARCH_BAND_MANTISSA);
		double us = SERVICE_US * stretch[queue];

		bands->band[i].requests += REQUESTS;
		bands->band[i].server_us += (uint64_t)(REQUESTS * us);
		bands->band[i].response_us += (uint64_t)(REQUESTS * (us + NET * SERVICE_US));
	}
}

static double tick(struct controller *controller, size_t backends)
{
	uint64_t clock;

	for (size_t i = 0; i < backends; i++)
		serve(&controller->datapath->bands[i]);
	clock = clock_read(CLOCK_THREAD_CPUTIME_ID);
	estimate_tick(controller, 1);
	controller->ticks++;
	return clock_ms(clock_read(CLOCK_THREAD_CPUTIME_ID) - clock);
}

int tickbench_estimate(struct datapath *datapath, size_t backends, double *ms, size_t ticks)
{
	struct controller *controller = calloc(1, sizeof(*controller));
	struct larch_config config = {.learning.interval_ms = 1000};

	if (!controller)
		return -ENOMEM;
	controller->config = &config;
	controller->datapath = datapath;
	for (uint32_t i = 0; i < backends; i++) {
		controller->registry.backend[i].used = true;
		controller->registry.backend[i].configured = true;
		estimate_begin(controller, i, 0);
	}
	for (size_t i = 0; i < WARM; i++)
		tick(controller, backends);
	for (size_t i = 0; i < ticks; i++)
		ms[i] = tick(controller, backends);
	free(controller);
	return 0;
}

void tickbench_fit(double *ms, size_t times)
{
	struct larch_bands bands = {};
	struct concurrency known = {};
	struct concurrency_fit fit;

	concurrency_look(&known, &bands, 1);
	serve(&bands);
	concurrency_look(&known, &bands, 1);
	for (size_t i = 0; i < times; i++) {
		uint64_t clock = clock_read(CLOCK_THREAD_CPUTIME_ID);

		for (size_t j = 0; j < FITS; j++)
			concurrency_fit(&known, &fit);
		ms[i] = clock_ms(clock_read(CLOCK_THREAD_CPUTIME_ID) - clock) / FITS;
	}
}
