// SPDX-License-Identifier: BSD-2-Clause
/* Is what was sent to a backend whole? Told from bytes alone, by no code of the program's own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * `out` is to hold the packet of frame `in`: behind an Ethernet header alone, or in a tunnel, whose
 * outer headers say no more than is there and are right by themselves. In both, what came follows,
 * unchanged to the last byte. If `in` is a tunnel itself, what is in that may go on alone. NULL, or
 * what is wrong.
 */
const char *verify_forwarded(const uint8_t *in, size_t in_size, const uint8_t *out,
			     size_t out_size);

/* Is there more in front of what came than an Ethernet header? */
bool verify_is_tunnelled(const uint8_t *in, size_t in_size, const uint8_t *out, size_t out_size);

/* Where the question to an agent is in a whole tunnel's frame; 0: there is none. */
size_t verify_question(const uint8_t *frame);
