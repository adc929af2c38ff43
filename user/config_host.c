// SPDX-License-Identifier: BSD-2-Clause
/*
 * Backends that a DNS name stands for: see config_service.h. What the file says of them is checked
 * like all else; what an answer says is nobody's mistake here: an address that cannot be a backend
 * is left out, with the reason, and the others serve.
 */
#include "config_service.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"

#define LABEL_MOST 63

/* Is it one of [A-Za-z0-9_-], without a hyphen at its ends? */
static bool is_label(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
			return false;
	}
	return length && length <= LABEL_MOST && text[0] != '-' && text[length - 1] != '-';
}

/* In lower case and without the dot at the end. An address is no name, nor is a number. */
static bool read_host(const struct setting *setting, char out[CONFIG_HOST_SIZE])
{
	const char *text = setting_text(setting), *last = text;
	size_t length = text ? strlen(text) : 0;
	bool good;

	if (length && text[length - 1] == '.')
		length--;
	good = length && length < CONFIG_HOST_SIZE;
	for (size_t at = 0; good && at <= length; at++) {
		size_t label = strcspn(text + at, ".");

		label = at + label > length ? length - at : label;
		last = text + at;
		good = is_label(last, label);
		at += label;
	}
	if (!good || strspn(last, "0123456789.") == strlen(last)) {
		setting_expect(setting, "a DNS name such as app.example.net, of 1 to %u characters",
			       CONFIG_HOST_SIZE - 1);
		return false;
	}
	memset(out, 0, CONFIG_HOST_SIZE);
	for (size_t i = 0; i < length; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

/* The number of a name in the configuration, which it has from now on; SIZE_MAX: no memory. */
static size_t host_number(struct larch_config *config, const char *host)
{
	void *more;

	for (size_t i = 0; i < config->host_count; i++) {
		if (strcmp(config->hosts[i].name, host) == 0)
			return i;
	}
	more = realloc(config->hosts, (config->host_count + 1) * sizeof(*config->hosts));
	if (!more)
		return SIZE_MAX;
	config->hosts = more;
	strcpy(config->hosts[config->host_count].name, host);
	return config->host_count++;
}

/* A name that stands in a service's list once more would give it the same addresses. */
static bool is_new(const struct config_reading *reading, const struct setting *host, size_t service,
		   size_t number)
{
	for (size_t i = 0; i < reading->config->host_items; i++) {
		if (reading->config->host_item[i].service == service &&
		    reading->config->host_item[i].host == number) {
			setting_fail(host, "this service has the name '%s' already",
				     reading->config->hosts[number].name);
			return false;
		}
	}
	return true;
}

int config_host_add(struct config_reading *reading, const struct setting *setting,
		    const struct config_host_item *item, bool *good)
{
	struct larch_config *config = reading->config;
	struct config_host_item *more;
	char host[CONFIG_HOST_SIZE];
	size_t number;

	*good = read_host(setting, host);
	if (!*good)
		return 0;
	number = host_number(config, host);
	if (number == SIZE_MAX)
		return -ENOMEM;
	*good = is_new(reading, setting, item->service, number);
	more = realloc(config->host_item, (config->host_items + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	config->host_item = more;
	more[config->host_items] = *item;
	more[config->host_items++].host = number;
	return 0;
}

/* ---- addresses ---- */

static const struct config_name *answer_for(const struct config_names *names, const char *host)
{
	for (size_t i = 0; names && i < names->count; i++) {
		if (strcmp(names->name[i].host, host) == 0)
			return &names->name[i];
	}
	return NULL;
}

static bool has_member(const struct config_service *service, size_t backend)
{
	for (size_t i = 0; i < service->member_count; i++) {
		if (service->members[i].backend == backend)
			return true;
	}
	return false;
}

/* Why the service cannot have the address; NULL: it can. The backend may be new. */
static const char *objection(const struct larch_config *config, size_t index,
			     const struct in6_addr *address, size_t backend)
{
	const struct config_service *service = &config->services[index];
	const char *why = setting_objection(address);

	if (why)
		return why;
	if (config_together_is_service(config, address))
		return "the address of a service";
	if (has_member(service, backend))
		return "a backend of this service already";
	if (service->member_count == LARCH_MAX_MEMBERS)
		return "one more than the 255 backends that a service can have";
	if (backend == LARCH_MAX_BACKENDS)
		return "one more than the 1024 backends that all services can have";
	why = config_forward_objection(config, service, address);
	if (!why && backend < config->backend_count &&
	    config_together_clash(config, index, backend))
		why = "a backend of another service with forward: nat, with the same port";
	return why;
}

/* The name ends with the address, so that it is nobody else's. */
static void name_backend(struct config_backend *backend, const char *name)
{
	char address[INET6_ADDRSTRLEN];
	int rest = (int)sizeof(backend->name) - 2;

	endpoint_address_text(&backend->address, address);
	rest -= (int)strlen(address);
	snprintf(backend->name, sizeof(backend->name), "%.*s/%s", rest, name, address);
}

static void add_member(struct larch_config *config, const struct config_host_item *item,
		       const struct in6_addr *address, size_t backend)
{
	struct config_service *service = &config->services[item->service];

	if (backend == config->backend_count) {
		struct config_backend *more = &config->backends[config->backend_count++];

		*more = (struct config_backend){.address = *address,
						.concurrency = item->concurrency};
		name_backend(more, *item->name ? item->name : config->hosts[item->host].name);
	}
	service->members[service->member_count++] =
		(struct config_member){.backend = backend, .weight = item->weight};
}

static int leave_out(struct larch_config *config, const struct config_host_item *item,
		     const struct in6_addr *address, const char *why)
{
	struct config_left_out *more =
		realloc(config->left_out, (config->left_out_count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	config->left_out = more;
	more[config->left_out_count++] = (struct config_left_out){
		.service = item->service,
		.host = item->host,
		.address = *address,
		.why = why,
	};
	return 0;
}

static int expand(struct larch_config *config, const struct config_host_item *item,
		  const struct in6_addr *address)
{
	struct config_service *service = &config->services[item->service];
	size_t backend = config_member_find(config, address), backends = config->backend_count;
	const char *why = objection(config, item->service, address, backend);

	if (why)
		return leave_out(config, item, address, why);
	add_member(config, item, address, backend);
	if (config_together_entries(config) <= LARCH_MAX_VIPS)
		return 0;
	service->member_count--;
	config->backend_count = backends;
	return leave_out(config, item, address, "one more than the table of addresses holds");
}

int config_host_expand(struct config_reading *reading, const struct config_names *names)
{
	struct larch_config *config = reading->config;
	int error = 0;

	for (size_t i = 0; i < config->host_items && !error; i++) {
		const struct config_host_item *item = &config->host_item[i];
		const struct config_name *answer =
			answer_for(names, config->hosts[item->host].name);

		config->services[item->service].named = true;
		for (size_t j = 0; answer && j < answer->count && !error; j++)
			error = expand(config, item, &answer->address[j]);
	}
	return error;
}
