// SPDX-License-Identifier: BSD-2-Clause
/*
 * The concurrency of backends in the controller: as configured, else as fitted to what the packet
 * path has measured (concurrency.h), else CONTROLLER_CONCURRENCY. Only its own functions change it.
 */
#pragma once

#include <stdint.h>

#include "concurrency.h"

#define ESTIMATE_FITS 16 /* in a tick, at most: each is work */

struct controller;

/* A backend of the configuration, which says so many (0: nothing). What was fitted stays. */
void estimate_begin(struct controller *controller, uint32_t id, uint32_t configured);

/* Its id is free: the next one that has it is another server. */
void estimate_forget(struct controller *controller, uint32_t id);

/*
 * A tick's look at what came since the last one, `ticks` intervals ago. Of the backends with
 * something new some have their turn to be fitted. What has changed is in force, and is in the log.
 */
void estimate_tick(struct controller *controller, double ticks);

/* "configured", "fitted" or "assumed". */
const char *estimate_origin_text(enum concurrency_origin origin);
