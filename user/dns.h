// SPDX-License-Identifier: BSD-2-Clause
/*
 * Asks once what a name stands for: /etc/hosts first, then name servers. Only this module includes
 * c-ares, which reads the file, asks and parses; but which names are asked for, names_attempt()
 * says, and /etc/hosts is looked at for both families before anybody is asked. The library's own
 * ares_getaddrinfo() would not do, in any of its ways:
 * - For both families at once it does not say that one of them failed, whose addresses are to stay.
 * - For each family alone it goes on to the next domain of `search`, and from the file to the name
 *   servers, where the name has none of that family only: IPv6 would be a stranger's.
 * - A name with dots that is gone is looked for in the domains, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "names.h"

struct dns;

int dns_open(struct dns **out);

/* What is under way ends without an answer. NULL is allowed. */
void dns_close(struct dns *dns);

/* For epoll, level-triggered. Owned by the module. */
int dns_fd(const struct dns *dns);

/* Other servers are asked from now on; what is under way ends without an answer. */
void dns_set_servers(struct dns *dns, const struct config_resolver *options);

/* Calls done() once with the answers, perhaps at once; with NULL, NULL if it ends without. */
typedef void dns_done(void *context, struct names_answer *ipv4, struct names_answer *ipv6);
void dns_ask(struct dns *dns, const char *host, dns_done *done, void *context);

/*
 * Sets both answers if the name stands in /etc/hosts (or in the file that the environment's
 * CARES_HOSTS names), which is then all that it stands for.
 */
bool dns_find_in_hosts(const char *host, struct names_answer *ipv4, struct names_answer *ipv6);

/* Handles what waits. */
void dns_process(struct dns *dns);

/* The descriptor is ready at this time at the latest (clock.h). */
void dns_wake(const struct dns *dns, uint64_t due);
