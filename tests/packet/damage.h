// SPDX-License-Identifier: BSD-2-Clause
/* Random damage to a packet: the same seed does the same damage, on every machine. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../../tools/lib/prng.h"

/* Does one to four changes, half of them within the headers. The size stays within 14..most. */
void damage(uint8_t *bytes, size_t *size, size_t most, struct prng *prng);
