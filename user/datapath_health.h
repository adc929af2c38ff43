// SPDX-License-Identifier: BSD-2-Clause
/*
 * The program that sends health checks on their way (bpf/health.bpf.c), on the loopback interface.
 * It is of use only while a daemon checks: nothing of it is pinned.
 */
#pragma once

#include <stdbool.h>

struct datapath;

/* Loads it and puts it there, in place of what an earlier daemon left. 0 or -errno, having said
 * why.
 */
int datapath_health_attach(struct datapath *datapath);

/* Is it there, now? */
bool datapath_health_attached(const struct datapath *datapath);

/* Takes it away. Nothing happens if there is none. */
void datapath_health_detach(struct datapath *datapath);
