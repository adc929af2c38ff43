// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads a configuration: text -> tree -> checked structures. See config.h.
 *
 * config_text.c checks characters and that the file is whole; config_yaml.c makes a jansson tree
 * of it and a table of places (config_places.c); this file and config_service.c check the tree
 * by means of setting.c, whether it came from a file or from the API.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_error.h"
#include "config_nodes.h"
#include "config_places.h"
#include "config_routes.h"
#include "config_service.h"
#include "config_text.h"
#include "config_yaml.h"
#include "seed.h"
#include "setting.h"

#define LEAST_ENTRIES	1024
#define MOST_ENTRIES	(1u << 24)
#define LEAST_HALF_LIFE 0.1 /* s */
#define MOST_HALF_LIFE	3600
#define MOST_FLOWS	1000000
#define MOST_LIMIT	10000000 /* a second and CPU */

static const char *const mode_words[] = {"native", "generic", NULL};
static const char *const frags_words[] = {"auto", "on", "off", NULL}; /* as enum config_frags */

/* ---- sections ---- */

static void read_interface(struct larch_config *config, const struct setting *item)
{
	static const char *const keys[] = {"name", "mode", "frags", NULL};
	struct config_interface *interface = &config->interfaces[config->interface_count++];
	struct setting name, mode, frags;
	int word = CONFIG_XDP_NATIVE, frags_word = CONFIG_FRAGS_AUTO;

	if (!setting_mapping(item, keys))
		return;
	if (setting_get(item, "mode", &mode))
		setting_choice(&mode, mode_words, &word);
	interface->mode = (enum config_xdp_mode)word;
	if (setting_get(item, "frags", &frags))
		setting_choice(&frags, frags_words, &frags_word);
	interface->frags = (enum config_frags)frags_word;
	if (!setting_require(item, "name", &name) || !setting_interface(&name, interface->name))
		return;
	for (size_t i = 0; i + 1 < config->interface_count; i++) {
		if (strcmp(config->interfaces[i].name, interface->name) == 0) {
			setting_fail(&name, "interface '%s' is in the list already",
				     interface->name);
			return;
		}
	}
}

static int read_interfaces(struct larch_config *config, const struct setting *root)
{
	struct setting list;
	size_t count;

	if (!setting_get(root, "interfaces", &list) || !setting_list(&list))
		return 0;
	count = setting_count(&list);
	if (count > CONFIG_MAX_INTERFACES) {
		struct setting first = setting_item(&list, CONFIG_MAX_INTERFACES);

		setting_fail(&first, "more than %u interfaces", CONFIG_MAX_INTERFACES);
		count = CONFIG_MAX_INTERFACES;
	}
	config->interfaces = calloc(count, sizeof(*config->interfaces));
	if (!config->interfaces)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct setting item = setting_item(&list, i);

		read_interface(config, &item);
	}
	return 0;
}

static void read_source(struct larch_config *config, const struct setting *root)
{
	static const char *const keys[] = {"ipv4", "ipv6", NULL};
	struct setting source, address;

	if (!setting_get(root, "source", &source) || !setting_mapping(&source, keys))
		return;
	if (setting_get(&source, "ipv4", &address))
		setting_address(&address, AF_INET, &config->source_ipv4);
	if (setting_get(&source, "ipv6", &address))
		setting_address(&address, AF_INET6, &config->source_ipv6);
}

static void read_flow_table(struct larch_config *config, const struct setting *root)
{
	static const char *const keys[] = {"entries", NULL};
	struct setting table, entries;
	uint32_t number;

	if (!setting_get(root, "flow_table", &table) || !setting_mapping(&table, keys) ||
	    !setting_get(&table, "entries", &entries) ||
	    !setting_whole(&entries, LEAST_ENTRIES, MOST_ENTRIES, &number))
		return;
	config->flow_entries = LEAST_ENTRIES;
	while (config->flow_entries < number)
		config->flow_entries *= 2;
}

static void read_whole(const struct setting *mapping, const char *key, uint32_t least,
		       uint32_t most, uint32_t *out)
{
	struct setting value;

	if (setting_get(mapping, key, &value))
		setting_whole(&value, least, most, out);
}

