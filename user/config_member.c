// SPDX-License-Identifier: BSD-2-Clause
/*
 * The backends of a service: see config_service.h. Services that name the same address share one
 * backend, and must say the same of it. What must be unique is found by plain search: the limits
 * keep that to milliseconds.
 */
#include "config_service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"

#define DEFAULT_WEIGHT	 100
#define MOST_WEIGHT	 65535
#define MOST_CONCURRENCY 65535

/* Where an item of a service's list of backends stands, in text. */
static const char *item_place(const struct config_reading *reading,
			      const struct config_origin *origin, char out[SETTING_PLACE_SIZE])
{
	struct setting service = setting_item(reading->services, origin->service), list, item;

	if (!setting_get(&service, "backends", &list))
		return "another service";
	item = setting_item(&list, origin->item);
	return setting_place(&item, out);
}

/* Where a backend was first named. */
static const char *backend_place(const struct config_reading *reading, size_t backend,
				 char out[SETTING_PLACE_SIZE])
{
	return item_place(reading, &reading->origin[backend], out);
}

/* The value of a key, or if it is not given, the mapping: where to complain of it. */
static struct setting value_or_mapping(const struct setting *mapping, const char *key)
{
	struct setting value;

	return setting_get(mapping, key, &value) ? value : *mapping;
}

size_t config_member_find(const struct larch_config *config, const struct in6_addr *address)
{
	size_t i = 0;

	while (i < config->backend_count &&
	       memcmp(&config->backends[i].address, address, sizeof(*address)) != 0)
		i++;
	return i;
}

/* Complains of a backend that the service has already. */
static bool is_new(const struct config_reading *reading, const struct setting *item,
		   const struct config_origin *origin, size_t backend)
{
	const struct config_service *service = &reading->config->services[origin->service];
	struct config_origin first = *origin;
	struct setting address;
	char place[SETTING_PLACE_SIZE];
	size_t i = 0;

	while (i < service->member_count && service->members[i].backend != backend)
		i++;
	if (i == service->member_count)
		return true;
	first.item = reading->item[i];
	address = value_or_mapping(item, "address");
	setting_fail(&address, "this service has that backend already, at %s",
		     item_place(reading, &first, place));
	return false;
}

/* Whether what is said here of a backend is what another place says. */
static bool agrees(const struct config_reading *reading, const struct setting *item, size_t backend,
		   const struct config_backend *here)
{
	const struct config_backend *there = &reading->config->backends[backend];
	char place[SETTING_PLACE_SIZE];
	bool same = true;

	if (strcmp(here->name, there->name) != 0) {
		struct setting name = value_or_mapping(item, "name");

		setting_fail(&name, "name is '%s', but '%s' at %s; one address is one backend",
			     here->name, there->name, backend_place(reading, backend, place));
		same = false;
	}
	if (here->concurrency != there->concurrency) {
		struct setting concurrency = value_or_mapping(item, "concurrency");
		char a[16] = "not given", b[16] = "not given";

		if (here->concurrency)
			snprintf(a, sizeof(a), "%u", here->concurrency);
		if (there->concurrency)
			snprintf(b, sizeof(b), "%u", there->concurrency);
		setting_fail(&concurrency,
			     "concurrency is %s, but %s at %s; one address is one backend", a, b,
			     backend_place(reading, backend, place));
		same = false;
	}
	return same;
}

/* Adds a backend that is not in the config. false: it may not be. */
static bool add_backend(struct config_reading *reading, const struct setting *item,
			const struct config_origin *origin, const struct config_backend *backend)
{
	struct larch_config *config = reading->config;
	char place[SETTING_PLACE_SIZE];

	for (size_t i = 0; i < config->backend_count; i++) {
		struct setting name;

		if (strcmp(config->backends[i].name, backend->name) != 0)
			continue;
		name = value_or_mapping(item, "name");
		setting_fail(&name, "name '%s' is that of another address at %s", backend->name,
			     backend_place(reading, i, place));
		return false;
	}
	if (config->backend_count == LARCH_MAX_BACKENDS) {
		setting_fail(item, "more than %u backends in all services", LARCH_MAX_BACKENDS);
		return false;
	}
	reading->origin[config->backend_count] = *origin;
	config->backends[config->backend_count++] = *backend;
	return true;
}

