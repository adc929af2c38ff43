// SPDX-License-Identifier: BSD-2-Clause
/* Services that see more new flows than they are meant for, as the packet path counts: report.h. */
#include "controller.h"
#include "report.h"

/* larch_pressure_flooded() by a counter of 32 bits: its windows have fewer than theirs. */
static bool is_present(const struct larch_pressure *pressure, uint32_t shift, uint32_t now)
{
	uint32_t age = ((now >> shift) - pressure->flows.number) & UINT32_MAX >> shift;

	return pressure->flooded && age <= 1;
}

bool report_flood(const struct controller *controller, const struct service *service,
		  struct report_flood *out)
{
	const struct datapath *datapath = controller->datapath;
	const struct larch_pressure *pressure;
	uint32_t now, shift;

	if (!service->config->new_flows || !datapath || !datapath->pressure ||
	    !datapath->settings->hz)
		return false;
	pressure = &datapath->pressure[service->id];
	now = datapath_ticks(datapath);
	shift = larch_window_shift(datapath->settings->stamp_shift);
	*out = (struct report_flood){
		.present = is_present(pressure, shift, now),
		.floods = pressure->floods,
		.lasted_s = (double)pressure->lasted / datapath->settings->hz,
	};
	if (out->present)
		out->since_s = (double)(uint32_t)(now - pressure->since) / datapath->settings->hz;
	return true;
}

json_t *report_flood_json(const struct controller *controller, const struct service *service)
{
	struct report_flood flood;

	if (!report_flood(controller, service, &flood))
		return json_null();
	return json_pack("{s:b, s:o, s:I, s:f}", "present", flood.present, "since_s",
			 flood.present ? json_real(flood.since_s) : json_null(), "floods",
			 (json_int_t)flood.floods, "lasted_s", flood.lasted_s);
}
