// SPDX-License-Identifier: BSD-2-Clause
/* Backends that DNS names stand for. See naming.h. */
#include "naming.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "controller.h"
#include "endpoint.h"
#include "ids.h"
#include "log.h"
#include "publisher.h"
#include "resolver.h"

int naming_open(struct naming *naming)
{
	int error = resolver_open(&naming->resolver);

	if (error)
		log_error("cannot begin to resolve names: %s", strerror(-error));
	return error;
}

void naming_close(struct naming *naming)
{
	resolver_close(naming->resolver);
	free(naming->text);
	memset(naming, 0, sizeof(*naming));
}

/* Reads the text with what is known of names. */
static int parse(const struct naming *naming, const char *text, size_t length,
		 struct larch_config **out, struct config_errors *errors)
{
	struct config_names names = {.count = 0};
	struct resolver_name one;
	struct config_name *list;
	int error;

	while (resolver_name(naming->resolver, names.count, &one))
		names.count++;
	list = calloc(names.count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < names.count && resolver_name(naming->resolver, i, &one); i++)
		list[i] = (struct config_name){one.host, one.state->now.address,
					       one.state->now.count};
	names.name = list;
	error = config_parse_names(text, length, &names, out, errors);
	free(list);
	return error;
}

static bool has_host(const struct larch_config *config, const char *host)
{
	for (size_t i = 0; i < config->host_count; i++) {
		if (strcmp(config->hosts[i].name, host) == 0)
			return true;
	}
	return false;
}

/* Follows the names of both configurations; `more` may be NULL. */
static void follow(struct naming *naming, const struct larch_config *config,
		   const struct larch_config *more)
{
	size_t count = config->host_count, most = count + (more ? more->host_count : 0);
	struct config_host *hosts = calloc(most + 1, sizeof(*hosts));
	int error = hosts ? 0 : -ENOMEM;

	if (!error) {
		if (count)
			memcpy(hosts, config->hosts, count * sizeof(*hosts));
		for (size_t i = 0; more && i < more->host_count; i++) {
			if (!has_host(config, more->hosts[i].name))
				hosts[count++] = more->hosts[i];
		}
		error = resolver_follow(naming->resolver, &config->resolver, hosts, count);
	}
	if (error)
		log_error("names are not followed: %s", strerror(-error));
	free(hosts);
}

void naming_ask(struct controller *controller, const struct larch_config *config)
{
	const struct larch_config *before = controller->config;

	follow(&controller->naming, config, before == config ? NULL : before);
}

static struct names_state *state_of(const struct naming *naming, const char *host)
{
	struct resolver_name one;

	for (size_t i = 0; resolver_name(naming->resolver, i, &one); i++) {
		if (strcmp(one.host, host) == 0)
			return one.state;
	}
	return NULL;
}

static bool is_member(const struct larch_config *config, const struct config_service *service,
		      const struct in6_addr *address)
{
	for (size_t i = 0; i < service->member_count; i++) {
		if (IN6_ARE_ADDR_EQUAL(&config->backends[service->members[i].backend].address,
				       address))
			return true;
	}
	return false;
}

/* The servers by which the kernel steers the service, and that nothing else of it stands for. */
static size_t find_former(struct controller *controller, const struct larch_config *config,
			  size_t index, uint16_t id, struct in6_addr *out)
{
	struct generation *generation;
	size_t count = 0;

	if (id >= LARCH_MAX_SERVICES || publisher_read(controller->datapath, id, &generation) != 0)
		return 0;
	for (size_t i = 0; i < generation->plan.members; i++) {
		uint16_t member = generation->plan.member[i];
		const struct registry_backend *backend = &controller->registry.backend[member];

		if (member < LARCH_MAX_BACKENDS && backend->used &&
		    !is_member(config, &config->services[index], &backend->address))
			out[count++] = backend->address;
	}
	generation_free(generation);
	return count;
}

