// SPDX-License-Identifier: BSD-2-Clause
/*
 * Active health checks: of every member of the services that have `health`, at each of the
 * addresses that checks_asks.h says, at the times that health.h says, by the prober, over sockets
 * whose packets go the way of clients' packets. What comes of it is told to the controller. Owner:
 * the controller; larchd waits for it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "endpoint.h"
#include "health.h"
#include "probe.h"

struct controller;
struct checks;

#define CHECK_REASON_SIZE (PROBE_REASON_SIZE + ENDPOINT_TEXT) /* of what, and why */

/* What a check came to. */
struct check_result {
	uint64_t at_ns; /* when it ended; 0: there was none yet */
	uint32_t us;	/* that it took */
	enum health_verdict verdict;
	char reason[CHECK_REASON_SIZE];
};

/* Nothing is checked before checks_follow(). 0 or -errno. */
int checks_open(struct checks **out, struct controller *controller);
void checks_close(struct checks *checks);

/* For epoll: readable when checks_process() has something to do. */
int checks_fd(const struct checks *checks);
void checks_process(struct checks *checks);

/* Makes what is checked follow the services and their members. Errors have been logged. */
void checks_follow(struct checks *checks);

/*
 * Of a member, the last check of the address that fails, else of one that could not be asked, else
 * of the first. false: it is not checked. `checks` may be NULL.
 */
bool checks_last(const struct checks *checks, uint16_t service, uint16_t backend,
		 struct check_result *out);
