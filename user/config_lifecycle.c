// SPDX-License-Identifier: BSD-2-Clause
/* How a service's backends come and go: see config_service.h and lifecycle.h. */
#include "config_service.h"

#define SLOW_START	5 /* s */
#define MOST_SLOW_START 3600
#define PANIC_THRESHOLD 0.5

void config_lifecycle_read(const struct setting *mapping, struct config_service *service)
{
	struct setting setting;

	service->slow_start = SLOW_START;
	service->panic_threshold = PANIC_THRESHOLD;
	if (setting_get(mapping, "slow_start", &setting))
		setting_duration(&setting, 0, MOST_SLOW_START, &service->slow_start);
	if (setting_get(mapping, "panic_threshold", &setting))
		setting_decimal(&setting, 0, 1, &service->panic_threshold);
}
