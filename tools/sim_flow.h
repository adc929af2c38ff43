// SPDX-License-Identifier: BSD-2-Clause
/* Flows of a simulation: how they arrive, and their way from the SYN to the last answer. */
#pragma once

#include "sim_world.h"

/* Arms the first arrival. */
void sim_flow_begin(struct sim_world *world);