/* Which address is whose nobody knows: the first name that lacks an answer has them until then. */
static void seed(struct controller *controller, const struct larch_config *config)
{
	struct ids_known *known = calloc(1, sizeof(*known));
	struct in6_addr former[LARCH_MAX_MEMBERS + 1];
	bool done[LARCH_MAX_SERVICES] = {false};

	if (known)
		ids_read(controller->datapath, known);
	for (size_t i = 0; known && i < config->host_items; i++) {
		const struct config_host_item *item = &config->host_item[i];
		const struct config_service *service = &config->services[item->service];
		const char *host = config->hosts[item->host].name;
		struct names_state *state = state_of(&controller->naming, host);
		size_t count;

		if (!state || state->now.count || done[item->service])
			continue;
		done[item->service] = true;
		count = find_former(controller, config, item->service, ids_before(known, service),
				    former);
		if (!count)
			continue;
		names_seed(state, former, count);
		log_warning(
			"%s: %s is not resolved yet: the %zu addresses that packets are steered "
			"to go on as its own",
			service->name, host, count);
	}
	free(known);
}

static bool was_left_out(const struct larch_config *before, const struct larch_config *config,
			 const struct config_left_out *one)
{
	for (size_t i = 0; before && i < before->left_out_count; i++) {
		const struct config_left_out *other = &before->left_out[i];

		if (IN6_ARE_ADDR_EQUAL(&one->address, &other->address) &&
		    strcmp(config->hosts[one->host].name, before->hosts[other->host].name) == 0 &&
		    strcmp(config->services[one->service].name,
			   before->services[other->service].name) == 0)
			return true;
	}
	return false;
}

/* Says it once. */
static void tell_left_out(const struct larch_config *before, const struct larch_config *config)
{
	char address[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < config->left_out_count; i++) {
		const struct config_left_out *one = &config->left_out[i];

		if (!was_left_out(before, config, one))
			log_warning("%s: %s, an address of %s, is left out: it is %s",
				    config->services[one->service].name,
				    endpoint_address_text(&one->address, address),
				    config->hosts[one->host].name, one->why);
	}
}

/* The same text once more; the configuration stays if that fails, for lack of memory. */
static void read_again(const struct naming *naming, struct loaded *loaded)
{
	struct config_errors errors;
	struct larch_config *next;

	if (parse(naming, loaded->text, loaded->length, &next, &errors) != 0)
		return;
	next->seed = loaded->config->seed; /* its file has been read */
	config_free(loaded->config);
	loaded->config = next;
}

void naming_settle(struct controller *controller, struct loaded *loaded, unsigned milliseconds)
{
	struct naming *naming = &controller->naming;

	if (!loaded->config->host_count)
		return;
	resolver_wait(naming->resolver, milliseconds);
	read_again(naming, loaded);
	if (!naming->text) {
		seed(controller, loaded->config);
		read_again(naming, loaded);
	}
	tell_left_out(controller->config, loaded->config);
	for (size_t i = 0; i < loaded->config->service_count; i++) {
		if (!loaded->config->services[i].member_count)
			log_error("%s: begins without a backend: none of its names resolves",
				  loaded->config->services[i].name);
	}
}

void naming_take(struct controller *controller, const struct loaded *loaded)
{
	struct naming *naming = &controller->naming;
	char *text = malloc(loaded->length + 1);

	if (text)
		memcpy(text, loaded->text, loaded->length);
	else
		log_error("names are not followed: %s", strerror(ENOMEM));
	free(naming->text);
	naming->text = text;
	naming->length = loaded->length;
	naming->owed = false;
	follow(naming, controller->config, NULL);
}

void naming_drop(struct controller *controller)
{
	if (controller->config)
		follow(&controller->naming, controller->config, NULL);
}

int controller_names_fd(const struct controller *controller)
{
	return resolver_fd(controller->naming.resolver);
}

void controller_names(struct controller *controller)
{
	struct naming *naming = &controller->naming;
	struct larch_config *config = NULL;
	struct config_errors errors;
	int error;

	naming->owed |= resolver_process(naming->resolver);
	if (!naming->owed || !naming->text)
		return;
	error = parse(naming, naming->text, naming->length, &config, &errors);
	if (!error) {
		config->seed = controller->config->seed;
		tell_left_out(controller->config, config);
		error = controller_apply(controller, config);
	}
	naming->owed = error != 0;
	if (!error) {
		checks_follow(controller->checks);
		return;
	}
	log_error("the addresses of names cannot be taken over: %s", strerror(-error));
	if (controller->config != config)
		config_free(config);
}
