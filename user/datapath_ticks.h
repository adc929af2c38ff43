// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel's tick counter (jiffies), by which the packet path stamps flows: reading it costs a
 * packet nothing. User space has no other way to it than to run a program of two instructions.
 */
#pragma once

#include <stdint.h>

/* A descriptor to read the counter by, or -errno. The caller closes it. */
int datapath_ticks_open(void);

/* The counter's low 32 bits; 0 if it cannot be read. */
uint32_t datapath_ticks_read(int fd);

/* Ticks a second, measured over about 50 ms: one of the kernel's usual rates. */
uint32_t datapath_ticks_rate(int fd);

/* The power of two of ticks that comes closest to a stamp's 8.6 s. */
uint32_t datapath_ticks_shift(uint32_t rate);
