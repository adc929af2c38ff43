// SPDX-License-Identifier: BSD-2-Clause
/*
 * Backends that DNS names stand for: the configuration is read again, as the same text, whenever a
 * name stands for other addresses, and applied like any other. Owner: the controller.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

#define NAMING_BEGIN_MS	 3000 /* that a start waits for name servers, */
#define NAMING_RELOAD_MS 1000 /* and that a reload does, for names that are new */

struct controller;
struct loaded;
struct resolver;

struct naming {
	struct resolver *resolver;
	char *text; /* of the configuration in force; NULL: there was none yet */
	size_t length;
	bool owed; /* addresses have changed, and could not be applied yet */
};

int naming_open(struct naming *naming);
void naming_close(struct naming *naming);

/* Begins to ask for the names of a configuration that has been read, besides those in force. */
void naming_ask(struct controller *controller, const struct larch_config *config);

/*
 * Waits for the answers, and exchanges the configuration for the same one with their addresses. Of
 * names that nobody knows yet, at the start, the addresses that the kernel steers by go on.
 */
void naming_settle(struct controller *controller, struct loaded *loaded, unsigned milliseconds);

/* What was read is in force, and its text is kept. */
void naming_take(struct controller *controller, const struct loaded *loaded);

/* What was read has been refused. */
void naming_drop(struct controller *controller);
