// SPDX-License-Identifier: BSD-2-Clause
/* Faults on demand. See fault.h. */
#include "fault.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

static const char *ordered; /* the point; NULL: no fault is ordered */
static size_t length;	    /* of its name */
static unsigned long left;  /* times that it is passed before */
static int stalls;

void fault_begin(void)
{
	const char *text = getenv("LARCH_FAULT");
	const char *point = text ? strchr(text, '@') : NULL;

	if (!text || !*text)
		return;
	if (!point || (strncmp(text, "abort@", 6) != 0 && strncmp(text, "stall@", 6) != 0)) {
		log_warning("LARCH_FAULT=%s is not understood: expected abort@POINT or stall@POINT",
			    text);
		return;
	}
	ordered = point + 1;
	length = strcspn(ordered, ":");
	left = ordered[length] ? strtoul(ordered + length + 1, NULL, 10) : 1;
	left -= left > 0;
	stalls = *text == 's';
	log_warning("LARCH_FAULT=%s: larchd will fail there, as it was told to", text);
}

void fault_at(const char *point)
{
	if (!ordered || strncmp(point, ordered, length) != 0 || point[length])
		return;
	if (left) {
		left--;
		return;
	}
	log_error("LARCH_FAULT: at %s", point);
	while (stalls)
		pause();
	abort();
}