/* A name stands for addresses: each is a backend of its own. */
static bool may_have_host(const struct setting *mapping, const struct setting *item,
			  const struct setting *host)
{
	struct setting other;
	bool good = true;

	if (setting_get(item, "address", &other)) {
		setting_fail(&other, "this backend has a host, too; expected one of both");
		good = false;
	}
	if (setting_get(mapping, "quic", &other) || setting_get(item, "quic_id", &other)) {
		setting_fail(host, "a name may stand for many servers, and connection ids name "
				   "each of them; expected 'address' with 'quic_id'");
		good = false;
	}
	return good;
}

/* Reads what the item says of the backend and of its membership. */
static bool read_backend(const struct setting *mapping, const struct setting *item,
			 const struct config_service *service, struct config_backend *backend,
			 struct config_member *member)
{
	static const char *const keys[] = {"name",	  "address", "host", "weight",
					   "concurrency", "quic_id", NULL};
	struct setting value;
	bool named, good;

	*backend = (struct config_backend){0};
	member->weight = DEFAULT_WEIGHT;
	if (!setting_mapping(item, keys))
		return false;
	named = setting_get(item, "host", &value);
	if (!named)
		good = setting_require(item, "address", &value) &&
		       setting_address(&value, 0, &backend->address);
	else
		good = may_have_host(mapping, item, &value);
	if (setting_get(item, "name", &value))
		good &= setting_name(&value, backend->name);
	else if (good && !named)
		endpoint_address_text(&backend->address, backend->name);
	if (setting_get(item, "weight", &value))
		good &= setting_whole(&value, 0, MOST_WEIGHT, &member->weight);
	if (setting_get(item, "concurrency", &value))
		good &= setting_whole(&value, 1, MOST_CONCURRENCY, &backend->concurrency);
	if (!named)
		good &= config_quic_member(mapping, item, service, member);
	return good;
}

static int read_named(struct config_reading *reading, const struct setting *host,
		      const struct config_origin *origin, const struct config_backend *backend,
		      uint32_t weight, bool *good)
{
	struct config_host_item item = {
		.service = origin->service,
		.weight = weight,
		.concurrency = backend->concurrency,
	};

	memcpy(item.name, backend->name, sizeof(item.name));
	return config_host_add(reading, host, &item, good);
}

/*
 * Reads one item of a service's list of backends into its next member, or as a name; *weight is 0
 * unless it may take new flows. 0 or -ENOMEM; *good: without a complaint.
 */
static int read_member(struct config_reading *reading, const struct setting *mapping,
		       const struct setting *item, const struct config_origin *origin,
		       uint32_t *weight, bool *good)
{
	struct config_service *service = &reading->config->services[origin->service];
	struct config_member *member = &service->members[service->member_count];
	struct config_backend backend;
	struct setting host;

	*good = read_backend(mapping, item, service, &backend, member);
	*weight = member->weight;
	if (!*good)
		return 0;
	if (setting_get(item, "host", &host))
		return read_named(reading, &host, origin, &backend, *weight, good);
	*good = false;
	member->backend = config_member_find(reading->config, &backend.address);
	if (member->backend == reading->config->backend_count) {
		if (!add_backend(reading, item, origin, &backend))
			return 0;
	} else if (!is_new(reading, item, origin, member->backend) ||
		   !agrees(reading, item, member->backend, &backend)) {
		return 0;
	}
	reading->item[service->member_count++] = origin->item;
	*good = true;
	return 0;
}

int config_member_read(struct config_reading *reading, const struct setting *mapping, size_t index)
{
	struct config_service *service = &reading->config->services[index];
	struct setting list;
	size_t count, good = 0;
	bool weighted = false;
	int error = 0;

	if (!setting_require(mapping, "backends", &list) || !setting_list(&list))
		return 0;
	count = setting_count(&list);
	if (count > LARCH_MAX_MEMBERS) {
		struct setting first = setting_item(&list, LARCH_MAX_MEMBERS);

		setting_fail(&first, "more than %u backends in one service", LARCH_MAX_MEMBERS);
		count = LARCH_MAX_MEMBERS;
	}
	service->members = calloc(LARCH_MAX_MEMBERS + 1, sizeof(*service->members));
	if (!service->members)
		return -ENOMEM;
	for (size_t i = 0; i < count && !error; i++) {
		struct setting item = setting_item(&list, i);
		struct config_origin origin = {index, i};
		uint32_t weight;
		bool read;

		error = read_member(reading, mapping, &item, &origin, &weight, &read);
		good += read;
		weighted |= read && weight;
	}
	if (!error && good == count && !weighted)
		setting_fail(&list, "all weights are 0; expected a backend that takes new flows");
	return error;
}
