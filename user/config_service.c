// SPDX-License-Identifier: BSD-2-Clause
/* Services: what they are called, what teaches, and all of them together: see config_service.h. */
#include "config_service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const signal_words[] = {"auto", "response", "connect", "none", NULL};
static const char *const learning_words[] = {"off", "shadow", "on", NULL};
static const char *const protocol_words[] = {"tcp", "udp", NULL};

const char *config_service_place(const struct config_reading *reading, size_t index,
				 char out[SETTING_PLACE_SIZE])
{
	struct setting item = setting_item(reading->services, index);

	return setting_place(&item, out);
}

static void read_signal(const struct setting *mapping, uint8_t protocol,
			struct config_service *service)
{
	static const enum larch_signal signals[] = {LARCH_SIGNAL_RESPONSE, LARCH_SIGNAL_RESPONSE,
						    LARCH_SIGNAL_CONNECT, LARCH_SIGNAL_NONE};
	const char *untimed = config_flow_untimed(service, protocol);
	struct setting setting;
	int word = 0;

	if (setting_get(mapping, "signal", &setting))
		setting_choice(&setting, signal_words, &word);
	service->signal_auto = word == 0;
	service->signal = signals[word];
	if (!untimed)
		return;
	if (word != 0 && service->signal != LARCH_SIGNAL_NONE)
		setting_expect(&setting, "auto or none: %s", untimed);
	service->signal = LARCH_SIGNAL_NONE;
}

/* After the signal: without one there is nothing to learn from. */
static void read_learning(const struct setting *mapping, uint8_t protocol,
			  struct config_service *service)
{
	const char *untimed = config_flow_untimed(service, protocol);
	struct setting setting;
	int word;

	service->learning =
		service->signal == LARCH_SIGNAL_NONE ? CONFIG_LEARNING_OFF : CONFIG_LEARNING_ON;
	if (!setting_get(mapping, "learning", &setting) ||
	    !setting_choice(&setting, learning_words, &word))
		return;
	service->learning = (enum config_learning_mode)word;
	if (service->learning == CONFIG_LEARNING_OFF || service->signal != LARCH_SIGNAL_NONE)
		return;
	if (untimed)
		setting_expect(&setting, "off: %s", untimed);
	else
		setting_expect(&setting, "off, since signal is none: nothing is timed");
}

static void read_name(const struct config_reading *reading, const struct setting *mapping,
		      size_t index)
{
	struct config_service *services = reading->config->services;
	struct setting name;
	char place[SETTING_PLACE_SIZE];

	if (!setting_require(mapping, "name", &name) || !setting_name(&name, services[index].name))
		return;
	for (size_t i = 0; i < index; i++) {
		if (strcmp(services[i].name, services[index].name) == 0) {
			setting_fail(&name, "name '%s' is that of %s already", services[i].name,
				     config_service_place(reading, i, place));
			return;
		}
	}
}

/* IPPROTO_TCP or IPPROTO_UDP; 0: it complained. */
static uint8_t read_protocol(const struct setting *mapping)
{
	struct setting protocol;
	int word;

	if (!setting_require(mapping, "protocol", &protocol) ||
	    !setting_choice(&protocol, protocol_words, &word))
		return 0;
	return word == 0 ? IPPROTO_TCP : IPPROTO_UDP;
}

static int read_service(struct config_reading *reading, size_t index)
{
	static const char *const keys[] = {"name",
					   "address",
					   "port",
					   "protocol",
					   "learning",
					   "signal",
					   "forward",
					   "backend_port",
					   "agent",
					   "hash",
					   "state",
					   "idle_timeout",
					   "new_flows",
					   "source_rate",
					   "source_burst",
					   "allow",
					   "deny",
					   "quic",
					   "health",
					   "slow_start",
					   "eject_for",
					   "eject_most",
					   "panic_threshold",
					   "backends",
					   NULL};
	struct config_service *service = &reading->config->services[index];
	struct setting mapping = setting_item(reading->services, index);
	uint8_t protocol;
	int error;

	if (!setting_mapping(&mapping, keys))
		return 0;
	read_name(reading, &mapping, index);
	protocol = read_protocol(&mapping);
	config_forward_read(&mapping, service);
	config_flow_read(&mapping, protocol, service);
	config_lifecycle_read(&mapping, service);
	read_signal(&mapping, protocol, service);
	read_learning(&mapping, protocol, service);
	config_quic_read(&mapping, protocol, service);
	error = config_access_read(reading, &mapping, index);
	if (!error)
		error = config_vip_read(reading, &mapping, protocol, index);
	if (!error)
		error = config_health_read(&mapping, service);
	if (!error)
		error = config_member_read(reading, &mapping, index);
	if (error)
		return error;
	config_forward_check(reading, &mapping, index);
	config_quic_check(reading, &mapping, index);
	return 0;
}

int config_service_read(struct larch_config *config, const struct setting *services,
			const struct config_names *names)
{
	struct config_reading reading = {.config = config, .services = services};
	size_t count;
	int error = 0;

	if (!setting_list(services))
		return 0;
	count = setting_count(services);
	if (count > LARCH_MAX_SERVICES) {
		struct setting first = setting_item(services, LARCH_MAX_SERVICES);

		setting_fail(&first, "more than %u services", LARCH_MAX_SERVICES);
		count = LARCH_MAX_SERVICES;
	}
	config->services = calloc(count, sizeof(*config->services));
	config->backends = calloc(LARCH_MAX_BACKENDS, sizeof(*config->backends));
	reading.origin = calloc(LARCH_MAX_BACKENDS, sizeof(*reading.origin));
	if (!config->services || !config->backends || !reading.origin)
		error = -ENOMEM;
	for (size_t i = 0; i < count && !error; i++) {
		config->service_count++;
		error = read_service(&reading, i);
	}
	if (!error && !services->tree->errors->count)
		config_together_check(&reading);
	if (!error && !services->tree->errors->count)
		error = config_host_expand(&reading, names);
	free(reading.origin);
	return error;
}

const char *config_learning_text(enum config_learning_mode mode)
{
	return (unsigned)mode <= CONFIG_LEARNING_ON ? learning_words[mode] : NULL;
}

const char *config_signal_text(enum larch_signal signal)
{
	switch (signal) {
	case LARCH_SIGNAL_NONE:
		return "none";
	case LARCH_SIGNAL_CONNECT:
	case LARCH_SIGNAL_WATCH:
		return "connect";
	case LARCH_SIGNAL_RESPONSE:
		return "response";
	}
	return NULL;
}
