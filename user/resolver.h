// SPDX-License-Identifier: BSD-2-Clause
/*
 * Asks name servers for the addresses of names, over and over, as their answers' times to live say.
 * Never blocks, resolver_wait() apart: it is driven by an epoll descriptor that nests in the
 * daemon's. What is believed is the business of names.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "names.h"

struct resolver;

int resolver_open(struct resolver **out);

/* NULL is allowed. */
void resolver_close(struct resolver *resolver);

/* For epoll, level-triggered. Owned by the module. */
int resolver_fd(const struct resolver *resolver);

/* From now on these names are asked for, and of these servers. Those that stay keep what is known
 * of them; others are forgotten. 0 or -errno. */
int resolver_follow(struct resolver *resolver, const struct config_resolver *options,
		    const struct config_host *hosts, size_t count);

/* Handles what waits. true: a name stands for other addresses than before. */
bool resolver_process(struct resolver *resolver);

/* Waits until each name has been answered, well or not, but no longer than this. */
void resolver_wait(struct resolver *resolver, unsigned milliseconds);

/* The names, in the order in which they are followed; NULL: no more. */
struct resolver_name {
	const char *host;
	struct names_state *state;
	bool asked;	/* has been answered, well or not */
	double next_s;	/* until it is asked again */
	uint64_t since; /* clock_now() of the last change of `trouble`; 0: none yet */
};
bool resolver_name(const struct resolver *resolver, size_t index, struct resolver_name *out);
