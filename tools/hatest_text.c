// SPDX-License-Identifier: BSD-2-Clause
// Figures as people read them. Pure.
#include <math.h>
#include <string.h>

#include "hatest.h"

const char *hatest_seconds(double seconds, char out[32])
{
	if (isnan(seconds))
		strcpy(out, "-");
	else if (isinf(seconds))
		strcpy(out, "never");
	else
		snprintf(out, 32, "%.2f s", seconds);
	return out;
}

const char *hatest_ms(double ms, char out[32])
{
	if (isnan(ms))
		strcpy(out, "-");
	else
		snprintf(out, 32, ms < 10 ? "%.1f" : "%.0f", ms);
	return out;
}

// Never rounded up to all.
const char *hatest_percent(double share, char out[32])
{
	if (isnan(share))
		strcpy(out, "-");
	else
		snprintf(out, 32, share == 1 ? "%.0f %%" : "%.3f %%", floor(share * 1e5) / 1e3);
	return out;
}

const char *hatest_value(const struct hatest_verdict *verdict, double value, char out[32])
{
	const char *name = verdict->name;

	if (strcmp(name, "detect") == 0 || strcmp(name, "recover") == 0)
		return hatest_seconds(value, out);
	if (strcmp(name, "availability") == 0)
		return hatest_percent(value, out);
	if (isnan(value))
		strcpy(out, "-");
	else
		snprintf(out, 32, "%.4g", value);
	return out;
}
