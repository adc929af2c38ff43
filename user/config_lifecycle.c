// SPDX-License-Identifier: BSD-2-Clause
/* How a service's backends come and go: see config_service.h and lifecycle.h. */
#include "config_service.h"

#define SLOW_START	5 /* s */
#define MOST_SLOW_START 3600
#define PANIC_THRESHOLD 0.5
#define EJECT_FOR	5 /* s */
#define MOST_EJECT_FOR	600
#define EJECT_MOST	0.3

void config_lifecycle_read(const struct setting *mapping, struct config_service *service)
{
	struct setting setting;

	service->slow_start = SLOW_START;
	service->eject_for = EJECT_FOR;
	service->eject_most = EJECT_MOST;
	service->panic_threshold = PANIC_THRESHOLD;
	if (setting_get(mapping, "slow_start", &setting))
		setting_duration(&setting, 0, MOST_SLOW_START, &service->slow_start);
	if (setting_get(mapping, "eject_for", &setting))
		setting_duration(&setting, 0, MOST_EJECT_FOR, &service->eject_for);
	if (setting_get(mapping, "eject_most", &setting))
		setting_decimal(&setting, 0, 1, &service->eject_most);
	if (setting_get(mapping, "panic_threshold", &setting))
		setting_decimal(&setting, 0, 1, &service->panic_threshold);
}
