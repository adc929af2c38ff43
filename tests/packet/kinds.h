// SPDX-License-Identifier: BSD-2-Clause
/* Valid packets of every kind that the balancer or the agent may meet: what fuzzing begins with. */
#pragma once

#include "builder.h"

size_t kinds_count(void);

/* Is it one for the agent? */
bool kinds_is_tunnelled(size_t number);

/* A packet of kind `number`, below kinds_count(), from client `client`. */
struct frame kinds_build(size_t number, uint32_t client);
