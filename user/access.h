// SPDX-License-Identifier: BSD-2-Clause
/*
 * Access lists: from what the configuration says to the entries of larch_access, what has to be
 * written and removed there, and what a list says of one source. Pure.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "larch/service.h"

struct access_entry {
	struct larch_access key;
	uint32_t verdict; /* enum larch_access_verdict */
};

/* By key, each once. */
struct access_list {
	struct access_entry *entry;
	size_t count;
};

void access_free(struct access_list *list);

/*
 * The entries of all services; id[i] is that of config->services[i]. The map knows IPv4 as a part
 * of IPv6, people do not: where an IPv6 network contains that part, an entry more says of it what
 * would be said without a network. 0 or -ENOMEM; *list is to be freed in either case.
 */
int access_build(const struct larch_config *config, const uint16_t *id, struct access_list *list);

/* Adds an entry to a list with room for it, in any order; access_sort() is the last step. */
void access_add(struct access_list *list, const struct larch_access *key, uint32_t verdict);
void access_sort(struct access_list *list);

/*
 * Calls put() for what is in `wanted` and not, or otherwise, in `found`, and drop() for the keys
 * that are only in `found`; either may be NULL. Ends with the first error of theirs.
 */
int access_compare(const struct access_list *found, const struct access_list *wanted,
		   int (*put)(void *context, const struct access_entry *entry),
		   int (*drop)(void *context, const struct larch_access *key), void *context);

/* What a service says of a source: its verdict, and by which network; NULL: by none. */
enum larch_access_verdict access_of(const struct config_service *service,
				    const struct in6_addr *source,
				    const struct config_network **network);

/* "192.0.2.0/24" */
#define ACCESS_TEXT (INET6_ADDRSTRLEN + 4)
const char *access_text(const struct config_network *network, char out[ACCESS_TEXT]);
