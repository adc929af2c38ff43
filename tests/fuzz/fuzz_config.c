// SPDX-License-Identifier: BSD-2-Clause
/*
 * Fuzzes the reader of configurations: config_parse() over any bytes, config_from_json() if they
 * are JSON, and what must hold of what is accepted. From the top of the repository, `make fuzz`,
 * or build/fuzz_config FILE for one input.
 */
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
	if (!truth)
		abort();
}

/* Errors are as many as it says, in the order of the file, and can be shown on a terminal. */
static void check_errors(const struct config_errors *errors)
{
	require(errors->count > 0);
	for (size_t i = 0; i < errors->count && i < CONFIG_MAX_ERRORS; i++) {
		const struct config_error *error = &errors->error[i], *before = error - !!i;
		char line[600];
		int length = config_error_text("file", error, line, sizeof(line));

		require(length > 0 && (size_t)length == strlen(line));
		require(*error->text && !error->line == !error->column);
		require(before->line < error->line ||
			(before->line == error->line && before->column <= error->column));
		for (int j = 0; j < length; j++)
			require(line[j] >= ' ' && line[j] <= '~');
	}
}

static void check_service(const struct larch_config *config, const struct config_service *service)
{
	uint32_t weights = 0;

	require(service->vip_count > 0 && service->vip_count <= CONFIG_MAX_VIPS);
	require(service->member_count > 0 && service->member_count <= LARCH_MAX_MEMBERS);
	for (size_t i = 0; i < service->member_count; i++) {
		require(service->members[i].backend < config->backend_count);
		require(service->members[i].weight <= 65535);
		weights += service->members[i].weight;
		for (size_t j = 0; j < i; j++)
			require(service->members[i].backend != service->members[j].backend);
	}
	require(weights > 0);
	require(service->learning == CONFIG_LEARNING_OFF || service->signal != LARCH_SIGNAL_NONE);
}

static void check_config(const struct larch_config *config)
{
	const struct config_learning *learning = &config->learning;

	require(config->flow_entries >= 1024 && config->flow_entries <= 1 << 24);
	require(!(config->flow_entries & (config->flow_entries - 1)));
	require(learning->interval_ms >= 100 && learning->interval_ms <= 60000);
	require(learning->half_life_server >= 0.1 && learning->half_life_connect >= 0.1);
	require(learning->floor >= 0 && learning->floor <= 0.1);
	require(learning->step >= 0.01 && learning->step <= 1);
	require(config->service_count > 0 && config->service_count <= LARCH_MAX_SERVICES);
	require(config->backend_count > 0 && config->backend_count <= LARCH_MAX_BACKENDS);
	for (size_t i = 0; i < config->service_count; i++)
		check_service(config, &config->services[i]);
	for (size_t i = 0; i < config->backend_count; i++) {
		require(*config->backends[i].name);
		for (size_t j = 0; j < i; j++) {
			const struct config_backend *a = &config->backends[i];
			const struct config_backend *b = &config->backends[j];

			require(strcmp(a->name, b->name) != 0);
			require(memcmp(&a->address, &b->address, sizeof(a->address)) != 0);
		}
	}
	for (size_t i = 0; i < config->interface_count; i++)
		require(*config->interfaces[i].name);
}

static void check(int error, struct larch_config *config, const struct config_errors *errors)
{
	require(error == 0 || error == -EINVAL);
	require((error == 0) == (config != NULL));
	if (error) {
		check_errors(errors);
	} else {
		require(errors->count == 0);
		check_config(config);
	}
	config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct larch_config *config;
	struct config_errors errors;
	json_t *tree = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
	int error = config_parse((const char *)data, size, &config, &errors);

	check(error, config, &errors);
	if (tree) {
		error = config_from_json(tree, &config, &errors);
		check(error, config, &errors);
	}
	json_decref(tree);
	return 0;
}
