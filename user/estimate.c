// SPDX-License-Identifier: BSD-2-Clause
/* Who says how many requests a backend serves at once. See estimate.h. */
#include <math.h>
#include <string.h>

#include "controller.h"
#include "estimate.h"
#include "log.h"
#include "publisher.h"
#include "remember.h"

/* It is a property of the machine, not of the moment. */
#define HALF_LIFE_MS 60000.0
#define FIT_TICKS    5 /* between two fits of a backend, or more; not all in one tick */

const char *estimate_origin_text(enum concurrency_origin origin)
{
	static const char *const texts[] = {
		[CONCURRENCY_ASSUMED] = "assumed",
		[CONCURRENCY_FITTED] = "fitted",
		[CONCURRENCY_CONFIGURED] = "configured",
	};

	return texts[origin];
}

void estimate_begin(struct controller *controller, uint32_t id, uint32_t configured)
{
	struct registry_backend *backend = &controller->registry.backend[id];
	enum concurrency_origin origin = backend->origin;
	uint32_t before = backend->origin == CONCURRENCY_FITTED
				  ? backend->concurrency
				  : remember_concurrency(controller, &backend->address);

	backend->origin = configured ? CONCURRENCY_CONFIGURED
			  : before   ? CONCURRENCY_FITTED
				     : CONCURRENCY_ASSUMED;
	backend->concurrency = configured ? configured : before ? before : CONTROLLER_CONCURRENCY;
	controller->evidence[id].fresh = true;
	controller->fitted_news += backend->origin != origin;
	publisher_live(controller->datapath, id, backend->concurrency, NULL);
}

void estimate_forget(struct controller *controller, uint32_t id)
{
	memset(&controller->evidence[id], 0, sizeof(controller->evidence[id]));
}

/* Does it change anything? */
static bool take(struct controller *controller, uint32_t id, const struct concurrency_fit *fit)
{
	struct registry_backend *backend = &controller->registry.backend[id];
	uint32_t next = concurrency_next(fit, backend->concurrency);

	if (next == backend->concurrency &&
	    (backend->origin == CONCURRENCY_FITTED || !concurrency_decides(fit)))
		return false;
	log_info("backend %s: concurrency %u, which was %u (%s): what its requests take says %u to "
		 "%u, and %.2f ms for one alone",
		 backend->name, next, backend->concurrency, estimate_origin_text(backend->origin),
		 fit->low, fit->high, fit->service_us / 1000);
	backend->concurrency = next;
	backend->origin = CONCURRENCY_FITTED;
	controller->fitted_news++;
	service_publish_live(controller, id);
	return true;
}

static bool is_estimated(const struct registry_backend *backend)
{
	return backend->used && backend->configured && backend->origin != CONCURRENCY_CONFIGURED;
}

/* So many ticks that no tick has more than ESTIMATE_FITS. */
static uint32_t ticks_between_fits(const struct registry *registry)
{
	uint32_t ticks, count = 0;

	for (uint32_t i = 0; i < LARCH_MAX_BACKENDS; i++)
		count += is_estimated(&registry->backend[i]);
	ticks = (count + ESTIMATE_FITS - 1) / ESTIMATE_FITS;
	return ticks > FIT_TICKS ? ticks : FIT_TICKS;
}

void estimate_tick(struct controller *controller, double ticks)
{
	double decay = exp2(-ticks * controller->config->learning.interval_ms / HALF_LIFE_MS);
	uint32_t between = ticks_between_fits(&controller->registry), turn = 0;

	for (uint32_t i = 0; i < LARCH_MAX_BACKENDS; i++) {
		struct concurrency *evidence = &controller->evidence[i];
		struct concurrency_fit fit;

		if (!is_estimated(&controller->registry.backend[i]))
			continue;
		concurrency_look(evidence, &controller->datapath->bands[i], decay);
		if ((controller->ticks + turn++) % between == 0 && evidence->fresh)
			evidence->fresh =
				concurrency_fit(evidence, &fit) && take(controller, i, &fit);
	}
}
