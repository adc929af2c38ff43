// SPDX-License-Identifier: BSD-2-Clause
/*
 * Copies of packets from the kernel part, by its pinned maps alone: nothing of the daemon's is
 * needed, nothing of it is touched. One process at a time. Whoever does not renew has ended.
 */
#pragma once

#include <stdint.h>

#include "larch/capture.h"

/* A folder within that of the pins; locked while somebody captures. */
#define DATAPATH_CAPTURE_LOCK "capture"

struct datapath_capture;

/* -EBUSY: another one captures. -ENOENT: nothing is pinned there. -EPROTO: another version is. */
int datapath_capture_open(struct datapath_capture **out, const char *pins);

/* Begins; `until` and `lost` of *wanted do not matter. What is left of others is not seen. */
void datapath_capture_start(struct datapath_capture *capture, const struct larch_capture *wanted);

/* Goes on for another few seconds; to be called every second. */
void datapath_capture_renew(struct datapath_capture *capture);

/* No more copies are made; those that were can still be read. */
void datapath_capture_stop(struct datapath_capture *capture);

/*
 * Waits so long for records and calls visit() for each, until it returns an error, which is
 * returned. 0: whether or not anything came. -EINTR: a signal.
 */
int datapath_capture_read(struct datapath_capture *capture, int timeout_ms,
			  int (*visit)(void *context, const struct larch_captured *record),
			  void *context);

uint64_t datapath_capture_lost(const struct datapath_capture *capture);

/* Stops too. */
void datapath_capture_close(struct datapath_capture *capture);
