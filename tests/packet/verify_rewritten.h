// SPDX-License-Identifier: BSD-2-Clause
/* Packets of which NAT has rewritten an end. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Are `out` and `in`, of `size` bytes from their IP header on, the same but for that? NULL, or what
 * is wrong. */
const char *verify_rewritten(const uint8_t *in, const uint8_t *out, size_t size);
