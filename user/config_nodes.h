// SPDX-License-Identifier: BSD-2-Clause
/* What a node of several needs: generations, and the seed that all of them hash by. */
#pragma once

#include "setting.h"

void config_nodes_read(const struct setting *root, struct larch_config *config);
