// SPDX-License-Identifier: BSD-2-Clause
/* What the packet path does with a service's packets, from what the configuration says. Pure. */
#pragma once

#include "config.h"
#include "larch/service.h"

void policy_service(const struct config_service *service, struct larch_service *out);
