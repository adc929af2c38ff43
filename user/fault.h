// SPDX-License-Identifier: BSD-2-Clause
/*
 * Faults on demand, for the tests: LARCH_FAULT=abort@POINT or stall@POINT in the environment makes
 * larchd end, or stand still for ever, the first time that it comes to this point; POINT:N, the Nth
 * time. Without the variable a point costs a comparison. See README, Develop.
 */
#pragma once

/* Reads the environment, and says aloud if a fault is ordered. */
void fault_begin(void);

void fault_at(const char *point);
