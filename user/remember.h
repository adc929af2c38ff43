// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the controller keeps in the state file, and takes over at its next start: the operator's
 * orders, the states of backends with their ages, the last verdicts of their checks and ejections
 * ("members"), which services are withdrawn ("withdrawn"), and how many requests backends serve at
 * once, where that was found out ("concurrency").
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "lifecycle.h"

struct controller;
struct service;

/* Puts into the state file what has changed. Cheap if nothing has. */
void remember(struct controller *controller);

/* The same, and it is on the disk when this returns, if the disk takes it within half a second. */
void remember_now(struct controller *controller);

/* What an earlier daemon knew of a member that is new to this one. */
void remember_member(const struct controller *controller, const struct service *service,
		     struct lifecycle *life);

/* The concurrency that was fitted to a backend; 0: none was. */
uint32_t remember_concurrency(const struct controller *controller, const struct in6_addr *address);

/* The same for what is withdrawn. */
void remember_withdrawn(struct controller *controller);
