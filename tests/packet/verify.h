// SPDX-License-Identifier: BSD-2-Clause
/* Is what was sent to a backend, or back, whole? Told from bytes alone, by none of the program's
 * code.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* How a packet went on. */
enum verify_way {
	VERIFY_NO_WAY,	   /* not whole: wrong says why */
	VERIFY_BARE,	   /* unchanged to the last byte, behind another Ethernet header */
	VERIFY_REWRITTEN,  /* other addresses and ports; checksums are as right as they were */
	VERIFY_TUNNELLED,  /* unchanged, in a tunnel that promises as much as there is */
	VERIFY_QUESTIONED, /* the same, with a question to an agent */
};

struct verified {
	enum verify_way way;
	const char *wrong;
};

/* How `out` came of `in`. Of an agent's answer, it is what that carries that goes on. */
struct verified verify_forwarded(const uint8_t *in, size_t in_size, const uint8_t *out,
				 size_t out_size);

/* Where what an agent's answer carries begins; 0: it is none. */
size_t verify_answered(const uint8_t *frame, size_t size);
