// SPDX-License-Identifier: BSD-2-Clause
/* sd_notify. See notify.h. */
#include "notify.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "clock.h"

#define ALIVE_PARTS 3 /* two signs may be late */

void notify_ready(void)
{
	sd_notify(0, "READY=1");
}

/* MONOTONIC_USEC is what Type=notify-reload wants; others ignore it. */
void notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_now() / 1000);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void notify_status(const char *text)
{
	static char before[256];
	char line[sizeof(before)];

	snprintf(line, sizeof(line), "%s", text);
	if (strcmp(line, before) == 0)
		return;
	strcpy(before, line);
	sd_notifyf(0, "STATUS=%s", line);
}

uint64_t notify_alive_ns(void)
{
	uint64_t us;

	return sd_watchdog_enabled(0, &us) > 0 ? us * 1000 / ALIVE_PARTS : 0;
}

void notify_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}