static void read_decimal(const struct setting *mapping, const char *key, double least, double most,
			 double *out)
{
	struct setting value;

	if (setting_get(mapping, key, &value))
		setting_decimal(&value, least, most, out);
}

static void read_half_life(const struct setting *mapping, const char *key, double *out)
{
	struct setting value;

	if (setting_get(mapping, key, &value))
		setting_duration(&value, LEAST_HALF_LIFE, MOST_HALF_LIFE, out);
}

static void read_interval(const struct setting *mapping, uint32_t *out)
{
	struct setting value;
	uint32_t milliseconds;
	double seconds;

	if (!setting_get(mapping, "interval", &value) ||
	    !setting_duration(&value, 0.1, 60, &seconds))
		return;
	milliseconds = (uint32_t)(seconds * 1000 + 0.5);
	if (milliseconds / 1000.0 != seconds)
		setting_expect(&value, "whole milliseconds");
	else
		*out = milliseconds;
}

static void read_learning(struct config_learning *learning, const struct setting *root)
{
	static const char *const keys[] = {
		"interval",	     "max_leaves", "max_depth", "min_flows", "half_life_server",
		"half_life_connect", "floor",	   "step",	NULL};
	struct setting mapping;

	if (!setting_get(root, "learning", &mapping) || !setting_mapping(&mapping, keys))
		return;
	read_interval(&mapping, &learning->interval_ms);
	read_whole(&mapping, "max_leaves", 1, LARCH_MAX_LEAVES, &learning->max_leaves);
	read_whole(&mapping, "max_depth", 0, LARCH_MAX_DEPTH, &learning->max_depth);
	read_whole(&mapping, "min_flows", 1, MOST_FLOWS, &learning->min_flows);
	read_half_life(&mapping, "half_life_server", &learning->half_life_server);
	read_half_life(&mapping, "half_life_connect", &learning->half_life_connect);
	read_decimal(&mapping, "floor", 0, 0.1, &learning->floor);
	read_decimal(&mapping, "step", 0.01, 1, &learning->step);
}

static void read_limits(uint32_t *limit, const struct setting *root)
{
	static const char *const keys[] = {"echo", "too_big", "second_chance", NULL};
	struct setting mapping;

	if (!setting_get(root, "limits", &mapping) || !setting_mapping(&mapping, keys))
		return;
	read_whole(&mapping, "echo", 0, MOST_LIMIT, &limit[LARCH_LIMIT_ECHO]);
	read_whole(&mapping, "too_big", 0, MOST_LIMIT, &limit[LARCH_LIMIT_TOO_BIG]);
	read_whole(&mapping, "second_chance", 0, MOST_LIMIT, &limit[LARCH_LIMIT_CHANCE]);
}

/* ---- the whole ---- */

const struct config_learning config_learning_default = {
	.interval_ms = 1000,
	.max_leaves = 24,
	.max_depth = 6,
	.min_flows = 100,
	.half_life_server = 10,
	.half_life_connect = 2,
	.floor = 0.002,
	.step = 0.2,
};

static struct larch_config *new_config(void)
{
	struct larch_config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->flow_entries = 1u << 20;
	config->learning = config_learning_default;
	config->limit[LARCH_LIMIT_ECHO] = 1000;
	config->limit[LARCH_LIMIT_TOO_BIG] = 1000;
	config->limit[LARCH_LIMIT_CHANCE] = 10000;
	config->generations.silent = 30;
	return config;
}

static int read_root(struct larch_config *config, const struct setting *root,
		     const struct config_names *names)
{
	static const char *const keys[] = {"interfaces", "source",   "flow_table", "limits",
					   "routes",	 "learning", "seed_file",  "generations",
					   "services",	 "resolver", NULL};
	struct setting services;
	int error;

	if (!setting_mapping(root, keys))
		return 0;
	error = read_interfaces(config, root);
	if (error)
		return error;
	read_source(config, root);
	read_flow_table(config, root);
	read_limits(config->limit, root);
	config_routes_read(&config->routes, root);
	read_learning(&config->learning, root);
	config_nodes_read(root, config);
	config_resolver_read(&config->resolver, root);
	if (!setting_require(root, "services", &services))
		return 0;
	return config_service_read(config, &services, names);
}

