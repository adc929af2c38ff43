// SPDX-License-Identifier: BSD-2-Clause
/* Access lists as the packet path reads them. See access.h. */
#include "access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"

#define MAPPED_BITS  96 /* in front of an IPv4 address */
#define SERVICE_BITS 32 /* in front of an address, in a key */

static const struct config_network all_ipv4 = {
	.address.s6_addr = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
	.bits = MAPPED_BITS,
};

/* Are the first bits of both addresses the same? */
static bool match(const struct in6_addr *one, const struct in6_addr *other, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	return memcmp(one, other, bytes) == 0 &&
	       (!rest || (one->s6_addr[bytes] ^ other->s6_addr[bytes]) >> (8 - rest) == 0);
}

static bool is_ipv4(const struct config_network *network)
{
	return network->bits >= MAPPED_BITS && IN6_IS_ADDR_V4MAPPED(&network->address);
}

/* Does an IPv6 network contain the part of IPv6 that stands for IPv4? */
static bool swallows_ipv4(const struct config_network *network)
{
	return network->bits < MAPPED_BITS &&
	       match(&network->address, &all_ipv4.address, network->bits);
}

/* What is said of a source that no network contains. */
static enum larch_access_verdict verdict_of_others(const struct config_service *service)
{
	for (size_t i = 0; i < service->network_count; i++) {
		if (service->networks[i].verdict == LARCH_ACCESS_ALLOW)
			return LARCH_ACCESS_DENY;
	}
	return LARCH_ACCESS_ALLOW;
}

void access_free(struct access_list *list)
{
	free(list->entry);
	*list = (struct access_list){0};
}

void access_add(struct access_list *list, const struct larch_access *key, uint32_t verdict)
{
	list->entry[list->count++] = (struct access_entry){.key = *key, .verdict = verdict};
}

static void add_network(struct access_list *list, const struct config_network *network, uint16_t id,
			uint32_t verdict)
{
	struct larch_access key = {.prefix = SERVICE_BITS + network->bits, .service = htonl(id)};

	memcpy(key.address, &network->address, sizeof(key.address));
	access_add(list, &key, verdict);
}

static void add_service(struct access_list *list, const struct config_service *service, uint16_t id)
{
	bool swallowed = false, said = false;

	for (size_t i = 0; i < service->network_count; i++) {
		const struct config_network *network = &service->networks[i];

		add_network(list, network, id, network->verdict);
		swallowed |= swallows_ipv4(network);
		said |= is_ipv4(network) && network->bits == MAPPED_BITS;
	}
	if (swallowed && !said)
		add_network(list, &all_ipv4, id, verdict_of_others(service));
}

static int compare(const void *a, const void *b)
{
	const struct access_entry *one = a, *other = b;

	return memcmp(&one->key, &other->key, sizeof(one->key));
}

void access_sort(struct access_list *list)
{
	qsort(list->entry, list->count, sizeof(*list->entry), compare);
}

int access_build(const struct larch_config *config, const uint16_t *id, struct access_list *list)
{
	size_t room = LARCH_MAX_SERVICES; /* never 0 */

	for (size_t i = 0; i < config->service_count; i++)
		room += config->services[i].network_count;
	*list = (struct access_list){.entry = calloc(room, sizeof(*list->entry))};
	if (!list->entry)
		return -ENOMEM;
	for (size_t i = 0; i < config->service_count; i++)
		add_service(list, &config->services[i], id[i]);
	access_sort(list);
	return 0;
}

int access_compare(const struct access_list *found, const struct access_list *wanted,
		   int (*put)(void *context, const struct access_entry *entry),
		   int (*drop)(void *context, const struct larch_access *key), void *context)
{
	size_t i = 0, j = 0;
	int error = 0;

	while (!error && (i < found->count || j < wanted->count)) {
		const struct access_entry *old = i < found->count ? &found->entry[i] : NULL;
		const struct access_entry *new = j < wanted->count ? &wanted->entry[j] : NULL;
		int order = !old ? 1 : !new ? -1 : compare(old, new);

		if (order < 0 && drop)
			error = drop(context, &old->key);
		else if (put && (order > 0 || (order == 0 && old->verdict != new->verdict)))
			error = put(context, new);
		i += order <= 0;
		j += order >= 0;
	}
	return error;
}

enum larch_access_verdict access_of(const struct config_service *service,
				    const struct in6_addr *source,
				    const struct config_network **network)
{
	bool ipv4 = IN6_IS_ADDR_V4MAPPED(source);

	*network = NULL;
	for (size_t i = 0; i < service->network_count; i++) {
		const struct config_network *here = &service->networks[i];

		if (is_ipv4(here) == ipv4 && match(&here->address, source, here->bits) &&
		    (!*network || here->bits > (*network)->bits))
			*network = here;
	}
	return *network ? (enum larch_access_verdict)(*network)->verdict
			: verdict_of_others(service);
}

const char *access_text(const struct config_network *network, char out[ACCESS_TEXT])
{
	char address[INET6_ADDRSTRLEN];

	endpoint_address_text(&network->address, address);
	snprintf(out, ACCESS_TEXT, "%s/%d", address,
		 network->bits - (is_ipv4(network) ? MAPPED_BITS : 0));
	return out;
}
