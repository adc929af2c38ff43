// SPDX-License-Identifier: BSD-2-Clause
/*
 * The members of services in the controller: their states (lifecycle.h), and who has a say in them:
 * the configuration, next hops, health checks, the packet path and the operator.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lifecycle.h"

struct controller;
struct service;

/* The state of a backend in the service; NULL: it is no member. */
struct lifecycle *members_life(struct service *service, uint16_t backend);

/*
 * Brings members (usable, weight, concurrency) up to date with their states; true if something
 * changed.
 */
bool members_refresh(struct controller *controller, struct service *service);

/* The verdict of an active check; reason: why it fails. It takes effect by what follows. */
void controller_checked(struct controller *controller, uint16_t service, uint16_t backend, bool up,
			const char *reason);

/* Takes all verdicts that have come since the last time together: one publication, if any. */
void controller_follow_checks(struct controller *controller);

/* Looks at what clients meet at the backends, several times a second: see ejection.h. */
void controller_watch_backends(struct controller *controller);

/* What the operator wants of a backend. */
struct members_order {
	const char *backend; /* its name */
	const char *service; /* NULL: all that have it */
	enum lifecycle_order order;
	time_t deadline; /* of a drain, wall clock; 0: none */
};

/* Is the order about this member? */
bool members_is_meant(const struct controller *controller, const struct service *service,
		      const struct lifecycle *life, const struct members_order *order);

/* Returns how many members it was given to; 0: there is none of these names. */
size_t controller_order(struct controller *controller, const struct members_order *order);
