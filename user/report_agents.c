// SPDX-License-Identifier: BSD-2-Clause
/* Do the agents of a service answer, as far as is known? See agents.h and report.h. */
#include "clock.h"
#include "controller.h"
#include "report.h"

json_t *report_agents_json(const struct service *service)
{
	const struct agents *agents = &service->agents;
	uint64_t now_ms = clock_now() / NS_PER_MS;
	double wait_s = 0;

	if (!service->config->agent)
		return json_null();
	if (agents->silent && agents->until_ms > now_ms)
		wait_s = (double)(agents->until_ms - now_ms) / 1000;
	return json_pack("{s:b, s:o}", "answer", !agents->silent, "next_try_s",
			 agents->silent ? json_real(wait_s) : json_null());
}
