// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where the balancer's time goes: samples of its machine code while cases run, added up by the
 * source file, which is a stage of the packet path. A column per case. What a helper of the kernel
 * costs counts where it is called.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

struct profile;

/* Of a loaded program. 0 or -errno. */
int profile_open(struct profile **profile, int program);
void profile_close(struct profile *profile);

/* Around each block of packets. */
void profile_start(struct profile *profile);
void profile_stop(struct profile *profile);

/* What was sampled since the last column becomes one. `net`: as measured, ns. */
void profile_end_column(struct profile *profile, const char *name, uint32_t flows, double net);

/* The table, and a line of JSON per number if rows is not NULL. */
void profile_print(const struct profile *profile, FILE *rows);
