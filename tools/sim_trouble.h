// SPDX-License-Identifier: BSD-2-Clause
/* What goes wrong in a simulation, and when: speeds, pauses, deaths, distances, bursts. */
#pragma once

#include "sim_world.h"

/* Draws the distances and arms everything that will happen. */
void sim_trouble_begin(struct sim_world *world);