/* The one validator: of a file's tree, with its places, and of the API's, without. */
static int read_tree(json_t *tree, const struct config_places *places,
		     const struct config_names *names, struct larch_config **out,
		     struct config_errors *errors)
{
	struct setting_tree all = {.places = places, .errors = errors};
	struct setting root = {.tree = &all, .value = tree};
	struct larch_config *config = new_config();
	int error;

	if (!config)
		return -ENOMEM;
	error = read_root(config, &root, names);
	if (!error && errors->count)
		error = -EINVAL;
	if (error)
		config_free(config);
	else
		*out = config;
	return error;
}

int config_from_json(struct json_t *tree, struct larch_config **out, struct config_errors *errors)
{
	*out = NULL;
	memset(errors, 0, sizeof(*errors));
	return read_tree(tree, NULL, NULL, out, errors);
}

int config_parse_names(const char *text, size_t length, const struct config_names *names,
		       struct larch_config **out, struct config_errors *errors)
{
	struct config_places *places;
	json_t *tree;
	int error;

	*out = NULL;
	memset(errors, 0, sizeof(*errors));
	error = config_text_check(text, length, &length, errors);
	if (error)
		return error;
	error = config_yaml_read(text, length, &tree, &places, errors);
	if (error)
		return error;
	error = read_tree(tree, places, names, out, errors);
	json_decref(tree);
	config_places_free(places);
	return error;
}

int config_parse(const char *text, size_t length, struct larch_config **out,
		 struct config_errors *errors)
{
	return config_parse_names(text, length, NULL, out, errors);
}

/* Reads at most size bytes of a file. Their number, or -errno. */
static ssize_t read_file(const char *file, char *text, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got = fd < 0 ? -1 : 1;

	while (got > 0 && length < size) {
		got = read(fd, text + length, size - length);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			length += (size_t)got;
	}
	if (got < 0)
		got = -errno;
	if (fd >= 0)
		close(fd);
	return got < 0 ? got : (ssize_t)length;
}

/* The one thing outside of the configuration that is read with it: so that it is refused with it.
 */
static int load_seed(struct larch_config **config, struct config_errors *errors)
{
	struct config_seed *seed = &(*config)->seed;
	char why[sizeof(errors->error[0].text)];

	if (!*seed->file || seed_read(seed->file, seed->word, why, sizeof(why)) == 0)
		return 0;
	config_error_add(errors, seed->line, seed->column, "seed_file", "%s", why);
	config_free(*config);
	*config = NULL;
	return -EINVAL;
}

int config_read(const char *file, char **text, size_t *length)
{
	const size_t size = CONFIG_MAX_BYTES + 1;
	ssize_t got;

	*length = 0;
	*text = malloc(size);
	if (!*text)
		return -ENOMEM;
	got = read_file(file, *text, size);
	if (got < 0) {
		free(*text);
		*text = NULL;
		return (int)got;
	}
	*length = (size_t)got;
	return 0;
}

int config_load_text(const char *file, char **text, size_t *length, struct larch_config **out,
		     struct config_errors *errors)
{
	int error = config_read(file, text, length);

	*out = NULL;
	memset(errors, 0, sizeof(*errors));
	if (!error)
		error = config_parse(*text, *length, out, errors);
	if (!error)
		error = load_seed(out, errors);
	if (error) {
		free(*text);
		*text = NULL;
	}
	return error;
}

int config_load(const char *file, struct larch_config **out, struct config_errors *errors)
{
	size_t length;
	char *text;
	int error = config_load_text(file, &text, &length, out, errors);

	free(text);
	return error;
}

void config_free(struct larch_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->service_count; i++) {
		free(config->services[i].vips);
		free(config->services[i].networks);
		free(config->services[i].health);
		free(config->services[i].members);
	}
	free(config->services);
	free(config->backends);
	free(config->interfaces);
	free(config->hosts);
	free(config->host_item);
	free(config->left_out);
	free(config);
}

const char *config_xdp_mode_text(enum config_xdp_mode mode)
{
	return (unsigned)mode <= CONFIG_XDP_GENERIC ? mode_words[mode] : NULL;
}
