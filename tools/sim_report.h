// SPDX-License-Identifier: BSD-2-Clause
/* What a batch of simulations gave: as a table, as JSON, as a picture. */
#pragma once

#include <stdio.h>

#include "sim_batch.h"

/* A row for each scenario and policy: means over the seeds, and their ratios to the oracle's. */
void sim_report_table(const struct sim_batch *batch, FILE *out);

/* A row for each run. 0 or -errno. */
int sim_report_json(const struct sim_batch *batch, const char *file);

/* Bars of the ratios to the oracle (without one: of ms). 0 or -errno. */
int sim_report_svg(const struct sim_batch *batch, const char *file);
