// SPDX-License-Identifier: BSD-2-Clause
/* What a service's flows are timed by: as configured, or what becomes of `auto` (fallback.h). */
#include "controller.h"
#include "log.h"
#include "service.h"

static bool chooses_signal(const struct service *service)
{
	return service->config->signal_auto && service->config->signal == LARCH_SIGNAL_RESPONSE;
}

enum larch_signal service_signal(const struct service *service)
{
	return chooses_signal(service) ? service->fallback.signal : service->config->signal;
}

const char *service_signal_reason(const struct service *service)
{
	return chooses_signal(service) ? service->fallback.reason : NULL;
}

static void tell_signal(const struct service *service)
{
	const struct fallback *fallback = &service->fallback;

	if (fallback->signal == LARCH_SIGNAL_RESPONSE)
		log_info("%s: requests and answers come in turn: timed by response again",
			 service->config->name);
	else if (fallback->signal == LARCH_SIGNAL_WATCH)
		log_debug("%s: its requests are watched again", service->config->name);
	else
		log_warning("%s: %s: timed by %s from now on, for %.0f s at least",
			    service->config->name, fallback->reason,
			    config_signal_text(fallback->signal), fallback->rest_s);
}

void service_choose_signal(struct controller *controller, struct service *service)
{
	double seconds = controller->config->learning.interval_ms / 1000.0;
	struct larch_evidence evidence;

	if (!chooses_signal(service))
		fallback_begin(&service->fallback, LARCH_SIGNAL_RESPONSE);
	if (datapath_evidence(controller->datapath, service->id, &evidence) != 0)
		return;
	ejection_count(&service->odds, &evidence, seconds);
	if (!chooses_signal(service) || !fallback_tick(&service->fallback, &evidence, seconds))
		return;
	tell_signal(service);
	controller_write_policy(controller, service);
}
