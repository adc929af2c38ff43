// SPDX-License-Identifier: BSD-2-Clause
// What the files of the demo's live view share.
#ifndef TOOLS_DEMOVIEW_H
#define TOOLS_DEMOVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIEW_PREFIXES 16
#define VIEW_BACKENDS 8
#define VIEW_HISTORY  48
#define VIEW_NAME     48

enum view_arm { VIEW_LEARNED, VIEW_CONTROL, VIEW_ARMS };

// One group of clients in the last interval.
struct view_prefix {
	char name[VIEW_NAME];
	double first_p50_ms;	     // of new flows, by the client's clock; NAN: none
	double share[VIEW_BACKENDS]; // of its requests, by backend
	double p99_ms[VIEW_ARMS];    // of answers, as XDP timed them; NAN: none
};

struct view {
	double t_s;
	char phase[96]; // title
	struct view_prefix prefix[VIEW_PREFIXES];
	size_t prefixes;
	char backend[VIEW_BACKENDS][VIEW_NAME];
	size_t backends;
	double total[VIEW_BACKENDS]; // share of all requests
	double p99_ms[VIEW_ARMS];
	double history[VIEW_ARMS][VIEW_HISTORY]; // of p99_ms, the last at count - 1
	size_t count;
	double flows_per_s, requests_per_s;
	uint64_t long_open, broken;
};

// demoview_draw.c: on stdout, in place of the last one, or as one line.
void view_draw(const struct view *view);
void view_line(const struct view *view);

// demoview_cells.c: opens the pinned map larch_cells: a descriptor or -errno.
int cells_open(const char *path);
// p99 per prefix and arm of what was measured since the reading before the last; fills p99_ms.
int cells_p99(int fd, struct view *view);

#endif
