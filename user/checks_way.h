// SPDX-License-Identifier: BSD-2-Clause
/* How to ask a member whether it is well, so that it is asked as clients ask. See checks.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks_asks.h"
#include "host.h"
#include "probe.h"
#include "service.h"

struct check_way {
	union probe_address to, from; /* from: family 0: the kernel chooses */
	uint32_t mark;		      /* 0: it goes as the host's own packets do */
	bool stream;		      /* TCP */
	uint16_t port;		      /* that is asked */
};

/* NULL, or a static string: why the member cannot be asked this. */
const char *check_way_find(const struct controller *controller, const struct host *host,
			   const struct service *service, size_t member,
			   const struct check_ask *ask, struct check_way *out);

/* A socket that is ready to be connected; -errno. */
int check_way_socket(const struct check_way *way);
