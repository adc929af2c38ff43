// SPDX-License-Identifier: BSD-2-Clause
/* The part of config.c that reads `routes`: what announces the services' addresses. */
#pragma once

#include "config.h"
#include "setting.h"

/* Without the key, table stays 0. */
void config_routes_read(struct config_routes *routes, const struct setting *root);
